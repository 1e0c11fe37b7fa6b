"""Finite parameters at the ends of every float type, and probabilities of zero: no NaN, and the right value."""

import inspect
import itertools
import math

import pytest
import torch

from dgmhelpers import likelihoods, numerics

DTYPES = {"float64": torch.double, "float32": torch.float, "bfloat16": torch.bfloat16, "float16": torch.half}

# Every likelihood, made small, with values that it can be asked for: all of its levels, or real ones of every size.
CASES = {
    "Bernoulli": (likelihoods.Bernoulli(), [0.0, 1.0]),
    "Categorical": (likelihoods.Categorical(3), [0, 1, 2]),
    "Gaussian": (likelihoods.Gaussian(), [0.0, 1.0, -1e-30, 1e4, -6e4]),
    "MixtureOfGaussians": (likelihoods.MixtureOfGaussians(2), [0.0, 1.0, -6e4]),
    "DiscretizedLogisticMixture": (likelihoods.DiscretizedLogisticMixture(256, 2), [0, 1, 128, 255]),
}
PARAMETRISED = pytest.mark.parametrize("name", CASES)


def ends(dtype):
    """Numbers of every size that the type can hold, of both signs, the scales' own limits among them."""
    most, least = torch.finfo(dtype).max, torch.finfo(dtype).tiny
    sizes = [least, 1.0, 20.0, 87.0, 89.0, 104.0, 178.0, 800.0, 1e4, most**0.5, most]
    return [0.0, *sizes, *(-size for size in sizes)]


def corners(likelihood, dtype, generator):
    """Parameters with every combination of ends, or, where these are too many, 4,000 of them at random."""
    shape, values = likelihood.parameter_shape, ends(dtype)
    many = math.prod(shape)
    if len(values) ** many <= 20_000:
        table = torch.tensor(list(itertools.product(values, repeat=many)), dtype=torch.double)
    else:
        table = torch.tensor(values, dtype=torch.double)[torch.randint(len(values), (4000, many), generator=generator)]
    return table.reshape(len(table), *shape).to(dtype)


def test_every_likelihood_is_here():
    found = {name for name, kind in inspect.getmembers(likelihoods, inspect.isclass)
             if issubclass(kind, likelihoods.Likelihood) and kind is not likelihoods.Likelihood}
    assert found == CASES.keys()


@PARAMETRISED
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_no_finite_parameters_make_a_nan(name, dtype):
    likelihood, values = CASES[name]
    generator = torch.Generator().manual_seed(0)
    for value in values:
        params = corners(likelihood, dtype, generator).requires_grad_()
        assert params.isfinite().all()
        x = torch.full((len(params),), value, dtype=dtype if likelihood.levels in (None, 2) else torch.long)
        x.requires_grad_(likelihood.levels is None)
        wanted = [params, x] if x.requires_grad else [params]
        log_prob = likelihood.log_prob(params, x)
        assert not log_prob.isnan().any(), params[log_prob.isnan()][0]
        assert not (log_prob == math.inf).any()
        for upstream in (1.0, 0.0):                      # 0 is what an entry gets that a mask leaves out
            for gradient in torch.autograd.grad(log_prob, wanted, torch.full_like(log_prob, upstream),
                                                retain_graph=True):
                wrong = gradient.isnan().reshape(len(params), -1).any(1)
                assert not wrong.any(), (value, upstream, params[wrong][0])
        assert not likelihood.mean(params).isnan().any()


@PARAMETRISED
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_draws_are_values_whatever_the_parameters(name, dtype):
    likelihood, _ = CASES[name]
    generator = torch.Generator().manual_seed(0)
    params = corners(likelihood, dtype, generator)
    for temperature in (1.0, 0.3):
        drawn = likelihood.sample(params, temperature, generator)
        assert not drawn.isnan().any()
        if likelihood.levels is not None:
            assert ((drawn >= 0) & (drawn < likelihood.levels)).all()


@pytest.mark.parametrize("dtype", [torch.float, torch.double, torch.bfloat16])
@pytest.mark.parametrize("log_scale", [-1e30, -300.0, -100.0, -88.7, 0.0, 50.0, 88.7, 100.0, 300.0])
def test_logistic_levels_at_scales_that_no_float_holds(dtype, log_scale):
    """Below the width of a level its own level has everything; far above it, a share ``width / (4 e^log_scale)``."""
    likelihood, half = likelihoods.DiscretizedLogisticMixture(5, 1), 0.25                  # edges at −¾, −¼, ¼, ¾
    params = torch.tensor([[0.0], [0.0], [log_scale]], dtype=dtype).expand(5, 3, 1).clone().requires_grad_()
    log_prob = likelihood.log_prob(params, torch.arange(5))
    (gradient,) = torch.autograd.grad(log_prob[2], params)
    if log_scale <= -88.7:
        assert log_prob[2] == 0 and (log_prob[[0, 1, 3, 4]] < -1e30).all() and not gradient.any()
    if log_scale >= 50:
        asked = params[0, 2, 0].item()                                                     # bf16 rounds it
        expected = math.log(2 * half / 4) - asked
        torch.testing.assert_close(log_prob[1:4].double(), torch.full((3,), expected).double(), rtol=1e-6, atol=0)
        torch.testing.assert_close(log_prob[[0, 4]].exp().double(), torch.full((2,), 0.5).double())
        assert gradient[2, 2, 0] == -1
    torch.testing.assert_close(log_prob.exp().sum().double(), torch.ones(()).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("log_std", [-170.0, -100.0, -30.0, 0.0, 30.0, 88.5, 100.0, 170.0])
def test_gaussian_in_float32_is_its_value_in_float64(log_std):
    """Where float64 has room, float32 gives the same, or −∞ where that is beyond float32."""
    x = torch.tensor([0.0, 1e-38, 1e-30, 1e-12, 1.0, 1e12, 1e30])
    params = torch.tensor([0.0, log_std]).expand(len(x), 2)
    exact = likelihoods.Gaussian().log_prob(params.double(), x.double())
    direct = -0.5 * (x.double() / math.exp(log_std)) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(exact, direct, rtol=1e-12, atol=1e-12)
    found = likelihoods.Gaussian().log_prob(params, x)
    beyond = exact < -torch.finfo(torch.float).max
    assert (found[beyond] == -math.inf).all()
    torch.testing.assert_close(found[~beyond].double(), exact[~beyond], rtol=3e-5, atol=1e-5)  # |log_std| · 2⁻²⁴ in z²


def test_logsumexp_is_torchs_and_has_a_gradient_where_torchs_has_none():
    x = torch.randn(6, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.equal(numerics.logsumexp(x, 1), x.logsumexp(1))
    assert torch.autograd.gradcheck(lambda x: numerics.logsumexp(x, 1), x)
    assert torch.autograd.gradgradcheck(lambda x: numerics.logsumexp(x, 1), x)
    y = torch.tensor([[-math.inf, -math.inf], [-math.inf, 2.0], [1.0, 1.0]]).requires_grad_()
    value = numerics.logsumexp(y, 1)
    assert value.tolist() == [-math.inf, 2.0, pytest.approx(1 + math.log(2))]
    (gradient,) = torch.autograd.grad(value.sum(), y)
    assert gradient.tolist() == [[0, 0], [0, 1], [0.5, 0.5]]
    (theirs,) = torch.autograd.grad(y.logsumexp(1).sum(), y)
    assert theirs[0].isnan().all()                       # or this function has become unnecessary


def test_log1mexp_from_a_logarithm():
    at = torch.tensor([-500.0, -41.0, -39.0, -1.0, 0.0, 3.0, 90.0], dtype=torch.double)
    exact = [-500.0, -41.0] + [math.log(-math.expm1(-math.exp(v))) for v in at[2:6].tolist()] + [0.0]
    torch.testing.assert_close(numerics.log1mexp(at), torch.tensor(exact, dtype=torch.double), rtol=1e-15, atol=0)
