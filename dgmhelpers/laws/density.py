"""Laws of a density and its sampler: probabilities sum to one, and draws come from them."""

from dataclasses import replace

import torch
from torch import Generator, Tensor

from dgmhelpers.laws import quadrature
from dgmhelpers.laws.subject import MOST_STATES, Subject
from dgmhelpers.laws.verdict import Verdict, law, not_offered, not_run

DRAWS = 20_000
ALPHA = 1e-6  # a correct sampler is called wrong once in a million audits
ROUGHEST = 0.05     # error of a quadrature beyond which it says nothing
CELLS = 50
MOVED_BY = "The sampler draws from something else than log_prob says"


@law("log_prob", "levels", redrawn=True)
def sums_to_one(subject: Subject, generator: Generator) -> Verdict:
    """Enumerate every example and add up the probabilities: ``|Σp − 1| < 1e-6`` in float64, 1e-4 in float32."""
    name = "sums_to_one"
    if not subject.enumerable:
        return not_run(name, _too_many(subject))
    total = subject.log_probs(subject.every_state()).logsumexp(0).exp().item()
    allowed = max(1e-6, subject.slack)
    held = abs(total - 1) < allowed
    meaning = (
        "The probabilities of all examples sum to one."
        if held
        else "This is not a distribution: some conditional sees what it predicts, or is not normalised, "
        "or probabilities were averaged where they may not be. Its log_prob is no likelihood."
    )
    return Verdict(name, held, f"Σp = {total:.7g} over {subject.states:,} examples", f"1 ± {allowed:g}", meaning)


@law("log_prob", "real", redrawn=True)
def integrates_to_one(subject: Subject, generator: Generator) -> Verdict:
    """Quadrature of a continuous density in one or two dimensions, over the box that holds it.

    What a grid of the finest kind still changes is the error that is allowed for, four times over; if it is more than
    a twentieth, nothing is said.
    """
    name = "integrates_to_one"
    if subject.dim > 2:
        return not_offered(name, f"quadrature is for one or two dimensions, this has {subject.dim}")
    grid = quadrature.integrate(subject)
    if not grid.mass > 1e-6:
        return not_run(name, f"no mass was found within ±{quadrature.WIDEST:g}: ∫p = {grid.mass:.2g}")
    allowed = max(1e-3, 10 * subject.slack, 4 * grid.error)
    if not allowed <= ROUGHEST:
        return not_run(name, f"too rough: ∫p is {grid.mass:.3g}, and a finer grid still changes it by {grid.error:.2g}")
    held = abs(grid.mass - 1) < allowed
    meaning = "The density integrates to one." if held else "This is not a density: its integral is not one."
    return Verdict(name, held, f"∫p = {grid.mass:.6f}", f"1 ± {allowed:.1g}", meaning)


@law("sample", "marginal", redrawn=True)
def sampler_matches_density(subject: Subject, generator: Generator) -> Verdict:
    """20,000 draws against the probabilities of the cells, by a G-test at α = 10⁻⁶.

    Cells with an expectation below 5 are pooled, and the degrees of freedom are those of what is left. The
    probabilities are normalised first, so that a density that does not sum to one is not blamed here again. Real
    values: each draw's conditional distribution function, by quadrature, must be uniform.
    """
    name = "sampler_matches_density"
    if subject.log_prob is None:
        if subject.levels is None and subject.dim > 1:
            return not_offered(name, "the integral over the latents at every point of a grid takes too long")
        subject = replace(subject, log_prob=subject.marginal)
    if subject.levels is None:
        return _by_transform(subject, generator) if subject.dim <= 2 else _by_gradient(subject, generator)
    if not subject.enumerable:
        return not_run(name, _too_many(subject))
    draws = subject.draw(DRAWS, generator)
    wrong = misfit(subject, draws)
    if wrong:
        return Verdict(name, False, wrong, "draws in the support", "The sampler gives what the density cannot score.")
    log_p = subject.log_probs(subject.every_state())
    if not log_p.isfinite().any():
        return Verdict(name, False, "every example has probability 0", "a density", "There is nothing to draw from.")
    expected = log_p.softmax(0) * len(draws)
    return _compared(name, counted(subject, draws), expected)


def counted(subject: Subject, draws: Tensor) -> Tensor:
    """How often each of the states occurs among draws, float64, ``(levels**D,)``."""
    levels = subject.levels or 2
    place = levels ** torch.arange(subject.dim - 1, -1, -1)
    codes = (draws.reshape(len(draws), -1).long() * place).sum(1)
    return torch.bincount(codes, minlength=levels**subject.dim).double()


def _compared(name: str, observed: Tensor, expected: Tensor) -> Verdict:
    impossible = int(observed[expected == 0].sum())
    p_value, statistic, freedom = g_test(observed, expected)
    held = p_value > ALPHA and not impossible
    if impossible:
        measured = f"{impossible:,} of {int(observed.sum()):,} draws have probability 0"
        return Verdict(name, False, measured, "none", "The sampler gives what the density says cannot be.")
    meaning = (
        "The sampler draws from the density it claims."
        if held
        else f"{MOVED_BY}: a link function applied twice or missing, another order, or a stale cache."
    )
    measured = f"G = {statistic:.0f} on {freedom} degrees of freedom, p = {p_value:.2g}"
    return Verdict(name, held, measured, f"p > {ALPHA:g}", meaning)


def g_test(observed: Tensor, expected: Tensor, least: float = 5.0) -> tuple[float, float, int]:
    """p-value, G and degrees of freedom of counts against expectations, cells below ``least`` pooled to one.

    If even together they are expected less than ``least`` times, they are judged by a Poisson tail of their own, and
    the p-value is twice the smaller of the two. What was observed where nothing is expected has the p-value 0.
    """
    if observed[expected <= 0].sum() > 0:
        return 0.0, float("inf"), len(observed) - 1
    by_size = expected.argsort()
    observed, expected = observed[by_size].double(), expected[by_size].double()
    few = int((expected < least).sum())
    rare, hoped = observed[:few].sum(), expected[:few].sum()
    p_value, tests = 1.0, 0
    if few and hoped >= least:
        observed, expected = (torch.cat([x[:few].sum()[None], x[few:]]) for x in (observed, expected))
    elif few:  # too little for a cell, even together: are they more than a Poisson variable would be?
        observed, expected = observed[few:], expected[few:]
        p_value, tests = float(torch.special.gammainc(rare, hoped)) if rare > 0 else 1.0, 1
    statistic, freedom = 0.0, max(len(observed) - 1, 0)
    if freedom:
        statistic = 2 * torch.special.xlogy(observed, observed / expected).sum().item()
        half = torch.tensor([freedom / 2, max(statistic, 0.0) / 2], dtype=torch.double)
        p_value, tests = min(p_value, torch.special.gammaincc(*half).item()), tests + 1
    return min(1.0, max(tests, 1) * p_value), statistic, freedom


def _by_transform(subject: Subject, generator: Generator, name: str = "sampler_matches_density") -> Verdict:
    """Each draw's conditional distribution function must be uniform; by quadrature, in one and two dimensions."""
    draws = subject.draw(DRAWS, generator)
    if tuple(draws.shape) != (DRAWS, *subject.event_shape):
        return Verdict(name, False, f"draws of shape {tuple(draws.shape)}", f"({DRAWS}, …)", "The shape is wrong.")
    draws = draws.reshape(DRAWS, -1).double()
    if not draws.isfinite().all():
        return Verdict(name, False, "draws that are not finite", "finite draws", "The sampler breaks down.")
    grid = quadrature.integrate(subject)
    if not grid.mass > 1e-6:
        return not_run(name, f"no mass was found within ±{quadrature.WIDEST:g}")
    fine, coarse = (quadrature.uniforms(*each, draws) for each in ((grid.axes, grid.density), grid.coarse))
    smallest, moved, explained = 1.0, 0.0, True
    for u, v in zip(fine, coarse, strict=True):
        counts = torch.histc(u, bins=CELLS, min=0, max=1).double()
        smallest = min(smallest, g_test(counts, torch.full_like(counts, len(u) / CELLS))[0])
        error = (u - v).abs().mean().item()
        moved = max(moved, error)
        # mean distance of the sorted draws from even places; chance gives π/8√n of it on average
        even = (torch.arange(len(u), dtype=torch.double) + 0.5) / len(u)
        explained &= (u.sort().values - even).abs().mean().item() <= 2 * error + len(u) ** -0.5
    # a grid twice as fine moves fewer draws from cell to cell than chance does, √(n / cells), or says nothing, unless
    # the draws are further from uniform than its error and chance together could take them
    if smallest * subject.dim <= ALPHA and moved * DRAWS > (DRAWS / CELLS) ** 0.5 and explained:
        return not_run(name, f"too rough: a finer grid still moves the transformed draws by {moved:.2g}")
    held = smallest * subject.dim > ALPHA
    if not held and not 4 * grid.error <= ROUGHEST * grid.mass:
        return not_run(name, f"too rough: ∫p is {grid.mass:.3g}, and a finer grid still changes it by {grid.error:.2g}")
    meaning = "The sampler draws from the density it claims." if held else f"{MOVED_BY}."
    return Verdict(name, held, f"transformed draws uniform: smallest p = {smallest:.2g}", f"p > {ALPHA:g}", meaning)


def _by_gradient(subject: Subject, generator: Generator) -> Verdict:
    """Of any dimension, where log p can be differentiated: for draws x of p and any bounded f that is smooth,

    ``E[f(x) ∂ᵢ log p(x) + ∂ᵢ f(x)] = 0``, since that is the integral of a derivative (Stein). With f a constant, and
    the hyperbolic tangent of each standardised coordinate; six standard errors are allowed for the worst of D + D².
    """
    name = "sampler_matches_density"
    draws = subject.draw(DRAWS // 4, generator)
    if tuple(draws.shape) != (DRAWS // 4, *subject.event_shape) or not draws.isfinite().all():
        return Verdict(name, False, f"draws of shape {tuple(draws.shape)}, or not finite", "finite draws, of the shape",
                       "The sampler breaks down.")
    x = subject.encode(draws.double()).requires_grad_()
    log_p = subject.log_prob(x)
    size = draws.double().abs().flatten(1).amax(1)
    if (lost := ~log_p.isfinite()).any() and (size[lost] > 100 * size.median()).all():
        return not_run(name, f"{int(lost.sum())} draws are so far out that log p overflows")
    if not log_p.isfinite().all():
        return Verdict(name, False, f"{int((~log_p.isfinite()).sum())} draws have no finite log p", "none",
                       "The sampler gives what the density says cannot be.")
    if not log_p.requires_grad:
        return not_run(name, f"has {subject.dim} dimensions, and log p has no gradient by x")
    (slope,) = torch.autograd.grad(log_p.sum(), x)
    slope, flat = slope.double().flatten(1), draws.double().flatten(1)             # (n, D)
    scale = flat.std(0).clamp(min=1e-12)
    f = torch.tanh((flat - flat.mean(0)) / scale)                                  # (n, D)
    terms = f[:, :, None] * slope[:, None, :]                                      # (n, D, D): f_j ∂_i log p
    terms.diagonal(dim1=1, dim2=2).add_((1 - f.square()) / scale)
    every = torch.cat([slope, terms.flatten(1)], 1)
    z = every.mean(0) / (every.std(0) / len(every) ** 0.5).clamp(min=1e-300)
    worst = z.abs().max().item()
    held = worst <= 6
    meaning = "Draws and density agree in slope and shape." if held else (
        f"{MOVED_BY}: it has another place, another width, or other dependences between variables."
    )
    return Verdict(name, held, f"mean of f ∂ log p + ∂f is {worst:.1f} standard errors from 0", "6", meaning)


def misfit(subject: Subject, draws: Tensor) -> str | None:
    """What is wrong with the shape or the values of draws; None if nothing."""
    expected = (len(draws), *subject.event_shape)
    if tuple(draws.shape) != expected:
        return f"draws of shape {tuple(draws.shape)}, expected {expected}"
    whole = draws == draws.floor() if draws.is_floating_point() else torch.ones_like(draws, dtype=torch.bool)
    outside = ~((draws >= 0) & (draws.long() < (subject.levels or 2)) & whole)
    if outside.any():
        return f"a draw of {draws[outside][0].item():g}, which is not one of {subject.levels} levels"
    return None


def _too_many(subject: Subject) -> str:
    count = f"{subject.levels}^{subject.dim} examples"
    return f"{count} are too many to enumerate (at most {MOST_STATES:,}): audit a smaller model, deep enough to see all"
