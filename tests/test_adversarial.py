"""Adversarial losses against closed forms, and the models that play the game."""

import math

import pytest
import torch
import torch.nn.functional as F

from dgmhelpers import laws
from dgmhelpers.adversarial import GAN, ListingGAN, losses
from dgmhelpers.protocols import Implicit
from dgmhelpers.training import checkpoints

# --- losses -----------------------------------------------------------------------------------------------------------


def test_best_discriminator_is_worth_two_jsd_minus_log_four():
    """Four states, counted; the law draws its own."""
    p, q = [1, 2, 3, 4], [4, 1, 1, 4]                     # of ten draws each
    best = torch.tensor([math.log(a / b) for a, b in zip(p, q, strict=True)], dtype=torch.double)
    real, fake = (best.repeat_interleave(torch.tensor(counts)) for counts in (p, q))
    jsd = 0.05 * sum(a * math.log(2 * a / (a + b)) + b * math.log(2 * b / (a + b)) for a, b in zip(p, q, strict=True))
    assert -losses.discriminator_loss(real, fake).item() == pytest.approx(2 * jsd - math.log(4), abs=1e-12)


def test_equal_distributions_are_worth_minus_log_four_and_nothing_less_is_possible():
    zeros = torch.zeros(8, dtype=torch.double)
    assert losses.discriminator_loss(zeros, zeros).item() == pytest.approx(math.log(4), abs=1e-12)
    for seed in range(20):                                # p = q: whatever D answers, its loss is at least log 4
        a = torch.randn(8, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
        assert losses.discriminator_loss(a, a).item() >= math.log(4) - 1e-12


def test_flipped_labels_are_the_nonsaturating_loss():
    a = torch.randn(50, generator=torch.Generator().manual_seed(0))
    flipped = F.binary_cross_entropy_with_logits(a, torch.ones(50))
    assert losses.nonsaturating_generator_loss(a).item() == pytest.approx(flipped.item(), abs=1e-6)


def test_linear_critic_has_the_penalty_of_its_slope():
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 40, 3, generator=generator, dtype=torch.double)
    for w in ([0.3, 0.0, 0.4], [3.0, 4.0, 0.0], [1.0, 0.0, 0.0]):
        slope = torch.tensor(w, dtype=torch.double)
        penalty = losses.gradient_penalty(lambda x, w=slope: x @ w, real, fake, generator=generator)
        assert penalty.item() == pytest.approx((slope.norm().item() - 1) ** 2, abs=1e-12)


def test_penalty_is_taken_between_real_and_fake():
    """f = ½x² has slope x; between 0 and 1 the mean of (x − 1)² is 1/3, at either end it would be 1 or 0."""
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.ones(20_000, 1, dtype=torch.double), torch.zeros(20_000, 1, dtype=torch.double)
    penalty = losses.gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, generator=generator)
    assert penalty.item() == pytest.approx(1 / 3, abs=5 * math.sqrt(4 / 45 / 20_000))   # five standard errors


def test_penalty_can_be_differentiated_again():
    w = torch.tensor([3.0, 4.0], dtype=torch.double, requires_grad=True)
    real, fake = torch.randn(2, 8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    losses.gradient_penalty(lambda x: x @ w, real, fake).backward()
    assert torch.allclose(w.grad, 2 * (5 - 1) * w.detach() / 5)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: losses.discriminator_loss(torch.zeros(4), torch.zeros(5)), r"mismatched logits: \(4,\) .* \(5,\)"),
        (lambda: losses.discriminator_loss(torch.zeros(4, 1), torch.zeros(4)), "mismatched logits"),
        (lambda: losses.hinge_discriminator_loss(torch.zeros(4), torch.zeros(2, 2)), "mismatched logits"),
        (lambda: losses.wasserstein_discriminator_loss(torch.zeros(1), torch.zeros(2)), "mismatched logits"),
        (lambda: losses.least_squares_discriminator_loss(torch.zeros(1), torch.zeros(2)), "mismatched logits"),
        (lambda: losses.minimax_generator_loss(torch.zeros(0)), "no logit"),
        (lambda: losses.nonsaturating_generator_loss(torch.zeros(3).long()), "floating-point"),
        (lambda: losses.nonsaturating_generator_loss([0.0]), "floating-point tensor, got list"),
        (lambda: losses.gradient_penalty(torch.sum, torch.zeros(2, 3), torch.zeros(3, 3)), "pair up"),
        (lambda: losses.get("nonsaturated"), "did you mean nonsaturating"),
        (lambda: losses.get("maximum likelihood"), "there are minimax, "),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, reason):
    with pytest.raises(ValueError, match=reason):
        call()


def test_law_does_not_run_on_what_it_does_not_know():
    assert laws.loss_matches_closed_form(torch.sum).held is None


# --- models -----------------------------------------------------------------------------------------------------------


def models():
    return [GAN(dim=3, latent=2, hidden=8, output="sigmoid", prior="uniform", discriminator_hidden=5),
            ListingGAN(dim=6, latent=4, hidden=8)]


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_implicit_models_draw_and_promise_nothing_else(model):
    assert isinstance(model, Implicit)
    assert not hasattr(model, "log_prob")
    x = model.sample(7, generator=torch.Generator().manual_seed(0))
    assert x.shape == (7, *model.event_shape) and not x.requires_grad
    assert torch.equal(x, model.sample(7, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(x, model.sample(7, generator=torch.Generator().manual_seed(1)))
    assert model.discriminator(x).shape == (7,)
    assert model.sample(0).shape == (0, *model.event_shape)
    assert model.double().sample(2).dtype == torch.double


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_checkpoint_makes_the_same_model(model, tmp_path):
    checkpoints.save(tmp_path / "m.safetensors", model)
    again = checkpoints.load(tmp_path / "m.safetensors")
    draws = [m.sample(5, generator=torch.Generator().manual_seed(0)) for m in (model.eval(), again)]
    assert torch.equal(*draws)
    assert again.config == model.config


def test_priors_have_one_variance():
    for prior in ("normal", "uniform"):
        z = GAN(latent=4, prior=prior).noise(50_000, generator=torch.Generator().manual_seed(0))
        assert z.mean().abs() < 0.01 and abs(z.std() - 1) < 0.01


def test_listing_is_the_slides():
    model = ListingGAN()
    shapes = [tuple(layer.weight.shape) for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    assert shapes == [(128, 100), (784, 128), (128, 784), (2, 128)]
    assert sum(p.numel() for p in model.parameters()) == 214_802
    slopes = {layer.negative_slope for layer in model.modules() if isinstance(layer, torch.nn.LeakyReLU)}
    assert slopes == {0.01}
    assert isinstance(model.generator[-1], torch.nn.Tanh)
    z = model.noise(2000, generator=torch.Generator().manual_seed(0))
    assert z.min() >= -0.5 and z.max() < 0.5 and abs(z.std().item() - 12**-0.5) < 0.002
    for initialisation, fan in ("he", 0), ("glorot", 1):
        for layer in ListingGAN(initialisation=initialisation).modules():
            if isinstance(layer, torch.nn.Linear):
                bound = math.sqrt(6 / (layer.in_features + fan * layer.out_features))
                assert 0.97 * bound < layer.weight.abs().max() <= bound
                assert (layer.bias == 0).all()


def test_listing_scores_two_logits_by_cross_entropy():
    """The slides' criterion on the two logits is our loss on their difference, halved for the discriminator."""
    torch.manual_seed(0)
    model, x, f = ListingGAN(dim=6, hidden=8).double(), *torch.rand(2, 16, 6, dtype=torch.double)
    two = model.discriminator[:-1]
    labels = torch.cat([torch.ones(16), torch.zeros(16)]).long()
    expected = F.cross_entropy(two(torch.cat([x, f])), labels)
    loss = model.settings()["loss"]
    assert loss.discriminator(model.discriminator(x), model.discriminator(f)).item() == pytest.approx(expected.item())
    expected = F.cross_entropy(two(f), torch.ones(16).long())
    assert loss.generator(model.discriminator(f)).item() == pytest.approx(expected.item())


def test_softmax_is_applied_before_the_loss_that_expects_logits():
    torch.manual_seed(0)
    model = ListingGAN(dim=6, hidden=8, softmax=True)
    logits = model.discriminator(100 * torch.randn(1000, 6))
    assert logits.abs().max() <= 1 and logits.abs().max() > 0.99   # D stays between σ(−1) = 0.27 and σ(1) = 0.73


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: GAN(dim=0), "dim must be"),
        (lambda: GAN(latent=1.5), "latent must be"),
        (lambda: GAN(discriminator_hidden=0), "discriminator_hidden must be"),
        (lambda: GAN(output="relu"), "output must be one of identity, tanh, sigmoid"),
        (lambda: GAN(prior="cauchy"), "prior must be one of"),
        (lambda: GAN().sample(-1), "n must be 0 or more"),
        (lambda: ListingGAN(initialisation="xavier"), "initialisation must be one of he, glorot"),
        (lambda: ListingGAN(hidden=0), "hidden must be"),
        (lambda: ListingGAN().noise(-2), "n must be 0 or more"),
    ],
)
def test_models_refuse_what_cannot_be_meant(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()
