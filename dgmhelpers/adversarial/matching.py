r"""Feature matching: the generator aims at what the discriminator sees in real examples on average, not its verdict.

.. math::  L_g = \Big\lVert \tfrac1B \textstyle\sum_i f(x_i) - \tfrac1B \sum_i f(G(z_i)) \Big\rVert^2,

with f the discriminator's last hidden layer. A mean says nothing of how many modes it is the mean of, but it asks for
all of the data at once, where a verdict is content with any one good example.

Source
    T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford and X. Chen, "Improved techniques for training GANs",
    NIPS 2016.
Differs
    It does not.
Cost
    One more pass of the discriminator over the real examples.
"""

from collections.abc import Callable

from torch import Tensor, nn


def matched(model: nn.Module, real: Tensor, fake: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """An ``opponent`` for :func:`~dgmhelpers.training.fit_adversarial`, which scores examples by how far they are off.

    What it returns gives ``‖mean f(real) − mean f(examples)‖²``, shape ``(1,)``: to be descended as it is, with
    :func:`distance` for the generator's loss.

    Args:
        model: whose ``discriminator`` is a sequence that ends in a linear layer and ``Flatten``.
        real: examples, ``(B, *event_shape)``; ``fake`` is not used.

    Raises:
        ValueError: for a discriminator of another build, whose last hidden layer would not be found.
    """
    if not (isinstance(model.discriminator, nn.Sequential) and isinstance(model.discriminator[-2], nn.Linear)):
        raise ValueError(f"the discriminator of {type(model).__name__} must be a sequence whose last layer but one is "
                         f"linear: what comes before it are the features")
    features = model.discriminator[:-2]

    def score(examples: Tensor) -> Tensor:
        apart = features(real).mean(0) - features(examples).mean(0)                # (F,)
        return apart.square().sum()[None]

    return score


def distance(score: Tensor) -> Tensor:
    """The generator's loss under :func:`matched`: what it was given."""
    return score.mean()
