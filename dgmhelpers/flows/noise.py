r"""Noise for the cells of levels: uniform, or from a flow that looks at the example.

.. math::  v = \sigma(g(\varepsilon; x)), \qquad
           \log q(v \mid x) = \log p(\varepsilon) - \log\Big|\det\frac{\partial v}{\partial \varepsilon}\Big|,

g a chain of affine couplings whose networks read x, and p the logistic density: with g the identity v is uniform.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.flows.base import Chain, sum_each
from dgmhelpers.flows.bases import Logistic
from dgmhelpers.flows.coupling import AffineCoupling
from dgmhelpers.flows.networks import Convolutional, Perceptron
from dgmhelpers.masks import alternating

BOUND = 1.0     # of a log scale: noise that is stretched far touches an end of its cell, where rounding decides


class UniformNoise(nn.Module):
    """Uniform in [0, 1) for each entry.

    Args:
        event_shape: shape of one example.
        levels: number of values.
    """

    def __init__(self, event_shape, levels: int):
        super().__init__()

    def forward(self, x: Tensor, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Noise of the shape and type of levels ``x``, real numbers here, and its log-density, ``(B,)``."""
        v = torch.empty_like(x).uniform_(generator=generator)
        return v, v.new_zeros(len(x))


class VariationalNoise(nn.Module):
    """Noise by couplings that read the example.

    Args:
        event_shape: shape of one example.
        levels: number of values.
        layers: couplings.
        channels: features of their convolutions, for images.
        hidden: units of their hidden layers, for vectors.
    """

    def __init__(self, event_shape, levels: int, layers: int = 2, channels: int = 16, hidden: tuple[int, ...] = (64,)):
        super().__init__()
        at_least("layers", layers, 1)
        self.base, self.levels = Logistic(event_shape), levels
        keeps = [alternating(event_shape, odd=bool(i % 2)) for i in range(layers)]
        images = len(event_shape) == 3
        self.chain = Chain(
            AffineCoupling(
                event_shape, keep,
                Convolutional(keep, channels, 1, context=event_shape[0]) if images else
                Perceptron(keep, tuple(hidden), context=keep.numel()), BOUND)
            for keep in keeps
        )  # fmt: skip

    def forward(self, x: Tensor, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Noise of the shape of ``x``, and its log-density, ``(B,)``."""
        seen = 2 * x / (self.levels - 1) - 1
        start = self.base._sample(len(x), 1.0, generator)
        end, logdet = self.chain._forward(start, seen)
        squash = sum_each(F.logsigmoid(end) + F.logsigmoid(-end))
        return end.sigmoid(), self.base._log_prob(start) - logdet - squash
