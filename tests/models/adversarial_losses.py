"""Faults that adversarial losses really have, one mutant each."""

import torch
import torch.nn.functional as F

from dgmhelpers.adversarial import losses


def _bce(logits, label):
    return F.binary_cross_entropy(logits, torch.full_like(logits, label))


LOSS_MUTANTS = [  # what is wrong, the loss it should have been, and the mutant
    ("sign of the fake term flipped", "discriminator_loss",
     lambda r, f: F.softplus(-r).mean() + F.softplus(-f).mean()),
    ("sign of the whole flipped", "discriminator_loss", lambda r, f: -losses.discriminator_loss(r, f)),
    ("real and fake exchanged", "discriminator_loss", lambda r, f: losses.discriminator_loss(f, r)),
    ("a half too many", "discriminator_loss", lambda r, f: losses.discriminator_loss(r, f) / 2),
    ("sigmoid doubled", "discriminator_loss",
     lambda r, f: losses.discriminator_loss(r.sigmoid(), f.sigmoid())),
    ("a sum for a mean", "discriminator_loss", lambda r, f: F.softplus(-r).sum() + F.softplus(f).sum()),
    ("one term forgotten", "discriminator_loss", lambda r, f: F.softplus(-r).mean()),
    ("labels smoothed in secret", "discriminator_loss",
     lambda r, f: losses.discriminator_loss(r, f) + 0.1 * r.mean()),
    ("logarithm of a rounded sigmoid", "discriminator_loss",
     lambda r, f: -r.sigmoid().log().mean() - (1 - f.sigmoid()).log().mean()),
    ("clamped logarithm", "discriminator_loss", lambda r, f: _bce(r.sigmoid(), 1.0) + _bce(f.sigmoid(), 0.0)),
    ("detached real term", "discriminator_loss", lambda r, f: losses.discriminator_loss(r.detach(), f)),
    ("sign flipped", "minimax_generator_loss", lambda f: F.softplus(f).mean()),
    ("non-saturating for minimax", "minimax_generator_loss", losses.nonsaturating_generator_loss),
    ("minimax for non-saturating", "nonsaturating_generator_loss", losses.minimax_generator_loss),
    ("sigmoid doubled", "nonsaturating_generator_loss", lambda f: F.softplus(-f.sigmoid()).mean()),
    ("a half too many", "nonsaturating_generator_loss", lambda f: F.softplus(-f).mean() / 2),
    ("sign flipped", "wasserstein_discriminator_loss", lambda r, f: r.mean() - f.mean()),
    ("sign flipped", "wasserstein_generator_loss", lambda f: f.mean()),
    ("hinge at zero", "hinge_discriminator_loss", lambda r, f: F.relu(-r).mean() + F.relu(f).mean()),
    ("hinge on the wrong side", "hinge_discriminator_loss", lambda r, f: F.relu(1 + r).mean() + F.relu(1 - f).mean()),
    ("hinged generator", "hinge_generator_loss", lambda f: F.relu(1 - f).mean()),
    ("a half too many", "least_squares_discriminator_loss",
     lambda r, f: losses.least_squares_discriminator_loss(r, f) / 2),
    ("targets −1 and 1", "least_squares_discriminator_loss", lambda r, f: ((r - 1) ** 2 + (f + 1) ** 2).mean()),
    ("target 0", "least_squares_generator_loss", lambda f: (f**2).mean()),
]  # fmt: skip
