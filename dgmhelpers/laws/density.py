"""Laws of a density and its sampler: probabilities sum to one, and draws come from them."""

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor

from dgmhelpers.laws import causes, mass, quadrature, stein
from dgmhelpers.laws.stein import MOVED_BY
from dgmhelpers.laws.subject import MOST_STATES, Subject
from dgmhelpers.laws.verdict import Verdict, law, not_offered, not_run, undecided

DRAWS = 20_000
ALPHA = 1e-6  # a correct sampler is called wrong once in a million audits
ROUGHEST = 0.05     # error of a quadrature beyond which it says nothing
CELLS = 50
ENDLESS = "log p does not fall off: this is no density on the whole line; of angles, say support=\"circle\""


@law("log_prob", "levels", redrawn=True)
def sums_to_one(subject: Subject, generator: Generator) -> Verdict:
    """Enumerate every example and add up the probabilities: ``|Σp − 1| < 1e-6`` in float64, 1e-4 in float32.

    Where they are too many, by importance sampling around what the sampler draws, if its weights are even enough.
    """
    name = "sums_to_one"
    if not subject.enumerable:
        return _by_importance(subject, generator, name)
    log_p = subject.log_probs(subject.every_state())
    total = log_p.logsumexp(0).exp().item()
    allowed = max(1e-6, subject.slack)
    held = abs(total - 1) < allowed
    cause = None if held else causes.of_total(subject, lambda change: change(log_p).logsumexp(0).exp().item())
    meaning = (
        "The probabilities of all examples sum to one."
        if held
        else f"log_prob is not what it is called: {cause}."
        if cause
        else "This is not a distribution: some conditional sees what it predicts, or is not normalised, "
        "or probabilities were averaged where they may not be. Its log_prob is no likelihood."
    )
    return Verdict(name, held, f"Σp = {total:.7g} over {subject.states:,} examples", f"1 ± {allowed:g}", meaning)


@law("log_prob", "real", redrawn=True)
def integrates_to_one(subject: Subject, generator: Generator) -> Verdict:
    """Quadrature of a continuous density in one or two dimensions, over the box that holds it.

    What a grid of the finest kind still changes is the error that is allowed for, four times over; if it is more than
    a twentieth, nothing is said. In more dimensions, importance sampling around what the sampler draws
    (:mod:`dgmhelpers.laws.mass`), with six standard errors; so, too, if an audit is short of time.
    """
    name = "integrates_to_one"
    if subject.dim > 2 or (subject.hurried and subject.sample is not None):
        return _by_importance(subject, generator)
    grid = quadrature.integrate(subject)
    if grid.endless or not grid.mass > 1e-6 or not abs(grid.mass - 1) <= ROUGHEST + 4 * grid.error:
        def total(change):
            other = quadrature.integrate(subject, lambda x: change(subject.log_prob(x)), keep=False)
            return math.nan if other.endless else other.mass

        if cause := causes.of_total(subject, total):
            return Verdict(name, False, f"∫p = {grid.mass:.4g}", "1", f"log_prob is not what it is called: {cause}.")
    if not grid.mass > 1e-6:
        return not_run(name, f"no mass was found within ±{quadrature.WIDEST:g}: ∫p = {grid.mass:.2g}")
    if grid.endless:
        return not_run(name, ENDLESS)
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
    values: each draw's conditional distribution function, by quadrature, must be uniform. What is too large for both is
    held to identities that need single values of log p alone: see :mod:`dgmhelpers.laws.stein`.
    """
    name = "sampler_matches_density"
    if subject.log_prob is None:
        if subject.levels is None and subject.dim > 1:
            return not_offered(name, "the integral over the latents at every point of a grid takes too long")
        subject = replace(subject, log_prob=subject.marginal)
    if subject.levels is None:
        if subject.dim > 2 or subject.hurried:
            return stein.by_gradient(subject, generator)
        found = _by_transform(subject, generator)
        again = stein.by_gradient(subject, generator) if found.held is None else found  # too rough a grid
        return found if again.held is None else again
    draws = subject.draw(DRAWS if subject.enumerable else stein.DRAWS, generator)
    wrong = misfit(subject, draws)
    if wrong:
        return Verdict(name, False, wrong, "draws in the support", "The sampler gives what the density cannot score.")
    if not subject.enumerable:
        return stein.by_exchange(subject, generator, draws)
    log_p = subject.log_probs(subject.every_state())
    if not log_p.isfinite().any():
        return Verdict(name, False, "every example has probability 0", "a density", "There is nothing to draw from.")
    expected = log_p.softmax(0) * len(draws)
    return _compared(name, counted(subject, draws), expected, (subject.levels or 2, subject.dim))


def _by_importance(subject: Subject, generator: Generator, name: str = "integrates_to_one") -> Verdict:
    real, symbol = subject.levels is None, "Σp" if subject.levels else "∫p"
    if subject.sample is None:
        few = f"without a sampler it is for one or two dimensions, this has {subject.dim}"
        return not_offered(name, few) if real else not_run(name, _too_many(subject))
    draws = subject.draw(mass.CENTRES * 10, generator).double().flatten(1)
    if draws.shape != (mass.CENTRES * 10, subject.dim) or not draws.isfinite().all():
        return not_run(name, "the sampler breaks down")
    found = mass.estimate(subject, generator, draws)
    if found.excess is not None:
        return Verdict(name, False, f"{symbol} = {found.excess:.3g}, by importance sampling", mass.UNLIKELY,
                       f"This is not a density: its {'integral' if real else 'sum'} is above one.")
    if found.value is None:
        return undecided(name, found.why) if real else not_run(name, _too_many(subject))
    allowed = max(1e-3, 6 * found.error, 10 * subject.slack)
    held = abs(found.value - 1) <= allowed
    if not held and real and (shift := math.log(found.value) / subject.dim / math.log(2 * math.pi)) and (
            abs(shift - 0.5) < 0.01 or abs(shift - 1) < 0.01):
        how = "is missing" if shift < 0.75 else "has the wrong sign"
        return Verdict(name, False, f"∫p = {found.value:.4g}, by importance sampling", "1",
                       f"log_prob is not what it is called: the constant ½ log 2π of each variable {how}.")
    one = "integral" if real else "sum"
    meaning = f"The {one} is one." if held else (
        f"This is not a density: its {one} is not one." if found.value > 1 else
        f"The density has less than its whole mass where the sampler draws: its {one} is less than one, or the "
        "sampler leaves out a part of it."
    )
    return Verdict(name, held, f"{symbol} = {found.value:.4f}, by importance sampling", f"1 ± {allowed:.1g}", meaning)


def counted(subject: Subject, draws: Tensor) -> Tensor:
    """How often each of the states occurs among draws, float64, ``(levels**D,)``."""
    levels = subject.levels or 2
    place = levels ** torch.arange(subject.dim - 1, -1, -1)
    codes = (draws.reshape(len(draws), -1).long() * place).sum(1)
    return torch.bincount(codes, minlength=levels**subject.dim).double()


def _compared(name: str, observed: Tensor, expected: Tensor, sizes: tuple[int, int]) -> Verdict:
    impossible = int(observed[expected == 0].sum())
    p_value, statistic, freedom = g_test(observed, expected)
    held = p_value > ALPHA and not impossible
    cause = None if held else causes.of_draws(*sizes, expected, observed, lambda o, e: g_test(o, e)[0] > 1e-3)
    if cause:
        measured = f"G = {statistic:.0f} on {freedom} degrees of freedom, p = {p_value:.2g}"
        return Verdict(name, False, measured, f"p > {ALPHA:g}", f"{MOVED_BY}: {cause}.")
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
    if grid.endless:
        return not_run(name, ENDLESS)
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
