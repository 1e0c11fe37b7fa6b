"""Transformers: over the characters of Shakespeare, over digits, over repeated strings, and over sizes."""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import NatsOfText
from dgmhelpers.recipes.sets import quick

SIZES = {"length": 128, "hidden": 120, "layers": 3, "heads": 4, "position": "rotary", "dropout": 0.1}
TRAINING = dict(batch_size=16, lr=2e-3, betas=(0.9, 0.99), weight_decay=0.1, warmup=200, clip=1.0, precision="bf16")
THEIRS = "ours has {} parameters and gives each character 64 to 127; theirs is a mean over windows of {}"


def _shakespeare(name: str, description: str, size: str, steps: int, config: dict, **rest) -> Experiment:
    return Experiment.of(
        name, f"{description}, tiny Shakespeare; measured on the validation part, each character given 64 to 127",
        model="autoregressive.Transformer", source="tiny-shakespeare", config=SIZES | config,
        training=TRAINING | dict(steps=steps, evaluate_every=500), measures=(NatsOfText(),),
        published={"tiny-shakespeare-transformer": THEIRS.format(size, 256),
                   "tiny-shakespeare-transformer-cpu": THEIRS.format(size, 64)},
        quick=quick("text", steps=40, batch_size=16, lr=3e-3, more={
            "config": {"length": 32, "hidden": 32, "layers": 2, "heads": 2, "position": "rotary", "dropout": 0.0}}),
        **rest,
    )  # fmt: skip


EXPERIMENTS = (
    _shakespeare("transformer-shakespeare", "Transformer of three blocks of 120 features", "0.5 M", 8_000, {}),
    _shakespeare("transformer-large-shakespeare", "Transformer of four blocks of 192 features", "1.8 M", 6_000,
                 {"hidden": 192, "layers": 4, "heads": 6}, keep=None),
)
