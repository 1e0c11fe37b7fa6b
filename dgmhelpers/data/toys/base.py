"""What every toy does: check, convert, and leave the formula to the subclass."""

import abc
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Size, Tensor

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Toy(abc.ABC):
    """A density over the plane.

    Attributes:
        name: what ``toys.get`` calls it.
        extent: half the side of a square around the origin that holds all of it but one part in 10,000.
        entropy: in nats, where it has a closed form; None elsewhere.
    """

    event_shape: ClassVar[Size] = Size([2])
    name: str
    extent: float

    @property
    def entropy(self) -> float | None:
        return None

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log-density in nats, ``(B,)``, of points ``(B, 2)``: in float64, then given in x's dtype.

        Where the density is zero it is −∞, and the gradient of such a point says nothing, but is not NaN.
        """
        if x.ndim != 2 or x.shape[1] != 2:
            raise ValueError(f"expected points of shape (B, 2), got {tuple(x.shape)}")
        dtype = x.dtype if x.is_floating_point() else torch.double
        place = torch.device("cpu") if x.device.type == "mps" else x.device            # MPS has no float64
        return self._log_prob(x.to(place, torch.double)).to(dtype).to(x.device)

    def sample(
        self, n: int, generator: Generator | None = None, *, dtype: torch.dtype | None = None
    ) -> Tensor:
        """``n`` independent points ``(n, 2)``, drawn in float64 and given in torch's default dtype."""
        if n < 0:
            raise ValueError(f"n must be 0 or more, got {n}")
        return self._sample(n, generator).to(dtype or torch.get_default_dtype())

    @abc.abstractmethod
    def _log_prob(self, x: Tensor) -> Tensor:
        """Log-density of points ``(B, 2)`` in float64, ``(B,)``."""

    @abc.abstractmethod
    def _sample(self, n: int, generator: Generator | None) -> Tensor:
        """``n`` points in float64, ``(n, 2)``."""


def uniform(n: int, generator: Generator | None) -> Tensor:
    """Float64 in [0, 1), ``(n,)``."""
    return torch.rand(n, dtype=torch.double, generator=generator)


def normal(n: int, generator: Generator | None, *shape: int) -> Tensor:
    """Float64 standard normal, ``(n, *shape)``."""
    return torch.randn(n, *shape, dtype=torch.double, generator=generator)


def log_normal(z: Tensor, sigma: Tensor | float = 1.0) -> Tensor:
    """Log-density in nats of N(0, sigma²) at ``z``, element by element."""
    sigma = torch.as_tensor(sigma, dtype=torch.double)
    return -0.5 * (z / sigma) ** 2 - sigma.log() - 0.5 * LOG_2PI


def rotate(points: Tensor, angle: Tensor) -> Tensor:
    """Points ``(B, 2)`` turned counter-clockwise by ``angle`` ``(B,)``."""
    x, y = points.unbind(-1)
    return torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], -1)
