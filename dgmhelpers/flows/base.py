r"""What a flow is made of: maps that can be inverted and know how they change volume, one after the other.

.. math::  z = f_L(\dots f_2(f_1(x))), \qquad
           \log\Big|\det\frac{\partial z}{\partial x}\Big| = \sum_{l=1}^{L} \log\Big|\det\frac{\partial f_l}{\partial
           x_{l-1}}\Big|, \qquad x_0 = x, \quad x_l = f_l(x_{l-1}).

Forward goes from data to noise. Every map says the log-determinant of the direction that was asked for, so that the two
of an example and its image are each other's negative. A flow in bfloat16 or half keeps its parameters and its networks
so, and computes all else in float32.
"""

import abc
import math
from collections.abc import Iterable, Iterator
from typing import cast

import torch
from torch import Size, Tensor, nn

from dgmhelpers.model import Model
from dgmhelpers.numerics import single


class Transform(Model):
    """An invertible map of examples, with its log-determinant.

    Args:
        event_shape: shape of what :meth:`forward` takes.
        config: the keyword arguments that make it again; None for what is made of modules, and is not stored alone.
        out_shape: shape of what :meth:`forward` gives, with as many entries; the same if not given.
    """

    out_shape: Size

    def __init__(self, event_shape, config: dict | None, out_shape=None):
        super().__init__(shape_of(event_shape), None, config)
        self.out_shape = self.event_shape if out_shape is None else Size(out_shape)
        self.register_buffer("unit", torch.ones(()), persistent=False)     # a dtype for maps without parameters

    @abc.abstractmethod
    def _forward(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """:meth:`forward`, of what has the right shape and type."""

    @abc.abstractmethod
    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """:meth:`inverse`, of what has the right shape and type."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``z``, ``(B, *out_shape)``, and ``log |det dz/dx|``, ``(B,)``, of ``x``, ``(B, *event_shape)``.

        Args:
            context: what a map that is conditional is conditioned on.

        Raises:
            ValueError: for another shape, or an ``x`` outside the map's domain.
        """
        self._check_shape(x)
        return self._forward(single(x.to(self.dtype)), context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``x``, ``(B, *event_shape)``, and ``log |det dx/dz|``, ``(B,)``, of ``z``, ``(B, *out_shape)``."""
        if z.shape[1:] != self.out_shape:
            expected = ", ".join(["B", *map(str, self.out_shape)])
            raise ValueError(f"expected z of shape ({expected}), got {tuple(z.shape)}")
        return self._inverse(single(z.to(self.dtype)), context)

    def initialise(self, x: Tensor) -> None:
        """Set what is to be set by examples, ``(N, *event_shape)``; most maps have nothing of that kind."""


class Chain(Transform):
    """Maps one after the other, as one map.

    Args:
        parts: each takes what the one before it gives.
    """

    def __init__(self, parts: Iterable[Transform]):
        parts = list(parts)
        if not parts:
            raise ValueError("a chain needs at least one map")
        for i, (one, then) in enumerate(zip(parts, parts[1:], strict=False)):
            if one.out_shape != then.event_shape:
                raise ValueError(f"map {i} ({type(one).__name__}) gives {tuple(one.out_shape)}, and map {i + 1} "
                                 f"({type(then).__name__}) takes {tuple(then.event_shape)}")
        super().__init__(parts[0].event_shape, None, parts[-1].out_shape)
        self.parts = nn.ModuleList(parts)

    def __iter__(self) -> Iterator[Transform]:
        """The maps, in turn."""
        return iter(cast(Iterable[Transform], self.parts))

    def _forward(self, x, context):
        total = x.new_zeros(len(x))
        for part in self:
            x, logdet = part._forward(x, context)
            total = total + logdet
        return x, total

    def _inverse(self, z, context):
        total = z.new_zeros(len(z))
        for part in reversed(list(self)):
            z, logdet = part._inverse(z, context)
            total = total + logdet
        return z, total

    def initialise(self, x: Tensor) -> None:
        """Each map by what those before it make of ``x``."""
        for part in self:
            part.initialise(x)
            x = part._forward(x, None)[0]


class Inverse(Transform):
    """A map the other way round.

    Args:
        of: the map; its forward is this one's inverse.
    """

    def __init__(self, of: Transform):
        super().__init__(of.out_shape, None, of.event_shape)
        self.of = of

    def _forward(self, x, context):
        return self.of._inverse(x, context)

    def _inverse(self, z, context):
        return self.of._forward(z, context)


def shape_of(event_shape) -> Size:
    """A shape from a shape, or from the number of entries of a vector."""
    return Size([event_shape] if isinstance(event_shape, int) else event_shape)


def sum_each(values: Tensor) -> Tensor:
    """The sum over all but the first axis: ``(B, ...)`` gives ``(B,)``."""
    return values.flatten(1).sum(1)


LOG_2PI = math.log(2 * math.pi)


def example_shape(dim: int | None, event_shape, default: int = 2) -> Size:
    """The shape of one example from ``dim`` or ``event_shape``, of which one is given at most.

    Raises:
        ValueError: if both are, or a vector has one entry only: a coupling needs one to read and one to move.
    """
    if dim is not None and event_shape is not None:
        raise ValueError(f"give dim or event_shape, not both: got {dim} and {event_shape}")
    shape = shape_of((default if dim is None else dim) if event_shape is None else tuple(event_shape))
    if len(shape) not in (1, 3) or shape.numel() < 2:
        raise ValueError(f"an example must be a vector of 2 entries or more, or an image (C, H, W), got {tuple(shape)}")
    return shape
