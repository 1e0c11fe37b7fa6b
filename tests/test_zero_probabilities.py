"""Where a probability of zero is legal: the value is −∞ or what it should be, and no gradient is NaN."""

import copy
import math

import pytest
import torch

from dgmhelpers import classical
from dgmhelpers.data import toys
from dgmhelpers.training import checkpoints

INF = math.inf
STANDS_FOR_ZERO = -600.0  # e^−600 is 10^−260: a probability that changes no float64 sum


def hmm():
    return classical.HMM(3, 2, 2, start=[1, 0], transition=[[1, 0], [1, 0]], emission=[[0.25, 0.75], [0, 1]])


def crf():
    model = classical.CRF(3, 2)
    model._set(transition=torch.tensor([[0.3, -INF], [0.1, -0.2]]), first=torch.tensor([-INF, 0.0]))
    return model


def multinomial():
    return classical.Multinomial(3, table=[0.5, 0, 0.5])


def bernoulli_mixture():
    model = classical.BernoulliMixture(3, 2)
    model._set(log_odds=torch.tensor([[-INF, INF, 0.3], [-INF, -INF, -1.0]]), logits=torch.tensor([0.0, 1.0]))
    return model


def empty_component():
    model = bernoulli_mixture()
    model._set(logits=torch.tensor([0.0, -INF]))
    return model


def naive_bayes():
    x = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 1, 0]])
    return classical.BernoulliNaiveBayes(3, 2).fit(x, torch.tensor([0, 0, 1, 1]))


def gaussian_mixture():
    model = classical.GaussianMixture(2, 2)
    model._set(logits=torch.tensor([0.0, -INF]))
    return model


# The model, examples that are possible, and examples that are not.
CASES = {
    "HMM": (hmm, [[0, 1, 1], [1, 1, 0], [1, 0, 0]], []),
    "HMM impossible": (lambda: classical.HMM(2, 2, 2, start=[1, 0], transition=[[1, 0], [1, 0]],
                                             emission=[[0, 1], [1, 0]]), [[1, 1]], [[0, 1], [0, 0]]),
    "CRF": (crf, [[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 0, 1]]),
    "Multinomial": (multinomial, [0, 2], [1]),
    "BernoulliMixture": (bernoulli_mixture, [[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 1, 1]]),
    "a component of weight zero": (empty_component, [[0, 1, 0]], [[0, 0, 1]]),
    "BernoulliNaiveBayes": (naive_bayes, [[0, 0, 1], [1, 1, 0]], [[1, 0, 0]]),
    "GaussianMixture": (gaussian_mixture, [[0.5, -1.0]], []),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_probabilities_that_are_nearly_zero(name):
    make, possible, impossible = CASES[name]
    model = make()
    near = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in near.parameters():
            parameter.copy_(parameter.clamp(STANDS_FOR_ZERO, -STANDS_FOR_ZERO))
    x = torch.tensor(possible)
    values = [m.log_prob(x) for m in (model, near)]
    assert values[0].isfinite().all()
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(v.sum(), list(m.parameters())) for v, m in zip(values, (model, near), strict=True)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    if impossible:
        both = torch.tensor(possible + impossible)
        log_prob = model.log_prob(both)
        assert (log_prob[len(possible):] == -INF).all()
        for gradient in torch.autograd.grad(-log_prob.mean(), list(model.parameters())):
            assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [None, "float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_a_model_with_zeros_is_stored_and_loaded(name, dtype, tmp_path):
    make, possible, impossible = CASES[name]
    model, x = make(), torch.tensor(possible + impossible)
    checkpoints.save(tmp_path / "model.safetensors", model, **({} if dtype is None else {"dtype": dtype}))
    before, after = model.log_prob(x), checkpoints.load(tmp_path / "model.safetensors").log_prob(x)
    assert torch.equal(before.isinf(), after.isinf()) and not after.isnan().any()
    least = {None: 0, "float64": 0, "float32": 1e-6, "float16": 1e-2, "bfloat16": 1e-1}[dtype]
    torch.testing.assert_close(after.to(before), before, rtol=least, atol=least)


def test_the_reported_chain_is_trained_where_it_can_be():
    model = classical.HMM(2, 2, 2, transition=[[1.0, 0.0], [1.0, 0.0]])
    model.loss(torch.tensor([[0, 1]])).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert model.transition.grad[:, 1].tolist() == [0, 0] and model.start.grad.abs().sum() > 0


def test_an_impossible_example_is_refused_and_leaves_the_mixture_as_it_was():
    model, x = bernoulli_mixture(), torch.tensor([[0, 1, 0], [1, 0, 0]])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for action in (model.responsibilities, model.em_step, lambda x: model.fit(x, start=False)):
        with pytest.raises(ValueError, match="example 1 has probability zero under every component: smooth"):
            action(x)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_bound_of_a_q_that_leaves_components_out():
    model, x = bernoulli_mixture(), torch.tensor([[0, 1, 0], [0, 0, 1]])
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.double).requires_grad_()
    bound = model.bound(x, q)
    torch.testing.assert_close(bound, model.log_prob(x))           # each example is possible under one component alone
    gradients = torch.autograd.grad(bound.sum(), [q, *model.parameters()])
    assert not any(gradient.isnan().any() for gradient in gradients)
    exact = torch.autograd.grad(model.log_prob(x).sum(), list(model.parameters()))
    for one, other in zip(gradients[1:], exact, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.float, torch.double])
@pytest.mark.parametrize("name", toys.names())
def test_no_toy_has_a_nan_anywhere_a_float32_can_be(name, dtype):
    toy, axis = toys.get(name), torch.linspace(-9, 9, 37)
    edges = [0.0, -0.5, -0.25, 0.5, 0.25, 1.2, 6.6, 6.75, 1e-30, -1500.0, 2000.0, 1e8, -3e38, 3e38]
    points = [torch.cartesian_prod(axis, axis), torch.cartesian_prod(torch.tensor(edges), torch.tensor(edges))]
    x = torch.cat(points).to(dtype).requires_grad_()
    log_prob = toy.log_prob(x)
    assert not log_prob.isnan().any() and (log_prob > -INF).any()
    (gradient,) = torch.autograd.grad(log_prob.sum(), x)
    assert not gradient.isnan().any(), x[gradient.isnan().any(1)][0]


@pytest.mark.parametrize("name", [toy for toy in toys.names() if toy not in ("checkerboard", "shot_chart")])
def test_the_slope_of_a_toy_is_its_slope(name):
    toy = toys.get(name)
    x = toy.sample(50, torch.Generator().manual_seed(0), dtype=torch.double).requires_grad_()
    (slope,) = torch.autograd.grad(toy.log_prob(x).sum(), x)
    step = 1e-6 * torch.eye(2, dtype=torch.double)
    for i in range(2):
        difference = (toy.log_prob(x + step[i]) - toy.log_prob(x - step[i])) / 2e-6
        inside = difference.isfinite()
        torch.testing.assert_close(slope[inside, i], difference[inside], rtol=1e-4, atol=1e-3)
