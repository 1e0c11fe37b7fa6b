"""DeepNADE on the small binary sets and on static binarised MNIST, ConvNADE on the latter, RNADE on grey patches,
a multinomial NADE on digits of 17 levels.

Order-agnostic models train fast and are slow to evaluate: they are chosen with one order, on a part of the validation
split where it is large, and the stored model mixes over several.
"""

from operator import methodcaller

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

WIDER = "ours has two hidden layers"
SHORT = "on the whole test split; ours with 16 orders, on 200 test digits spread over it, after half of its steps"


def _mixed(orders: int) -> dict:
    """The stored model mixes over so many orders; it is trained and chosen with one."""
    return {"finish": methodcaller("with_orders", orders), "protocol": {"orders": orders}}


def _tiny(kind: str, model: str, what: str, config: dict, candidates: tuple[dict, ...], **training) -> Experiment:
    """On the embedded 8 × 8 digits: seconds to train, and whoever has the book can measure all of the test part."""
    return Experiment.of(
        name=f"{kind}-binary-digits8",
        description=f"{what}, an equal mixture over 4 random orders, 8 × 8 digits",
        model=f"autoregressive.{model}",
        source="binary-digits8",
        config=config | {"orders": 1},
        training=dict(steps=3000, warmup=50, evaluate_every=300, ema=0.99) | training,
        candidates=candidates,
        size=(8, 8),
        **_mixed(4),
        quick={"training": dict(steps=30, batch_size=64, lr=3e-3, evaluate_every=15), "candidates": ({},)}
        | _mixed(2) | {"part": 50},
    )


def _small(dataset: str, candidates: tuple[dict, ...], differs: str = WIDER, **training) -> Experiment:
    return Experiment.of(
        name=f"deepnade-{dataset}",
        description=f"DeepNADE, an equal mixture over 16 random orders, {dataset}",
        model="autoregressive.DeepNADE",
        source=dataset,
        config={"hidden": 200, "layers": 2, "orders": 1},
        training=dict(steps=10_000, batch_size=100, lr=2e-3, warmup=100, evaluate_every=1000, ema=0.99) | training,
        candidates=candidates,
        published={f"{dataset}-eonade": differs},
        **_mixed(16),
        quick=quick(QUICK_SET, steps=60, config={"hidden": 32, "layers": 2, "orders": 1}) | _mixed(2) | {"part": 50},
    )


EXPERIMENTS = (
    _small(
        "dna", tuple({"weight_decay": w} for w in (0.1, 1.0)), f"{DNA_SPLIT}; {WIDER}", steps=6000, lr=1e-3
    ),
    _small("mushrooms", tuple({"weight_decay": w} for w in (0.01, 0.1)), steps=12_000),
    _small("nips", tuple({"weight_decay": w} for w in (0.3, 1.0)), steps=4000, lr=1e-3),
    Experiment.of(
        name="deepnade-binarized-mnist",
        description="DeepNADE, two layers of 500, an equal mixture over 16 random orders, static binarised MNIST",
        model="autoregressive.DeepNADE",
        source="binarized-mnist",
        config={"hidden": 500, "layers": 2, "orders": 1},
        training=dict(steps=100_000, batch_size=100, lr=1e-3, warmup=500, evaluate_every=10_000, ema=0.999),
        published={"binarized-mnist-eonade": SHORT},
        size=(28, 28),
        witness=DIGITS,
        **_mixed(16),
        part=200,
        quick=quick(DIGITS, steps=60, config={"hidden": 64, "layers": 2, "orders": 1}) | _mixed(2) | {"part": 20},
    ),
    Experiment.of(
        name="convnade-binarized-mnist",
        description="ConvNADE, eight dilated layers of 16 channels, an equal mixture over 2 random orders, static "
        "binarised MNIST",
        model="autoregressive.ConvNADE",
        source="binarized-mnist",
        config={"channels": 16, "layers": 8, "dilations": (1, 2, 4, 8), "orders": 1},
        training=dict(steps=20_000, batch_size=50, lr=2e-3, warmup=200, evaluate_every=4000, ema=0.999),
        size=(28, 28),
        witness=DIGITS,
        **_mixed(2),
        part=100,
        quick=quick(DIGITS, steps=20, config={"channels": 4, "layers": 2, "dilations": (1, 4), "orders": 1})
        | _mixed(2) | {"part": 4},
    ),
    _tiny(
        "deepnade", "DeepNADE", "DeepNADE, two layers of 128", {"hidden": 128, "layers": 2},
        tuple({"weight_decay": w} for w in (0.01, 0.1)), batch_size=128, lr=5e-3,
    ),
    _tiny(
        "convnade", "ConvNADE", "ConvNADE, four layers of 16 channels",
        {"channels": 16, "layers": 4, "dilations": (1, 2)},
        ({"weight_decay": 0.01},), batch_size=64, lr=1e-2,
    ),
    Experiment.of(
        name="multinomial-nade-digits8",
        description="Multinomial NADE, 64 hidden units, raster order, 8 × 8 digits with their 17 levels",
        model="autoregressive.MultinomialNADE",
        source="digits8",
        config={"levels": 17, "hidden": 64},
        training=dict(steps=1200, batch_size=100, lr=1e-2, evaluate_every=100, patience=4),
        candidates=tuple({"weight_decay": w} for w in (0.3, 1.0)),
        size=(8, 8),
        quick=dict(
            training=dict(steps=30, batch_size=64, lr=1e-2, evaluate_every=15),
            config={"levels": 17, "hidden": 8},
            candidates=({},),
        ),
    ),
    Experiment.of(
        name="rnade-patches",
        description="RNADE, ten Gaussians a conditional, grey patches of two photographs. The papers' figures are on "
        "other photographs: compare with the mixtures of Gaussians here",
        model="autoregressive.RNADE",
        source="grey-patches",
        config={"hidden": 128, "components": 10, "scale": 0.1},
        training=dict(
            steps=4000, batch_size=100, lr=2e-3, warmup=100, evaluate_every=100, ema=0.99, clip=100.0, patience=8
        ),
        candidates=tuple({"hidden": h, "weight_decay": w} for h in (64, 128) for w in (0.1, 1.0)),
        dtype="float32",
        quick=dict(
            training=dict(steps=40, batch_size=64, lr=3e-3, evaluate_every=20),
            config={"hidden": 16, "components": 3, "scale": 0.1},
            candidates=({},),
        ),
    ),
)
