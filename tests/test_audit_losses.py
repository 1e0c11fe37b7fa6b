"""Which adversarial loss is it? An audit names it, its scale, its arguments' order, and where a slope is taken."""

import foreign_models as models
import pytest
import torch
from torch import nn

from dgmhelpers import laws
from dgmhelpers.adversarial import losses


def test_a_loss_is_named_with_its_scale_and_the_order_of_its_arguments():
    def named(loss, kind="gan"):
        (verdict,) = laws.audit(loss=loss, kind=kind).verdicts
        return verdict

    for loss in losses.LOSSES.values():
        assert named(loss.discriminator).held and named(loss.generator).held
        assert named(loss.generator, loss.name).held and named(loss.discriminator, loss.name).held
    assert "half of it" in named(lambda r, f: losses.discriminator_loss(r, f) / 2).meaning
    assert "(fake, real)" in named(lambda r, f: losses.hinge_discriminator_loss(f, r)).meaning
    assert "non-saturating generator loss, called minimax" in named(models.nonsaturating, "minimax").meaning
    assert "sign is wrong" in named(lambda f: -losses.least_squares_generator_loss(f)).meaning
    entropy = nn.functional.binary_cross_entropy
    of_p = named(lambda r, f: entropy(r, torch.ones_like(r)) + entropy(f, torch.zeros_like(f)))
    assert not of_p.held and "probabilities, not logits" in of_p.meaning
    assert "no known loss" in named(lambda f: f.square().mean() + f.mean()).meaning
    with pytest.raises(ValueError, match="no adversarial loss is called 'minmax'"):
        named(models.nonsaturating, "minmax")
    with pytest.raises(ValueError, match="takes 3 arguments"):
        named(lambda a, b, c: a)


def test_a_gradient_penalty_is_named():
    def named(penalty, kind="gan"):
        (verdict,) = laws.audit(penalty=penalty, kind=kind).verdicts
        return verdict

    assert named(losses.gradient_penalty).held and named(losses.slope_penalty, "slope_penalty").held
    assert named(models.wgan_gp, "gradient_penalty").held
    faults = {
        "one norm of the whole batch": lambda c, r, f: models.wgan_gp(c, r, f, over_batch=True),
        "10 times": lambda c, r, f: 10 * losses.gradient_penalty(c, r, f),
        "at fake examples": lambda c, r, f: losses.slope_penalty(c, f, r),
        "create_graph": lambda c, r, f: losses.gradient_penalty(c, r, f).detach(),
    }
    for word, penalty in faults.items():
        verdict = named(penalty)
        assert verdict.held is False and word in verdict.meaning, f"{word}: {verdict}"
