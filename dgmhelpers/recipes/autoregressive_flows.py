"""Autoregressive flows: in the plane, on digits, on tables, and a student that learns from a teacher.

*In the plane* (``autoregressive-moons``): the data of ``flows-moons``, 400 steps, or as many as two seconds of a core
pay for. Live parameters: Real NVP 7,116, MAF and IAF 7,128, MAF with splines 6,904, coupled splines 6,812.

*A teacher and its students* (``maf-ring``, ``distilled-ring``): the teacher is a MAF with splines that learned eight
Gaussians on a ring. A student is an IAF of the same size and never sees a point of the ring: it draws x, knows its own
log q(x) at once, and lowers the mean of log q − log p, p the teacher: KL(student ‖ teacher). The other student learns
the same points as the teacher by likelihood.

*Digits* (``autoregressive-digits8``): the bound on 17 levels with uniform noise at 31,845 to 33,504 live parameters.
*Colour* (``glow-patches``): patches of 8 × 8 of two photographs, 256 levels.

*Tables* (``tabular-…``): scikit-learn's wine, diabetes and breast cancer, standardised by the training part. A seed is
a split (70 : 15 : 15) and first weights. A Gaussian and a mixture of Gaussians, whose number of components the
validation part chooses among one to four, learn the same split.
"""

from functools import partial
from typing import Any

import torch
from torch import Generator, Size, Tensor, nn

from dgmhelpers import classical, data, evaluation
from dgmhelpers.data import Dataset, toys
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.flows import SMALL, TEST, TRAIN, UNITS, divergence, points, within
from dgmhelpers.recipes.measures import Elbo, Figures
from dgmhelpers.recipes.train import Examples
from dgmhelpers.training import checkpoints, files, fit

PLANE: dict[str, Any] = dict(steps=1000, batch_size=256, lr=3e-3, warmup=50, ema=0.99, clip=50.0, evaluate_every=250)
AFFINE = {"layers": 6, "hidden": (32, 32)}
SPLINES = {"layers": 4, "hidden": (30, 30), "bins": 8}
KINDS: dict[str, dict] = {
    "Real NVP": {"class": "flows.RealNVP", "model": AFFINE},
    "MAF": {"class": "flows.MAF", "model": AFFINE},
    "IAF": {"class": "flows.IAF", "model": AFFINE},
    "MAF, splines": {"class": "flows.MAF", "model": SPLINES},
    "Real NVP, splines": {"class": "flows.RealNVP", "model": SPLINES},
}
TIMED = {f"{name}, 2 s": change | {"processor_seconds": 2.0} for name, change in KINDS.items()}
KL = {name: UNITS[name] for name in ("kl", "kl_error")}

TEACHER = "maf-ring"
RING = SPLINES | {"reach": 3.0}
DRAWS = 20_000


class ReverseKL(nn.Module):
    """A student's KL divergence to a teacher, estimated by the student's draws; as something to be trained.

    Args:
        student: a flow that is fast to draw from.
        teacher: a density that is fast to score.
    """

    def __init__(self, student: Any, teacher: Any):
        super().__init__()
        self.student, self.event_shape = student, student.event_shape
        self.density = teacher.requires_grad_(False).log_prob

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """The mean of log q − log p over as many draws as ``x`` has examples, which are not looked at; nats."""
        draws, log_q = drawn(self.student, len(x), generator)
        return (log_q - self.density(draws)).mean()


def drawn(flow: Any, n: int, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
    """``n`` draws of a flow that keep their gradient, and their log-density, by the inverse direction alone."""
    z = flow.base.sample(n, generator=generator)
    x, logdet = flow.inverse(z)
    return x, flow.base.log_prob(z) - logdet                                           # log |det dx/dz| is taken off


def distil(model: Any, examples: Examples, *, from_teacher: bool, watch=None, **rest):
    """``fit``, of the divergence to the stored teacher or of the likelihood of the points."""
    if not from_teacher:
        return fit(model, examples.train, valid=examples.valid, **rest)
    return fit(ReverseKL(model, checkpoints.load_named(TEACHER)), examples.train, **rest)


@torch.no_grad()
def lost(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """What a student is apart from the truth and from the stored teacher, and how its draws lie on the ring."""
    teacher: Any = checkpoints.load_named(TEACHER)
    generator = Generator().manual_seed(0)
    draws, log_q = drawn(model, DRAWS, generator)
    gap = evaluation.mean(log_q - teacher.log_prob(draws), "nats")
    truth = evaluation.mean(toys.get("ring_of_8").log_prob(dataset.split("test").double())
                            - evaluation.log_probs(model, dataset.split("test")), "nats")  # fmt: skip
    return {"kl": truth.value, "kl_error": truth.standard_error, "reverse": gap.value,
            "reverse_error": gap.standard_error, **on_the_ring(draws)}  # fmt: skip


def on_the_ring(draws: Tensor) -> dict[str, float]:
    """Of draws ``(N, 2)``: the smallest share that one of the eight modes gets, and the share within no mode."""
    angle = torch.arange(8) * torch.pi / 4
    centres = 2 * torch.stack([angle.cos(), angle.sin()], 1).to(draws)
    distance, nearest = torch.cdist(draws, centres).min(1)
    at = nearest[distance < 0.4]                                                       # four standard deviations
    shares = torch.bincount(at, minlength=8) / len(draws)
    return {"least_mode": shares.min().item(), "between": 1 - shares.sum().item()}


LOST = KL | {
    "reverse": "KL(model ‖ teacher), nats, over 20,000 draws of the model",
    "reverse_error": "its standard error over the draws, nats",
    "least_mode": "share of the draws within four standard deviations of the rarest of eight modes (the truth: 0.125)",
    "between": "share of the draws further than four standard deviations from every mode (the truth: 0.0003)",
}

TABLES = {"wine": "load_wine", "diabetes": "load_diabetes", "cancer": "load_breast_cancer"}


def table(name: str, made: Made) -> Dataset:
    """One of scikit-learn's tables as a data set, its split drawn by the seed, standardised by the training part."""
    from sklearn import datasets

    whole = torch.from_numpy(getattr(datasets, TABLES[name])().data).double()
    order = torch.randperm(len(whole), generator=Generator().manual_seed(made.seed))
    held = round(0.15 * len(whole))
    test, valid, train = whole[order].split([held, held, len(whole) - 2 * held])
    mean, std = train.mean(0), train.std(0)
    train, valid, test = (((part - mean) / std).float() for part in (train, valid, test))
    return Dataset(
        name=name, train=train, valid=valid, test=test, event_shape=Size([whole.shape[1]]), levels=None,
        sha256=files.fingerprint(whole), licence="BSD 3-Clause, as part of scikit-learn", attribution="scikit-learn",
        source="sklearn.datasets", quick=True,
    )  # fmt: skip


@torch.no_grad()
def beside(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """Nats of the test part under the model, a Gaussian and a mixture, and the model's paired lead over both."""
    train, valid, test = (dataset.split(part).double() for part in ("train", "valid", "test"))
    gaussian = classical.Gaussian(dim=train.shape[1]).double().fit(train)
    mixtures = []
    for components in range(1, 5):
        mixture = classical.GaussianMixture(train.shape[1], components, ridge=0.01).double()
        mixtures.append(mixture.fit(train, steps=100, generator=Generator().manual_seed(seed)))
    best = max(mixtures, key=lambda one: one.log_prob(valid).mean().item())
    mine, single, many = (evaluation.log_probs(one, test).double() for one in (model, gaussian, best))
    return {"nll": -mine.mean().item(), "gaussian": -single.mean().item(), "mixture": -many.mean().item(),
            "components": len(best.weights), "over_gaussian": (mine - single).mean().item(),
            "over_mixture": (mine - many).mean().item()}  # fmt: skip


BESIDE = {
    "nll": "negative log-likelihood of the test part, nats an example",
    "gaussian": "the same of a Gaussian of the training part",
    "mixture": "the same of the mixture that validation chooses",
    "components": "its components",
    "over_gaussian": "nats that the model is ahead of the Gaussian, mean over the test part",
    "over_mixture": "nats that the model is ahead of the mixture",
}


def patches() -> Dataset:
    """The two photographs in patches of 8 × 8: each of 16 × 16 gives four, all in the split that it was in."""
    whole = data.load("photographs")

    def cut(x: Tensor) -> Tensor:
        return x.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 8, 8)

    splits: dict[str, Any] = {part: cut(whole.split(part)) for part in ("train", "valid", "test")}
    return Dataset(
        name="photographs, 8 × 8", **splits, event_shape=Size([3, 8, 8]), levels=256, sha256=whole.sha256,
        licence=whole.licence, attribution=whole.attribution, source=whole.source, quick=True,
    )  # fmt: skip


def _short(training: dict) -> dict:
    return {"training": training | dict(steps=10, warmup=2, evaluate_every=5), "seeds": (0,)}


def _table(name: str) -> Experiment:
    training = dict(steps=200, batch_size=64, lr=3e-3, warmup=20, weight_decay=1.0, clip=20.0, evaluate_every=10,
                    patience=5)  # fmt: skip
    return Experiment.of(
        f"tabular-{name}", f"MAF and Real NVP on scikit-learn's {name}, next to a Gaussian and a mixture",
        model="flows.MAF", source=partial(table, name), config={"layers": 2, "hidden": (16,), "norm": True},
        training=training, measures=(Figures(beside, BESIDE),), seeds=(0, 1, 2), keep=None, against="MAF",
        variants={"MAF": {}, "Real NVP": {"class": "flows.RealNVP"}},
        quick=_short(training),
    )  # fmt: skip


LEVELS = dict(batch_size=64, lr=2e-3, warmup=100, ema=0.99, clip=50.0)
GLOW = {"steps": 4, "scales": 2, "channels": 16}
DIGITS = {
    "Real NVP": {"flow": "RealNVP", "sizes": SMALL},
    "MAF": {"flow": "MAF", "sizes": {"layers": 5, "hidden": (64,), "norm": True}},
    "Glow": {"flow": "Glow", "sizes": GLOW},
    "Glow, channels reversed": {"flow": "Glow", "sizes": GLOW | {"mixing": "reversed"}},
}
_DIGITS = dict(steps=500, evaluate_every=100, **LEVELS)
_RING = PLANE | {"steps": 600, "from_teacher": True}

EXPERIMENTS = (
    Experiment.of(
        "autoregressive-moons", "MAF, IAF and splines on two moons: nats from the truth",
        model="flows.MAF", source=partial(points, "two_moons"), training=PLANE | {"steps": 400}, trainer=within,
        variants=KINDS | TIMED, seeds=(0, 1, 2), measures=(Figures(divergence, KL),), keep="MAF", against="Real NVP",
        protocol={"train": TRAIN, "test": TEST}, dtype="float32", quick=_short(PLANE) | {"variants": KINDS},
    ),
    Experiment.of(
        TEACHER, "The teacher: a MAF with splines on eight Gaussians on a ring",
        model="flows.MAF", source=partial(points, "ring_of_8"), config=RING, training=PLANE,
        measures=(Figures(divergence, KL),), protocol={"train": TRAIN, "test": TEST}, dtype="float32",
        quick=_short(PLANE),
    ),
    Experiment.of(
        "distilled-ring", "Students of the teacher of maf-ring: an IAF by reverse KL, and one by likelihood",
        model="flows.IAF", source=partial(points, "ring_of_8"), config=RING, training=_RING, trainer=distil,
        variants={"reverse KL": {}, "likelihood": {"from_teacher": False}}, seeds=(0, 1, 2),
        measures=(Figures(lost, LOST),), keep="reverse KL", against="reverse KL", dtype="float32",
        protocol={"train": TRAIN, "test": TEST, "draws": DRAWS}, quick=_short(_RING),
    ),
    Experiment.of(
        "autoregressive-digits8", "MAF, Glow and Real NVP on 8 × 8 digits, 17 levels: bounds at equal parameters",
        model="flows.Dequantised", source="digits8", config={"flow": "Glow", "sizes": GLOW}, training=_DIGITS,
        variants=DIGITS, seeds=(0, 1), measures=(Elbo(),), size=(8, 8), keep="Glow", against="Real NVP",
        quick=_short(_DIGITS),
    ),
    Experiment.of(
        "glow-patches", "Glow on colour patches of two photographs, 8 × 8, 256 levels, uniform noise",
        model="flows.Dequantised", source=lambda made: patches(),
        config={"flow": "Glow", "sizes": GLOW | {"channels": 32}}, training=_DIGITS | {"lr": 1e-3},
        measures=(Elbo("bits/dim"),), size=(8, 8), quick=_short(_DIGITS),
    ),
    *map(_table, TABLES),
)  # fmt: skip
