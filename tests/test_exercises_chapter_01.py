"""Chapter 01's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
from exercise_cases import ExerciseCases

from dgmhelpers.exercises.chapter_01 import judging, parts_and_counts

WISHES = {name: part for name, (part, _) in parts_and_counts._WANTED.items()}


def how_many(height, width, channels, levels):
    logarithm = height * width * channels * math.log10(levels)
    return 10 ** (logarithm - math.floor(logarithm)), math.floor(logarithm)


def pick_index(p, u):
    return torch.searchsorted(p.cumsum(0), u, right=True).clamp(max=int(p.nonzero().max()))


def density_of_exp(x):
    inside = x.clamp(min=1e-300)
    density = torch.exp(-0.5 * inside.log() ** 2) / (inside * math.sqrt(2 * math.pi))
    return torch.where(x > 0, density, 0.0)


def nearest(a, b):
    return torch.cdist(a, b).min(1).values


def copied(samples, train, held_out, q=0.05):
    return (nearest(samples, train) < nearest(held_out, train).quantile(q)).double().mean()


def every():
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.double)] * 6).reshape(64, 2, 3)


def number(x):
    return (x.reshape(-1, 6).long() * 2 ** torch.arange(5, -1, -1)).sum(1)


def table_of(p, drawn_from=None):
    drawn_from = p if drawn_from is None else drawn_from

    def sample(n, generator=None):
        return every()[torch.multinomial(drawn_from, n, replacement=True, generator=generator)]

    return lambda x: p[number(x)].log(), sample


def model_from(patches, imagined=20.0):
    white = (patches.sum(0) + 1) / (len(patches) + 2)
    spread = (every() * white + (1 - every()) * (1 - white)).prod(2).prod(1)
    counts = torch.bincount(number(patches), minlength=64).double()
    return table_of((counts + imagined * spread) / (len(patches) + imagined))


def independent(patches):
    white = (patches.sum(0) + 1) / (len(patches) + 2)
    return table_of((every() * white + (1 - every()) * (1 - white)).prod(2).prod(1))


def unnormalised(patches):
    counts = torch.bincount(number(patches), minlength=64).double()
    return table_of((counts + 1) / len(patches))


def sampling_something_else(patches):
    counts = torch.bincount(number(patches), minlength=64).double() + 0.2
    return table_of(counts / counts.sum(), torch.ones(64, dtype=torch.double) / 64)


WRONG = [
    ("01.1", WISHES | {"compress": "adversarial"}, "as short as the model's exact"),
    ("01.1", WISHES | {"undo": "latent"}, "undone"),
    ("01.1", WISHES | {"edit": "gan"}, "there is no part 'gan'"),
    ("01.1", {"compress": "autoregressive"}, "name a part for undo"),
    ("01.1", ["flows"], "expected a dict"),
    ("01.2", lambda h, w, c, k: (how_many(h, w, c, k)[0], how_many(h, w, c, k)[1] - 2 * (h == 100)), "two too small"),
    ("01.2", lambda h, w, c, k: how_many(h, w, 1, k), "one channel"),
    ("01.2", lambda h, w, c, k: (float(k) ** min(h * w * c, 200), 0), "between 1 and 10"),
    ("01.2", lambda h, w, c, k: how_many(1, 1, k, max(2, h * w * c)), "swapped"),
    ("01.2", lambda h, w, c, k: (2.0, math.floor(h * w * c * math.log(k))), "need log10"),
    ("01.3", lambda p, u: torch.searchsorted(p.cumsum(0), u, right=True) + 1, "count from 0"),
    ("01.3", lambda p, u: torch.searchsorted(p.cumsum(0), u), "probability zero"),
    ("01.3", lambda p, u: torch.searchsorted(p.cumsum(0), u, right=True), "does not exist"),
    ("01.3", lambda p, u: torch.searchsorted(p.cumsum(0), u, right=True).clamp(max=len(p) - 1), "whose probability"),
    ("01.4", lambda x: torch.exp(-0.5 * x.log() ** 2) / math.sqrt(2 * math.pi), "is missing: stretching"),
    ("01.4", lambda x: x * torch.exp(-0.5 * x.log() ** 2) / math.sqrt(2 * math.pi), "instead of"),
    ("01.4", lambda x: torch.exp(-0.5 * x.log() ** 2) / (x * math.sqrt(2 * math.pi)), "nan"),
    ("01.4", lambda x: torch.exp(-0.5 * x**2) / math.sqrt(2 * math.pi), "find z first"),
    ("01.4", lambda x: density_of_exp(x).log(), "log of the density"),
    ("01.5", lambda s, t, h: copied(s, h, t), "copies pass"),
    ("01.5", lambda s, t, h: copied(s, t, h, 0.95), "95 %"),
    ("01.5", lambda s, t, h: copied(s, t, h, 0.0), "smallest"),
    ("01.5", lambda s, t, h: copied(s, t, h, 1.0), "largest"),
    ("01.5", lambda s, t, h: (nearest(t, s) < nearest(h, t).quantile(0.05)).double().mean(), "other axis"),
    ("01.5", lambda s, t, h: 1 - copied(s, t, h), "*far* away"),
    ("01.5", lambda s, t, h: (nearest(s, t) < judging.nearest_other(t).quantile(0.05)).double().mean(), "among"),
    ("01.6", lambda patches: model_from(patches, 0.0), "probability zero"),
    ("01.6", unnormalised, "not to one"),
    ("01.6", sampling_something_else, "does not draw"),
    ("01.6", independent, "no better than independent"),
]


class TestExercises(ExerciseCases):
    chapter = "01"
    wrong = WRONG


def test_whole_numbers_agree_with_the_count_on_the_page():
    assert parts_and_counts._scientific(256, 30_000) == (1.58, 72_247)
    assert 158 * 10**72_245 <= 256**30_000 < 159 * 10**72_245
