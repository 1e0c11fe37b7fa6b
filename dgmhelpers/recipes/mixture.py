"""Mixtures of Bernoullis by EM: what a density was before it was deep.

What is left to choose is how many components and how much smoothing: the validation split chooses, and says when EM
has climbed far enough.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.sets import DIGITS, DNA_SPLIT, QUICK_SET, quick

QUICK = quick(QUICK_SET, steps=40, candidates=({"components": 10}, {"components": 20})) | {"training": {"steps": 40}}


def _small(dataset: str, components: tuple[int, ...], smoothing: tuple[float, ...], differs: str = "") -> Experiment:
    return Experiment.of(
        name=f"mixture-{dataset}",
        description=f"Mixture of Bernoullis by EM, {dataset}",
        model="classical.BernoulliMixture",
        source=dataset,
        config={"components": components[0], "smoothing": smoothing[0]},
        trainer="em",
        training=dict(steps=200, patience=10),
        candidates=tuple({"components": k, "smoothing": a} for k in components for a in smoothing),
        published={f"{dataset}-mixture": differs},
        dtype="float32",
        quick=QUICK,
    )


def _patches(name: str, what: str, candidates: tuple[dict, ...], steps: int) -> Experiment:
    return Experiment.of(
        name=f"{name}-patches",
        description=f"{what}, grey patches of two photographs",
        model="classical.GaussianMixture",
        source="grey-patches",
        config={"components": 1, "ridge": 1e-6},
        trainer="em",
        training=dict(steps=steps, patience=5),
        candidates=candidates,
        dtype="float32",
        quick={"training": {"steps": 3}, "candidates": candidates[:1]},
    )


EXPERIMENTS = (
    _small("dna", (4, 8, 16), (0.1, 1.0), DNA_SPLIT),
    _small("mushrooms", (64, 128, 256), (0.01, 0.03)),
    _small("nips", (4, 8, 16), (0.1, 0.3, 1.0)),
    Experiment.of(
        name="mixture-binarized-mnist",
        description="Mixture of 500 Bernoullis by EM, static binarised MNIST",
        model="classical.BernoulliMixture",
        source="binarized-mnist",
        config={"components": 500, "smoothing": 0.1},
        trainer="em",
        training=dict(steps=60, patience=3),
        published={"binarized-mnist-mixture": ""},
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
