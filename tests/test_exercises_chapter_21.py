"""Chapter 21's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
import torch.nn.functional as F
from exercise_cases import ExerciseCases


def value(real, fake):
    return real.log().mean() + (1 - fake).log().mean()


def best(p, q, share):
    return share * p / (share * p + (1 - share) * q)


def kl(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum()


def jsd(p, q):
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


def naive_jsd(p, q):
    m = (p + q) / 2
    return ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2


def quotient_jsd(p, q):
    m = (p + q) / 2
    return (torch.special.xlogy(p, p / m).sum() + torch.special.xlogy(q, q / m).sum()) / 2


def step(model, x, z, of_D, *, squash=lambda a: a, detach=True, clear=True, half=1.0, labels=(1.0, 0.0), move=True):
    real, fake = squash(model.discriminator(x)), model.generator(z)
    fake = squash(model.discriminator(fake.detach() if detach else fake))
    loss = half * sum(
        F.binary_cross_entropy_with_logits(a, torch.full_like(a, label)) for a, label in zip((real, fake), labels,
                                                                                             strict=True)
    )
    if clear:
        of_D.zero_grad()
    loss.backward()
    if move:
        of_D.step()


def late(model, x, z, of_D):
    """Clears after its step alone: what was left in D is taken along."""
    step(model, x, z, of_D, clear=False)
    of_D.zero_grad()


def climbing(model, x, z, of_D):
    real, fake = model.discriminator(x), model.discriminator(model.generator(z).detach())
    loss = -F.softplus(-real).mean() - F.softplus(fake).mean()
    of_D.zero_grad()
    loss.backward()
    of_D.step()


def everybody(model, x, z, of_D):
    step(model, x, z, torch.optim.SGD(model.parameters(), lr=0.5), detach=False)


def worth(p, q):
    return (p * q / (p + q)).sum()


FOOLING = torch.tensor([-1.0, 1.0]).repeat(500)

NORMAL = torch.special.ndtri((torch.arange(1000, dtype=torch.double) + 0.5) / 1000)

WRONG = [
    ("21.1", lambda r, f: -value(r, f), "minus it"),
    ("21.1", lambda r, f: value(r, f) / 2, "half is too many"),
    ("21.1", lambda r, f: r.log().mean() + f.log().mean(), "log D"),
    ("21.1", lambda r, f: torch.cat([r.log(), (1 - f).log()]).mean(), "both batches together"),
    ("21.1", lambda r, f: r.log().sum() + (1 - f).log().sum(), "sum over the batch"),
    ("21.1", lambda r, f: r.mean().log() + (1 - f.mean()).log(), "log of a mean"),
    ("21.2", lambda p, q, s: p / (p + q), "share is not used"),
    ("21.2", lambda p, q, s: best(p, q, 1 - s), "exchanged"),
    ("21.2", lambda p, q, s: 1 - best(p, q, s), "being fake"),
    ("21.2", lambda p, q, s: s * p / (p + q), "in the denominator"),
    ("21.2", lambda p, q, s: s * p / ((1 - s) * q), "density ratio"),
    ("21.2", lambda p, q, s: 0.5, "one probability for each"),
    ("21.3", naive_jsd, "NaN"),
    ("21.3", quotient_jsd, "or both are"),
    ("21.3", lambda p, q: 2 * jsd(p, q), "twice"),
    ("21.3", lambda p, q: 2 * jsd(p, q) - math.log(4), "V of the best"),
    ("21.3", lambda p, q: jsd(p, q) / math.log(2), "bits"),
    ("21.3", lambda p, q: (kl(p, q) + kl(q, p)) / 2, "average m"),
    ("21.3", lambda p, q: kl(p, (p + q) / 2), "alone"),
    ("21.3", lambda p, q: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2, "wrong way round"),
    ("21.4", lambda a: a.exp(), "sign"),
    ("21.4", lambda a: F.softplus(-a), "non-saturating"),
    ("21.4", lambda a: -F.softplus(a), "minimax"),
    ("21.4", lambda a: -a, "other direction"),
    ("21.4", lambda a: a.exp().mean(), "one cost for each"),
    ("21.4", lambda a: -(2 * a).exp(), "is not that of KL"),
    ("21.4", lambda a: -2 * a.exp(), "right up to a factor of 2"),
    ("21.5", lambda *a: step(*a, squash=torch.sigmoid), "sigmoid is still applied"),
    ("21.5", lambda *a: step(*a, detach=False), "detached"),
    ("21.5", lambda *a: step(*a, clear=False), "clear them first"),
    ("21.5", late, "clear them first"),
    ("21.5", lambda *a: step(*a, half=0.5), "halved"),
    ("21.5", lambda *a: step(*a, labels=(0.0, 1.0)), "exchanged"),
    ("21.5", climbing, "another step"),
    ("21.5", everybody, "generator's weights moved"),
    ("21.5", lambda *a: step(*a, move=False) or 1.0, "no parameter moved"),
    ("21.6", lambda p, q: worth(p, q) / 2, "half is too many"),
    ("21.6", lambda p, q: -worth(p, q), "minus"),
    ("21.6", lambda p, q: 0.5, "always says ½"),
    ("21.6", lambda p, q: math.log(4) - 2 * jsd(p, q), "logistic game"),
    ("21.6", lambda p, q: ((p * p + q * q) / (p + q) ** 2).sum(), "its own table"),
    ("21.7", NORMAL, "rightly so"),
    ("21.7", NORMAL + 1, "means differ"),
    ("21.7", 2 * FOOLING, "mean squares differ"),
    ("21.7", FOOLING[:10], "1,000 numbers"),
    ("21.7", FOOLING * math.nan, "NaN"),
]


class TestExercises(ExerciseCases):
    chapter = "21"
    wrong = WRONG
    double_only = any_value = ("21.5",)
