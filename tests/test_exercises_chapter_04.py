"""Chapter 04's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
import torch.nn.functional as F
from exercise_cases import ExerciseCases


def parameters(D, H, columns=0, c=1):
    separate = sum((k - 1 + columns) * H + H + H + 1 for k in range(1, D + 1))
    return separate, 2 * D * H + D + c * H


def conditional(x, past, i, W, V, b, c, *, start=1.0, squash=torch.sigmoid, last=torch.sigmoid):
    a = start * c + W[:, past] @ x[past]
    return last(b[i] + V[i] @ squash(a))


def masks(degrees, D, first=torch.ge, last=torch.gt):
    place = torch.arange(1, D + 1)
    return first(degrees[:, None], place[None, :]), last(place[:, None], degrees[None, :])


def blind_places(degrees, D):
    return [d for d in range(2, D + 1) if d - 1 not in degrees]


def each(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")


def mixture(logits, x):
    return each(logits, x).sum(-1).logsumexp(0) - math.log(len(logits))


def gradient(x, W, V, b, c, *, sign=1, early=False, every=True, factor=True, slope=True):
    a, later, result = c + W @ x, torch.zeros_like(c), torch.zeros_like(W)
    for k in reversed(range(len(x))):
        if not early:
            result[:, k] = (x[k] if factor else 1) * later
        a = a - W[:, k] * x[k]
        h = torch.sigmoid(a)
        delta = (x[k] - torch.sigmoid(b[k] + V[k] @ h)) * V[k] * (h * (1 - h) if slope else 1)
        later = later + delta if every else delta
        if early:
            result[:, k] = x[k] * later
    return sign * result


WRONG = [
    ("04.1", lambda D, H: parameters(D, H, columns=1), "must not see itself"),
    ("04.1", lambda D, H: parameters(D, H, c=D), "one hidden bias c"),
    ("04.1", lambda D, H: (parameters(D, H)[0], 2 * D * H), "biases are missing"),
    ("04.1", lambda D, H: (D * (2 * D * H + D + H), parameters(D, H)[1]), "only the k − 1 before it"),
    ("04.1", lambda D, H: 3, "expected two numbers"),
    ("04.2", lambda x, past, i, *w: conditional(x, [i], i, *w), "misprint"),
    ("04.2", lambda x, past, i, *w: conditional(x, [*past, i], i, *w), "peeking"),
    ("04.2", lambda x, past, i, *w: conditional(x, list(range(len(x))), i, *w), "every pixel"),
    ("04.2", lambda x, past, i, *w: conditional(x, list(range(len(past))), i, *w), "raster order"),
    ("04.2", lambda *a: conditional(*a, start=0.0), "hidden bias c is missing"),
    ("04.2", lambda *a: conditional(*a, squash=lambda t: t), "not squashed"),
    ("04.2", lambda *a: conditional(*a, last=lambda t: t), "that is the logit"),
    ("04.2", lambda *a: 1 - conditional(*a), "probability of 0"),
    ("04.2", lambda x, past, i, *w: 1 - conditional(x, past, i, *w) if x[i] == 0 else conditional(x, past, i, *w),
     "the value that pixel i has"),
    ("04.3", lambda m, D: masks(m, D, last=torch.ge), "still peeks"),
    ("04.3", lambda m, D: masks(m, D, first=torch.gt), "two strict inequalities"),
    ("04.3", lambda m, D: masks(m, D, first=torch.gt, last=torch.ge), "the wrong one is strict"),
    ("04.3", lambda m, D: masks(m, D)[::-1], "of shape"),
    ("04.3", lambda m, D: masks(m, D, last=torch.lt), "peeks"),
    ("04.4", lambda m, D: [d for d in range(1, D + 1) if d - 1 not in m], "first output has no past"),
    ("04.4", lambda m, D: [d for d in range(1, D) if d not in m], "missing degrees"),
    ("04.4", lambda m, D: [d for d in range(2, D + 1) if not any(k < d for k in m)], "nothing at all"),
    ("04.5", lambda logits, x: each(logits, x).sum(-1).mean(0), "lower bound"),
    ("04.5", lambda logits, x: each(logits.mean(0), x).sum(-1), "averages the logits"),
    ("04.5", lambda logits, x: (each(logits, x).logsumexp(0) - math.log(len(logits))).sum(-1), "no order is left"),
    ("04.5", lambda logits, x: each(logits, x).sum(-1).logsumexp(0), "log of the sum"),
    ("04.5", lambda logits, x: each(logits, x).sum(-1).exp().mean(0).log(), "underflows"),
    ("04.5", lambda logits, x: -mixture(logits, x), "sign"),
    ("04.6", lambda *a: gradient(*a, sign=-1), "sign"),
    ("04.6", lambda *a: gradient(*a, early=True), "starts at l = k"),
    ("04.6", lambda *a: gradient(*a, every=False), "only the next"),
    ("04.6", lambda *a: gradient(*a, factor=False), "factor x_k"),
    ("04.6", lambda *a: gradient(*a, slope=False), "h(1 − h)"),
    ("04.6", lambda *a: gradient(*a).T, "shape"),
]


class TestExercises(ExerciseCases):
    chapter = "04"
    wrong = WRONG
