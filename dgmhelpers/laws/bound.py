"""Laws of a bound: it is below what it bounds, its two forms agree, and gradients flow through its draws."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.laws import mass
from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.structure import in_double
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law, not_offered, undecided

EXAMPLES = 8        # at which a bound is looked at
REPEATS = 1000      # independent values of it at each
DRAWS = (1, 4, 16)  # k
ON_AVERAGE, EACH = 3, 5     # standard errors allowed: for the mean over examples, and for every example
MOST_SUMMED = 4096  # examples whose weights are added up where no exact log p is at hand
UNEVEN = 0.5        # relative spread of values beyond which the error of their mean is not to be trusted
MOST_VALUES = 64_000
AVERAGED, ROUGHEST = 32, 0.05   # values of a bound whose mean is looked at, and how far off exp of that may be
NEEDS_P = "log p beside the bound would tell: a log_prob, or one or two latents"
WEIGHTS_ARE = "The weights are p(x, z) / q(z | x) for the z that are drawn."
WEIGHTS_ARE_NOT = (
    "The weights are not p(x, z) / q(z | x) of the z that are drawn, or their logs are averaged: with many draws the "
    "bound tends to something else than log p."
)
WEIGHTS_EXCEED = (
    "The weights are not p(x, z) / q(z | x) of the z that are drawn: they are too large, as where q has another width "
    "than its draws, such as a variance for a standard deviation, or a term is missing or taken for a mean."
)
TOO_UNEVEN = "the weights are too uneven to average: q is far from the posterior"


@law("elbo", redrawn=True)
def bound_is_below(subject: Subject, generator: Generator) -> Verdict:
    """The bound is below log p on average over its draws.

    With ``k`` = 1, 4 and 16, from 1,000 values each at 8 examples, against an exact log p: the model's own, or the
    integral over one or two latents. Three standard errors are allowed for the mean over examples, five for each.

    Without one: exp of the mean of 32 values, less half the variance of that mean, adds up (or integrates) to one at
    most, whatever the bound is made of. Six standard errors are allowed.
    """
    if subject.marginal is None:
        return _total_is_below(subject, generator)
    x = subject.random_states(EXAMPLES, generator)
    exact = subject.log_probs(x, of=subject.marginal)                              # (8,)
    mean, error = _means(subject, x, generator)                                    # (3, 8)
    gap, gap_error = (exact - mean).mean(1), error.square().sum(1).sqrt() / len(x)  # (3,)
    slack = subject.slack * (1 + exact.abs().max())
    above = bool((gap < -ON_AVERAGE * gap_error - slack).any() or (exact - mean < -EACH * error - slack).any())
    meaning = "The bound is below log p." if not above else (
        "What is called a bound is above log p: a sign, a sum taken for a mean, or a missing term."
    )
    shown = ", ".join(f"{g:.3g} (k = {k})" for g, k in zip(gap.tolist(), subject.ks, strict=True))
    return Verdict("bound_is_below", not above, f"short of log p by {shown} nats", "0 or more", meaning)


def _total_is_below(subject: Subject, generator: Generator) -> Verdict:
    name, rough = "bound_is_below", [0.0]

    def settled(x: Tensor) -> Tensor:
        values = torch.stack([subject.elbo(x, 1, generator=generator).double() for _ in range(AVERAGED)])
        bias = values.var(0) / (2 * AVERAGED)
        rough[0] = max(rough[0], bias.median().item())
        return values.mean(0) - bias

    if subject.states is not None and subject.states <= MOST_SUMMED:
        total, error = subject.log_probs(subject.every_state(), of=settled).exp().sum().item(), 0.0
    else:
        found = mass.of_bound(subject, generator, settled)
        if found.value is None:
            return (undecided if found.tried else not_offered)(name, f"{found.why}; {NEEDS_P}")
        total, error = found.value, found.error
    if rough[0] > ROUGHEST:
        return undecided(name, f"its values vary too much from draw to draw; {NEEDS_P}")
    allowed = 6 * error + rough[0] + 10 * subject.slack
    held = total <= 1 + allowed
    meaning = "The bound leaves room for what it bounds." if held else (
        "What is called a bound is above log p: there is no density that it is below."
    )
    return Verdict(name, held, f"exp of the bound adds up to {total:.4g}", f"1 + {allowed:.1g} at most", meaning)


@law("elbo", "several draws", redrawn=True)
def bound_rises_with_draws(subject: Subject, generator: Generator) -> Verdict:
    """The bound does not fall when it has more draws inside: with ``k`` = 1, 4 and 16; three standard errors allowed.

    Log p itself is not needed. On average, the log of a mean of weights rises with their number.
    """
    x = subject.random_states(EXAMPLES, generator)
    mean, error = _means(subject, x, generator)                                    # (3, 8)
    level, level_error = mean.mean(1), error.square().sum(1).sqrt() / len(x)
    rise, rise_error = level[1:] - level[:-1], torch.hypot(level_error[1:], level_error[:-1])
    falls = bool((rise < -ON_AVERAGE * rise_error - subject.slack * (1 + level.abs().max())).any())
    meaning = "It comes closer with every draw." if not falls else (
        "More draws make the bound worse, so it is not the log of their mean weight."
    )
    shown = ", ".join(f"{g:.4g} (k = {k})" for g, k in zip(level.tolist(), subject.ks, strict=True))
    return Verdict("bound_rises_with_draws", not falls, f"{shown} nats", "rising with k", meaning)


def _means(subject: Subject, x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mean over its draws of the bound at each example, for each k, and the standard error of that: ``(3, B)`` each."""
    values = [subject.bounds(x, k, REPEATS, generator) for k in subject.ks]        # (R, B) each
    means = torch.stack([value.mean(0) for value in values])
    return means, torch.stack([value.std(0) for value in values]) / math.sqrt(REPEATS)


@law("elbo", "several draws", redrawn=True)
def weights_average_to_p(subject: Subject, generator: Generator) -> Verdict:
    """The mean importance weight is p(x), whatever q: so exp of the bound with ``k`` = 16 is, on average.

    Against the exact p(x) at 8 examples; without one, added up over all examples, where the total must be one. Five
    standard errors are allowed. Where there are too many to add up, or real values, by importance sampling around what
    the sampler draws, with six standard errors.

    Where q is so narrow that a few weights carry the sum, its error is unknown. A mean above one still shows, by a bet
    (:func:`dgmhelpers.laws.mass.bet`); one below does not, and if no example is left the law says so.
    """
    name, k, rough = "weights_average_to_p", DRAWS[-1], False
    if subject.marginal is not None:
        x = subject.random_states(EXAMPLES, generator)
        exact = subject.log_probs(x, of=subject.marginal)
        ratio = (subject.bounds(x, k, REPEATS, generator) - exact).exp()           # (R, 8)
        what = f"mean weight / p(x), k = {k}"
    elif subject.states is not None and subject.states <= MOST_SUMMED:
        x, repeats = subject.every_state(), max(100, MOST_VALUES // subject.states)
        each = subject.bounds(x, k, repeats, generator).exp()                          # (R, states)
        rough = not (each.std(0) / each.mean(0)).mean() < UNEVEN
        ratio = each.sum(1, keepdim=True)                                              # (R, 1)
        what = f"mean weights of all {subject.states:,} examples, added up"
    else:
        found = mass.of_bound(subject, generator, lambda x: subject.elbo(x, k, generator=generator))
        if found.excess is not None:
            return _in_excess(name, f"mean weights integrate to {found.excess:.3g}, k = {k}")
        if found.value is None:
            need = "log p beside the bound, or few enough examples to enumerate, would tell"
            return (undecided if found.tried else not_offered)(name, f"{found.why}; {need}")
        allowed = 6 * found.error + 10 * subject.slack
        held = abs(found.value - 1) <= allowed
        return Verdict(name, held, f"mean weights integrate to {found.value:.4f}, k = {k}", f"1 ± {allowed:.1g}",
                       WEIGHTS_ARE if held else WEIGHTS_ARE_NOT)
    won = mass.bet(ratio)                                                              # (n,), of which one may win
    if won.max() > mass.SURE + math.log(len(won)) and (most := ratio.mean(0)[won.argmax()]) > 1 + 10 * subject.slack:
        return _in_excess(name, f"{what} = {most:.3g}")
    even = ratio.std(0) < UNEVEN * ratio.mean(0)
    if rough or not even.any():
        return undecided(name, TOO_UNEVEN)
    ratio = ratio[:, even]
    miss, error = (ratio.mean(0) - 1).abs(), ratio.std(0) / math.sqrt(len(ratio))
    worst = (miss / (error + 1e-12)).argmax()
    held = bool((miss <= EACH * error + 10 * subject.slack).all())
    meaning = WEIGHTS_ARE if held else WEIGHTS_ARE_NOT
    return Verdict(name, held, f"{what} = {ratio.mean(0)[worst]:.4f}", f"1 ± {EACH * error[worst]:.1g}", meaning)


def _in_excess(name: str, measured: str) -> Verdict:
    return Verdict(name, False, measured, mass.UNLIKELY, WEIGHTS_EXCEED)


@law("elbo", "log_weights", redrawn=True)
def bound_matches_its_weights(subject: Subject, generator: Generator) -> Verdict:
    """The bound with its KL in closed form is, on average, the mean log importance weight.

    Two estimates of one number that share the draws' distribution and little else; five standard errors are allowed.
    """
    x = subject.random_states(EXAMPLES, generator)
    bounds = subject.bounds(x, 1, REPEATS, generator)                              # (R, 8)
    with torch.no_grad():
        weights = seeded(subject.log_weights, generator)(subject.encode(x), REPEATS).double()
    gap = (bounds.mean(0) - weights.mean(0)).abs()                                 # (8,)
    allowed = EACH * torch.hypot(bounds.std(0), weights.std(0)) / math.sqrt(REPEATS)
    allowed = allowed + subject.slack * (1 + bounds.abs().max())
    worst, held = (gap / allowed).argmax(), bool((gap <= allowed).all())
    meaning = (
        "The closed form of the KL belongs to the q that is drawn from."
        if held
        else "The closed form of the KL is not that of the q that is drawn from: a variance taken for a standard "
        "deviation, a sign, or a term counted twice."
    )
    measured = f"{bounds.mean(0)[worst]:.4g} nats by the terms, {weights.mean(0)[worst]:.4g} by the weights"
    return Verdict("bound_matches_its_weights", held, measured, f"apart by {allowed[worst]:.1g}", meaning)


@law("elbo", "modules", redrawn=True)
def gradient_matches_differences(subject: Subject, generator: Generator) -> Verdict:
    """The gradient of the bound on fixed noise is its derivative, for every parameter, encoder included.

    Along a random direction in each parameter, against central differences in float64, with ``k`` = 1 and 3. A kink
    between the two ends spoils a difference, so each gets three steps of different length, and the best counts.
    """
    name = "gradient_matches_differences"
    if subject.model is not None:
        subject = in_double(subject)
    elif subject.dtype != torch.double or subject.slack > 1e-9:
        return not_offered(name, "needs functions that compute in float64")
    x = subject.encode(subject.random_states(EXAMPLES, generator))
    seed = int(torch.randint(2**31, (1,), generator=generator))
    named = [(which, p) for m in subject.modules for which, p in m.named_parameters() if p.requires_grad]
    worst, where = 0.0, ""
    for k in (1, 3) if len(subject.ks) > 1 else (1,):

        def value(k=k):
            return subject.elbo(x, k, generator=Generator().manual_seed(seed)).sum()

        if not value().requires_grad:
            return not_offered(name, "the bound has no gradient: it is computed under no_grad")
        gradients = torch.autograd.grad(value(), [p for _, p in named], allow_unused=True)
        for (which, parameter), gradient in zip(named, gradients, strict=True):
            direction = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
            slope = 0.0 if gradient is None else (gradient * direction).sum().item()
            differences = [_difference(value, parameter, direction, step) for step in (1e-5, 3e-6, 1e-4)]
            off = min(abs(d - slope) / (1 + abs(d)) for d in differences)
            if off > worst:
                worst, where = off, f" for {which}, k = {k}"
    held = worst <= 1e-5
    meaning = (
        "What is followed uphill is the bound that is reported."
        if held
        else "The gradient is not that of the bound: part of what the draws depend on is cut off from it."
    )
    return Verdict(name, held, f"off by {worst:.1g}, relative{where}", "1e-05", meaning)


@torch.no_grad()
def _difference(value, parameter: Tensor, direction: Tensor, step: float) -> float:
    kept, ends = parameter.clone(), []
    for sign in (1, -1):
        parameter.copy_(kept + sign * step * direction)
        ends.append(value().item())
    parameter.copy_(kept)
    return (ends[0] - ends[1]) / (2 * step)
