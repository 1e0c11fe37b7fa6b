"""Shapes with an entropy in closed form: the checkerboard, the banana, the funnel."""

import math
from dataclasses import dataclass

import torch

from dgmhelpers.numerics import over_scale

from .base import LOG_2PI, Toy, log_normal, normal, uniform


@dataclass(frozen=True, eq=False)
class Checkerboard(Toy):
    """Uniform on the dark squares, of side 1, of a board of ``squares`` by ``squares``."""

    squares: int

    @property
    def entropy(self) -> float:
        return math.log(self.squares**2 / 2)

    def _log_prob(self, x):
        cell = (x + self.squares / 2).floor()                                          # (B, 2)
        dark = (cell.sum(-1) % 2 == 0) & ((cell >= 0) & (cell < self.squares)).all(-1)
        return dark.double().log() - self.entropy + (0 * x).sum(-1)                      # flat: a gradient of 0

    def _sample(self, n, generator):
        row = torch.randint(self.squares, (n,), generator=generator)
        column = 2 * torch.randint(self.squares // 2, (n,), generator=generator) + row % 2
        corner = torch.stack([column, row], -1).double() - self.squares / 2
        return corner + torch.stack([uniform(n, generator), uniform(n, generator)], -1)


@dataclass(frozen=True, eq=False)
class Banana(Toy):
    """``x_1`` normal with deviation ``width``; ``x_2`` normal with deviation ``noise`` around a parabola.

    Shearing a Gaussian squeezes no area, so the entropy is the Gaussian's.
    """

    width: float
    noise: float
    bend: float

    @property
    def entropy(self) -> float:
        return 1 + LOG_2PI + math.log(self.width * self.noise)

    def _curve(self, x):
        return self.bend * (x**2 - self.width**2)

    def _log_prob(self, x):
        x, y = x.unbind(-1)
        return log_normal(x, self.width) + log_normal(y - self._curve(x), self.noise)

    def _sample(self, n, generator):
        x = self.width * normal(n, generator)
        return torch.stack([x, self._curve(x) + self.noise * normal(n, generator)], -1)


@dataclass(frozen=True, eq=False)
class Funnel(Toy):
    """Neal's funnel: ``x_1`` normal with deviation ``width``, ``x_2`` with deviation ``exp(x_1 / 2)``."""

    width: float

    @property
    def entropy(self) -> float:
        return 1 + LOG_2PI + math.log(self.width)          # the mean of the log-deviation x_1 / 2 is zero

    def _log_prob(self, x):
        x, y = x.unbind(-1)
        return log_normal(x, self.width) + log_normal(over_scale(y, x / 2)) - x / 2

    def _sample(self, n, generator):
        x = self.width * normal(n, generator)
        return torch.stack([x, (x / 2).exp() * normal(n, generator)], -1)


def checkerboard(squares: int = 4) -> Checkerboard:
    """A board of that many squares a side."""
    if squares < 2 or squares % 2:
        raise ValueError(f"squares must be an even number, at least 2, got {squares}")
    return Checkerboard("checkerboard", squares / 2, squares)


def banana(width: float = 1.0, noise: float = 0.25, bend: float = 0.5) -> Banana:
    """A bent Gaussian."""
    return Banana("banana", 10.0, width, noise, bend)


def funnel(width: float = 1.0) -> Funnel:
    """Neal's funnel, mild enough to draw."""
    return Funnel("funnel", 20.0, width)
