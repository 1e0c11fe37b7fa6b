"""What an audit can and cannot decide: weights too uneven to average, angles of another turn, time that ends."""

import math
import time

import foreign_models as models
import pytest
import torch
from torch import distributions as D
from torch import nn

from dgmhelpers import laws
from dgmhelpers.laws import mass

WEIGHTS = ["bound_is_below", "weights_average_to_p"]


def broken(report):
    return [verdict.law for verdict in report.broken]


# --- weights that are too uneven


def heavy(mean, runs=200, n=1000):
    """Positive values of infinite variance, ``(n, runs)``: a Pareto law of index 1.5."""
    u = torch.rand(n, runs, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    return mean / 3 * u ** (-1 / 1.5)


def test_a_bet_needs_no_variance_and_does_not_win_of_a_fair_game():
    assert (mass.bet(heavy(1.0)) < 7).all()                 # of 200 runs one in e⁷ = 1,100 at most would get there
    assert (mass.bet(heavy(0.5)) < 1).all()
    assert (mass.bet(heavy(2.0)) > mass.SURE).double().mean() > 0.95
    assert mass.bet(torch.full((100, 1), torch.inf)).item() == torch.inf


def bound(fault, width, dim=2):
    """A bound on a normal by a q of some width, whose density may have the variance where the deviation belongs."""

    def elbo(x, k=1, *, generator=None):
        z = x / 2 + width * torch.randn(k, *x.shape, generator=generator, dtype=x.dtype)
        q = D.Normal(x / 2, width**2 if fault else width)
        weight = D.Normal(0.0, 1.0).log_prob(z) + D.Normal(z, 1.0).log_prob(x) - q.log_prob(z)
        return weight.sum(-1).logsumexp(0) - math.log(k)

    return {"elbo": elbo, "sample": lambda n: math.sqrt(2) * torch.randn(n, dim), "event_shape": (dim,)}


@pytest.mark.parametrize("width", [0.3, 0.6, 1.3])
@pytest.mark.parametrize("dim", [2, 5])
def test_a_variance_taken_for_a_deviation_shows_however_uneven_the_weights(width, dim):
    assert not laws.audit(**bound(False, width, dim), only=WEIGHTS).broken
    assert "weights_average_to_p" in broken(laws.audit(**bound(True, width, dim), only=WEIGHTS))


@pytest.mark.parametrize("seed", range(3))
def test_and_in_a_vae_of_bits(seed):
    told = {"event_shape": (6,), "levels": 2, "only": WEIGHTS}
    assert laws.audit(elbo=models.TinyVAE(seed=seed).elbo, **told).held
    report = laws.audit(elbo=models.TinyVAE("variance", seed=seed).elbo, **told)
    assert broken(report) == ["weights_average_to_p"] and "standard deviation" in report.broken[0].meaning


def test_what_cannot_be_decided_is_shown_and_counted():
    report = laws.audit(**bound(False, 0.3), only=WEIGHTS)
    (verdict,) = report.unsure
    assert verdict.law == "weights_average_to_p" and verdict.status == "could not be checked"
    assert report.held and not verdict.required
    assert "1 held, 1 could not be checked" in str(report)
    assert "? weights_average_to_p  could not be checked: importance weights are too uneven" in str(report)
    assert "? could not be checked" in report._repr_html_() and str(verdict).startswith("? weights_average_to_p: could")
    assert report.as_dict()["verdicts"][1]["status"] == "could not be checked"


def test_a_total_above_one_shows_even_if_a_few_weights_carry_it():
    """A narrow peak that the sampler does not know, on top of a density in five dimensions."""
    base, peak = D.Normal(torch.zeros(5).double(), 1.0), D.Normal(torch.full((5,), 0.5).double(), 0.02)

    def log_prob(x):
        return torch.logaddexp(base.log_prob(x).sum(1), peak.log_prob(x).sum(1) + math.log(1e5))

    told = {"sample": lambda n: base.sample((n,)), "event_shape": (5,), "only": ["integrates_to_one"]}
    assert laws.audit(log_prob=lambda x: base.log_prob(x).sum(1), **told).held
    found = laws.audit(log_prob=log_prob, **told)["integrates_to_one"]
    assert found.held is not True and (found.tried or found.held is False)


# --- angles of another turn


def angles(turned=0.0, periodic=False):
    """A density of angles from 0 to 2π, known there alone unless it is periodic."""
    centre = D.VonMises(torch.tensor([2.5], dtype=torch.double), 3.0)

    def log_prob(x):
        inside = ((x >= 0) & (x < 2 * math.pi)).all(1)
        return torch.where(inside | torch.tensor(periodic), centre.log_prob(x).sum(1), -torch.inf)

    return {"log_prob": log_prob, "event_shape": (1,), "support": "circle",
            "sample": lambda n: torch.remainder(centre.sample((n,)).reshape(n, 1) + turned, 2 * math.pi)}


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("support", ["circle", "torus"])
def test_angles_may_run_from_zero(periodic, support):
    right = angles(periodic=periodic) | {"support": support}
    assert laws.audit(**right).held
    assert laws.audit(**{**right, "sample": None}).held                     # by the density alone
    assert broken(laws.audit(**angles(0.5, periodic))) == ["sampler_matches_density"]


# --- time that ends half way


class Sleepy(nn.Module):
    """Eight fair coins that take a fifth of a second to be looked at."""

    event_shape, levels = torch.Size([8]), 2

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(8))

    def log_prob(self, x):
        time.sleep(0.2)
        try:
            return D.Bernoulli(logits=self.logits).log_prob(x).sum(1)
        except Exception:                                   # as some models do
            return x.sum(1)

    def loss(self, x):
        return -self.log_prob(x).mean()


def test_a_law_that_takes_too_long_is_left_half_way():
    """Learning by heart takes 1,500 steps of a fifth of a second each, and no module is called on the way."""
    for told in ({"factory": Sleepy}, {"factory": lambda: {"loss": (made := Sleepy()).loss, "log_prob": made.log_prob,
                                                           "event_shape": (8,), "levels": 2}}):  # fmt: skip
        begun = time.monotonic()
        report = laws.audit(**told, only=["learns_a_constant"], seconds=1.0)
        assert "left half way: the 1 seconds were over" in report["learns_a_constant"].measured
        assert report.missing and time.monotonic() - begun < 30
