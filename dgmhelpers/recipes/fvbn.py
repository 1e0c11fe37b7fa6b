"""FVBN on the small binary sets and on static binarised MNIST.

Each conditional is a convex problem, so what is left to choose is the penalty: ``l1``, by the validation split.
"""

from dgmhelpers.recipes.base import Published, Recipe
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

UNTUNED = "the published figure has no such penalty"


def _small(dataset: str, value: float, penalties: tuple[float, ...], note: str, **training) -> Recipe:
    return Recipe(
        name=f"fvbn-{dataset}",
        description=f"One logistic regression per variable, {dataset}",
        model="autoregressive.FVBN",
        dataset=dataset,
        training=dict(steps=4000, batch_size=100, lr=1e-2, evaluate_every=100, patience=15) | training,
        candidates=tuple({"l1": l1} for l1 in penalties),
        published=(Published("FVBN (logistic)", value, "germain2015made", note=note),),
        quick=quick(QUICK_SET, steps=300, candidates=({"l1": 0.0}, {"l1": 1e-3})),
    )


RECIPES = (
    _small("dna", 83.64, (0.0, 1e-3, 2e-3, 3e-3, 5e-3), f"{DNA_SPLIT}; {UNTUNED}"),
    _small("mushrooms", 10.27, (0.0, 1e-5, 1e-4, 3e-4), UNTUNED, steps=15_000, evaluate_every=500),
    _small("nips", 276.88, (1e-2, 1.5e-2, 2e-2, 3e-2), UNTUNED, lr=3e-3),
    Recipe(
        name="fvbn-binarized-mnist",
        description="One logistic regression per pixel, static binarised MNIST",
        model="autoregressive.FVBN",
        dataset="binarized-mnist",
        training=dict(steps=12_000, batch_size=200, lr=3e-3, evaluate_every=500),
        candidates=({"l1": 0.0}, {"l1": 2e-4}),
        published=(Published("FVBN (logistic)", 97.45, "larochelle2011nade", note=UNTUNED),),
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=400, candidates=({"l1": 1e-3},)),
    ),
)
