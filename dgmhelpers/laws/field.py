"""Laws of fields that are stated in closed form: a score is a gradient, a velocity is a conditional mean."""

import torch
from torch import Generator

from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law, not_run

EXAMPLES, PAIRS = 64, 20_000
WORST = 6           # standard errors, for the worst of D (D + 1) moments at each time
TIMES = (0.1, 0.5, 0.9)


@law("score", "log_prob", redrawn=True)
def score_is_the_gradient(subject: Subject, generator: Generator) -> Verdict:
    """At t = 0 the score is the gradient of ``log_prob`` by x, by autograd at 64 places."""
    name = "score_is_the_gradient"
    x = subject.encode(subject.random_states(EXAMPLES, generator)).requires_grad_()
    log_p = subject.log_prob(x)
    if not log_p.requires_grad:
        return not_run(name, "log p has no gradient by x")
    (slope,) = torch.autograd.grad(log_p.sum(), x)
    said = subject.score(x.detach(), torch.zeros(len(x), dtype=subject.dtype))
    if said.shape != x.shape:
        return Verdict(name, False, f"a score of shape {tuple(said.shape)}", f"{tuple(x.shape)}", "It is no gradient.")
    off = ((said - slope).abs() / (1 + slope.abs())).max().item()
    allowed = 1e2 * subject.slack
    held = off <= allowed
    meaning = "The score points uphill on the density." if held else (
        "The score is not the gradient of log p: a sign, a factor, or the gradient by something else."
    )
    return Verdict(name, held, f"off by {off:.2g}, relative", f"{allowed:.0e}", meaning)


@law("velocity", "pairs", redrawn=True)
def velocity_is_the_conditional_mean(subject: Subject, generator: Generator) -> Verdict:
    """What is left of ``x₁ − x₀`` when the velocity is taken off is zero on average wherever the pairs meet.

    ``E[(x₁ − x₀ − v(x_t, t)) f(x_t)] = 0`` for every f: tried with a constant and the hyperbolic tangent of each
    coordinate, at three times, from 20,000 pairs. Six standard errors are allowed.
    """
    start, end = (x.double().flatten(1) for x in seeded(subject.pairs, generator)(PAIRS))
    worst, at = 0.0, TIMES[0]
    for t in TIMES:
        x = (1 - t) * start + t * end
        times = torch.full((PAIRS,), t, dtype=subject.dtype)
        with torch.no_grad():
            v = subject.velocity(subject.encode(x), times).double().flatten(1)
        left = end - start - v                                                     # (n, D)
        tests = torch.cat([torch.ones(PAIRS, 1, dtype=torch.double), torch.tanh((x - x.mean(0)) / x.std(0))], 1)
        terms = (tests[:, :, None] * left[:, None, :]).flatten(1)                  # (n, (D + 1) D)
        error = terms.std(0) / PAIRS**0.5 + subject.slack
        z = (terms.mean(0).abs() / error).max().item()
        if not z <= worst:
            worst, at = z, t
    held = worst <= WORST
    meaning = "The velocity is the mean of the pairs that meet." if held else (
        "The velocity is not the mean of x₁ − x₀ where the pairs meet: what flows along it ends elsewhere."
    )
    measured = f"what is left is {worst:.1f} standard errors from 0, at t = {at:g}"
    return Verdict("velocity_is_the_conditional_mean", held, measured, f"{WORST}", meaning)
