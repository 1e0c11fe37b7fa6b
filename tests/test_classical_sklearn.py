"""scikit-learn beside ours, where it has the same: agreement within rounding."""

import warnings

import pytest
import torch
from randomness import seeded

from dgmhelpers import classical

cluster = pytest.importorskip("sklearn.mixture")
from sklearn.covariance import EmpiricalCovariance  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.naive_bayes import BernoulliNB  # noqa: E402
from sklearn.neighbors import KernelDensity  # noqa: E402

DOUBLE = torch.double


def clouds():
    noise = torch.randn(300, 2, generator=seeded(), dtype=DOUBLE)
    return noise * torch.tensor([1.0, 0.5]).double() + torch.tensor([[0.0, 0], [4, 1], [0, 4]]).double().repeat(100, 1)


def test_gaussian():
    x = clouds()
    ours = classical.Gaussian(dim=2).fit(x)
    theirs = EmpiricalCovariance().fit(x.numpy())
    torch.testing.assert_close(ours.mean.detach(), torch.tensor(theirs.location_), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.covariance.detach(), torch.tensor(theirs.covariance_), rtol=0, atol=1e-12)
    expected = torch.tensor(theirs.score(x.numpy()), dtype=DOUBLE)
    torch.testing.assert_close(ours.log_prob(x).mean().detach(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 5, 300])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_gaussian_mixture_from_the_same_start(steps, ridge):
    x = clouds()
    ours = classical.GaussianMixture(dim=2, components=3, ridge=ridge)
    ours.start(x, seeded(1))
    precisions = torch.linalg.inv(ours.covariances.detach())
    theirs = cluster.GaussianMixture(
        3, tol=0.0, reg_covar=ridge, max_iter=steps, weights_init=ours.weights.detach().numpy(),
        means_init=ours.means.detach().numpy(), precisions_init=precisions.numpy(),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "did not converge": that is what was asked
        theirs.fit(x.numpy())
    for _ in range(steps):
        ours.em_step(x)
    close = {"rtol": 0, "atol": 1e-9 if steps < 100 else 1e-7}
    torch.testing.assert_close(ours.means.detach(), torch.tensor(theirs.means_), **close)
    torch.testing.assert_close(ours.covariances.detach(), torch.tensor(theirs.covariances_), **close)
    torch.testing.assert_close(ours.weights.detach(), torch.tensor(theirs.weights_), **close)
    torch.testing.assert_close(ours.log_prob(x).detach(), torch.tensor(theirs.score_samples(x.numpy())), **close)


@pytest.mark.parametrize("smoothing", [1.0, 0.1])
def test_bernoulli_naive_bayes(smoothing):
    x = torch.bernoulli(torch.rand(1, 12, generator=seeded(), dtype=DOUBLE).expand(90, -1), generator=seeded(1))
    c = torch.randint(4, (90,), generator=seeded(2))
    ours = classical.BernoulliNaiveBayes(dim=12, classes=4).fit(x, c, smoothing=smoothing)
    theirs = BernoulliNB(alpha=smoothing).fit(x.numpy(), c.numpy())
    joint = torch.tensor(theirs.predict_joint_log_proba(x.numpy()))
    torch.testing.assert_close(ours.log_joint(x).detach(), joint, rtol=0, atol=1e-12)
    posterior = torch.tensor(theirs.predict_proba(x.numpy()))
    torch.testing.assert_close(ours.posterior(x).detach(), posterior, rtol=0, atol=1e-12)


def test_kernel_density():
    x = clouds()
    ours = classical.KDE(dim=2).fit(x, bandwidth=0.35)
    theirs = KernelDensity(bandwidth=0.35, rtol=0, atol=0).fit(x.numpy())
    at = torch.randn(50, 2, generator=seeded(5), dtype=DOUBLE) * 3
    expected = torch.tensor(theirs.score_samples(at.numpy()))
    torch.testing.assert_close(ours.log_prob(at).detach(), expected, rtol=0, atol=1e-9)


def test_a_crf_of_one_step_is_logistic_regression():
    """Without a chain a softmax of scores is left. Both maximise it numerically, to a gradient of about 1e-6."""
    x = torch.randn(200, 1, 3, generator=seeded(), dtype=DOUBLE)
    noise = torch.rand(200, 4, generator=seeded(1), dtype=DOUBLE).log().neg().log().neg()                # Gumbel
    y = (x[:, 0] @ torch.randn(3, 4, generator=seeded(2), dtype=DOUBLE) + noise).argmax(1)               # overlapping
    ours = classical.CRF(length=1, levels=4, features=3).fit(y[:, None], x)
    theirs = LogisticRegression(C=float("inf"), tol=1e-9, max_iter=5000).fit(x[:, 0].numpy(), y.numpy())
    expected = torch.tensor(theirs.predict_proba(x[:, 0].numpy()))
    torch.testing.assert_close(ours.posterior(x)[:, 0], expected, rtol=0, atol=1e-4)
    assert torch.equal(ours.viterbi(x)[:, 0], expected.argmax(1))
