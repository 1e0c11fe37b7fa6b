"""Flows: in the plane against densities that are known, and on digits as a bound.

*In the plane* (``flows-moons``, ``flows-islands``): 20,000 points to train on, batches of 256, Adam at a rate of 0.003,
falling on a cosine; validation on 4,000 points chooses the weights. KL(truth ‖ model) is the mean of log p − log q over
20,000 test points, the same for every variant and seed. NICE and Real NVP have six couplings, networks of two layers of
32 units and a normal base: 6,920 and 7,116 parameters. In the variants of "equal seconds" both get the steps that 10
seconds of one processor core pay for, counted by what 50 steps take before training.

*Digits of 8 × 8* (``flows-digits8``, ``realnvp-variational-digits8``; one seed each): the bound on the 17 levels, in
nats an image, with uniform and with variational noise: comparable with the exact figures of other models on the same
split, and never better than the model's own likelihood. *MNIST* (``realnvp-mnist``): the same in bits a dimension. All
give the bound on plain grey images, too.
"""

import copy
import math
import time
from functools import partial
from typing import Any

import torch
from torch import Generator, Size, Tensor

from dgmhelpers import evaluation
from dgmhelpers.data import Dataset, toys
from dgmhelpers.flows import plain_images
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Elbo, Figures
from dgmhelpers.recipes.sets import LEVELS, quick
from dgmhelpers.recipes.train import Examples
from dgmhelpers.training import files, fit

TRAIN, VALID, TEST = 20_000, 4_000, 20_000
TIMED = 50
STRIP = 0.4         # half the width of the strip between the islands: it ends 4 standard deviations from both centres
GRID = 801          # points on each side of the square over which the strip's mass is integrated


def points(name: str, made: Made | None = None) -> Dataset:
    """A toy density's points as a data set."""
    draw = Generator().manual_seed(0)
    x = toys.get(name).sample(TRAIN + VALID + TEST, draw, dtype=torch.float32)
    train, valid, test = x.split([TRAIN, VALID, TEST])
    return Dataset(
        name=name, train=train, valid=valid, test=test, event_shape=Size([2]), levels=None, sha256=files.fingerprint(x),
        licence="MIT", attribution="this project", source="drawn from an exact density: synthetic", quick=True,
    )  # fmt: skip


@torch.no_grad()
def divergence(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """KL(truth ‖ model) in nats over the test points, its standard error, and the mass between two islands."""
    truth, x = toys.get(dataset.name), dataset.split("test")
    gap = evaluation.mean(truth.log_prob(x.double()) - evaluation.log_probs(model, x), "nats")
    found = {"kl": gap.value, "kl_error": gap.standard_error}
    return found | ({"bridge": bridge(model)} if dataset.name == "two_islands" else {})


@torch.no_grad()
def bridge(model: Any, half: float = STRIP, reach: float = 6.0) -> float:
    """The mass that a density over the plane has in the strip ``|x₁| ≤ half``, ``|x₂| ≤ reach``: by quadrature."""
    x = torch.linspace(-half, half, 101, dtype=torch.double)
    y = torch.linspace(-reach, reach, GRID, dtype=torch.double)
    places = torch.cartesian_prod(x, y).split(65536)
    log_p = torch.cat([model.log_prob(part.to(getattr(model, "dtype", part.dtype))).double() for part in places])
    return torch.trapezoid(torch.trapezoid(log_p.exp().reshape(101, GRID), y), x).item()


def within(model: Any, examples: Examples, *, processor_seconds: float | None = None, steps: int, watch=None, **rest):
    """``fit``, with the steps that so many seconds of one processor core pay for, if they are given."""
    if processor_seconds is not None:
        trial = copy.deepcopy(model)
        timed = {k: v for k, v in rest.items() if k in ("batch_size", "lr", "ema", "clip", "seed", "device")}
        fit(trial, examples.train, steps=5, **timed, progress=False)
        begun = time.process_time()
        fit(trial, examples.train, steps=TIMED, **timed, progress=False)
        steps = max(TIMED, round(processor_seconds * TIMED / (time.process_time() - begun)))
    return fit(model, examples.train, valid=examples.valid, steps=steps, **rest)


PLANE: dict[str, Any] = {"layers": 6, "hidden": (32, 32)}
VARIANTS: dict[str, dict] = {
    "linear, normal": {"class": "flows.LinearICA", "model": {"base": "normal"}},
    "ICA": {"class": "flows.LinearICA", "model": {"base": "logistic"}},
    "NICE": {"class": "flows.NICE", "model": PLANE | {"base": "normal"}},
    "Real NVP": {"class": "flows.RealNVP", "model": PLANE},
    "NICE, 10 s": {"class": "flows.NICE", "model": PLANE | {"base": "normal"}, "processor_seconds": 10.0},
    "Real NVP, 10 s": {"class": "flows.RealNVP", "model": PLANE, "processor_seconds": 10.0},
}
UNITS = {
    "kl": "KL(truth ‖ model), nats, over 20,000 test points",
    "kl_error": "its standard error over the test points, nats",
    "bridge": "mass within 0.4 of the line between the islands; the truth has 0.00006",
}


def _plane(name: str, source: str, seeds: tuple[int, ...] = (0, 1, 2)) -> Experiment:
    training = dict(steps=2000, batch_size=256, lr=3e-3, warmup=50, ema=0.99, clip=50.0, evaluate_every=250)
    short = {v: {k: x for k, x in change.items() if k != "processor_seconds"} for v, change in VARIANTS.items()}
    return Experiment.of(
        name, f"Flows in the plane on {source.replace('_', ' ')}: nats from the truth at equal parameters, and seconds",
        model="flows.RealNVP", source=partial(points, source), training=training, trainer=within, variants=VARIANTS,
        seeds=seeds, measures=(Figures(divergence, UNITS),), keep="Real NVP", against="Real NVP",
        protocol={"train": TRAIN, "test": TEST}, dtype="float32",
        quick={"training": training | dict(steps=50, warmup=5, evaluate_every=25), "seeds": (0,), "variants": short},
    )  # fmt: skip


@torch.no_grad()
def grey(model: Any, dataset: Dataset, seed: int = 0, draws: int = 10) -> dict[str, float]:
    """The bound on 1,000 test digits and on plain grey images, and how often the latter is higher."""
    draw = Generator(model.device).manual_seed(0)
    per = model.event_shape.numel() * math.log(2)
    x: Tensor = dataset.split("test")[:1000].reshape(-1, *model.event_shape)
    digits = -evaluation.elbos(model, x, draws=draws, generator=draw)
    plain = -evaluation.elbos(model, plain_images(model.event_shape, model.levels), draws=draws, generator=draw)
    best = plain.min()
    return {
        "digits": (digits.mean() / per).item(),
        "grey": (plain.mean() / per).item(),
        "best_grey": (best / per).item(),
        "best_level": int(plain.argmin()),
        "worse_than_best_grey": (digits > best).double().mean().item(),
        "grey_above_median_digit": (plain < digits.median()).double().mean().item(),
    }


GREY_UNITS = {
    "digits": "bound on test digits, bits/dim",
    "grey": "bound on plain images, mean over all levels, bits/dim",
    "best_grey": "bound on the likeliest plain image, bits/dim",
    "best_level": "its level",
    "worse_than_best_grey": "share of test digits with a lower bound than the likeliest plain image",
    "grey_above_median_digit": "share of levels whose plain image has a higher bound than the median test digit",
}
SMALL = {"channels": 16, "blocks": 1, "scales": 2, "norm": True}
DENSE = {"layers": 4, "hidden": (64, 64)}
DIGITS = {
    "NICE, uniform": {"flow": "NICE", "sizes": DENSE},
    "NICE, variational": {"flow": "NICE", "sizes": DENSE, "noise": "variational"},
    "Real NVP, uniform": {},
}


def _digits(name: str, description: str, change: dict | None = None, **rest) -> Experiment:
    return Experiment.of(
        name, description, model="flows.Dequantised", source="digits8",
        config={"flow": "RealNVP", "sizes": SMALL, "noise": "uniform", "noise_sizes": {}} | (change or {}),
        training=dict(steps=1500, batch_size=64, lr=2e-3, warmup=100, ema=0.99, clip=50.0, evaluate_every=150),
        measures=(Elbo(), Figures(grey, GREY_UNITS)), size=(8, 8),
        quick={"training": dict(steps=20, batch_size=64, lr=2e-3, evaluate_every=10)}, **rest,
    )  # fmt: skip


UVA = "ours has {} parameters and trained on a processor core"

EXPERIMENTS = (
    _plane("flows-moons", "two_moons"),
    _plane("flows-islands", "two_islands", (0, 2)),
    _digits("flows-digits8", "NICE and Real NVP on 8 × 8 digits, 17 levels: bounds, with uniform or variational noise",
            variants=DIGITS, keep="Real NVP, uniform", against="Real NVP, uniform"),
    _digits("realnvp-variational-digits8", "Real NVP on 8 × 8 digits, 17 levels: the bound with variational noise",
            {"noise": "variational"}),
    Experiment.of(
        "realnvp-mnist", "Real NVP, two scales of 16 features, MNIST at 256 levels, uniform noise",
        model="flows.Dequantised", source="mnist",
        config={"flow": "RealNVP", "sizes": SMALL, "noise": "uniform", "noise_sizes": {}},
        training=dict(steps=3000, batch_size=64, lr=2e-3, warmup=100, ema=0.998, clip=100.0, evaluate_every=250),
        measures=(Elbo("bits/dim"), Figures(grey, GREY_UNITS)), size=(28, 28), witness=LEVELS, part=2000,
        published={"mnist-flow-uva-uniform": UVA.format("33,504"), "mnist-flow-uva-variational": UVA.format("33,504"),
                   "mnist-flow-uva-multiscale": UVA.format("33,504")},
        quick=quick(LEVELS, steps=10, batch_size=16, lr=2e-3, more={"part": 50}),
    ),
)  # fmt: skip
