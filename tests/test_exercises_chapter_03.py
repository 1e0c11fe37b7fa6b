"""Chapter 03's exercises: solutions, and plausible mistakes with the words that name them."""

import itertools
import math

import torch
from exercise_cases import ExerciseCases

from dgmhelpers import exercises
from dgmhelpers.exercises.chapter_03 import counterexamples


def count(D):
    return 2**D - 1, D * (D + 1) // 2


def joint(question, order, *, past_of=None, ones_only=False, by_asking=False):
    table = torch.zeros([2] * len(order), dtype=torch.double)
    for x in itertools.product((0, 1), repeat=len(order)):
        probability, past = 1.0, {}
        for i in order:
            p = question(i, dict(past) if past_of is None else past_of(x, i))
            probability *= p if x[i] or ones_only else 1 - p
            past[i] = x[i]
        table[tuple(x[i] for i in order) if by_asking else x] = probability
    return table


def mask(order):
    return order.argsort()[None, :] < order.argsort()[:, None]


def ancestral(W, b, order, u, *, index=None, transposed=False, flip=False, likelier=False):
    x = torch.zeros_like(u)
    for k, i in enumerate(order.tolist()):
        p = torch.sigmoid(b[i] + x @ (W[:, i] if transposed else W[i]))
        threshold = 0.5 if likelier else u[:, i if index else k]
        x[:, i] = ((threshold > p) if flip else (threshold < p)).to(u.dtype)
    return x


def weights(last_row, bias):
    W, b = torch.zeros(4, 4), torch.zeros(4)
    W[3, :3], b[3] = torch.tensor(last_row), bias
    return W, b


def tree(joint, sign=-1):
    D = joint.ndim

    def entropy(*keep):
        others = [k for k in range(D) if k not in keep]
        return torch.special.entr(joint.sum(others) if others else joint).sum().item()

    def gain(edge):
        return entropy(edge[0]) + entropy(edge[1]) - entropy(*edge)

    pairs = sorted(itertools.combinations(range(D), 2), key=lambda edge: sign * gain(edge))
    component, edges = list(range(D)), []
    for i, j in pairs:
        if component[i] != component[j]:
            component = [component[i] if c == component[j] else c for c in component]
            edges.append((i, j))
    return edges


TWO_BITS = torch.tensor([[0.29, 0.29], [0.41, 0.01]], dtype=torch.double)
MISTAKES = [
    ("03.1", lambda D: (2**D, D * (D + 1) // 2), "not free"),
    ("03.1", lambda D: (2**D - 1, D * D + D), "whole matrix"),
    ("03.1", lambda D: (2**D - 1, D * (D - 1) // 2), "bias"),
    ("03.1", lambda D: 2**D - 1, "two numbers"),
    ("03.2", lambda q, o: joint(q, o, ones_only=True), "one minus"),
    ("03.2", lambda q, o: joint(q, o, by_asking=True), "own numbers"),
    ("03.2", lambda q, o: joint(q, o, past_of=lambda x, i: {j: x[j] for j in range(i)}), "before it in the order"),
    ("03.2", lambda q, o: joint(q, o).flatten(), "shape"),
    ("03.3", lambda order: order[None, :] < order[:, None], "with the bug"),
    ("03.3", lambda order: mask(order).T, "swapped"),
    ("03.3", lambda order: order.argsort()[None, :] <= order.argsort()[:, None], "see itself"),
    ("03.3", lambda order: torch.ones(len(order), len(order)).tril(-1).bool(), "raster order's"),
    ("03.4", lambda W, b, o, u: ancestral(W, b, o, u, flip=True), "wrong way round"),
    ("03.4", lambda W, b, o, u: ancestral(W, b, o, u, index=True), "in step k"),
    ("03.4", lambda W, b, o, u: ancestral(W, b, o, u, transposed=True), "swapped"),
    ("03.4", lambda W, b, o, u: ancestral(W, b, o, u, likelier=True), "likelier value"),
    ("03.4", lambda W, b, o, u: ancestral(W, b, torch.arange(len(b)), u), "raster order"),
    ("03.4", lambda W, b, o, u: (u < torch.sigmoid(b)).double(), "bias alone"),
    ("03.4", lambda W, b, o, u: torch.sigmoid(b).expand_as(u), "zeros and ones"),
    ("03.5", lambda nats, length: (nats / length * math.log(2), math.exp(nats / length)), "divide by ln 2"),
    ("03.5", lambda nats, length: (nats / math.log(2), math.exp(nats)), "whole window"),
    ("03.5", lambda nats, length: (nats / length / math.log(2), 2 ** (nats / length)), "2 to the power of the nats"),
    ("03.5", lambda nats, length: (nats / length, math.exp(nats / length)), "these are nats"),
    ("03.6", weights([3.0, 3.0, 0.0], 1.0), "vanishes"),
    ("03.6", weights([2.0, 2.0, 2.0], -3.0), "in that order too"),
    ("03.6", weights([9.0, 3.0, 3.0], -3.0), "at most 6"),
    ("03.6", (torch.ones(4, 4), torch.zeros(4)), "diagonal"),
    ("03.7", torch.full((2, 2), 0.25), "agree exactly"),
    ("03.7", torch.tensor([[0.3, 0.2], [0.4, 0.1]], dtype=torch.double), "at least 0.15"),
    ("03.7", torch.ones(2, 2), "sum to one"),
    ("03.7", torch.tensor([[0.5, 0.0], [0.25, 0.25]]), "positive"),
    ("03.8", lambda joint: tree(joint, sign=1), "worst"),
    ("03.8", lambda joint: [(0, k) for k in range(1, joint.ndim)], "not the best"),
    ("03.8", lambda joint: list(itertools.combinations(range(joint.ndim), 2)), "edges"),
    ("03.8", lambda joint: [(0, 1)] * (joint.ndim - 1), "cycle"),
]


class TestExercises(ExerciseCases):
    chapter = "03"
    wrong = MISTAKES


def test_three_bits_are_an_fvbn_in_every_order():
    """What exercise 03.6 asks to prove: with three bits no log-odds ever contain a product of two others."""
    generator = torch.Generator().manual_seed(0)
    W, b = torch.randn(3, 3, generator=generator).tril(-1), torch.randn(3, generator=generator)
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    a = x @ W.T + b
    log_p = (x * a - torch.nn.functional.softplus(a)).sum(1).reshape(2, 2, 2)
    signs = torch.tensor([(-1.0) ** (3 - sum(c)) for c in itertools.product((0, 1), repeat=3)]).reshape(2, 2, 2)
    assert abs((signs * log_p).sum()) < 1e-5


def test_an_order_can_matter_in_either_of_two_conditionals():
    """Curved in p(x₃ | x₀, x₁) alone, by enumeration; and the same three bits alone are an FVBN in every order."""
    W, b = torch.zeros(4, 4, dtype=torch.double), torch.zeros(4, dtype=torch.double)
    W[2, :2], W[3, 2], b[2], b[3] = 5, 5, -2, -2
    of_x3, of_x2 = counterexamples._bends(W, b)
    assert abs(of_x3 - 2.98) < 0.01 and of_x2 < 1e-12
    assert exercises.check("03.6", (W, b))
    W[3, 2] = 0
    assert not exercises.check("03.6", (W, b))
