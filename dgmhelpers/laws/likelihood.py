"""Laws of a likelihood on its own: its levels sum to one, and its sampler draws from its log_prob."""

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.density import ALPHA, DRAWS, g_test
from dgmhelpers.laws.verdict import Verdict, not_offered


def levels_sum_to_one(likelihood, generator: Generator) -> Verdict:
    """Σ over levels of ``exp(log_prob)`` is one for every draw of the parameters, extreme ones included."""
    law = "levels_sum_to_one"
    if likelihood.levels is None:
        return not_offered(law, "the values are real")
    params = _parameters(likelihood, 2000, generator)
    totals = _each_level(likelihood, params).logsumexp(-1).exp()
    gap = (totals - 1).abs().max().item()
    held = gap < 1e-6
    meaning = "Every conditional is a distribution." if held else "A conditional's levels do not sum to one."
    return Verdict(law, held, f"|Σp − 1| ≤ {gap:.1g} over 2,000 parameters", "1e-06", meaning)


def likelihood_samples_itself(likelihood, generator: Generator) -> Verdict:
    """20,000 draws from one setting of the parameters, against ``log_prob``, by a G-test; worst of eight settings."""
    law = "likelihood_samples_itself"
    if likelihood.levels is None:
        return not_offered(law, "the values are real")
    smallest = 1.0
    for params in _parameters(likelihood, 8, generator):
        draws = likelihood.sample(params.expand(DRAWS, *params.shape), generator=generator).long()
        observed = torch.bincount(draws, minlength=likelihood.levels).double()
        expected = _each_level(likelihood, params[None])[0].exp() * DRAWS
        smallest = min(smallest, g_test(observed, expected)[0])
    held = smallest * 8 > ALPHA
    meaning = "Its sampler draws from its log_prob." if held else "Its sampler draws from something else."
    return Verdict(law, held, f"smallest p of 8 = {smallest:.2g}", f"p > {ALPHA:g}", meaning)


def _parameters(likelihood, n: int, generator: Generator) -> Tensor:
    params = torch.randn(n, *likelihood.parameter_shape, generator=generator, dtype=torch.double)
    spread = torch.rand(n, generator=generator, dtype=torch.double).mul(4).reshape(-1, *[1] * (params.ndim - 1))
    return params * spread


def _each_level(likelihood, params: Tensor) -> Tensor:
    columns = []
    for level in range(likelihood.levels):
        x = likelihood.cast(torch.full((len(params),), level), params.dtype)
        columns.append(likelihood.log_prob(params, x))
    return torch.stack(columns, -1)                                                # (n, K)
