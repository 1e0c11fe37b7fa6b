"""Laws of a bound: it is below what it bounds, its two forms agree, and gradients flow through its draws."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, not_run

EXAMPLES = 8        # at which a bound is looked at
REPEATS = 1000      # independent values of it at each
DRAWS = (1, 4, 16)  # k
ON_AVERAGE, EACH = 3, 5     # standard errors allowed: for the mean over examples, and for every example
MOST_SUMMED = 4096  # examples whose weights are added up where no exact log p is at hand
UNEVEN = 0.5        # relative spread of values beyond which the error of their mean is not to be trusted
MOST_VALUES = 64_000
TOO_UNEVEN = "the weights are too uneven to average: q is far from the posterior"
NO_BOUND = "offers no bound"
NO_EXACT = "needs log p beside the bound: a log_prob, or one or two latents to integrate over"


def bound_is_below(subject: Subject, generator: Generator) -> Verdict:
    """The bound is below log p on average over its draws, and does not fall when it has more of them inside.

    With ``k`` = 1, 4 and 16, from 1,000 values each at 8 examples, against an exact log p: the model's own, or the
    integral over one or two latents. Three standard errors are allowed for the mean over examples, five for each.
    """
    law = "bound_is_below"
    if subject.elbo is None:
        return not_run(law, NO_BOUND)
    if subject.marginal is None:
        return not_run(law, NO_EXACT)
    x = subject.random_states(EXAMPLES, generator)
    exact = subject.log_probs(x, of=subject.marginal)                              # (8,)
    means, errors = [], []
    for k in DRAWS:
        values = subject.bounds(x, k, REPEATS, generator)                          # (R, 8)
        means.append(values.mean(0))
        errors.append(values.std(0) / math.sqrt(REPEATS))
    mean, error = torch.stack(means), torch.stack(errors)                          # (3, 8)
    gap, gap_error = (exact - mean).mean(1), error.square().sum(1).sqrt() / len(x)  # (3,)
    slack = 1e-9 * (1 + exact.abs().max())
    above = bool((gap < -ON_AVERAGE * gap_error - slack).any() or (exact - mean < -EACH * error - slack).any())
    rise, rise_error = gap[:-1] - gap[1:], torch.hypot(gap_error[1:], gap_error[:-1])
    falls = bool((rise < -ON_AVERAGE * rise_error - slack).any())
    if above:
        meaning = "What is called a bound is above log p: a sign, a sum taken for a mean, or a missing term."
    elif falls:
        meaning = "More draws make the bound worse, so it is not the log of their mean weight."
    else:
        meaning = "The bound is below log p, and comes closer with every draw."
    shown = ", ".join(f"{g:.3g} (k = {k})" for g, k in zip(gap.tolist(), DRAWS, strict=True))
    return Verdict(law, not (above or falls), f"short of log p by {shown} nats", "0 or more, falling with k", meaning)


def weights_average_to_p(subject: Subject, generator: Generator) -> Verdict:
    """The mean importance weight is p(x), whatever q: so exp of the bound with ``k`` = 16 is, on average.

    Against the exact p(x) at 8 examples; without one, added up over all examples, where the total must be one. Five
    standard errors are allowed. Where q is so narrow that a few weights carry the sum, its error is unknown: such
    examples are passed over.
    """
    law, k = "weights_average_to_p", DRAWS[-1]
    if subject.elbo is None:
        return not_run(law, NO_BOUND)
    if subject.marginal is not None:
        x = subject.random_states(EXAMPLES, generator)
        exact = subject.log_probs(x, of=subject.marginal)
        ratio = (subject.bounds(x, k, REPEATS, generator) - exact).exp()           # (R, 8)
        what = f"mean weight / p(x), k = {k}"
    elif subject.states is not None and subject.states <= MOST_SUMMED:
        x, repeats = subject.every_state(), max(100, MOST_VALUES // subject.states)
        each = subject.bounds(x, k, repeats, generator).exp()                      # (R, states)
        if not (each.std(0) / each.mean(0)).mean() < UNEVEN:
            return not_run(law, TOO_UNEVEN)
        ratio = each.sum(1, keepdim=True)                                          # (R, 1)
        what = f"mean weights of all {subject.states:,} examples, added up"
    else:
        return not_run(law, f"{NO_EXACT}, or few enough examples to enumerate")
    even = ratio.std(0) < UNEVEN * ratio.mean(0)
    if not even.any():
        return not_run(law, TOO_UNEVEN)
    ratio = ratio[:, even]
    miss, error = (ratio.mean(0) - 1).abs(), ratio.std(0) / math.sqrt(len(ratio))
    worst = (miss / (error + 1e-12)).argmax()
    held = bool((miss <= EACH * error + 1e-9).all())
    meaning = (
        "The weights are p(x, z) / q(z | x) for the z that are drawn."
        if held
        else "The weights are not p(x, z) / q(z | x) of the z that are drawn, or their logs are averaged: with many "
        "draws the bound tends to something else than log p."
    )
    return Verdict(law, held, f"{what} = {ratio.mean(0)[worst]:.4f}", f"1 ± {EACH * error[worst]:.1g}", meaning)


def bound_matches_its_weights(subject: Subject, generator: Generator) -> Verdict:
    """The bound with its KL in closed form is, on average, the mean log importance weight.

    Two estimates of one number that share the draws' distribution and little else; five standard errors are allowed.
    """
    law, model = "bound_matches_its_weights", subject.modules[0] if subject.modules else None
    if subject.elbo is None or not hasattr(model, "log_weights"):
        return not_run(law, NO_BOUND if subject.elbo is None else "needs log_weights(x, k)")
    x = subject.random_states(EXAMPLES, generator)
    bounds = subject.bounds(x, 1, REPEATS, generator)                              # (R, 8)
    with torch.no_grad():
        weights = model.log_weights(subject.encode(x), REPEATS, generator=generator).double()
    gap = (bounds.mean(0) - weights.mean(0)).abs()                                 # (8,)
    allowed = EACH * torch.hypot(bounds.std(0), weights.std(0)) / math.sqrt(REPEATS) + 1e-9
    worst, held = (gap / allowed).argmax(), bool((gap <= allowed).all())
    meaning = (
        "The closed form of the KL belongs to the q that is drawn from."
        if held
        else "The closed form of the KL is not that of the q that is drawn from: a variance taken for a standard "
        "deviation, a sign, or a term counted twice."
    )
    measured = f"{bounds.mean(0)[worst]:.4g} nats by the terms, {weights.mean(0)[worst]:.4g} by the weights"
    return Verdict(law, held, measured, f"apart by {allowed[worst]:.1g}", meaning)


def gradient_matches_differences(subject: Subject, generator: Generator) -> Verdict:
    """The gradient of the bound on fixed noise is its derivative, for every parameter, encoder included.

    Along a random direction in each parameter, against central differences in float64, with ``k`` = 1 and 3. A kink
    between the two ends spoils a difference, so each gets three steps of different length, and the best counts.
    """
    law = "gradient_matches_differences"
    if subject.elbo is None or not subject.modules or subject.dtype != torch.double:
        return not_run(law, NO_BOUND if subject.elbo is None else "needs a module in float64")
    x = subject.encode(subject.random_states(EXAMPLES, generator))
    seed = int(torch.randint(2**31, (1,), generator=generator))
    named = [(name, p) for m in subject.modules for name, p in m.named_parameters() if p.requires_grad]
    worst, where = 0.0, ""
    for k in (1, 3):

        def value(k=k):
            return subject.elbo(x, k, generator=Generator().manual_seed(seed)).sum()

        gradients = torch.autograd.grad(value(), [p for _, p in named], allow_unused=True)
        for (name, parameter), gradient in zip(named, gradients, strict=True):
            direction = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
            slope = 0.0 if gradient is None else (gradient * direction).sum().item()
            differences = [_difference(value, parameter, direction, step) for step in (1e-5, 3e-6, 1e-4)]
            off = min(abs(d - slope) / (1 + abs(d)) for d in differences)
            if off > worst:
                worst, where = off, f" for {name}, k = {k}"
    held = worst <= 1e-5
    meaning = (
        "What is followed uphill is the bound that is reported."
        if held
        else "The gradient is not that of the bound: part of what the draws depend on is cut off from it."
    )
    return Verdict(law, held, f"off by {worst:.1g}, relative{where}", "1e-05", meaning)


@torch.no_grad()
def _difference(value, parameter: Tensor, direction: Tensor, step: float) -> float:
    kept, ends = parameter.clone(), []
    for sign in (1, -1):
        parameter.copy_(kept + sign * step * direction)
        ends.append(value().item())
    parameter.copy_(kept)
    return (ends[0] - ends[1]) / (2 * step)
