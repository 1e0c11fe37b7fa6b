"""The classical densities against their definitions, and against what the literature's formulas give by hand."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from randomness import seeded

from dgmhelpers import classical, laws
from dgmhelpers.classical import base
from dgmhelpers.training import checkpoints, fit

DOUBLE = torch.double


def bits(n, dim, seed=0, p=0.5):
    return torch.bernoulli(torch.full((n, dim), p, dtype=DOUBLE), generator=seeded(seed))


def two_clouds(n=200, seed=0):
    noise = torch.randn(n, 2, generator=seeded(seed), dtype=DOUBLE)
    return torch.cat([noise[: n // 2] * 0.5 + 2, noise[n // 2 :] @ torch.tensor([[1.0, 0.6], [0.0, 0.5]]).double()])


# ---------------------------------------------------------------------------------------------- multinomial


def test_multinomial_is_relative_frequencies_with_and_without_smoothing():
    x = torch.tensor([0, 2, 2, 1, 2, 0])
    model = classical.Multinomial(levels=4).fit(x)
    torch.testing.assert_close(model.probabilities, torch.tensor([2, 1, 3, 0]).double() / 6, rtol=0, atol=1e-15)
    assert model.log_prob(torch.tensor([3])).item() == -math.inf
    smooth = classical.Multinomial(levels=4).fit(x, smoothing=1.0)
    torch.testing.assert_close(smooth.probabilities, torch.tensor([3, 2, 4, 1]).double() / 10, rtol=0, atol=1e-15)


def test_gradient_descent_finds_the_closed_form():
    x = torch.multinomial(torch.tensor([0.1, 0.6, 0.3]), 500, True, generator=seeded())
    closed, climbed = classical.Multinomial(levels=3).fit(x), classical.Multinomial(levels=3)
    fit(climbed, x, steps=600, batch_size=500, lr=0.05, progress=False, device="cpu")
    torch.testing.assert_close(climbed.probabilities, closed.probabilities, rtol=0, atol=1e-5)


def test_inverse_cdf_never_returns_what_has_probability_zero():
    table = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=DOUBLE)
    u = torch.tensor([0.0, 0.25, 0.5, 0.75, 1 - 1e-16, 1.0], dtype=DOUBLE)
    assert base.cumulative_draw(table.expand(6, -1), u).tolist() == [1, 1, 3, 3, 3, 3]


@pytest.mark.parametrize("table", [[0.5, 0.6], [0.5, 0.4], [1.5, -0.5], [math.nan, 1.0]])
def test_probabilities_that_are_none_are_refused(table):
    with pytest.raises(ValueError, match="sum to one|not negative"):
        classical.Multinomial(levels=2, table=table)
    for name, given in {"start": table, "transition": [table, [0.5, 0.5]], "emission": [[0.5, 0.5], table]}.items():
        with pytest.raises(ValueError, match=f"{name} must (sum to one|be finite and not negative)"):
            classical.HMM(states=2, levels=2, **{name: given})


# ---------------------------------------------------------------------------------------------- Gaussian


def test_gaussian_agrees_with_torch_and_the_formulas():
    x = two_clouds()
    model = classical.Gaussian(dim=2).fit(x)
    torch.testing.assert_close(model.mean.data, x.mean(0))
    torch.testing.assert_close(model.covariance.detach(), torch.cov(x.T, correction=0))
    theirs = torch.distributions.MultivariateNormal(model.mean, model.covariance)
    torch.testing.assert_close(model.log_prob(x), theirs.log_prob(x), rtol=0, atol=1e-12)


def test_gaussian_fit_is_the_maximum():
    x = two_clouds()
    model = classical.Gaussian(dim=2).fit(x)
    model.loss(x).backward()
    gradients = torch.cat([model.mean.grad, model.raw.grad.flatten()])
    assert gradients.abs().max() < 1e-12


@pytest.mark.parametrize(
    "x, says",
    [
        (torch.randn(3, 5), "no spread in 3 of 5 directions"),
        (torch.cat([torch.randn(50, 2), torch.ones(50, 1)], 1), r"entries \[2\] are constant"),
        (torch.randn(50, 1) * torch.ones(3), "no spread in 2 of 3 directions"),
        (torch.zeros(4, 2), "singular"),
    ],
)
def test_a_singular_covariance_is_refused_and_a_ridge_repairs_it(x, says):
    with pytest.raises(classical.SingularCovariance, match=says) as error:
        classical.Gaussian(dim=x.shape[1]).fit(x)
    assert "ridge=" in str(error.value)
    assert classical.Gaussian(dim=x.shape[1]).fit(x, ridge=0.1).log_prob(x).isfinite().all()


# ---------------------------------------------------------------------------------------------- mixtures


@pytest.mark.parametrize("seed", range(12))
def test_em_never_lowers_the_likelihood(seed):
    torch.manual_seed(seed)
    clouds = classical.GaussianMixture(dim=2, components=3).fit(two_clouds(seed=seed), generator=seeded(seed))
    x = bits(60, 6, seed, p=0.4)
    runs = [clouds, classical.BernoulliMixture(dim=6, components=4).fit(x, generator=seeded(seed))]
    runs.append(classical.BernoulliMixture(dim=6, components=4, smoothing=0.5).fit(x, generator=seeded(seed)))
    for model in runs:
        steps = torch.tensor(model.trace, dtype=DOUBLE).diff()
        assert len(steps) > 3 and steps.min() > -1e-12, type(model).__name__


def test_the_bound_is_below_by_the_divergence_and_tight_at_the_responsibilities():
    x = bits(40, 5)
    model = classical.BernoulliMixture(dim=5, components=3).fit(x, steps=5, generator=seeded())
    q = torch.rand(40, 3, generator=seeded(1), dtype=DOUBLE)
    q /= q.sum(1, keepdim=True)
    r = model.responsibilities(x)
    divergence = (q * (q / r).log()).sum(1)
    torch.testing.assert_close(model.bound(x, q) + divergence, model.log_prob(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(model.bound(x, r), model.log_prob(x), rtol=0, atol=1e-12)
    corner = torch.eye(3, dtype=DOUBLE)[torch.zeros(40, dtype=torch.long)]
    assert (model.bound(x, corner) <= model.log_prob(x)).all()  # 0 log 0 is 0
    with pytest.raises(ValueError, match="sum to one"):
        model.bound(x, 2 * q)


def test_an_empty_component_stays_where_it_is_and_does_no_harm():
    x = torch.cat([torch.zeros(20, 4), torch.ones(20, 4)]).double()
    model = classical.BernoulliMixture(dim=4, components=3)
    with torch.no_grad():
        model.logits[2] = -math.inf
        kept = model.log_odds[2].clone()
    model.fit(x, start=False, steps=50)
    assert model.weights[2] == 0 and torch.equal(model.log_odds[2], kept)
    assert abs(model.trace[-1] + math.log(2)) < 1e-3 and torch.tensor(model.trace).diff().min() > -1e-12
    clouds = classical.GaussianMixture(dim=2, components=3)
    clouds.start(two_clouds(), seeded())
    with torch.no_grad():
        clouds.means[1] += 1e4
    where = clouds.means[1].clone()
    clouds.fit(two_clouds(), start=False, steps=20)
    assert torch.equal(clouds.means[1], where) and clouds.weights[1] == 0
    assert torch.tensor(clouds.trace).diff().min() > -1e-12


def test_a_component_that_collapses_is_refused_by_name():
    x = torch.cat([two_clouds(40), torch.full((2, 2), 30.0).double()])
    model = classical.GaussianMixture(dim=2, components=2)
    model.start(x)
    with torch.no_grad():
        model.means[0] = 30.0
    with pytest.raises(classical.SingularCovariance, match="component 0 .*ridge="):
        model.fit(x, start=False)
    repaired = classical.GaussianMixture(dim=2, components=2, ridge=1e-2)
    assert repaired.fit(x, generator=seeded()).log_prob(x).isfinite().all()
    with pytest.raises(ValueError, match="as many examples"):
        classical.GaussianMixture(dim=2, components=5).fit(x[:4])


# ---------------------------------------------------------------------------------------------- naive Bayes


def test_naive_bayes_weights_are_relative_frequencies():
    x, c = bits(50, 7), torch.arange(50) % 3
    model = classical.BernoulliNaiveBayes(dim=7, classes=3).fit(x, c)
    for k in range(3):
        torch.testing.assert_close(model.bit_probabilities[k], x[c == k].mean(0), rtol=0, atol=1e-15)
        assert abs(model.class_probabilities[k] - (c == k).double().mean()) < 1e-15
    model.log_joint(x)[torch.arange(50), c].mean().backward()
    assert max(p.grad.abs().max() for p in model.parameters()) < 1e-12  # and they maximise the joint likelihood


def test_naive_bayes_is_a_joint():
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).double()
    model = classical.BernoulliNaiveBayes(dim=4, classes=3).fit(bits(30, 4), torch.arange(30) % 3, smoothing=1.0)
    assert abs(model.log_joint(x).exp().sum().item() - 1) < 1e-12
    torch.testing.assert_close(model.posterior(x), (model.log_joint(x) - model.log_prob(x)[:, None]).exp())
    drawn, c = model.sample_joint(20_000, generator=seeded())
    place = c * 16 + (drawn.long() * torch.tensor([8, 4, 2, 1])).sum(1)
    observed = torch.bincount(place, minlength=48).double()
    assert laws.g_test(observed, model.log_joint(x).exp().T.flatten() * 20_000)[0] > 1e-6


def test_an_empty_class_is_refused_or_smoothed():
    x, c = bits(10, 3), torch.tensor([0, 2] * 5)
    for options in ({}, {"smoothing": 1.0}, {"class_smoothing": 1.0}):
        with pytest.raises(classical.EmptyClass, match="class 1 has no example"):
            classical.BernoulliNaiveBayes(dim=3, classes=3).fit(x, c, **options)
    model = classical.BernoulliNaiveBayes(dim=3, classes=3).fit(x, c, smoothing=1.0, class_smoothing=1.0)
    torch.testing.assert_close(model.class_probabilities, torch.tensor([6, 1, 6]).double() / 13)
    assert (model.bit_probabilities[1] == 0.5).all()
    with pytest.raises(ValueError, match="labels must be 10 integers within 0 … 2"):
        classical.BernoulliNaiveBayes(dim=3, classes=3).fit(x, c + 1)
    unseen = classical.BernoulliNaiveBayes(dim=2, classes=2).fit(torch.tensor([[0, 1], [0, 0]]), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="example 0 has probability zero under every class"):
        unseen.posterior(torch.tensor([[1, 1]]))


# ---------------------------------------------------------------------------------------------- KDE


def test_kde_is_the_mean_of_its_kernels():
    x = two_clouds(50)
    model = classical.KDE(dim=2).fit(x, bandwidth=0.4)
    kernels = torch.distributions.MultivariateNormal(torch.zeros(2).double(), 0.16 * torch.eye(2).double())
    expected = kernels.log_prob(x[:, None] - x[None]).exp().mean(1).log()
    torch.testing.assert_close(model.log_prob(x), expected, rtol=0, atol=1e-12)
    assert model.log_prob(x[:0]).shape == (0,)


def test_leaving_one_out_is_what_it_says():
    x = two_clouds(20)
    model = classical.KDE(dim=2).fit(x, bandwidth=0.3)
    one_by_one = [classical.KDE(dim=2).fit(torch.cat([x[:i], x[i + 1 :]]), bandwidth=0.3).log_prob(x[i : i + 1])
                  for i in range(20)]  # fmt: skip
    torch.testing.assert_close(model.leave_one_out([0.3])[0], torch.cat(one_by_one).mean(), rtol=0, atol=1e-12)


def test_the_bandwidth_chosen_is_the_best():
    model = classical.KDE(dim=2).fit(two_clouds(80))
    h = model.bandwidth.item()
    best, *others = model.leave_one_out([h, 0.8 * h, 0.98 * h, 1.02 * h, 1.25 * h, 5 * h]).tolist()
    assert all(best > other for other in others)
    with pytest.raises(ValueError, match="bandwidth is zero: .*discrete"):
        classical.KDE(dim=1).fit(torch.arange(5).double().repeat(4)[:, None])
    with pytest.raises(ValueError, match="fewer than two different examples"):
        classical.KDE(dim=1).fit(torch.ones(3, 1))


def test_kde_integrates_to_one_with_the_bandwidth_it_chose():
    x = two_clouds(40)[:, :1]
    report = laws.audit(classical.KDE(dim=1).fit(x))
    assert report.held and report["integrates_to_one"].held, str(report)


# ---------------------------------------------------------------------------------------------- all of them

MODELS = [
    (lambda: classical.Multinomial(levels=4), torch.tensor([0, 1, 2, 3, 3])),
    (lambda: classical.Gaussian(dim=2), two_clouds(30)),
    (lambda: classical.GaussianMixture(dim=2, components=2), two_clouds(30)),
    (lambda: classical.BernoulliMixture(dim=3, components=2, smoothing=1.0), bits(20, 3)),
    (lambda: classical.KDE(dim=2), two_clouds(30)),
    (lambda: classical.HMM(length=6, states=2, levels=4), torch.randint(4, (20, 6), generator=seeded())),
    (lambda: classical.CRF(length=6, levels=4), torch.randint(4, (20, 6), generator=seeded())),
]
IDS = ["Multinomial", "Gaussian", "GaussianMixture", "BernoulliMixture", "KDE", "HMM", "CRF"]


@pytest.mark.parametrize("make, x", MODELS, ids=IDS)
def test_what_every_classical_model_does(make, x, tmp_path):
    torch.manual_seed(0)
    model = make()
    assert model.fit(x) is model
    assert model.log_prob(x).shape == (len(x),) and model.log_prob(x).dtype == DOUBLE
    assert torch.equal(model.sample(5, generator=seeded()), model.sample(5, generator=seeded()))
    assert model.sample(0).shape == (0, *model.event_shape)
    torch.testing.assert_close(model.loss(x), -model.log_prob(x).mean())
    checkpoints.save(tmp_path / "m.safetensors", model, dtype="float64")
    again = checkpoints.load(tmp_path / "m.safetensors")
    assert torch.equal(again.log_prob(x), model.log_prob(x))
    with pytest.raises(ValueError, match="n must be 0 or more"):
        model.sample(-1)
    with pytest.raises(ValueError, match="the generator is on cuda and the model on cpu"):
        model.sample(1, generator=SimpleNamespace(device=torch.device("cuda")))
    with pytest.raises(ValueError, match="shape"):
        model.log_prob(x[None, None])
    with pytest.raises(ValueError, match="nothing to fit"):
        make().fit(x[:0])
    with pytest.raises(ValueError, match="context must be None"):
        model.log_prob(x, context=x)
    if model.levels is not None:
        with pytest.raises(ValueError, match=r"must be (within )?0 "):
            model.log_prob(torch.full_like(x, 9))
    else:
        with pytest.raises(ValueError, match="finite"):
            model.log_prob(torch.full_like(x, math.nan))


@pytest.mark.parametrize(
    "call",
    [
        lambda: classical.Multinomial(levels=1),
        lambda: classical.Multinomial(levels=3, table=[0.5, 0.5]),
        lambda: classical.Gaussian(dim=0),
        lambda: classical.Gaussian(dim=2, covariance=[[1.0, 0.5], [0.0, 1.0]]),
        lambda: classical.Gaussian(dim=2, covariance=[[1.0, 1.0], [1.0, 1.0]]),
        lambda: classical.GaussianMixture(components=0),
        lambda: classical.GaussianMixture(ridge=-1.0),
        lambda: classical.BernoulliMixture(smoothing=math.nan),
        lambda: classical.BernoulliNaiveBayes(classes=1),
        lambda: classical.HMM(states=0),
        lambda: classical.HMM(states=2, levels=3, emission=[[0.5, 0.5], [0.5, 0.5]]),
        lambda: classical.KDE(bandwidth=0.0),
        lambda: classical.CRF(levels=1),
        lambda: classical.Multinomial(levels=3).fit(torch.tensor([0.0, 1.0])),
        lambda: classical.BernoulliMixture(dim=2).fit(torch.full((3, 2), 0.5)),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(ValueError):
        call()
