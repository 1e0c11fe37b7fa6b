"""Chapter 09's exercises: plausible mistakes with the words that name them."""

import math

import torch
from exercise_cases import ExerciseCases


def scores(q, k, scale=None):
    return q @ k.T / (math.sqrt(q.shape[1]) if scale is None else scale)


def masked(s, diagonal=1):
    return s.masked_fill(torch.ones_like(s, dtype=torch.bool).triu(diagonal), -math.inf)


def cheapest(p, reward, target, steps=200):
    low, high = 0.0, 1e4 / (reward.max() - reward.min()).item()
    for _ in range(steps):
        a = (low + high) / 2
        pi = (p.log() + (reward - reward.max()) * a).softmax(0)
        low, high = (a, high) if (pi * reward).sum() < target else (low, a)
    return pi


def mixture_with_the_best(p, reward, target):
    best = (reward == reward.max()).double() * p
    best = best / best.sum()
    start = (p * reward).sum()
    share = (target - start) / (reward.max() - start)
    return (1 - share) * p + share * best


def kept(p, q):
    return torch.minimum(p, q).sum()


def residual(p, q):
    left = (p - q).clamp(min=0)
    return left / left.sum() if left.sum() > 1e-12 else p


def bits_saved(a, b, symbols, count):
    return (a - b * symbols / count) / math.log(2)


WRONG = [
    ("09.1", lambda q, k: masked(scores(q, k, 1)).softmax(1), "not divided by the root"),
    ("09.1", lambda q, k: masked(scores(q, k, q.shape[1])).softmax(1), "not by its root"),
    ("09.1", lambda q, k: scores(q, k).softmax(1), "there is no mask"),
    ("09.1", lambda q, k: masked(scores(q, k)).softmax(0), "over the queries"),
    ("09.1", lambda q, k: scores(q, k).softmax(1).tril(), "after the softmax"),
    ("09.1", lambda q, k: masked(scores(q, k), 0).softmax(1), "may look at itself"),
    ("09.2", lambda T, h, L, size: T * h * L * size, "values are kept"),
    ("09.2", lambda T, h, L, size: 3 * T * h * L * size, "queries are not kept"),
    ("09.2", lambda T, h, L, size: 2 * T * h * L, "each takes size bytes"),
    ("09.2", lambda T, h, L, size: 2 * T * h * size, "every block"),
    ("09.3", lambda p, q: (kept(p, q), p), "popular bug"),
    ("09.3", lambda p, q: (kept(p, q), (p - q).clamp(min=0)), "divide by the probability"),
    ("09.3", lambda p, q: (1 - kept(p, q), residual(p, q)), "probability of a refusal"),
    ("09.3", lambda p, q: (kept(p, q), (p - q).clamp(min=0) / (p - q).clamp(min=0).sum()), "for p = q"),
    ("09.4", lambda a, b, symbols, count: (a - b) / math.log(2), "compared nats a symbol"),
    ("09.4", lambda *a: -bits_saved(*a), "wrong way round"),
    ("09.4", lambda *a: bits_saved(*a) * math.log(2), "in nats"),
    ("09.5", lambda p, reward, target: p, "that is p itself"),
    ("09.5", mixture_with_the_best, "tilt, do not mix"),
    ("09.5", lambda p, reward, target: cheapest(p, reward, target, 4), "is asked for"),
]


class TestChapter09(ExerciseCases):
    chapter = "09"
    wrong = WRONG
