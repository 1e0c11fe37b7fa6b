"""Chapter 22's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import pytest
import torch
from exercise_cases import ExerciseCases

from dgmhelpers.exercises.chapter_22.coverage import total_variation
from dgmhelpers.exercises.chapter_22.steps import largest_eigenvalue


def steps_until(factor, eta):
    return math.ceil(2 * math.log(factor) / math.log(1 + eta**2))


def lookahead_matrix(A, eta):
    one = torch.eye(len(A), dtype=A.dtype)
    return one - eta * A @ (one - eta * A)


def mean_bound(eta):
    return (1 + math.sqrt((1 + eta / 2) / (1 - eta / 2))) / eta


def largest_step(c):
    return 4 * c if c <= 1 else 4 / (c + math.sqrt(c**2 - 1))


def expected_found(modes, samples):
    return modes * (1 - (1 - 1 / modes) ** samples)


def pack_distance(p, q, m):
    P, Q = p, q
    for _ in range(m - 1):
        P, Q = torch.outer(P, p).flatten(), torch.outer(Q, q).flatten()
    return (P - Q).abs().sum() / 2


def arrive(field, w, share=0.5, steps=190):
    before = field(w)
    d = torch.tensor([1.0, 0.0], dtype=torch.double)
    eta = share / (field(w + d) - before).norm()
    for _ in range(steps):
        now = field(w)
        w, before = w - 2 * eta * now + eta * before, now
    return w


def descend(field, w, eta=0.1, steps=100):
    for _ in range(steps):
        w = w - eta * field(w)
    return w


WRONG = [
    ("22.1", lambda f, e: math.ceil(math.log(f) / math.log(1 + e**2)), "forgets the square root"),
    ("22.1", lambda f, e: math.floor(2 * math.log(f) / math.log(1 + e**2)), "rounded down"),
    ("22.1", lambda f, e: 2 * math.log(f) / math.log(1 + e**2), "not a whole number"),
    ("22.1", lambda f, e: math.ceil(math.log(f) / e), "e^η"),
    ("22.1", lambda f, e: 7, "expected"),
    ("22.2", lambda A, e: torch.eye(3) - e * A, "one step of simultaneous"),
    ("22.2", lambda A, e: (torch.eye(3) - e * A) @ (torch.eye(3) - e * A), "two steps"),
    ("22.2", lambda A, e: torch.eye(3) - e * A - e**2 * A @ A, "wrong sign"),
    ("22.2", lambda A, e: torch.eye(3) - e * A + e**2 * A**2, "matrix product"),
    ("22.2", lambda A, e: 1 - e * A + e**2 * A @ A, "identity"),
    ("22.2", lambda A, e: A, "is not the matrix"),
    ("22.3", lambda e: e * mean_bound(e), "the step is missing"),
    ("22.3", lambda e: 0.5 / e, "which is more than"),
    ("22.3", lambda e: 1.04 * mean_bound(e), "true, but larger than"),
    ("22.4", lambda c: 4 * c, "complex ones"),
    ("22.4", lambda c: 4 * c if c <= 1 else 4 / (c - math.sqrt(c**2 - 1)), "smaller one"),
    ("22.4", lambda c: 4 * c if c <= 1 else 2 / (c + math.sqrt(c**2 - 1)), "twice as far"),
    ("22.4", lambda c: c, "2 Re a"),
    ("22.5", lambda k, n: k * (1 - 1 / k) ** n, "missed"),
    ("22.5", lambda k, n: 1 - (1 - 1 / k) ** n, "one given mode"),
    ("22.5", lambda k, n: min(k, n), "one mode"),
    ("22.5", lambda k, n: k * (1 - math.exp(-n / k)), "close"),
    ("22.6", lambda p, q, m: (p - q).abs().sum() / 2, "single samples"),
    ("22.6", lambda p, q, m: 2 * pack_distance(p, q, m), "half is missing"),
    ("22.6", lambda p, q, m: m * (p - q).abs().sum() / 2, "do not multiply"),
    ("22.6", lambda p, q, m: (p**m - q**m).abs().sum() / 2, "independent"),
    ("22.7", descend, "further away"),
    ("22.7", lambda f, w: arrive(f, w, share=0.7), "infinity|ended at"),
    ("22.7", lambda f, w: descend(f, w, 1e-9), "not within"),
    ("22.7", lambda f, w: descend(f, w, steps=300), "more than 200"),
    ("22.7", lambda f, w: w[0], "expected a point"),
]  # fmt: skip


class TestExercises(ExerciseCases):
    chapter = "22"
    wrong = WRONG


@pytest.mark.parametrize("c", [0.2, 1.0, 2.5])
def test_the_bound_of_17_4_is_where_the_step_stops_converging(c):
    edge = largest_step(c)
    assert largest_eigenvalue(c, 0.999 * edge) < 1 < largest_eigenvalue(c, 1.001 * edge)


def test_packs_magnify_a_collapse_more_than_a_smear():
    """Two models at the same distance from uniform: one lost half of the modes, one weighs them 3 to 1."""
    uniform = torch.full((4,), 0.25, dtype=torch.double)
    lost = torch.tensor([1 / 3, 1 / 3, 1 / 3, 0.0], dtype=torch.double)
    smeared = torch.tensor([0.375, 0.375, 0.125, 0.125], dtype=torch.double)
    assert total_variation(uniform, lost, 1) == pytest.approx(total_variation(uniform, smeared, 1))
    assert total_variation(uniform, lost, 3) > total_variation(uniform, smeared, 3)
