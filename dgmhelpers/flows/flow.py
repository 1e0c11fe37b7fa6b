r"""A normalising flow: a density that an invertible map carries to a simple one.

.. math::  \log p(x) = \log p_Z(f(x)) + \log\Big|\det\frac{\partial f}{\partial x}\Big|, \qquad
           x = f^{-1}(z), \quad z \sim p_Z.

Source
    E. Tabak and C. Turner, "A family of nonparametric density estimation algorithms", 2013; L. Dinh, D. Krueger and
    Y. Bengio, "NICE: non-linear independent components estimation", 2015, for f a neural network.
Cost
    ``log_prob``: one pass of every map. ``sample``: one inverse pass of every map.
"""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor

from dgmhelpers.flows.base import Chain, Transform
from dgmhelpers.flows.bases import Base
from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import single


class Flow(Model):
    """Exact density over real examples, and the bijection that it is made of.

    Args:
        base: density of z, such as :class:`Normal`.
        bijections: from x to z, one after the other.
        config: the keyword arguments that make it again, for a class derived from this one: without them it can be
            trained, and not stored as a model.
    """

    def __init__(self, base: Base, bijections: Iterable[Transform], config: dict | None = None):
        chain = Chain(bijections)
        if chain.out_shape != base.event_shape:
            raise ValueError(f"the bijections give {tuple(chain.out_shape)}, and the base is a density over "
                             f"{tuple(base.event_shape)}")
        super().__init__(chain.event_shape, None, config)
        self.base, self.chain = base, chain

    @property
    def bijections(self) -> list[Transform]:
        """The maps from x to z, in turn."""
        return list(self.chain)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``z``, ``(B, *base.event_shape)``, and ``log |det dz/dx|``, ``(B,)``, of ``x``, ``(B, *event_shape)``."""
        return self.chain.forward(x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``x`` and ``log |det dx/dz|``, ``(B,)``, of ``z``."""
        return self.chain.inverse(z, context)

    def path(self, x: Tensor) -> list[Tensor]:
        """Where points are after each bijection: x itself first, z last."""
        points = [x]
        for part in self.bijections:
            points.append(part.forward(points[-1])[0])
        return points

    def inverse_path(self, z: Tensor) -> list[Tensor]:
        """Where points are on the way back: z itself first, x last."""
        points = [z]
        for part in reversed(self.bijections):
            points.append(part.inverse(points[-1])[0])
        return points

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-density in nats, shape ``(B,)``.

        Raises:
            ValueError: if ``x`` is not ``(B, *event_shape)``, is not finite, or is outside the domain of a map.
        """
        x = self.check(x)
        return self._log_prob(single(x), self._context(context, len(x)))

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean ``log_prob`` over the batch, in nats per example; what training minimises."""
        x = self._prepare(x)
        return -self._log_prob(single(x), self._context(context, len(x))).mean()

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, context: Tensor | None = None, temperature: float = 1.0,
               generator: Generator | None = None) -> Tensor:  # fmt: skip
        """Draw ``n`` examples, ``(n, *event_shape)``: z from the base, and back.

        Args:
            context: what a conditional flow is conditioned on, one row an example.
            temperature: above 0; multiplies the spread of z.
        """
        self._check_draw(n, generator, temperature)
        return self._sample(n, temperature, generator, self._context(context, n)).to(self.dtype)

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set what maps set by examples, such as :class:`ActNorm`: ``(N, *event_shape)``. Training does it first."""
        self.chain.initialise(single(self.check(x)))

    def _context(self, context, n):
        """The context, checked; None for a flow that is not conditional."""
        if self.conditioned_on is not None:
            return self._check_context(context, n)
        self._refuse_context(context)

    def _sample(self, n, temperature, generator, context=None):
        return self.chain._inverse(self.base._sample(n, temperature, generator), context)[0]

    def _log_prob(self, x, context=None):
        z, logdet = self.chain._forward(x, context)
        return self.base._log_prob(z) + logdet
