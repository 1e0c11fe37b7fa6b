"""One discrete latent variable, where everything can be listed: the ELBO, EM and the likelihood itself agree."""

import pytest
import torch

from dgmhelpers.classical import BernoulliMixture

BITS = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]], dtype=torch.double)
TIMES = torch.tensor([5, 3, 6, 2, 1])
DATA = BITS.repeat_interleave(TIMES, 0)


def start(seed=0):
    """A mixture of two that is no saddle point, the same for every route."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = BernoulliMixture(dim=4, components=2).double()
    with torch.no_grad():
        model.log_odds.copy_(torch.tensor([[1.0, 0.5, -0.5, -1.0], [-1.0, -0.5, 0.5, 1.0]]))
    for _ in range(2):                                   # into the basin of one maximum: there are several
        model.em_step(DATA)
    return model


def climb(parameters, objective):
    """Quasi-Newton ascent until nothing moves."""
    optimiser = torch.optim.LBFGS(parameters, max_iter=2000, tolerance_grad=1e-12, tolerance_change=1e-15,
                                  history_size=50, line_search_fn="strong_wolfe")

    def step():
        optimiser.zero_grad()
        loss = -objective()
        loss.backward()
        return loss

    optimiser.step(step)


def test_em_the_bound_and_the_likelihood_climb_to_the_same_place():
    by_em, by_likelihood, by_bound = start(), start(), start()
    for _ in range(3000):
        by_em.em_step(DATA)
    climb(by_likelihood.parameters(), lambda: by_likelihood.log_prob(DATA).mean())
    scores = start().responsibilities(DATA).log().detach().requires_grad_()        # a q of its own for every example
    climb([*by_bound.parameters(), scores], lambda: by_bound.bound(DATA, scores.softmax(1)).mean())
    best = by_em.log_prob(DATA).mean().item()
    assert best > start().log_prob(DATA).mean().item() + 1e-4
    assert by_likelihood.log_prob(DATA).mean().item() == pytest.approx(best, abs=1e-6)
    assert by_bound.log_prob(DATA).mean().item() == pytest.approx(best, abs=1e-6)
    assert by_bound.bound(DATA, scores.softmax(1)).mean().item() == pytest.approx(best, abs=1e-6)


def test_at_the_posterior_the_bound_has_the_value_and_the_gradient_of_the_likelihood():
    model = start()
    posterior = model.responsibilities(DATA).detach()
    bound, likelihood = model.bound(DATA, posterior).mean(), model.log_prob(DATA).mean()
    assert bound.item() == pytest.approx(likelihood.item(), abs=1e-12)
    slopes = [torch.autograd.grad(value, list(model.parameters())) for value in (bound, likelihood)]
    for a, b in zip(*slopes, strict=True):
        assert (a - b).abs().max() < 1e-12
    other = posterior.flip(1)
    assert model.bound(DATA, other).mean() < likelihood - 1e-3
