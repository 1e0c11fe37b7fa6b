"""Checkers on coverage: modes that chance leaves out, packs of samples, and what fools a count."""

import itertools
import math

import torch
from torch import Tensor

from dgmhelpers.exercises.compare import close, named, number
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "22.5",
    minutes=15,
    asks="a function expected_found(modes, samples) that returns one number",
    hints=[
        "What is the probability that one given mode gets none of the samples?",
        "(1 − 1/K)^n. And expectations add, whether or not the modes are independent.",
        "K · (1 − (1 − 1/K)^n).",
    ],
    praise="a perfect model of 1,000 modes shows about 918 in 2,500 samples: say how many were drawn, or say nothing",
)
def _expected_found(answer):
    """Four pairs, one by enumeration, and the slips: missing ones, one mode only, the exponential."""
    for modes, samples in [(3, 2), (25, 40), (1000, 2500), (8, 1)]:
        got = answer(modes, samples)
        if got is None:
            return nothing("a number of modes")
        got = number(got, "a number of modes")
        left = (1 - 1 / modes) ** samples
        if close(got, modes * (1 - left)):
            continue
        mistakes = {
            "that is how many are missed": modes * left,
            "that is the probability of finding one given mode: there are K of them": 1 - left,
            "as many as samples, or all: but two samples may fall into one mode": min(modes, samples),
            "(1 − 1/K)^n, with n samples in the exponent, not K": modes * (1 - (1 - 1 / modes) ** modes),
            "e^(−n/K) is close, and not exact": modes * (1 - math.exp(-samples / modes)),
        }
        wanted = f"for {modes} modes and {samples} samples expected {modes * (1 - left):.4f}, got {got:.4f}"
        return named(mistakes, got) or wanted
    return None


@exercise(
    "22.6",
    minutes=25,
    asks="a function pack_distance(p, q, m) that returns one number",
    hints=[
        "A pack of m independent samples has a product for its probability: one entry for each m-tuple.",
        "For m = 2: torch.outer(p, p). For more, multiply on, or use torch.cartesian_prod of the tables.",
        "Half the sum of |P − Q| over all m-tuples.",
    ],
    praise="packs magnify a collapse more than a smear of the same distance, and D follows what is large",
)
def _pack_distance(answer):
    """Random tables and two collapsed ones for m = 1, 2, 3 against a loop over tuples; and the slips."""
    uniform = torch.full((4,), 0.25, dtype=torch.double)
    collapsed = torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=torch.double)
    tilted = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.double)
    for (p, q), m in itertools.product([(tilted, uniform), (uniform, collapsed)], (1, 2, 3)):
        got = answer(p.clone(), q.clone(), m)
        if got is None:
            return nothing("a distance from 0 to 1")
        got = number(got, "a distance from 0 to 1")
        single = (p - q).abs().sum() / 2
        if close(got, total_variation(p, q, m)):
            continue
        mistakes = {
            "the half is missing: total variation is half the sum": 2 * total_variation(p, q, m),
            "that is the distance of single samples, whatever m": single,
            "distances do not multiply with m: take the distance between the tables of packs": m * single,
            "that is a power of the single distance: take the distance between the tables of packs": single**m,
            "that is a pack of m equal samples: the m samples are independent": ((p**m - q**m).abs().sum() / 2),
        }
        wanted = f"packs of {m} have distance {total_variation(p, q, m):.4f} here, you give {got:.4f}"
        return named(mistakes, got) or wanted
    return None


def total_variation(p: Tensor, q: Tensor, m: int) -> float:
    """Half of ``Σ |p(x₁) … p(x_m) − q(x₁) … q(x_m)|`` over all m-tuples, by a loop."""
    total = 0.0
    for places in itertools.product(range(len(p)), repeat=m):
        total += abs((p[list(places)].prod() - q[list(places)].prod()).item())
    return total / 2
