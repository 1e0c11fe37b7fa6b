"""Transformers: over the characters of Shakespeare, over digits, over periods, and over sizes.

*Shakespeare*: three sizes; that of 1.8 million parameters without its weights, which are too large to keep. The
validation part is read in windows of 128 that overlap by half. *Digits of 8 × 8*: how a place is known, three seeds.
*Periods*: strings of 32 symbols that repeat their first 6 to 16, all different; after one period a symbol can be looked
up: it is what followed last time. *Sizes*: four widths at the same 600 steps.
"""

from typing import Any

import torch
from torch import Generator, Size

from dgmhelpers.data import Dataset
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Figures, Nats, NatsOfText
from dgmhelpers.recipes.sets import SMALL, quick
from dgmhelpers.training import files

PERIOD_SYMBOLS, PERIOD_LENGTH, SHORTEST = 16, 32, 6

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


def periods(made: Made | None = None) -> Dataset:
    """Strings that repeat their first symbols, 6 to 16 of them and all different, ``(N, 32)``."""
    draw = Generator().manual_seed(0)
    order = torch.rand(24_000, PERIOD_SYMBOLS, generator=draw).argsort(1)
    period = torch.randint(SHORTEST, PERIOD_SYMBOLS + 1, (len(order), 1), generator=draw)
    x = order.gather(1, torch.arange(PERIOD_LENGTH) % period)
    train, valid, test = x.split([20_000, 2_000, 2_000])
    return Dataset(
        name="periods", train=train, valid=valid, test=test, event_shape=Size([PERIOD_LENGTH]), levels=PERIOD_SYMBOLS,
        sha256=files.fingerprint(x), licence="MIT", attribution="this project", source="synthetic", quick=True,
    )  # fmt: skip


def period_of(x: torch.Tensor) -> torch.Tensor:
    """The period of each string, ``(N,)``: where its first symbol comes again."""
    return (x[:, 1:] == x[:, :1]).long().argmax(1) + 1


@torch.no_grad()
def copying(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """Nats where the next symbol can be looked up, and how much heads look at what followed last time.

    Input t is symbol t − 1. The head looks it up: it looks at the input after the last one with that symbol.
    """
    x = dataset.split("test")[:500]
    t, period = torch.arange(x.shape[1]), period_of(x)[:, None]
    known = t > period                                                             # (N, T)
    nats = -model.likelihood.log_prob(model(x), x)
    looks = model.attention(x)                                                     # (N, layers, heads, T, T)
    rows, slots = known.nonzero(as_tuple=True)
    followed = looks[rows, :, :, slots, slots - period[rows, 0] + 1].mean(0)       # (layers, heads)
    before = looks[rows, :, :, slots, slots - 1].mean(0)
    return {
        "known": nats[known].mean().item(),
        "unknown": nats[t.expand_as(x) < SHORTEST].mean().item(),
        "looks_it_up": followed[-1].max().item(),
        "looks_one_back": before[0].max().item(),
    }


COPYING = {
    "known": "nats a symbol where the string repeats what it had before",
    "unknown": "nats a symbol of the first six",
    "looks_it_up": "weight of the last block on what followed last time, the head with most",
    "looks_one_back": "weight of the first block on the symbol before, the head with most",
}

EXPERIMENTS = (
    _shakespeare("transformer-shakespeare", "Transformer of three blocks of 120 features", "0.5 M", 8_000, {}),
    _shakespeare("transformer-large-shakespeare", "Transformer of four blocks of 192 features", "1.8 M", 6_000,
                 {"hidden": 192, "layers": 4, "heads": 6}, keep=None),
    _shakespeare("transformer-draft-shakespeare", "Transformer of one block of 40 features, to draft for a larger one",
                 "25,000", 1_500, {"hidden": 40, "layers": 1, "heads": 2, "dropout": 0.0}),
    Experiment.of(
        "transformer-digits8", "Transformer of two blocks of 32 features, 8 × 8 digits in raster order: three ways to "
        "know a place, at the same 800 steps",
        model="autoregressive.Transformer", source=SMALL,
        config={"hidden": 32, "layers": 2, "heads": 4, "position": "learned", "dropout": 0.1},
        training=dict(steps=800, batch_size=32, lr=4e-3, betas=(0.9, 0.99), weight_decay=0.1, warmup=50, clip=1.0,
                      evaluate_every=100),
        variants={name: {"position": name} for name in ("learned", "rotary", "none")}, seeds=(0, 1, 2),
        keep="learned", against="none", measures=(Nats(),), size=(8, 8),
        quick={"training": dict(steps=20, batch_size=16, lr=3e-3, evaluate_every=10), "seeds": (0,), "part": 50},
    ),
    Experiment.of(
        "transformer-periods", "Transformers of 32 features on strings that repeat themselves: one block and two",
        model="autoregressive.Transformer", source=periods,
        config={"hidden": 32, "layers": 2, "heads": 2, "position": "rotary"},
        training=dict(steps=1000, batch_size=32, lr=3e-3, warmup=50, clip=1.0, evaluate_every=100),
        variants={"one block": {"layers": 1}, "two blocks": {}}, seeds=(0, 1, 2), keep="two blocks",
        against="one block", measures=(Figures(copying, COPYING),), dtype="float16",
        quick={"training": dict(steps=20, batch_size=16, lr=3e-3, evaluate_every=10), "seeds": (0,)},
    ),
    Experiment.of(
        "transformer-sizes", "Transformers of four widths on Python's manual, at the same 600 steps",
        model="autoregressive.Transformer", source="text",
        config={"length": 64, "hidden": 16, "layers": 2, "heads": 2, "position": "rotary"},
        training=dict(steps=600, batch_size=16, lr=4e-3, betas=(0.9, 0.99), weight_decay=0.1, warmup=50, clip=1.0,
                      evaluate_every=200, evaluate_batch_size=100),
        variants={str(hidden): {"hidden": hidden} for hidden in (8, 16, 32, 64)}, seeds=(0, 1, 2), keep=None,
        measures=(NatsOfText(),),
        quick={"training": dict(steps=10, batch_size=8, lr=3e-3, evaluate_every=10), "seeds": (0,),
               "variants": {"8": {"hidden": 8}, "16": {}}},
    ),
)  # fmt: skip
