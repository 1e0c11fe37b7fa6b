"""Adversarial losses against closed forms, and the models that play the game."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from dgmhelpers import laws
from dgmhelpers.adversarial import GAN, ListingGAN, losses
from dgmhelpers.protocols import Implicit
from dgmhelpers.recipes.keras_listing import QUIETER
from dgmhelpers.training import checkpoints, fit_adversarial

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


def test_penalty_stays_on_the_segment_of_each_pair():
    """f = ½(x₀ − x₁)² is flat where x₀ = x₁, which is where all segments lie: the penalty is one, and not near one."""
    corner = torch.linspace(1, 2, 50, dtype=torch.double)[:, None].expand(50, 2)
    penalty = losses.gradient_penalty(lambda x: (x[:, 0] - x[:, 1]).square() / 2, corner, -corner)
    assert penalty.item() == 1.0


def test_penalties_take_the_slope_by_all_entries_of_an_image():
    """f = Σ wᵢ xᵢ has the slope w, whose length runs over channels, rows and columns."""
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 7, 2, 3, 4, generator=generator, dtype=torch.double)
    w = torch.arange(24.0, dtype=torch.double).reshape(2, 3, 4) / 10
    length = math.sqrt(sum(i**2 for i in range(24))) / 10

    def critic(x):
        return (w * x).sum((1, 2, 3))

    penalty = losses.gradient_penalty(critic, real, fake, generator=generator)
    assert penalty.item() == pytest.approx((length - 1) ** 2, rel=1e-12)
    assert losses.slope_penalty(critic, real, fake).item() == pytest.approx(length**2, rel=1e-12)


def test_penalty_draws_its_places_from_the_generator_it_was_given():
    real, fake = torch.ones(5, 1), torch.zeros(5, 1)

    def penalty(seed):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return losses.gradient_penalty(lambda x: x.square().sum(1), real, fake, generator=generator).item()

    before = torch.get_rng_state()
    assert penalty(1) == penalty(1) != penalty(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_penalties_move_the_discriminator_and_not_the_examples():
    real, fake = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    for penalty in losses.gradient_penalty, losses.slope_penalty:
        slopes = torch.autograd.grad(penalty(lambda x: (x.square() * w).sum(1), real, fake), (real, fake, w),
                                     allow_unused=True)
        assert slopes[0] is None and slopes[1] is None and slopes[2].abs().sum() > 0


def test_every_name_stands_for_its_own_two_losses():
    """The table, written once more: each name's pair, and who has a penalty, of weight 10 (the paper's)."""
    cross_entropy = losses.discriminator_loss
    assert {name: (loss.discriminator, loss.generator, loss.penalty) for name, loss in losses.LOSSES.items()} == {
        "minimax": (cross_entropy, losses.minimax_generator_loss, None),
        "nonsaturating": (cross_entropy, losses.nonsaturating_generator_loss, None),
        "wasserstein": (losses.wasserstein_discriminator_loss, losses.wasserstein_generator_loss,
                        losses.gradient_penalty),
        "hinge": (losses.hinge_discriminator_loss, losses.hinge_generator_loss, None),
        "least_squares": (losses.least_squares_discriminator_loss, losses.least_squares_generator_loss, None),
    }  # fmt: skip
    assert losses.get("wasserstein").penalty_weight == 10


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
        (lambda: losses.gradient_penalty(torch.sum, torch.zeros(0, 3), torch.zeros(0, 3)), "no example"),
        (lambda: losses.gradient_penalty(torch.sum, torch.zeros(2, 3), torch.zeros(2, 3).double()),
         "one dtype, got torch.float32 and torch.float64"),
        (lambda: losses.slope_penalty(torch.sum, torch.zeros(0, 3), torch.zeros(0, 3)), r"no example .* \(0, 3\)"),
        (lambda: losses.slope_penalty(torch.sum, torch.zeros(2, 3).long(), torch.zeros(2, 3)), "got torch.int64"),
        (lambda: losses.smoothed_discriminator_loss(torch.zeros(3), torch.zeros(3), 1.5), "label must .* got 1.5"),
        (lambda: losses.smoothed_discriminator_loss(torch.zeros(3), torch.zeros(3), math.nan), "label must .* got nan"),
        (lambda: losses.smoothed_discriminator_loss(torch.zeros(3), torch.zeros(4)), "mismatched logits"),
        (lambda: replace(losses.get("wasserstein"), penalty_weight=-1.0), "penalty_weight must be 0 or more"),
        (lambda: replace(losses.get("wasserstein"), penalty_weight=math.nan), "penalty_weight must .* got nan"),
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


def test_listing_takes_an_initialisation_for_each_layer():
    torch.manual_seed(0)
    model = ListingGAN(initialisation=["he", "glorot", "glorot", "he"])
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    for layer, fan in zip(layers, [100, 128 + 784, 784 + 128, 128], strict=True):
        assert 0.97 * math.sqrt(6 / fan) < layer.weight.abs().max() <= math.sqrt(6 / fan)
    again = ListingGAN(**model.config)
    assert again.config == model.config


def test_glorots_first_images_are_hes_under_quieter_noise():
    """One seed draws both networks' weights alike but for their bounds, and a leaky rectifier lets factors through."""
    made = []
    for change in {}, {"initialisation": "glorot", "width": QUIETER}:
        torch.manual_seed(3)
        model = ListingGAN(**change)
        made.append(model.sample(6, generator=torch.Generator().manual_seed(0)))
    assert made[0].std() > 0.2 and torch.allclose(*made, atol=1e-5)


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
        (lambda: ListingGAN(initialisation=None), "initialisation must be one of .* got None"),
        (lambda: ListingGAN(initialisation=["he", "glorot"]), r"or four of them, got \['he', 'glorot'\]"),
        (lambda: ListingGAN(initialisation=["he"] * 3 + ["zero"]), "or four of them, got"),
        (lambda: ListingGAN(width=0.0), "width must be positive, got 0.0"),
        (lambda: ListingGAN(slope=math.nan), "slope must be finite, got nan"),
        (lambda: ListingGAN(hidden=0), "hidden must be"),
        (lambda: ListingGAN().noise(-2), "n must be 0 or more"),
    ],
)
def test_models_refuse_what_cannot_be_meant(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()


def test_a_gan_of_classes_draws_the_class_that_is_asked_for(tmp_path):
    """Two classes, six apart: without its class the generator cannot know which side to draw on."""
    g = torch.Generator().manual_seed(0)
    side = torch.randint(2, (400,), generator=g)
    x = torch.randn(400, 1, generator=g) * 0.5 + 6.0 * side[:, None] - 3
    torch.manual_seed(0)
    model = GAN(dim=1, latent=2, hidden=16, layers=1, classes=2)
    fit_adversarial(model, x, context=side, steps=400, batch_size=64, lr=5e-3, progress=False, device="cpu")
    low, high = (model.sample(200, context=c, generator=0).mean() for c in (0, 1))
    assert low < -1.5 and high > 1.5
    checkpoints.save(tmp_path / "of_classes.safetensors", model)
    again = checkpoints.load(tmp_path / "of_classes.safetensors")
    assert torch.equal(again.sample(5, context=1, generator=0), model.sample(5, context=1, generator=0))
    for wrong in (None, 2, torch.zeros(3)):
        with pytest.raises(ValueError, match="context|classes"):
            model.sample(4, context=wrong)
    with pytest.raises(ValueError, match="not conditional"):
        GAN(dim=1).sample(4, context=torch.zeros(4).long())
    with pytest.raises(ValueError, match="context must give each example's class, 0 … 1"):
        fit_adversarial(model, x, steps=1, batch_size=64, progress=False, device="cpu")
    assert "classes" not in GAN(dim=1).config                              # stored ones are made again as they were
