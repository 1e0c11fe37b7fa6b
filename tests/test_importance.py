"""Bounds and importance-weighted estimates: against exact values, in batches of any size, and what they refuse."""

import math

import pytest
import torch
from test_latent import examples, make, seeded
from torch import Generator

from dgmhelpers import evaluation, latent


@pytest.fixture
def linear():
    model = make(latent.LinearGaussianVAE, dim=4, latent=2, seed=3)
    with torch.no_grad():
        model.log_std.copy_(torch.tensor([-0.2, -0.1]))
    return model



def test_partial_last_batch_equals_one_by_one():
    """The same noise for each example, whatever the batches: none is counted twice, none is dropped."""
    model, x = make(dim=6, latent=2, hidden=(7,)), examples(make(dim=6), 11)
    noise = torch.randn(4, 11, 2, generator=seeded(2), dtype=torch.double)
    position = [0]

    def dealt(shape, generator):
        start = position[0]
        position[0] += shape[-2]
        return noise[: shape[0] if len(shape) == 3 else 1, start : start + shape[-2]].reshape(shape)

    model.q.noise = dealt
    results = {}
    for batch_size in (1, 4, 11, 100):
        position[0] = 0
        one = evaluation.elbos(model, x, batch_size=batch_size)
        position[0] = 0
        results[batch_size] = one, evaluation.log_likelihoods(model, x, 4, chunk=4, batch_size=batch_size)
    for one, many in results.values():
        assert one.shape == many.shape == (11,)
        assert (one - results[1][0]).abs().max() < 1e-12 and (many - results[1][1]).abs().max() < 1e-12
    position[0] = 0
    estimate = evaluation.elbo(model, x, batch_size=4)
    assert estimate.n == 11 and abs(estimate.value + results[1][0].mean().item()) < 1e-12


def test_chunks_are_put_together_rightly(linear):
    """When q is the posterior every weight is p(x): any k, any chunk, partial ones too, give log p(x)."""
    x = examples(linear, 50)
    linear.fit_closed_form(x)
    exact = linear.log_prob(x)
    for k, chunk in [(1, 1), (7, 3), (10, 100), (10, 10)]:
        assert (evaluation.log_likelihoods(linear, x, k, chunk=chunk) - exact).abs().max() < 1e-10


def test_estimate_approaches_the_exact_value_from_the_worse_side(linear):
    """By half the relative variance of the weights over k, to first order (the delta method)."""
    linear.set_encoder_to_posterior()
    with torch.no_grad():
        linear.log_std.add_(0.4)                         # wider than the posterior: the weights are bounded
        x = examples(linear, 400)
        exact = linear.log_prob(x)
        variance = (linear.log_weights(x, 5000, generator=seeded()) - exact).exp().var(0).mean().item()
    assert variance > 0.3
    for k in (10, 100, 1000):
        short = exact - evaluation.log_likelihoods(linear, x, k, generator=seeded(k))
        error = short.std().item() / math.sqrt(len(x))
        bias = variance / (2 * k)
        assert abs(short.mean().item() - bias) < 5 * error + 2 * bias * variance / k
    estimate = evaluation.log_likelihood(linear, x, 10, generator=seeded(10))
    assert estimate.n == 400 and estimate.value > -exact.mean().item() + variance / 40


def test_standard_error_covers_what_the_draws_and_the_examples_do(linear):
    """Over 200 test sets of 50 from the model itself, the 95 % interval covers the exact expectation."""
    reference = linear.log_prob(linear.sample(200_000, generator=seeded(1))).mean().item()
    linear.set_encoder_to_posterior()
    covered, generator = 0, seeded(2)
    for _ in range(200):
        x = linear.sample(50, generator=generator)
        low, high = evaluation.log_likelihood(linear, x, 50, generator=generator).interval()
        covered += low <= -reference <= high
    assert 178 <= covered <= 200                         # 190 expected; 178 is 4 standard deviations below


def test_averaging_draws_leaves_the_bound_and_shrinks_its_noise(linear):
    x = examples(linear, 30)
    one = torch.stack([evaluation.elbos(linear, x, generator=seeded(s)) for s in range(60)])
    ten = torch.stack([evaluation.elbos(linear, x, draws=10, generator=seeded(s)) for s in range(60)])
    error = torch.hypot(one.std(0), ten.std(0)) / math.sqrt(60)
    assert ((one.mean(0) - ten.mean(0)).abs() < 5 * error).all()
    ratio = (one.var(0).mean() / ten.var(0).mean()).item()
    assert 7 < ratio < 14                                # 10, and 30 · 59 degrees of freedom on either side


def test_quadrature_is_the_integral():
    """Two grids agree, probabilities of all examples sum to one, and many draws of the prior agree with it."""
    model = make(dim=5, latent=2, hidden=(6,), seed=4)
    with torch.no_grad():
        model.decoder[0].weight.mul_(4)
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.double)] * 5)
    exact = evaluation.quadrature(model, x)
    assert abs(exact.exp().sum().item() - 1) < 1e-12
    assert (exact - evaluation.quadrature(model, x, 101)).abs().max() < 1e-9
    z = torch.randn(20_000, 2, generator=seeded(), dtype=torch.double)
    params = model.decode(z)[:, None].expand(-1, len(x), -1)
    each = model.likelihood.log_prob(params, x.expand(len(z), *x.shape)).sum(-1).exp()
    error = each.std(0) / math.sqrt(len(z))
    assert ((each.mean(0) - exact.exp()).abs() < 5 * error).all()
    with pytest.raises(ValueError, match="can be summed"):
        evaluation.quadrature(make(dim=5, latent=3), x)


def test_kl_and_active_units_find_the_latent_that_is_used():
    model = make(dim=6, latent=3, hidden=())
    with torch.no_grad():
        model.encoder[0].weight.zero_()
        model.encoder[0].bias.zero_()
        model.encoder[0].weight[1, 0], model.encoder[0].bias[1] = 3.0, -1.5   # the mean of latent 1 is ±1.5 with bit 0
    x = examples(model, 501)
    kl = evaluation.kl_per_dimension(model, x, batch_size=100)
    assert torch.allclose(kl, torch.tensor([0.0, 0.5 * 1.5**2, 0.0], dtype=torch.double), atol=1e-12)
    assert evaluation.active_units(model, x, batch_size=100).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="two examples"):
        evaluation.active_units(model, x[:1])


def test_amortisation_gap_is_what_the_encoder_lacks(linear):
    """Against the closed form: the best diagonal Gaussian is known, and so is how far the encoder is from it."""
    x = examples(linear, 20)
    have = linear.posterior_gap(x)
    twin = make(latent.LinearGaussianVAE, dim=4, latent=2)
    twin.load_state_dict(linear.state_dict())
    best = twin.set_encoder_to_posterior().posterior_gap(x)
    linear.train()
    found = evaluation.amortisation_gap(linear, x, generator=seeded())
    true = (have - best).mean().item()
    assert true > 0.3
    assert abs(found.gap.value - true) < 0.05 * true + 0.02
    assert linear.training and all(p.requires_grad and p.grad is None for p in linear.parameters())
    perfect = evaluation.amortisation_gap(twin, x, generator=seeded())
    assert abs(perfect.gap.value) < 0.01


@pytest.mark.parametrize("name", ["k", "draws", "batch_size"])
def test_counts_below_one_are_refused(linear, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
        evaluation.elbo(linear, examples(linear, 3), **{name: 0})


def test_nothing_to_evaluate_is_refused(linear):
    with pytest.raises(ValueError, match="no example"):
        evaluation.log_likelihood(linear, torch.zeros(0, 4))
    assert isinstance(seeded(), Generator)


def test_estimate_by_part_is_right_on_average_and_knows_its_error(linear):
    """Against the exact mean of the same 200 examples: unbiased but for k, and its interval covers over test sets."""
    linear.set_encoder_to_posterior()
    with torch.no_grad():
        linear.log_std.add_(0.4)
    reference = linear.log_prob(linear.sample(200_000, generator=seeded(1))).mean().item()
    covered, misses, generator = 0, [], seeded(2)
    for _ in range(100):
        x = linear.sample(200, generator=generator)
        estimate = evaluation.log_likelihood_by_part(linear, x, 20, 500, draws=2, generator=generator)
        low, high = estimate.interval()
        covered += low <= -reference <= high
        misses.append(estimate.value + linear.log_prob(x).mean().item())
        assert estimate.n == 200
    misses = torch.tensor(misses)
    assert abs(misses.mean().item()) < 5 * misses.std().item() / 10 + 0.002       # 0.002: the bias left at k = 500
    assert 86 <= covered <= 100                          # 95 expected; 86 is 4 standard deviations below
    whole = evaluation.log_likelihood_by_part(linear, x, 200, 500, generator=seeded(3)).value
    assert abs(whole + linear.log_prob(x).mean().item()) < 0.02
    for part in (1, 201):
        with pytest.raises(ValueError, match="part must be between 2 and the 200 examples"):
            evaluation.log_likelihood_by_part(linear, x, part)
