r"""Is what a sampler draws what log_prob says? Of examples that are too many to enumerate or too wide for a grid.

Both laws need single values of log p, up to its constant, at draws and near them, and nothing else:

- real values: for draws x of p and any smooth f, :math:`E[f\,\partial_i \log p + \partial_i f] = 0`, the integral of a
  derivative, if :math:`f p` vanishes where the density ends;
- levels: change variable i to another level by chance, and accept that with probability
  :math:`a = p(x') / (p(x) + p(x'))`. Draws of p stay draws of p, so :math:`E[a\,(f(x') - f(x))] = 0` for any f.

Source
    C. Stein, 1972, for the first; the second says that a Gibbs step (A. A. Barker's, 1965, for two levels) is
    stationary.
"""

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, not_run

NAME = "sampler_matches_density"
DRAWS = 5_000
WORST = 6           # standard errors, for the worst of D + D² moments
PARTNERS = 6        # variables that each one's change is held against
VARIABLES = 32      # at most, of those that are changed
FAR = 20            # standard deviations from the middle, at which a density may have ended
MOVED_BY = "The sampler draws from something else than log_prob says"


def by_gradient(subject: Subject, generator: Generator) -> Verdict:
    """Real values of any dimension, where log p can be differentiated.

    With f a constant, and the hyperbolic tangent of each standardised coordinate. Where the density ends at a bound in
    coordinate i, f is multiplied by what vanishes there. Six standard errors are allowed for the worst of D + D².
    """
    draws = subject.draw(DRAWS, generator)
    if tuple(draws.shape) != (DRAWS, *subject.event_shape) or not draws.isfinite().all():
        return Verdict(NAME, False, f"draws of shape {tuple(draws.shape)}, or not finite", "finite draws, of the shape",
                       "The sampler breaks down.")
    x = subject.encode(draws.double()).requires_grad_()
    log_p = subject.log_prob(x)
    size = draws.double().abs().flatten(1).amax(1)
    if (lost := ~log_p.isfinite()).any() and (size[lost] > 100 * size.median()).all():
        return not_run(NAME, f"{int(lost.sum())} draws are so far out that log p overflows")
    if not log_p.isfinite().all():
        return Verdict(NAME, False, f"{int((~log_p.isfinite()).sum())} draws have no finite log p", "none",
                       "The sampler gives what the density says cannot be.")
    flat = draws.double().flatten(1)                                               # (n, D)
    if log_p.requires_grad:
        slope = torch.autograd.grad(log_p.sum(), x)[0].double().flatten(1)
    elif subject.slack > 1e-6 or subject.dim > PARTNERS:
        return not_run(NAME, f"has {subject.dim} dimensions, and log p has no gradient by x")
    else:
        slope = _differences(subject, flat)
    if (ends := bounds_of(subject, flat)) is None:
        return not_run(NAME, "log p is −∞ in a region that is no box: say support= if it is one")
    scale = flat.std(0).clamp(min=1e-12)
    fade, fade_slope = _fading(flat, *ends, scale)                                 # (n, D): b(xᵢ) and its derivative
    f = torch.tanh((flat - flat.mean(0)) / scale)                                  # (n, D)
    terms = f[:, :, None] * (slope * fade + fade_slope)[:, None, :]                # (n, D, D): f_j ∂_i (b_i p) / p
    terms.diagonal(dim1=1, dim2=2).add_(fade * (1 - f.square()) / scale)
    every = torch.cat([slope * fade + fade_slope, terms.flatten(1)], 1)
    noise = subject.slack * (1 + every.abs().mean(0))
    z = every.mean(0) / (every.std(0) / len(every) ** 0.5 + noise)
    worst = z.abs().max().item()
    held = worst <= WORST
    meaning = "Draws and density agree in slope and shape." if held else (
        f"{MOVED_BY}: it has another place, another width, or other dependences between variables."
    )
    return Verdict(NAME, held, f"mean of f ∂ log p + ∂f is {worst:.1f} standard errors from 0", f"{WORST}", meaning)


def _differences(subject: Subject, flat: Tensor) -> Tensor:
    """The slope of log p by central differences, ``(n, D)``; 0 where the density ends in between."""
    columns = []
    for i, step in enumerate((1e-5 * flat.std(0)).tolist()):
        away = torch.zeros(subject.dim, dtype=torch.double)
        away[i] = step
        change = (subject.log_probs(flat + away) - subject.log_probs(flat - away)) / (2 * step)
        columns.append(torch.where(change.isfinite(), change, 0.0))
    return torch.stack(columns, 1)


def bounds_of(subject: Subject, flat: Tensor) -> tuple[Tensor, Tensor] | None:
    """Where the density ends in each coordinate, ``(D,)`` each, ±∞ if it does not; None if that is no box.

    From a few draws, one coordinate after another is taken 20 standard deviations away; where log p is −∞ there, the
    end is found by halving, and must be the same for every draw.
    """
    if subject.box is not None:
        return subject.box
    few, spread = flat[:3], flat.std(0).clamp(min=1e-12)
    found = []
    for sign in (-1.0, 1.0):
        ends = torch.full((subject.dim,), sign * torch.inf, dtype=torch.double)
        out = few.repeat(subject.dim, 1, 1)                                        # (D, 3, D): coordinate i moved
        which = torch.arange(subject.dim)
        out[which, :, which] += sign * FAR * spread[:, None]
        beyond = subject.log_probs(out.flatten(0, 1)).reshape(subject.dim, len(few)) == -torch.inf
        for i in beyond.any(1).nonzero()[:, 0].tolist():
            inner, outer = few[:, i].clone(), out[i, :, i].clone()
            for _ in range(40):
                middle, at = (inner + outer) / 2, few.clone()
                at[:, i] = middle
                gone = subject.log_probs(at) == -torch.inf
                inner, outer = torch.where(gone, inner, middle), torch.where(gone, middle, outer)
            if not beyond[i].all() or outer.max() - outer.min() > 1e-6 * spread[i]:
                return None
            ends[i] = outer.mean()
        found.append(ends)
    return found[0], found[1]


def _fading(x: Tensor, low: Tensor, high: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """A factor of each coordinate that vanishes at the ends it has, and its derivative, ``(n, D)`` each."""
    value, slope = torch.ones_like(x), torch.zeros_like(x)
    for away, sign in (((x - low) / scale, 1.0), ((high - x) / scale, -1.0)):
        ended = away.isfinite()
        part = torch.where(ended, away / (1 + away), 1.0)
        change = torch.where(ended, sign / scale / (1 + away).square(), 0.0)
        value, slope = value * part, slope * part + value * change
    return value, slope


@torch.no_grad()
def by_exchange(subject: Subject, generator: Generator, draws: Tensor) -> Verdict:
    """Levels that are too many to enumerate: each of up to 32 variables is changed to another level by chance.

    With f the level of the variable (standardised), its square, whether it is 0, the level times that of six others;
    and, for all variables together, log p itself. Six standard errors are allowed for the worst.
    """
    levels, flat = subject.levels or 2, draws.reshape(len(draws), -1).long()       # (n, D)
    log_p = subject.log_probs(flat)
    if (impossible := int((log_p == -torch.inf).sum())):
        return Verdict(NAME, False, f"{impossible:,} of {len(flat):,} draws have probability 0", "none",
                       "The sampler gives what the density says cannot be.")
    centre, scale = (levels - 1) / 2, max((levels - 1) / 2, 0.5)
    tested = torch.randperm(subject.dim, generator=generator)[:VARIABLES].tolist()
    worst, where, pooled = 0.0, -1, torch.zeros(len(flat), dtype=torch.double)
    for i in tested:
        other = flat.clone()
        shift = torch.randint(1, levels, (len(flat),), generator=generator)
        other[:, i] = (flat[:, i] + shift) % levels
        rise = subject.log_probs(other) - log_p                                    # (n,)
        accept = torch.sigmoid(rise)
        pooled += torch.where(accept > 0, accept * rise, 0.0)
        before, after = ((each[:, i].double() - centre) / scale for each in (flat, other))
        zero = (other[:, i] == 0).double() - (flat[:, i] == 0).double()
        near = {i - 1, i + 1, *torch.randint(subject.dim, (PARTNERS - 2,), generator=generator).tolist()} - {i}
        rest = (flat[:, sorted(j for j in near if 0 <= j < subject.dim)].double() - centre) / scale
        change = torch.stack([after - before, after.square() - before.square(), zero], 1)
        moved = accept[:, None] * torch.cat([change, change[:, :1] * rest], 1)     # (n, 3 + partners)
        noise = subject.slack
        z = (moved.mean(0).abs() / (moved.std(0) / len(moved) ** 0.5 + noise)).max().item()
        if z > worst:
            worst, where = z, i
    drift = (pooled.mean() / (pooled.std() / len(pooled) ** 0.5 + subject.slack)).item()
    meaning = "Draws stay draws if a variable is drawn again from its conditional."
    if abs(drift) > max(worst, WORST):
        worst, likely = abs(drift), "likely" if drift < 0 else "unlikely"
        meaning = f"{MOVED_BY}: draws are too {likely} by it, as with a temperature " + (
            "below 1, or levels cut off (top-k)." if drift < 0 else "above 1.")
    elif worst > WORST:
        meaning = f"{MOVED_BY}: drawn again from its conditional given all others, variable {where} is another."
    held = worst <= WORST
    measured = f"{len(tested)} variables drawn again: {worst:.1f} standard errors of change"
    return Verdict(NAME, held, measured, f"{WORST}", meaning)
