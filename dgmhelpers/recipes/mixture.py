"""Mixtures of Bernoullis by EM: what a density was before it was deep.

What is left to choose is how many components and how much smoothing: the validation split chooses, and says when EM
has climbed far enough.
"""

from dgmhelpers.recipes.base import Published, Recipe
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

UNKNOWN = "its number of components and its smoothing are not known to us"
QUICK = quick(QUICK_SET, steps=40, candidates=({"components": 10}, {"components": 20})) | {"training": {"steps": 40}}


def _small(dataset: str, value: float, components: tuple[int, ...], smoothing: tuple[float, ...], note: str) -> Recipe:
    return Recipe(
        name=f"mixture-{dataset}",
        description=f"Mixture of Bernoullis by EM, {dataset}",
        model="classical.BernoulliMixture",
        dataset=dataset,
        config={"components": components[0], "smoothing": smoothing[0]},
        method="em",
        training=dict(steps=200, patience=10),
        candidates=tuple({"components": k, "smoothing": a} for k in components for a in smoothing),
        published=(Published("mixture of Bernoullis", value, "germain2015made", note=note),),
        dtype="float32",
        quick=QUICK,
    )


def _patches(name: str, what: str, candidates: tuple[dict, ...], steps: int) -> Recipe:
    return Recipe(
        name=f"{name}-patches",
        description=f"{what}, grey patches of two photographs",
        model="classical.GaussianMixture",
        dataset="grey-patches",
        config={"components": 1, "ridge": 1e-6},
        method="em",
        training=dict(steps=steps, patience=5),
        candidates=candidates,
        dtype="float32",
        quick={"training": {"steps": 3}, "candidates": candidates[:1]},
    )


RECIPES = (
    _small("dna", 98.19, (4, 8, 16), (0.1, 1.0), f"{DNA_SPLIT}; {UNKNOWN}"),
    _small("mushrooms", 14.46, (64, 128, 256), (0.01, 0.03), UNKNOWN),
    _small("nips", 290.02, (4, 8, 16), (0.1, 0.3, 1.0), UNKNOWN),
    Recipe(
        name="mixture-binarized-mnist",
        description="Mixture of 500 Bernoullis by EM, static binarised MNIST",
        model="classical.BernoulliMixture",
        dataset="binarized-mnist",
        config={"components": 500, "smoothing": 0.1},
        method="em",
        training=dict(steps=60, patience=3),
        published=(Published("mixture of Bernoullis, 500 components", 137.64, "germain2015made", note=UNKNOWN),),
        dtype="float16",
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=20, config={"components": 20, "smoothing": 0.1}) | {"training": {"steps": 20}},
    ),
    _patches("gaussian", "One Gaussian with a full covariance", ({"components": 1},), steps=3),
    _patches(
        "mixture",
        "Mixture of Gaussians with full covariances, by EM",
        tuple({"components": k, "ridge": r} for k in (5, 10, 20, 40) for r in (1e-6, 3e-6)),
        steps=60,
    ),
)
