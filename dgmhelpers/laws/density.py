"""Laws of a density and its sampler: probabilities sum to one, and draws come from them."""

from dataclasses import replace

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.subject import MOST_STATES, Subject
from dgmhelpers.laws.verdict import Verdict, not_run

DRAWS = 20_000
ALPHA = 1e-6  # a correct sampler is called wrong once in a million audits


def sums_to_one(subject: Subject) -> Verdict:
    """Enumerate every example and add up the probabilities: ``|Σp − 1| < 1e-6`` in float64."""
    law = "sums_to_one"
    if subject.levels is None:
        return not_run(law, "the values are real: see integrates_to_one")
    if subject.log_prob is None:
        return not_run(law, "offers no log_prob")
    if not subject.enumerable:
        return not_run(law, _too_many(subject))
    total = subject.log_probs(subject.every_state()).logsumexp(0).exp().item()
    held = abs(total - 1) < subject.exact
    meaning = (
        "The probabilities of all examples sum to one."
        if held
        else "This is not a distribution: some conditional sees what it predicts, or is not normalised, "
        "or probabilities were averaged where they may not be. Its log_prob is no likelihood."
    )
    return Verdict(law, held, f"Σp = {total:.7g} over {subject.states:,} examples", f"1 ± {subject.exact:g}", meaning)


def integrates_to_one(subject: Subject) -> Verdict:
    """Quadrature of a continuous density in one or two dimensions, on a grid that is refined until it settles.

    The range is found from the model's own samples and widened; what a grid of the finest kind still changes is the
    error that is allowed for.
    """
    law = "integrates_to_one"
    if subject.levels is not None:
        return not_run(law, "the values are levels: see sums_to_one")
    if subject.log_prob is None:
        return not_run(law, "there is no density: needs a log_prob")
    if subject.dim > 2:
        return not_run(law, f"quadrature is for one or two dimensions, this has {subject.dim}")
    low, high = _support(subject)
    grids = (401, 801) if subject.dim == 2 else (20001, 40001)
    coarse, fine = (_trapezoid(subject, low, high, points) for points in grids)
    allowed = max(1e-3, 4 * abs(fine - coarse))
    held = abs(fine - 1) < allowed
    meaning = "The density integrates to one." if held else "This is not a density: its integral is not one."
    return Verdict(law, held, f"∫p = {fine:.6f}", f"1 ± {allowed:.1g}", meaning)


def sampler_matches_density(subject: Subject, generator: Generator) -> Verdict:
    """20,000 draws against the probabilities of the cells, by a G-test at α = 10⁻⁶.

    Cells with an expectation below 5 are pooled, and the degrees of freedom are those of what is left. The
    probabilities are normalised first, so that a density that does not sum to one is not blamed here again.
    """
    law = "sampler_matches_density"
    if subject.sample is None or subject.marginal is None:
        return not_run(law, "needs a sampler, and a log_prob or few enough latents to integrate over")
    if subject.log_prob is None:
        if subject.levels is None and subject.dim > 1:
            return not_run(law, "the integral over the latents at every point of a grid of examples takes too long")
        subject = replace(subject, log_prob=subject.marginal)
    if subject.levels is None:
        return _by_probability_integral_transform(subject, generator)
    if not subject.enumerable:
        return not_run(law, _too_many(subject))
    draws = _draw(subject, DRAWS, generator)
    wrong = _misfit(subject, draws)
    if wrong:
        return Verdict(law, False, wrong, "draws in the support", "The sampler gives what the density cannot score.")
    place = subject.levels ** torch.arange(subject.dim - 1, -1, -1)
    observed = torch.bincount((draws.reshape(len(draws), -1).long() * place).sum(1), minlength=subject.states).double()
    expected = subject.log_probs(subject.every_state()).softmax(0) * len(draws)
    p_value, statistic, freedom = g_test(observed, expected)
    held = p_value > ALPHA
    meaning = (
        "The sampler draws from the density it claims."
        if held
        else "The sampler draws from something else than log_prob says: a link function applied twice or missing, "
        "another order, or a stale cache."
    )
    measured = f"G = {statistic:.0f} on {freedom} degrees of freedom, p = {p_value:.2g}"
    return Verdict(law, held, measured, f"p > {ALPHA:g}", meaning)


def g_test(observed: Tensor, expected: Tensor, least: float = 5.0) -> tuple[float, float, int]:
    """p-value, G and degrees of freedom of counts against expectations, rare cells pooled until they hold ``least``."""
    by_size = expected.argsort()
    observed, expected = observed[by_size], expected[by_size]
    pooled = int((expected < least).sum())
    if pooled:
        while pooled < len(expected) and expected[:pooled].sum() < least:
            pooled += 1
        observed = torch.cat([observed[:pooled].sum()[None], observed[pooled:]])
        expected = torch.cat([expected[:pooled].sum()[None], expected[pooled:]])
    freedom = len(observed) - 1
    if freedom == 0:
        return 1.0, 0.0, 0
    statistic = 2 * torch.special.xlogy(observed, observed / expected).sum()
    p_value = torch.special.gammaincc(torch.tensor(freedom / 2, dtype=torch.double), statistic / 2).item()
    return p_value, statistic.item(), freedom


def _by_probability_integral_transform(subject: Subject, generator: Generator) -> Verdict:
    """Each draw's conditional distribution function must be uniform; by quadrature, in one and two dimensions."""
    law = "sampler_matches_density"
    if subject.dim > 2:
        return not_run(law, f"the transform is for one or two dimensions, this has {subject.dim}")
    draws = _draw(subject, DRAWS, generator).reshape(DRAWS, -1).double()
    if not draws.isfinite().all():
        return Verdict(law, False, "draws that are not finite", "finite draws", "The sampler breaks down.")
    low, high = _support(subject)
    points = 801 if subject.dim == 2 else 40001
    axes = [torch.linspace(low[i], high[i], points, dtype=torch.double) for i in range(subject.dim)]
    density = _on_grid(subject, axes)
    uniforms = []
    marginal = density if subject.dim == 1 else torch.trapezoid(density, axes[1], dim=1)
    uniforms.append(_interpolate(axes[0], _cumulative(marginal, axes[0]), draws[:, 0]))
    if subject.dim == 2:
        row = torch.searchsorted(axes[0], draws[:, 0].contiguous()).clamp(1, points - 1)
        share = ((draws[:, 0] - axes[0][row - 1]) / (axes[0][row] - axes[0][row - 1])).clamp(0, 1)[:, None]
        conditional = density[row - 1] * (1 - share) + density[row] * share        # (n, points)
        cumulative = _cumulative(conditional, axes[1])
        column = torch.searchsorted(axes[1], draws[:, 1].contiguous()).clamp(1, points - 1)[:, None]
        part = ((draws[:, 1:] - axes[1][column - 1]) / (axes[1][column] - axes[1][column - 1])).clamp(0, 1)
        uniforms.append((cumulative.gather(1, column - 1) * (1 - part) + cumulative.gather(1, column) * part)[:, 0])
    smallest, cells = 1.0, 50
    for u in uniforms:
        counts = torch.histc(u, bins=cells, min=0, max=1).double()
        smallest = min(smallest, g_test(counts, torch.full_like(counts, len(u) / cells))[0])
    held = smallest * len(uniforms) > ALPHA
    meaning = (
        "The sampler draws from the density it claims."
        if held
        else "The sampler draws from something else than log_prob says."
    )
    return Verdict(law, held, f"transformed draws uniform: smallest p = {smallest:.2g}", f"p > {ALPHA:g}", meaning)


def _draw(subject: Subject, n: int, generator: Generator) -> Tensor:
    try:
        return subject.sample(n, generator=generator)
    except TypeError:  # somebody else's sampler, without a generator
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return subject.sample(n)


def _misfit(subject: Subject, draws: Tensor) -> str | None:
    expected = (len(draws), *subject.event_shape)
    if tuple(draws.shape) != expected:
        return f"draws of shape {tuple(draws.shape)}, expected {expected}"
    whole = draws == draws.floor() if draws.is_floating_point() else torch.ones_like(draws, dtype=torch.bool)
    outside = ~((draws >= 0) & (draws < subject.levels) & whole)
    if outside.any():
        return f"a draw of {draws[outside][0].item():g}, which is not one of {subject.levels} levels"
    return None


def _too_many(subject: Subject) -> str:
    count = f"{subject.levels}^{subject.dim} examples"
    return f"{count} are too many to enumerate (at most {MOST_STATES:,}): audit a smaller model"


def _support(subject: Subject) -> tuple[list[float], list[float]]:
    """A box that holds all but a sliver of the density: the samples' range, twice as wide again."""
    draws = _draw(subject, 4000, Generator().manual_seed(0)).reshape(4000, -1).double()
    middle, reach = (draws.amax(0) + draws.amin(0)) / 2, (draws.amax(0) - draws.amin(0)).clamp(min=1e-3)
    return (middle - reach).tolist(), (middle + reach).tolist()


def _on_grid(subject: Subject, axes: list[Tensor]) -> Tensor:
    points = torch.cartesian_prod(*axes).reshape(-1, subject.dim)
    return subject.log_probs(points, batch=65536).exp().reshape([len(axis) for axis in axes])


def _trapezoid(subject, low, high, points) -> float:
    axes = [torch.linspace(a, b, points, dtype=torch.double) for a, b in zip(low, high, strict=True)]
    value = _on_grid(subject, axes)
    for axis in reversed(axes):
        value = torch.trapezoid(value, axis, dim=-1)
    return value.item()


def _cumulative(density: Tensor, axis: Tensor) -> Tensor:
    steps = torch.cumulative_trapezoid(density, axis, dim=-1)
    whole = torch.cat([torch.zeros_like(steps[..., :1]), steps], -1)
    return whole / whole[..., -1:]


def _interpolate(axis: Tensor, values: Tensor, at: Tensor) -> Tensor:
    right = torch.searchsorted(axis, at.contiguous()).clamp(1, len(axis) - 1)
    share = ((at - axis[right - 1]) / (axis[right] - axis[right - 1])).clamp(0, 1)
    return values[right - 1] * (1 - share) + values[right] * share
