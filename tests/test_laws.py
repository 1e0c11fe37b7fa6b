"""Every exported model is held to every law that applies to it."""

import inspect

import pytest
import torch
from models import LEARNT, MODELS
from torch import nn

import dgmhelpers
from dgmhelpers import laws, likelihoods
from dgmhelpers.adversarial import losses
from dgmhelpers.laws.adversarial import FORMS

FAMILIES = [getattr(dgmhelpers, name) for name in ("autoregressive", "classical", "flows", "latent", "adversarial")]
ORDERED = [entry for entry in MODELS if "depends_on_exactly_its_past" in entry.laws]


def each(entries):
    return [pytest.param(entry, marks=[pytest.mark.thorough] if entry.slow else []) for entry in entries]


def is_model(thing):
    """A module, but for a posterior: no density of its own, it is held by the laws of the models that take it."""
    return isinstance(thing, type) and issubclass(thing, nn.Module) and not hasattr(thing, "rsample_and_log_prob")


def test_every_exported_model_is_registered():
    exported = {
        name
        for family in FAMILIES
        for name in family.__all__
        if is_model(getattr(family, name)) and not inspect.isabstract(getattr(family, name))
    }
    registered = {type(entry.make()).__name__ for entry in MODELS}
    for name in sorted(exported - registered):
        pytest.fail(f"{name} is exported and has no Case: give it a file in tests/models, as tests/models/fvbn.py is")
    assert registered <= exported, "a Case of a model that the __init__.py of its family does not export"


@pytest.mark.parametrize("entry", each(MODELS), ids=lambda entry: entry.name)
def test_model_obeys_its_laws(entry):
    report = laws.audit(factory=entry.make)
    assert report.held, str(report)
    assert not report.missing, "a law that was required could not run"
    ran = {v.law for v in report.verdicts if v.held is not None}
    assert ran == set(entry.laws), "the laws that the Case names (its third argument) are not those that could run"


SINGLE = [entry for entry in MODELS if entry.make().dtype == torch.float32]
EXACT = [name for name in laws.LAWS if name not in LEARNT]


@pytest.mark.parametrize("entry", each(SINGLE), ids=lambda entry: entry.name)
def test_model_obeys_its_laws_in_double_precision(entry):
    report = laws.audit(entry.make(), dtype=torch.double, only=EXACT)
    assert report.held and not report.missing, str(report)


@pytest.mark.parametrize("kind", FORMS)
def test_adversarial_loss_matches_its_closed_form(kind):
    verdict = laws.loss_matches_closed_form(getattr(losses, kind))
    assert verdict.held, str(verdict)


def test_every_adversarial_loss_has_a_closed_form():
    used = {f.__name__ for loss in losses.LOSSES.values() for f in (loss.discriminator, loss.generator)}
    assert used == set(FORMS)


COUNTABLE = [entry for entry in ORDERED if "sums_to_one" in entry.laws]


@pytest.mark.parametrize("entry", each(COUNTABLE), ids=lambda entry: entry.name)
def test_sums_to_one_in_every_order_of_a_mixture(entry):
    """Not only the mixture: each of its orders is a distribution by itself, to 1e-12 in float64."""
    model = laws.of_model(entry.make()).model
    laws.redraw(model, torch.Generator().manual_seed(3))
    subject = laws.of_model(model)
    x = model.likelihood.cast(subject.every_state().reshape(-1, *model.event_shape), torch.double)
    for component in range(len(model.orders)):
        about = model.conditioned_on
        context = None if about is None else about.row(0).expand(len(x), *about.shape)
        total = model._log_prob(x, context, component).logsumexp(0).exp().item()
        assert abs(total - 1) < 1e-12


LIKELIHOODS = [
    likelihoods.Bernoulli(),
    likelihoods.Categorical(5),
    likelihoods.DiscretizedLogisticMixture(8, 3),
    likelihoods.DiscretizedLogisticMixture(256, 2),
    likelihoods.DiscretizedLogisticMixture(2, 1),
]


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda each: f"{type(each).__name__}-{each.levels}")
def test_levels_sum_to_one_and_sample_themselves(likelihood):
    generator = torch.Generator().manual_seed(0)
    for law in (laws.levels_sum_to_one, laws.likelihood_samples_itself):
        verdict = law(likelihood, generator)
        assert verdict.held, str(verdict)


@pytest.mark.parametrize("make", [likelihoods.Gaussian, lambda: likelihoods.MixtureOfGaussians(3)])
def test_continuous_likelihoods_integrate_and_sample_themselves(make):
    likelihood = make()
    params = torch.randn(likelihood.parameter_shape, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    report = laws.audit(
        log_prob=lambda x: likelihood.log_prob(params.expand(len(x), *params.shape), x[:, 0]),
        sample=lambda n, generator: likelihood.sample(params.expand(n, *params.shape), generator=generator)[:, None],
        event_shape=(1,),
    )
    assert report["integrates_to_one"].held and report["sampler_matches_density"].held, str(report)


def test_two_continuous_variables_that_depend():
    """x ~ N(0, 1), y | x ~ N(x², ½): the transform goes through the conditional of y, not its marginal."""

    def sample(n, generator):
        x = torch.randn(n, generator=generator, dtype=torch.double)
        return torch.stack([x, x**2 + 0.5 * torch.randn(n, generator=generator, dtype=torch.double)], 1)

    def log_prob(v, width=0.5):
        unit = torch.distributions.Normal(0, torch.tensor(1.0, dtype=torch.double))
        return unit.log_prob(v[:, 0]) + torch.distributions.Normal(v[:, 0] ** 2, width).log_prob(v[:, 1])

    report = laws.audit(log_prob=log_prob, sample=sample, event_shape=(2,))
    assert report.held, str(report)
    narrow = laws.audit(log_prob=lambda v: log_prob(v, 0.45), sample=sample, event_shape=(2,))
    assert [v.law for v in narrow.broken] == ["sampler_matches_density"]
    double = laws.audit(log_prob=lambda v: log_prob(v) + 0.01, sample=sample, event_shape=(2,))
    assert [v.law for v in double.broken] == ["integrates_to_one"]


def test_g_test_has_the_right_size():
    """Under the null its p-values are uniform; the pooled cells keep their degrees of freedom honest."""
    generator = torch.Generator().manual_seed(0)
    p = torch.softmax(2 * torch.randn(64, generator=generator, dtype=torch.double), 0)
    values = []
    for _ in range(400):
        counts = torch.bincount(torch.multinomial(p, 5000, True, generator=generator), minlength=64).double()
        values.append(laws.g_test(counts, p * 5000)[0])
    below = (torch.tensor(values) < 0.1).double().mean().item()
    assert 0.05 < below < 0.17  # 400 trials: ± 4.7 standard errors of 0.015, and G's own bias at small counts
