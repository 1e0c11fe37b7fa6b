"""Chapter 05's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
from exercise_cases import ExerciseCases


def passes(D, S):
    return 1, D * S, D


def from_centre():
    rows, columns = torch.arange(64) // 8, torch.arange(64) % 8
    return ((rows - 3.5) ** 2 + (columns - 3.5) ** 2).argsort(stable=True).tolist()


def agnostic(nats, known, extra=0):
    return nats.masked_fill(known, 0).sum(1) * known.shape[1] / ((~known).sum(1) + extra)


def gaussians(x, mean, log_std):
    return -0.5 * ((x[:, None] - mean) / log_std.exp()).square() - log_std - 0.5 * math.log(2 * math.pi)


def log_density(x, logits, mean, log_std):
    return (logits.log_softmax(-1) + gaussians(x, mean, log_std)).logsumexp(-1)


def naive_density(x, logits, mean, log_std):
    return (logits.softmax(-1) * gaussians(x, mean, log_std).exp()).sum(-1).log()


def lower_bound(x, logits, mean, log_std):
    return (logits.softmax(-1) * gaussians(x, mean, log_std)).sum(-1)


def levels(x, past, i, W, V, b, c, *, start=1.0, squash=torch.sigmoid, last=lambda a: a.softmax(-1)):
    return last(b[i] + V[i] @ squash(start * c + W[past, x[past]].sum(0)))


def multiplied(x, past, i, W, V, b, c):
    return (b[i] + V[i] @ torch.sigmoid(c + (W[past, 1] * x[past, None]).sum(0))).softmax(-1)


WRONG = [
    ("05.1", lambda D, S: (D, D * S, D), "one place answers"),
    ("05.1", lambda D, S: (1, D, D), "that is one order"),
    ("05.1", lambda D, S: (1, D + S, D), "an input of its own"),
    ("05.1", lambda D, S: (1, D * S, D * S), "follows it"),
    ("05.1", lambda D, S: (1, D * S, 1), "one pass for each variable"),
    ("05.1", lambda D, S: 64, "expected three numbers"),
    ("05.2", lambda nats, known: nats.masked_fill(known, 0).sum(1), "weight is missing"),
    ("05.2", lambda nats, known: agnostic(nats, known) / known.shape[1], "one term of the chain"),
    ("05.2", lambda nats, known: agnostic(nats, known, extra=1), "off by one"),
    ("05.2", lambda nats, known: nats.sum(1) * known.shape[1] / (~known).sum(1), "all pixels are counted"),
    ("05.2", lambda nats, known: nats.masked_fill(known, 0).sum(1) * known.shape[1] / known.sum(1), "not to the k"),
    ("05.2", lambda nats, known: agnostic(nats, known).mean(), "mean over the batch"),
    ("05.2", lambda nats, known: -agnostic(nats, known), "sign"),
    ("05.3", naive_density, "underflows"),
    ("05.3", lower_bound, "lower bound"),
    ("05.3", lambda x, w, *a: (w + gaussians(x, *a)).logsumexp(-1), "log_softmax"),
    ("05.3", lambda x, w, *a: gaussians(x, *a).logsumexp(-1), "weights are missing"),
    ("05.3", lambda x, w, *a: log_density(x, 0 * w, *a), "same weight"),
    ("05.3", lambda x, w, m, s: (w.log_softmax(-1) + gaussians(x, m, s) + s).logsumexp(-1), "−log s is missing"),
    ("05.3", lambda *a: log_density(*a) + 0.5 * math.log(2 * math.pi), "½ log 2π"),
    ("05.3", lambda x, w, m, s: log_density(x, w, m, s / 2), "not of the variance"),
    ("05.3", lambda *a: -log_density(*a), "sign"),
    ("05.4", lambda *a: levels(*a, last=lambda z: z), "those are the logits"),
    ("05.4", lambda *a: levels(*a, last=torch.sigmoid), "sum to one"),
    ("05.4", lambda *a: levels(*a).log(), "logs of the probabilities"),
    ("05.4", lambda *a: levels(*a, start=0.0), "hidden bias c is missing"),
    ("05.4", lambda *a: levels(*a, squash=lambda t: t), "not squashed"),
    ("05.4", lambda x, past, i, *w: levels(x, [*past, i], i, *w), "peeking"),
    ("05.4", lambda x, past, i, *w: levels(x, list(range(len(x))), i, *w), "the future too"),
    ("05.4", multiplied, "should choose the column"),
    ("05.4", lambda *a: levels(*a)[:2], "one probability a level"),
    ("05.5", list(range(64)), "raster order itself"),
    ("05.5", from_centre()[::-1], "turn it round"),
    ("05.5", torch.tensor(from_centre()).argsort(), "as many random orders are|asked for"),
    ("05.5", list(range(63)), "64 positions"),
]


class TestExercises(ExerciseCases):
    chapter = "05"
    wrong = WRONG
    asked_once = ("05.5",)
    double_only = ("05.3",)
