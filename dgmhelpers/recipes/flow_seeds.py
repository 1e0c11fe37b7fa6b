"""The flows that chapter 11 trains on its page, from five seeds: what of them is the flow's, and what the seed's.

``flow-seeds-moons``: eight affine couplings in the plane, for 500 steps of 128 points as on the page, and for 600 of
256, which chapter 5 gives its RNADE. ``flow-seeds-digits8``: six couplings on 8 × 8 digits; bounds with 1 draw and with
500 draws of the noise, the same 100 digits under the stored multinomial NADE, and how many digits a black image beats.
``flow-seeds-patches``, ``flow-seeds-shuffled``: six couplings on grey patches, and on the same patches with every pixel
shuffled; by how much a plain patch beats them after 200 steps, and the shuffled ones after 1,000 too.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Size, Tensor

from dgmhelpers import data, evaluation
from dgmhelpers.data import Dataset, toys
from dgmhelpers.recipes.experiment import ONLY, Experiment, Made
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.training import files

SEEDS = (0, 1, 2, 3, 4)
DRAWS, PART = 500, 100      # of the tighter bound, and the test digits that get it


def moons(made: Made | None = None) -> Dataset:
    """The points of the page: 5,000 to train on, 1,000 for validation, and 5,000 more to test."""
    draw = toys.two_moons().sample
    x, test = (draw(n, generator=Generator().manual_seed(seed)) for n, seed in ((6000, 0), (5000, 1)))
    return Dataset(
        name="two_moons", train=x[:5000], valid=x[5000:], test=test, event_shape=Size([2]), levels=None,
        sha256=files.fingerprint(torch.cat([x, test])), licence="MIT", attribution="this project",
        source="drawn from an exact density: synthetic", quick=True,
    )  # fmt: skip


def flat_digits(made: Made | None = None) -> Dataset:
    """The 8 × 8 digits of 17 levels as vectors."""
    return data.load("digits8").flat()


@torch.no_grad()
def excess(model: Any, dataset: Dataset, seed: int) -> dict[str, float]:
    """Nats a point beyond the exact density, on the test points."""
    x = dataset.split("test")
    return {"excess": (toys.two_moons().log_prob(x).double() - evaluation.log_probs(model, x)).mean().item()}


@torch.no_grad()
def bounds(model: Any, dataset: Dataset, seed: int, draws: int = DRAWS) -> dict[str, float]:
    """Bounds in nats on test digits with 1 and with many draws, and the share of them that black beats under both."""
    x, draw = dataset.flat().split("test")[:PART], Generator().manual_seed(seed)
    black = torch.zeros(1, x.shape[1], dtype=x.dtype)

    def bound(x: Tensor, k: int, repeats: int) -> Tensor:
        return torch.stack([model.elbo(x, k, generator=draw) for _ in range(repeats)]).double().mean(0)

    one, many = bound(x, 1, 8), torch.cat([bound(part, draws, 1) for part in x.split(10)])
    return {"one": -one.mean().item(), "many": -many.mean().item(),
            "black_one": (one < bound(black, 1, 32)).double().mean().item(),
            "black_many": (many < bound(black, draws, 1)).double().mean().item()}


def patches(shuffled: bool, made: Made | None = None) -> Dataset:
    """Grey patches in units of their standard deviation; ``shuffled``, every pixel among the patches of its split."""
    found, draw = data.load("grey-patches").flat(), Generator().manual_seed(2)
    parts: dict[str, Any] = {split: x / found.train.std() for split, x in found.splits.items()}
    if shuffled:
        parts = {split: torch.stack([c[torch.randperm(len(x), generator=draw)] for c in x.T], 1)
                 for split, x in parts.items()}
    return replace(found, **parts)


@torch.no_grad()
def plain(model: Any, dataset: Dataset, seed: int) -> dict[str, float]:
    """By how much plain patches, of one level of noise each, beat the patches."""
    grey = torch.rand(500, 64, generator=Generator().manual_seed(3)) / 256
    grey = (grey - grey.mean(1, keepdim=True))[:, :63] / data.load("grey-patches").flat().train.std()
    scores = {split: model.log_prob(x).double() for split, x in dataset.splits.items()}
    of_grey = model.log_prob(grey).double()
    low5, low, high = scores["valid"].quantile(torch.tensor([0.05, 0.025, 0.975]).double())
    return {"gain": (of_grey.mean() - scores["train"].mean()).item(),
            "beats": (scores["test"] < of_grey.mean()).double().mean().item(),
            "caught_low": (of_grey < low5).double().mean().item(),
            "caught_both": ((of_grey < low) | (of_grey > high)).double().mean().item()}


def _study(name: str, description: str, measure: Any, units: dict[str, str], **given: Any) -> Experiment:
    training = given.pop("training")
    short = {name: {k: v for k, v in change.items() if k != "steps"} for name, change in
             given.get("variants", {ONLY: {}}).items()}
    return Experiment.of(
        name, description, seeds=SEEDS, keep=None, measures=(Figures(measure, units),), training=training,
        quick={"seeds": (0,), "training": training | {"steps": 10}, "variants": short}, **given,
    )  # fmt: skip


OF_PATCHES = {
    "gain": "nats by which the mean plain patch beats the mean training patch",
    "beats": "share of test patches that it beats",
    "caught_low": "share of plain patches below the lowest 5 % of validation patches",
    "caught_both": "share of plain patches outside the middle 95 % of validation patches",
}
EXPERIMENTS = (
    _study(
        "flow-seeds-moons", "A flow of eight couplings on two moons, five seeds: nats beyond the exact density", excess,
        {"excess": "nats a point beyond the exact density, 5,000 test points"}, model="flows.RealNVP", source=moons,
        config={"layers": 8, "hidden": (32, 32), "norm": True},
        training={"steps": 500, "batch_size": 128, "lr": 0.01, "clip": 10.0, "evaluate_every": 50},
        variants={"500 steps of 128": {}, "600 steps of 256": {"steps": 600, "batch_size": 256}},
    ),
    _study(
        "flow-seeds-digits8", "Six couplings on 8 × 8 digits, five seeds: bounds with 1 and 500 draws", bounds,
        {"one": f"bound with one draw, {PART} test digits, nats", "many": f"bound with {DRAWS} draws, the same, nats",
         "black_one": "share of these digits that black beats, bounds with one draw",
         "black_many": f"share that black beats, bounds with {DRAWS} draws"},
        model="flows.Dequantised", source=flat_digits,
        config={"alpha": 0.01, "flow": "RealNVP", "sizes": {"layers": 6, "hidden": (128, 128), "norm": True}},
        training={"steps": 250, "batch_size": 128, "lr": 0.01, "weight_decay": 1.0, "clip": 20.0, "evaluate_every": 50},
    ),
    *(_study(
        f"flow-seeds-{name}", f"Six couplings on {words}, five seeds: a plain patch's lead", plain, OF_PATCHES,
        model="flows.RealNVP", source=partial(patches, name == "shuffled"), config={"layers": 6, "hidden": (128,)},
        training={"steps": 200, "batch_size": 128, "lr": 0.003, "weight_decay": 1.0, "clip": 20.0},
        variants={"200 steps": {}} | ({"1,000 steps": {"steps": 1000}} if name == "shuffled" else {}),
    ) for name, words in (("patches", "grey patches"), ("shuffled", "grey patches with every pixel shuffled"))),
)  # fmt: skip
