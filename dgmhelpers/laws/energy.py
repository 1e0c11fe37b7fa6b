"""Laws of an unnormalised model: its constant, its gradient, its chain, and its estimate of the constant.

All are held against what enumeration says, or a quadrature over one or two real variables.
"""

from dataclasses import replace

import torch
from torch import Generator, Tensor

from dgmhelpers.laws import quadrature
from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.density import sampler_matches_density
from dgmhelpers.laws.subject import MOST_STATES, Subject
from dgmhelpers.laws.verdict import Verdict, law, not_run

STEPS = 3           # of the chain, from draws that are exact
WEIGHTS = 2000
EACH = 5            # standard errors
UNEVEN = 10.0       # relative spread of weights beyond which the error of their mean is not to be trusted
TOO_LARGE = f"needs at most {MOST_STATES:,} states, or one or two real variables, to know Z: audit a smaller model"


@law("energy", "log_partition", redrawn=True)
def partition_is_the_sum(subject: Subject, generator: Generator) -> Verdict:
    """``log_partition()`` is the log of the sum of ``exp(−energy)`` over every state, or of its integral."""
    name, known = "partition_is_the_sum", _log_z(subject)
    if known is None:
        return not_run(name, TOO_LARGE)
    exact, rough = known
    with torch.no_grad():
        said = float(torch.as_tensor(subject.log_partition()))
    allowed = rough + 10 * subject.slack * (1 + abs(exact))
    held = abs(said - exact) <= allowed
    meaning = "The probabilities sum to one." if held else (
        "The constant is not that of this energy: exp(−energy) / Z is no distribution, and log p is off by so much."
    )
    return Verdict(name, held, f"log Z = {said:.6g} where the sum says {exact:.6g}", f"± {allowed:.1g}", meaning)


@law("energy", "log_partition", "modules", redrawn=True)
def gradient_is_data_minus_model(subject: Subject, generator: Generator) -> Verdict:
    """The gradient of ``energy(x) + log_partition()`` is that of the energy at the data less its mean under the model.

    Along a random direction in each parameter; the mean under the model is taken over all states by their
    probabilities. This is what every way of training such a model estimates.
    """
    name = "gradient_is_data_minus_model"
    if not subject.enumerable:
        return not_run(name, f"needs at most {MOST_STATES:,} states to average over")
    named = [(n, p) for m in subject.modules for n, p in m.named_parameters() if p.requires_grad]
    data, every = (subject.encode(s) for s in (subject.random_states(16, generator), subject.every_state()))
    value = subject.energy(data).mean() + subject.log_partition()
    weights = (-subject.energy(every)).detach().double().softmax(0).to(subject.dtype)
    contrast = subject.energy(data).mean() - (weights * subject.energy(every)).sum()
    if not (value.requires_grad and contrast.requires_grad):
        return not_run(name, "the energy has no gradient by the parameters")
    worst, where, parameters = 0.0, "", [p for _, p in named]
    said, true = (torch.autograd.grad(v, parameters, allow_unused=True) for v in (value, contrast))
    for (which, parameter), got, wanted in zip(named, said, true, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
        slopes = [0.0 if g is None else (g.double() * direction).sum().item() for g in (got, wanted)]
        off = abs(slopes[0] - slopes[1]) / (1 + abs(slopes[1]))
        if not off <= worst:
            worst, where = off, f" for {which}"
    allowed = 1e3 * subject.slack
    held = worst <= allowed
    meaning = "Likelihood is climbed by data minus model." if held else (
        "The constant does not follow the parameters as it must: its gradient is not the mean of the energy's."
    )
    return Verdict(name, held, f"off by {worst:.1g}, relative{where}", f"{allowed:.0e}", meaning)


@law("energy", "step", redrawn=True)
def chain_is_stationary(subject: Subject, generator: Generator) -> Verdict:
    """Exact draws from the model are, after three steps of its chain, still draws from the model.

    By the test that samplers are held to: a G-test over the states, or a transform by quadrature.
    """
    name = "chain_is_stationary"
    if _log_z(subject) is None:
        return not_run(name, TOO_LARGE)

    def after_steps(n: int, generator: Generator) -> Tensor:
        x = subject.encode(_exact_draws(subject, n, generator))
        with torch.no_grad():
            for _ in range(STEPS):
                x = seeded(subject.step, generator)(x)
        return x

    lowest = _lowest(subject)
    exact = replace(subject, log_prob=lambda x: lowest - subject.energy(x), marginal=lambda x: x, sample=after_steps)
    found = sampler_matches_density(exact, generator)
    meaning = "Its chain leaves its distribution as it is." if found.held else (
        "Its chain converges to another distribution, or to none: what it is trained and sampled by is not the model."
    )
    return replace(found, law=name, meaning=meaning)


@law("energy", "ais", redrawn=True)
def annealing_finds_the_partition(subject: Subject, generator: Generator) -> Verdict:
    """The mean weight of annealed importance sampling is Z, within five standard errors, and the mean log weight less.
    """
    name, known = "annealing_finds_the_partition", _log_z(subject)
    if known is None:
        return not_run(name, TOO_LARGE)
    with torch.no_grad():
        log_weights = seeded(subject.ais, generator)(WEIGHTS).double().flatten() - known[0]
    weights = log_weights.exp()
    if not weights.std() < UNEVEN * weights.mean():
        return not_run(name, "the weights are too uneven to average: anneal in more steps")
    error = (weights.std() / len(weights) ** 0.5).item()
    allowed = EACH * error + known[1] + 10 * subject.slack * (1 + abs(known[0]))
    above = log_weights.mean() > EACH * log_weights.std() / len(weights) ** 0.5 + known[1] + subject.slack
    held = abs(weights.mean().item() - 1) <= allowed and not bool(above)
    meaning = "Annealing estimates the constant." if held else (
        "What annealing converges to is not the constant: a ratio at the wrong temperature, a chain that is not "
        "stationary, or a start that is not normalised."
    )
    return Verdict(name, held, f"mean weight / Z = {weights.mean():.4f}", f"1 ± {allowed:.1g}", meaning)


def _log_z(subject: Subject) -> tuple[float, float] | None:
    """``log Z`` by enumeration or quadrature, and how rough that is; None if there are too many states."""
    if subject.levels is None:
        if subject.dim > 2:
            return None
        lowest = _lowest(subject)
        grid = quadrature.integrate(subject, lambda x: lowest - subject.energy(x))
        if not grid.mass > 0:
            return None
        return torch.tensor(grid.mass).log().item() - lowest, 4 * grid.error / grid.mass
    if not subject.enumerable:
        return None
    return subject.log_probs(subject.every_state(), of=lambda x: -subject.energy(x)).logsumexp(0).item(), 0.0


def _lowest(subject: Subject) -> float:
    """About the least energy, so that its exponential does not overflow."""
    x = subject.random_states(512, Generator().manual_seed(0)) * (2 if subject.levels is None else 1)
    return subject.log_probs(x, of=subject.energy).nan_to_num(nan=0.0).min().item()


def _exact_draws(subject: Subject, n: int, generator: Generator) -> Tensor:
    if subject.levels is None:
        lowest = _lowest(subject)
        return quadrature.sample(quadrature.integrate(subject, lambda x: lowest - subject.energy(x)), n, generator)
    states = subject.every_state()
    p = subject.log_probs(states, of=lambda x: -subject.energy(x)).softmax(0)
    return states[torch.multinomial(p, n, True, generator=generator)]
