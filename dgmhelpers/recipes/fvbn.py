"""FVBN on the small binary sets and on static binarised MNIST.

Each conditional is a convex problem, so what is left to choose is the penalty: ``l1``, by the validation split.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

UNTUNED = "the published figure has no such penalty"


def _small(dataset: str, penalties: tuple[float, ...], differs: str, **training) -> Experiment:
    return Experiment.of(
        name=f"fvbn-{dataset}",
        description=f"One logistic regression per variable, {dataset}",
        model="autoregressive.FVBN",
        source=dataset,
        training=dict(steps=4000, batch_size=100, lr=1e-2, evaluate_every=100, patience=15) | training,
        candidates=tuple({"l1": l1} for l1 in penalties),
        published={f"{dataset}-fvbn": differs},
        quick=quick(QUICK_SET, steps=300, candidates=({"l1": 0.0}, {"l1": 1e-3})),
    )


EXPERIMENTS = (
    _small("dna", (0.0, 1e-3, 2e-3, 3e-3, 5e-3), f"{DNA_SPLIT}; {UNTUNED}"),
    _small("mushrooms", (0.0, 1e-5, 1e-4, 3e-4), UNTUNED, steps=15_000, evaluate_every=500),
    _small("nips", (1e-2, 1.5e-2, 2e-2, 3e-2), UNTUNED, lr=3e-3),
    Experiment.of(
        name="fvbn-binarized-mnist",
        description="One logistic regression per pixel, static binarised MNIST",
        model="autoregressive.FVBN",
        source="binarized-mnist",
        training=dict(steps=12_000, batch_size=200, lr=3e-3, evaluate_every=500),
        candidates=({"l1": 0.0}, {"l1": 2e-4}),
        published={"binarized-mnist-fvbn": UNTUNED},
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=400, candidates=({"l1": 1e-3},)),
    ),
)
