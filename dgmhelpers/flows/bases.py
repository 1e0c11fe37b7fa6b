r"""Densities that a flow starts from: independent entries, each of one known density.

.. math::  \text{normal } \tfrac{1}{\sqrt{2\pi}} e^{-z^2/2}, \qquad
           \text{logistic } \frac{e^{-z}}{(1 + e^{-z})^2}, \qquad
           \text{two normals } \tfrac12 \mathcal N(z; m, s^2) + \tfrac12 \mathcal N(z; -m, s^2), \; m^2 + s^2 = 1.

Next to the normal, the logistic has heavy tails (excess kurtosis 1.2), two normals have light ones (−2m⁴): a source of
either kind is what independent component analysis needs.
"""

import abc
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.flows.base import LOG_2PI, shape_of, sum_each
from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import single


class Base(Model):
    """Independent entries, all of one density, without parameters.

    Args:
        event_shape: shape of one example, or the number of its entries.
    """

    unit: Tensor

    def __init__(self, event_shape=2, config: dict | None = None):
        shape = shape_of(event_shape)
        super().__init__(shape, None, {"event_shape": list(shape)} | (config or {}))
        self.register_buffer("unit", torch.ones(()), persistent=False)     # a dtype, there being no parameters

    @abc.abstractmethod
    def _each(self, z: Tensor) -> Tensor:
        """Log-density of each entry in nats."""

    @abc.abstractmethod
    def _draw(self, like: Tensor, generator: Generator | None) -> Tensor:
        """Draws of the shape, type and place of ``like``."""

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-density in nats, ``(B,)``, of ``(B, *event_shape)``."""
        self._refuse_context(context)
        return self._log_prob(single(self.check(z)))

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """``n`` draws, ``(n, *event_shape)``; ``temperature`` multiplies their spread."""
        self._check_draw(n, generator, temperature)
        return self._sample(n, temperature, generator).to(self.dtype)

    def _sample(self, n, temperature, generator):
        return temperature * self._draw(single(self.unit.new_empty(n, *self.event_shape)), generator)

    def _log_prob(self, z):
        return sum_each(self._each(z))


class Normal(Base):
    """Standard normal entries."""

    def _each(self, z):
        return -0.5 * (z.square() + LOG_2PI)

    def _draw(self, like, generator):
        return like.normal_(generator=generator)


class Logistic(Base):
    """Standard logistic entries: variance π²/3, heavier tails than a normal's. The sigmoid makes them uniform."""

    def _each(self, z):
        return F.logsigmoid(z) + F.logsigmoid(-z)

    def _draw(self, like, generator):
        tiny = torch.finfo(like.dtype).eps / 2
        return like.uniform_(generator=generator).clamp_(tiny, 1 - tiny).logit()


class TwoNormals(Base):
    """Entries from an equal mixture of two normals, of mean 0 and variance 1: lighter tails than a normal's.

    Args:
        event_shape: shape of one example, or the number of its entries.
        mean: m, of the right one of the two, between 0 and 1. At 0 it is the standard normal.
    """

    def __init__(self, event_shape=2, mean: float = 0.9):
        if not 0 <= mean < 1:
            raise ValueError(f"mean must be at least 0 and below 1, got {mean!r}")
        super().__init__(event_shape, {"mean": float(mean)})
        self.mean, self.std = float(mean), math.sqrt(1 - mean**2)

    def _each(self, z):
        near, far = ((z + sign * self.mean) / self.std for sign in (1, -1))
        both = torch.logaddexp(-0.5 * near.square(), -0.5 * far.square())
        return both - 0.5 * LOG_2PI - math.log(2 * self.std)

    def _draw(self, like, generator):
        right = torch.empty_like(like).bernoulli_(0.5, generator=generator)
        return self.std * like.normal_(generator=generator) + self.mean * (2 * right - 1)


BASES = {"normal": Normal, "logistic": Logistic, "two normals": TwoNormals}
