"""The law of noise that spreads levels over cells: it fills its cell, and the bound is made of it."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law

EXAMPLES, REPEATS = 8, 4000
ERRORS = 6      # standard errors allowed, for the worst of all moments of all entries
UNEVEN = 2.0    # relative spread of the weights beyond which their mean says nothing
NAME = "dequantisation_is_a_bound"


@law("dequantise", "log_density", "elbo", redrawn=True)
def dequantisation_is_a_bound(subject: Subject, generator: Generator) -> Verdict:
    """Noise stays in its cell, fills it, and has the density it claims; the bound is made of that noise and no other.

    With 4,000 draws at 8 examples: every point is in [x, x + 1). For v = point − x and any function f, the mean of
    ``f(v) / q(v | x)`` is the integral of f over the cell, so that 1, vᵢ and vᵢ² give 1, 1/2 and 1/3; noise of half the
    width cannot, whatever it claims. Six standard errors are allowed. And for the same draws, the bound is the mean of
    ``log p(point) − log q``.
    """
    x = subject.random_states(EXAMPLES, generator)
    repeated = subject.encode(x.repeat(REPEATS, 1))
    assert subject.dequantise is not None and subject.log_density is not None and subject.elbo is not None
    with torch.no_grad():
        seed = int(torch.randint(2**31, (1,), generator=generator))
        points, log_q = seeded(subject.dequantise, Generator().manual_seed(seed))(repeated)
        bound = subject.elbo(repeated, 1, generator=Generator().manual_seed(seed)).double()
        direct = (subject.log_density(points) - log_q).double()
    v = (points.double() - repeated.double()).flatten(1)                               # (8 · R, D)
    if tuple(log_q.shape) != (len(v),) or points.shape != repeated.shape:
        return Verdict(NAME, False, f"points {tuple(points.shape)}, log q {tuple(log_q.shape)}",
                       "one of each for every example", "The noise has another shape.")
    # at the upper edge a point may round up to the next level, but no further
    out = (v < 0) | (v > 1 + 10 * torch.finfo(subject.dtype).eps * (subject.levels or 1))
    if out.any():
        return Verdict(NAME, False, f"noise of {v[out][0]:.3g}", "0 … 1", "A point lies outside its example's cell.")
    off, allowed = _apart(bound, direct, subject.slack)
    if not off <= allowed:
        meaning = "The bound is not log p(point) − log q of the noise that is drawn: a term or a sign is wrong."
        return Verdict(NAME, False, f"bound off by {off:.2g} nats", f"{allowed:.0g} nats", meaning)
    found = _worst_moment(v.clamp(0, 1), log_q.double())
    if found is None:
        return Verdict(NAME, True, f"bound off by {off:.1g} nats; the noise is too uneven to integrate with",
                       f"{allowed:.0g} nats", "The bound is made of the noise that is drawn.")
    worst, what = found
    if worst > ERRORS:
        meaning = "The noise does not fill its cell, counted by the density that it claims: its width is another one."
        return Verdict(NAME, False, f"{what}: {worst:.1f} standard errors off", f"{ERRORS}", meaning)
    measured = f"moments of the cell within {worst:.1f} standard errors, bound off by {off:.1g} nats"
    return Verdict(NAME, True, measured, f"{ERRORS}, {allowed:.0g} nats",
                   "The noise fills its cell, and the bound is made of it.")


def _apart(bound: Tensor, direct: Tensor, slack: float) -> tuple[float, float]:
    """How far two values for each draw are apart, and how far they may be: rounding, or, if the draws are not the
    same ones, what their means leave unsure."""
    gap = (bound - direct).abs().nan_to_num(nan=math.inf).max().item()
    allowed = 20 * slack * (1 + direct.abs().max().item())
    if gap <= allowed:
        return gap, allowed
    difference = bound - direct
    if not (difference.std() > 0.1 * direct.std()):          # the same draws, and yet other values
        return gap, allowed
    error = torch.hypot(bound.std(), direct.std()).item() / math.sqrt(len(bound))
    return difference.mean().abs().nan_to_num(nan=math.inf).item(), ERRORS * error + allowed


def _worst_moment(v: Tensor, log_q: Tensor) -> tuple[float, str] | None:
    """Of the mean of f(v) / q over all draws, how many standard errors it is from the integral of f over a cell.

    Where q is small at an edge, 1 / q is large, and its mean has no error to speak of: then f is damped at the edges.
    """
    damping = {"": (torch.zeros_like(log_q), 1 / 3), "6v(1 − v) ": ((6 * v * (1 - v)).log().sum(1), 0.3)}
    for factor, (log_f, second) in damping.items():
        weight = (log_f - log_q).exp()[:, None]                                        # (R, 1)
        if not weight.std() < UNEVEN * weight.mean():
            continue
        rows = {"": (weight, 1.0), "vᵢ ": (weight * v, 1 / 2), "vᵢ² ": (weight * v.square(), second)}
        worst, what = 0.0, ""
        for name, (values, exact) in rows.items():
            mean, error = values.mean(0), values.std(0) / math.sqrt(len(values))
            away = ((mean - exact).abs() / (error + 1e-6)).nan_to_num(nan=math.inf)    # uniform noise: 1 has no error
            i = int(away.argmax())
            if away[i] > worst:
                worst, what = away[i].item(), f"∫ {factor}{name}dv = {mean[i]:.4g} for {exact:.4g}"
        return worst, what
    return None
