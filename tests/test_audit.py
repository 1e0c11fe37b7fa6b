"""``laws.audit`` on models from anywhere: what is right passes, what is wrong fails by the right law."""

import copy
import math

import pytest
import torch
from foreign import ForeignNet, OrderAverage

from dgmhelpers import latent, laws
from dgmhelpers.autoregressive import NADE

NINE_BITS = {"event_shape": (9,), "levels": 2}


def broken(report):
    return [verdict.law for verdict in report.broken]


def test_a_correct_foreign_model_passes():
    net = ForeignNet().eval()
    report = laws.audit(log_prob=net.score, sample=net.generate, **NINE_BITS)
    assert report.held, str(report)
    ran = {v.law for v in report.verdicts if v.held}
    assert ran >= {"sums_to_one", "sampler_matches_density", "ignores_the_batch"}


def test_a_sampler_that_applies_a_sigmoid_twice_fails_by_the_sampler_law_alone():
    net = ForeignNet().eval()
    report = laws.audit(log_prob=net.score, sample=net.generate_twice_squashed, **NINE_BITS)
    assert broken(report) == ["sampler_matches_density"]


def test_averaging_logits_over_orders_fails_by_the_sum():
    net = OrderAverage()
    report = laws.audit(log_prob=net.score, **NINE_BITS)
    assert broken(report) == ["sums_to_one"]
    assert "no likelihood" in report["sums_to_one"].meaning


@pytest.mark.parametrize("how", ["method", "closure"])
def test_batch_statistics_in_training_mode_fail_by_the_batch_law_alone(how):
    net = ForeignNet(batch_norm=True).train()
    score = net.score if how == "method" else (lambda x: net.score(x.float()))
    report = laws.audit(log_prob=score, sample=net.generate, **NINE_BITS)
    assert "ignores_the_batch" in broken(report)
    # its running statistics move, too, and a loss of statistics is none of one example
    assert set(broken(report)) <= {"ignores_the_batch", "forward_changes_nothing"}


@pytest.mark.parametrize("how", ["method", "closure"])
def test_the_callers_model_is_left_alone(how):
    net = ForeignNet(batch_norm=True).train()
    before = copy.deepcopy(net.state_dict())
    random_state = torch.get_rng_state()
    score = net.score if how == "method" else (lambda x: net.score(x.float()))
    laws.audit(log_prob=score, **NINE_BITS)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training and net.norm.training
    assert next(net.parameters()).dtype == torch.float32
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_our_own_model_is_left_alone():
    model = NADE(dim=9, hidden=8).train()
    before = copy.deepcopy(model.state_dict())
    assert laws.audit(model).held
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and model.dtype == torch.float32


def test_plain_functions_without_any_module():
    """Nine fair coins, in numpy-like plain code, no generator, no module."""
    report = laws.audit(
        log_prob=lambda x: x.sum(1) * 0 - 9 * torch.log(torch.tensor(2.0, dtype=x.dtype)),
        sample=lambda n: torch.randint(2, (n, 9)).float(),
        **NINE_BITS,
    )
    assert report.held, str(report)


def test_levels_arrive_as_long():
    table = torch.log_softmax(torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.double), 1)
    report = laws.audit(
        log_prob=lambda x: table[torch.arange(3), x].sum(1),
        sample=lambda n: torch.stack([torch.multinomial(row.exp(), n, True) for row in table], 1),
        event_shape=(3,),
        levels=5,
    )
    assert report.held, str(report)


def test_draws_outside_the_support_are_named():
    report = laws.audit(log_prob=lambda x: -x.sum(1), sample=lambda n: torch.full((n, 9), 0.5), **NINE_BITS)
    assert "0.5" in report["sampler_matches_density"].measured


def test_a_model_too_large_to_enumerate_says_so():
    model = NADE(dim=100, hidden=4)
    assert "by importance sampling" in laws.audit(model, only="sums_to_one")["sums_to_one"].measured
    laws.redraw(model, torch.Generator().manual_seed(0))        # too uneven for that
    report = laws.audit(model)
    assert report["sums_to_one"].held is None and "2^100" in report["sums_to_one"].measured
    assert report["depends_on_exactly_its_past"].held


def test_a_model_that_cannot_be_evaluated_is_reported_not_raised():
    def explode(x):
        if len(x) > 2:
            raise RuntimeError("no more than two at a time")
        return x.sum(1)

    report = laws.audit(log_prob=explode, **NINE_BITS)
    assert not report.held and "no more than two" in str(report)


def test_a_sampler_alone_promises_draws_and_no_more():
    report = laws.audit(sample=lambda n: torch.zeros(n, 9), **NINE_BITS)
    assert [v.law for v in report.verdicts if v.held is not None] == ["draws_are_sound"]
    assert laws.audit(sample=lambda n: torch.zeros(n, 8), **NINE_BITS).broken
    assert not laws.audit(sample=lambda n: torch.zeros(n, 9), only="sums_to_one", **NINE_BITS).held  # nothing ran


def test_report_renders_in_a_terminal_and_in_a_notebook():
    report = laws.audit(NADE(dim=4, hidden=3))
    assert "✓ sums_to_one" in str(report) and "not asked for: integrates_to_one" in str(report)
    assert "✗ sums_to_one" in str(laws.audit(log_prob=lambda x: x.sum(1), **NINE_BITS)).splitlines()[1]  # comes first
    assert "<table>" in report._repr_html_() and "sums_to_one" in report._repr_html_()
    with pytest.raises(KeyError, match="no_such_law"):
        report["no_such_law"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to audit"),
        ({"model": 3}, "torch module"),
        ({"log_prob": len}, "event_shape"),
        ({"log_prob": len, "event_shape": (2,), "levels": 1}, "levels"),
        ({"model": NADE(dim=2), "log_prob": len}, "not both"),
    ],
)
def test_unclear_subjects_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        laws.audit(**arguments)


def bound_of(offset=0.0, noise=0.5):
    """A bound on nine independent bits with known odds: log p, less a squared normal, plus what is wrong with it."""
    logits = torch.linspace(-1, 1, 9, dtype=torch.double)

    def log_prob(x):
        return -torch.nn.functional.binary_cross_entropy_with_logits(
            logits.to(x.dtype).expand_as(x), x, reduction="none"
        ).sum(1)

    def elbo(x, k=1):
        log_weight = noise * torch.randn(k, len(x), dtype=torch.double) - noise**2 / 2      # its exp averages to one
        return log_prob(x) + log_weight.logsumexp(0) - math.log(k) + offset

    return {"log_prob": log_prob, "elbo": elbo, **NINE_BITS}


def test_a_foreign_bound_is_held_against_its_own_log_prob():
    report = laws.audit(**bound_of())
    assert report.held, str(report)
    assert {v.law for v in report.verdicts if v.held} >= {"bound_is_below", "weights_average_to_p", "sums_to_one"}
    assert report["gradient_matches_differences"].held is None
    assert report["bound_matches_its_weights"].held is None
    above = laws.audit(**bound_of(offset=0.3))
    assert broken(above) == ["bound_is_below", "weights_average_to_p"]
    below = laws.audit(**bound_of(offset=-0.3))
    assert broken(below) == ["weights_average_to_p"]                 # a bound, but not of the form it claims


def test_a_bound_that_worsens_with_more_draws_is_named():
    def elbo(x, k=1, *, generator):
        return log_prob(x) - 0.1 * k + 0.01 * torch.randn(len(x), generator=generator, dtype=torch.double)

    log_prob = bound_of()["log_prob"]
    verdict = laws.audit(log_prob=log_prob, elbo=elbo, **NINE_BITS)["bound_rises_with_draws"]
    assert verdict.held is False
    assert "More draws make the bound worse" in verdict.meaning


def test_a_bound_without_log_p_is_judged_by_what_is_left():
    report = laws.audit(elbo=bound_of()["elbo"], **NINE_BITS)
    assert report["bound_is_below"].held and "adds up to" in report["bound_is_below"].measured
    assert report["weights_average_to_p"].held                        # added up over all 512 examples
    assert report["sums_to_one"].held is None
    uneven = laws.audit(elbo=bound_of(noise=4.0)["elbo"], **NINE_BITS)
    assert "too uneven" in uneven["weights_average_to_p"].measured


def test_a_model_with_many_latents_says_what_cannot_run():
    report = laws.audit(latent.VAE(dim=40, latent=5, hidden=(16,)))
    assert report.held, str(report)
    reasons = {v.law: v.measured for v in report.verdicts if v.held is None}
    assert report["bound_is_below"].held and "adds up to" in report["bound_is_below"].measured
    assert "mean weights integrate to" in report["weights_average_to_p"].measured
    assert "one or two latents" in reasons["sampler_matches_density"]
    assert reasons["sums_to_one"] == "needs a log_prob"
    assert report["bound_matches_its_weights"].held and report["gradient_matches_differences"].held
