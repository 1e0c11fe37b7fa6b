r"""What the two players of an adversarial game minimise: pure functions of the discriminator's logits.

With :math:`D = \sigma(\text{logit})` the probability that an example is real, the game of the first paper is

.. math::  V(D, G) = \mathbb E_{x \sim p}[\log D(x)] + \mathbb E_z[\log(1 - D(G(z)))]:

the discriminator climbs it, and the generator descends its second term (``minimax``) or climbs
:math:`\mathbb E_z[\log D(G(z))]` instead (``nonsaturating``). Every function returns the mean over the batch. A
discriminator's loss is the *sum* of its two terms, without a half, so that V = −loss, and its least value against
given p and q is :math:`\log 4 - 2\,\mathrm{JSD}(p, q)`.

Source
    Minimax, non-saturating: I. Goodfellow et al., "Generative adversarial nets", NIPS 2014. Wasserstein: M. Arjovsky,
    S. Chintala and L. Bottou, 2017; its penalty: I. Gulrajani et al., 2017. Least squares: X. Mao et al., 2017. Hinge:
    J. H. Lim and J. C. Ye, 2017; D. Tran, R. Ranganath and D. Blei, 2017. Slope penalty: L. Mescheder, A. Geiger and S.
    Nowozin, 2018. One-sided label smoothing: T. Salimans et al., 2016.
Differs
    No half in front of the squares of the least-squares losses, whose targets are 1 for real and 0 for fake.
Cost
    O(B), except for the gradient penalty: one more pass of the discriminator forward, and a second derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.arguments import closest, not_negative
from dgmhelpers.numerics import gradients_on


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """``−mean log D(x) − mean log(1 − D(G(z)))``, which is −V; stable for logits of any size. Nats.

    Raises:
        ValueError: for logits of different shapes, without an entry, or of an integer type.
    """
    _check(real_logits, fake_logits)
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def minimax_generator_loss(fake_logits: Tensor) -> Tensor:
    """``mean log(1 − D(G(z)))``, the generator's part of V: flat where the discriminator is sure of a fake. Nats."""
    _check(fake_logits)
    return -F.softplus(fake_logits).mean()


def nonsaturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """``−mean log D(G(z))``: the discriminator's loss with the labels flipped; steep where minimax is flat. Nats."""
    _check(fake_logits)
    return F.softplus(-fake_logits).mean()


def wasserstein_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """``mean f(G(z)) − mean f(x)``: over all 1-Lipschitz critics f, its least value is minus the W₁ distance.

    Something must keep f 1-Lipschitz: see :func:`gradient_penalty`.
    """
    _check(real_logits, fake_logits)
    return fake_logits.mean() - real_logits.mean()


def wasserstein_generator_loss(fake_logits: Tensor) -> Tensor:
    """``−mean f(G(z))``."""
    _check(fake_logits)
    return -fake_logits.mean()


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """``mean max(0, 1 − f(x)) + mean max(0, 1 + f(G(z)))``; its least value is 2 − 2·TV(p, q), total variation."""
    _check(real_logits, fake_logits)
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """``−mean f(G(z))``, as for Wasserstein."""
    return wasserstein_generator_loss(fake_logits)


def least_squares_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """``mean (f(x) − 1)² + mean f(G(z))²``; its best f is p/(p + q), and its least value Σ pq/(p + q)."""
    _check(real_logits, fake_logits)
    return (real_logits - 1).square().mean() + fake_logits.square().mean()


def least_squares_generator_loss(fake_logits: Tensor) -> Tensor:
    """``mean (f(G(z)) − 1)²``."""
    _check(fake_logits)
    return (fake_logits - 1).square().mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, generator: Generator | None = None
) -> Tensor:
    """``mean (‖∇f(x̂)‖ − 1)²`` at a random point x̂ of the segment between each real example and a fake one.

    A scalar that can be differentiated again; the weight (10 in the paper) is the caller's.

    Args:
        discriminator: f; the gradient is that of the sum of what it returns.
        real, fake: examples, ``(B, *event_shape)`` each.
        generator: source of the places on the segments, on the examples' device.

    Raises:
        ValueError: if real and fake differ in shape or dtype, hold nothing, or are whole numbers.
    """
    _check_examples(real, fake)
    if real.shape != fake.shape:
        raise ValueError(f"real and fake examples must pair up, got {tuple(real.shape)} and {tuple(fake.shape)}")
    u = torch.empty(len(real), *[1] * (real.ndim - 1), dtype=real.dtype, device=real.device)
    u.uniform_(generator=generator)                                                # (B, 1, ...)
    with gradients_on():
        between = (u * real.detach() + (1 - u) * fake.detach()).requires_grad_()   # (B, *event_shape)
        (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def slope_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, generator: Generator | None = None
) -> Tensor:
    """``mean ‖∇f(x)‖²`` at the real examples: a discriminator flat where the data is lets the game come to rest.

    Zero-centred, where :func:`gradient_penalty` wants slopes of one; the weight (γ / 2 in the paper) is the caller's.

    Args:
        discriminator: f; the gradient is that of the sum of what it returns.
        real: examples, ``(B, *event_shape)``; ``fake`` and ``generator`` are not used.

    Raises:
        ValueError: if there is no real example, or they are whole numbers.
    """
    _check_examples(real)
    with gradients_on():
        at = real.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(at).sum(), at, create_graph=True)
        return slope.flatten(1).square().sum(1).mean()


def smoothed_discriminator_loss(real_logits: Tensor, fake_logits: Tensor, label: float = 0.9) -> Tensor:
    """The discriminator's cross-entropy with real examples labelled ``label`` instead of 1: one-sided smoothing. Nats.

    Its best D is ``label · p / (p + q)``: never sure, and with the same shape.

    Raises:
        ValueError: for a label outside [0, 1], or logits that are refused by the other losses, too.
    """
    _check(real_logits, fake_logits)
    if not 0 <= label <= 1:
        raise ValueError(f"label must lie between 0 and 1, got {label!r}")
    unsure = label * F.softplus(-real_logits) + (1 - label) * F.softplus(real_logits)
    return unsure.mean() + F.softplus(fake_logits).mean()


@dataclass(frozen=True)
class Loss:
    """What the two players minimise.

    Attributes:
        discriminator: ``(real_logits, fake_logits) → scalar``.
        generator: ``fake_logits → scalar``.
        penalty: ``(discriminator, real, fake, generator=...) → scalar``, added to the discriminator's loss with
            weight ``penalty_weight``; None for none.

    Raises:
        ValueError: for a weight below zero, which would reward what it should punish.
    """

    name: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    penalty: Callable[..., Tensor] | None = None
    penalty_weight: float = 10.0

    def __post_init__(self):
        not_negative("penalty_weight", self.penalty_weight)


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("minimax", discriminator_loss, minimax_generator_loss),
        Loss("nonsaturating", discriminator_loss, nonsaturating_generator_loss),
        Loss("wasserstein", wasserstein_discriminator_loss, wasserstein_generator_loss, gradient_penalty),
        Loss("hinge", hinge_discriminator_loss, hinge_generator_loss),
        Loss("least_squares", least_squares_discriminator_loss, least_squares_generator_loss),
    )
}


def get(name: str) -> Loss:
    """The losses of both players by name, one of ``LOSSES``.

    Raises:
        ValueError: for a name that is none of them, with those that are close.
    """
    if name in LOSSES:
        return LOSSES[name]
    raise ValueError(f"no adversarial loss is called {name!r}: {closest(name, LOSSES)}")


def _check_examples(*examples: Tensor) -> None:
    """Refuse what no slope can be taken at: nothing, whole numbers, or two precisions at once."""
    first = examples[0]
    for each in examples:
        if not isinstance(each, Tensor) or not each.is_floating_point() or each.dtype != first.dtype:
            kinds = " and ".join(str(x.dtype) if isinstance(x, Tensor) else type(x).__name__ for x in examples)
            raise ValueError(f"examples must be floating-point tensors of one dtype, got {kinds}")
        if not len(each):
            raise ValueError(f"there is no example to take a slope at: shape {tuple(each.shape)}")


def _check(*logits: Tensor) -> None:
    first = logits[0]
    for each in logits:
        if not isinstance(each, Tensor) or not each.is_floating_point():
            kind = each.dtype if isinstance(each, Tensor) else type(each).__name__
            raise ValueError(f"logits must be a floating-point tensor, got {kind}")
        if not each.numel():
            raise ValueError(f"there is no logit to take the mean of: shape {tuple(each.shape)}")
        if each.shape != first.shape:
            shapes = f"{tuple(first.shape)} for real and {tuple(each.shape)} for fake"
            raise ValueError(f"mismatched logits: {shapes}; both players see batches of one size and shape")
