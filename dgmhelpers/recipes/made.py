"""MADE on the small binary sets and on static binarised MNIST."""

from dgmhelpers.recipes.base import Published, Recipe
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

DIRECT = "ours has direct connections from inputs to outputs, with their own weights"


def _small(dataset: str, value: float, candidates: tuple[dict, ...], note: str = DIRECT, **training) -> Recipe:
    return Recipe(
        name=f"made-{dataset}",
        description=f"MADE with one mask in the order of the columns, {dataset}",
        model="autoregressive.MADE",
        dataset=dataset,
        config={"hidden": 100, "layers": 1},
        training=dict(steps=3000, batch_size=100, lr=3e-3, evaluate_every=100, patience=10) | training,
        candidates=candidates,
        published=(Published("MADE", value, "germain2015made", note=note),),
        quick=quick(QUICK_SET, steps=300, config={"hidden": 32, "layers": 1}),
    )


DNA = tuple({"hidden": h, "l1": l1} for h in (100, 500) for l1 in (0.0, 2e-3, 4e-3))

RECIPES = (
    _small("dna", 83.63, DNA, f"{DNA_SPLIT}; {DIRECT}"),
    _small("mushrooms", 9.68, tuple({"hidden": 500, "l1": l1} for l1 in (0.0, 1e-4, 2e-4, 4e-4)), steps=8000),
    _small("nips", 280.25, tuple({"l1": l1} for l1 in (3e-3, 1e-2, 2e-2, 3e-2))),
    Recipe(
        name="made-binarized-mnist",
        description="MADE, one hidden layer of 500, one mask, raster order, static binarised MNIST",
        model="autoregressive.MADE",
        dataset="binarized-mnist",
        config={"hidden": 500, "layers": 1},
        training=dict(steps=16_000, batch_size=100, lr=2e-3, warmup=200, evaluate_every=1000, ema=0.999),
        published=(
            Published("MADE, 500 hidden, one mask", 94.5, "germain2015made", note=f"read off a figure; {DIRECT}"),
        ),
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=300, config={"hidden": 64, "layers": 1}, lr=3e-3),
    ),
)
