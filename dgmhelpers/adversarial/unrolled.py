r"""An unrolled discriminator: score the generator by what the discriminator will have become.

A generator that puts all its samples where D is highest today is scored by the D of tomorrow, which has moved on:

.. math::  \theta^0 = \theta_d, \qquad \theta^{k+1} = \theta^k - \eta\, \nabla_\theta L_d(\theta^k, G),
           \qquad \min_G\; L_g(\theta^K(\theta_d, G),\, G).

The gradient of the generator runs through the K steps: :math:`\theta^K` depends on G. The discriminator itself then
takes its own single step, as ever.

Source
    L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, "Unrolled generative adversarial networks", ICLR 2017.
Differs
    The steps that are looked ahead are plain gradient steps of size η; the paper's experiments unroll Adam.
Cost
    K passes of D forward and backward more, and backward through those: a generator's step costs about 2K as much.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dgmhelpers.adversarial import losses
from dgmhelpers.arguments import at_least, positive
from dgmhelpers.numerics import gradients_on, ordinary


def unrolled(
    model: nn.Module, real: Tensor, fake: Tensor | None = None, *, steps: int = 5, lr: float = 1e-2,
    loss: str = "nonsaturating",
) -> Callable[[Tensor], Tensor]:
    """The discriminator as it will be, for :func:`~dgmhelpers.training.fit_adversarial`'s ``opponent``.

    ``partial(unrolled, steps=5, lr=0.01)`` is such an opponent: what it returns takes the generator's examples, lets a
    copy of the discriminator learn from them and from ``real`` for K steps, and scores them by that copy. Nothing of
    the model is changed.

    Args:
        model: with a ``discriminator``.
        real: examples, ``(B, *event_shape)``.
        fake: not used: the examples that are scored must carry the generator's gradient.
        steps: K.
        lr: η.
        loss: whose discriminator's loss the copy descends, by name.

    Returns:
        ``(B, *event_shape) → logits``, differentiable by the examples through all K steps.

    Raises:
        ValueError: for fewer than one step, a rate that is not positive, or an unknown loss.
    """
    at_least("steps", steps, 1)
    positive("lr", lr)
    descends, critic = losses.get(loss).discriminator, cast(nn.Module, model.discriminator)
    frozen = {name: x.clone() for name, x in critic.named_buffers()}     # batch statistics move where they stand

    @gradients_on()
    def score(examples: Tensor) -> Tensor:
        def logits(weights: dict, x: Tensor) -> Tensor:
            return functional_call(critic, (weights, frozen), (x,))

        examples = ordinary(examples)
        weights: dict[str, Tensor] = dict(critic.named_parameters())
        for _ in range(steps):
            cost = descends(logits(weights, ordinary(real)), logits(weights, examples))
            slopes = torch.autograd.grad(cost, list(weights.values()), create_graph=True)
            weights = {name: w - lr * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}
        return logits(weights, examples)

    return score
