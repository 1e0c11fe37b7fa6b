"""NADE on the small binary sets and, at the paper's size, on static binarised MNIST."""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick


def _small(dataset: str, candidates: tuple[dict, ...], differs: str = "", **training) -> Experiment:
    return Experiment.of(
        name=f"nade-{dataset}",
        description=f"NADE in the order of the columns, {dataset}",
        model="autoregressive.NADE",
        source=dataset,
        config={"hidden": 100},
        training=dict(steps=1500, batch_size=100, lr=5e-3, evaluate_every=50, patience=8) | training,
        candidates=candidates,
        published={f"{dataset}-nade": differs},
        quick=quick(QUICK_SET, steps=100, config={"hidden": 16}),
    )


EXPERIMENTS = (
    _small("dna", tuple({"hidden": h, "l1": l1} for h in (100, 300) for l1 in (0.0, 1e-3)), DNA_SPLIT),
    _small("mushrooms", tuple({"hidden": 200, "l1": l1} for l1 in (0.0, 1e-4)), steps=3000),
    _small("nips", tuple({"hidden": 100, "l1": l1} for l1 in (1e-3, 3e-3, 1e-2))),
    Experiment.of(
        name="nade-binarized-mnist",
        description="NADE, 500 hidden units, raster order, static binarised MNIST",
        model="autoregressive.NADE",
        source="binarized-mnist",
        config={"hidden": 500},
        training=dict(steps=9000, batch_size=100, lr=3e-3, warmup=200, evaluate_every=500, ema=0.998),
        published={"binarized-mnist-nade": ""},
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=60, config={"hidden": 16}),
    ),
)
