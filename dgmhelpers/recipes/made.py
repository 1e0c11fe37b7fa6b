"""MADE on the small binary sets and on static binarised MNIST."""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

DIRECT = "ours has direct connections from inputs to outputs, with their own weights"


def _small(dataset: str, candidates: tuple[dict, ...], differs: str = DIRECT, **training) -> Experiment:
    return Experiment.of(
        name=f"made-{dataset}",
        description=f"MADE with one mask in the order of the columns, {dataset}",
        model="autoregressive.MADE",
        source=dataset,
        config={"hidden": 100, "layers": 1},
        training=dict(steps=3000, batch_size=100, lr=3e-3, evaluate_every=100, patience=10) | training,
        candidates=candidates,
        published={f"{dataset}-made": differs},
        quick=quick(QUICK_SET, steps=300, config={"hidden": 32, "layers": 1}),
    )


DNA = tuple({"hidden": h, "l1": l1} for h in (100, 500) for l1 in (0.0, 2e-3, 4e-3))

EXPERIMENTS = (
    _small("dna", DNA, f"{DNA_SPLIT}; {DIRECT}"),
    _small("mushrooms", tuple({"hidden": 500, "l1": l1} for l1 in (0.0, 1e-4, 2e-4, 4e-4)), steps=8000),
    _small("nips", tuple({"l1": l1} for l1 in (3e-3, 1e-2, 2e-2, 3e-2))),
    Experiment.of(
        name="made-binarized-mnist",
        description="MADE, one hidden layer of 500, one mask, raster order, static binarised MNIST",
        model="autoregressive.MADE",
        source="binarized-mnist",
        config={"hidden": 500, "layers": 1},
        training=dict(steps=16_000, batch_size=100, lr=2e-3, warmup=200, evaluate_every=1000, ema=0.999),
        published={"binarized-mnist-made-8000": f"ours has 500 units; {DIRECT}"},
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=300, config={"hidden": 64, "layers": 1}, lr=3e-3),
    ),
)
