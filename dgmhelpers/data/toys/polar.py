r"""Curves with noise across them: moons, rings, spirals, the Swiss roll.

Each is drawn in polar coordinates around a centre, where curve and noise have independent or conditional
one-dimensional densities, and carried to the plane by the change of variables. From log-radius and angle the
Jacobian determinant is r², from radius and angle it is r:

.. math::  p(x) = \frac{p(\ln r, \varphi)}{r^2} = \frac{p(r)\, p(\varphi \mid r)}{r}.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dgmhelpers.numerics import logsumexp

from .base import Toy, log_normal, normal, rotate, uniform


def _point(r: Tensor, angle: Tensor) -> Tensor:
    return torch.stack([r * angle.cos(), r * angle.sin()], -1)


def _log_norm(points: Tensor) -> tuple[Tensor, Tensor]:
    """Log-radius of points ``(…, 2)``, and where it is −∞, which is left to the caller: there it says 0."""
    r = points.norm(dim=-1)
    return r.masked_fill(r == 0, 1.0).log(), r == 0


@dataclass(frozen=True, eq=False)
class Moons(Toy):
    """Two half circles that interlock: angle uniform over half a turn, log-radius N(0, noise²).

    The ends of a moon are cut straight, because no noise is added along it.
    """

    noise: float

    def _log_prob(self, x):
        centre = x.new_tensor([-0.5, -0.25])
        moons = torch.stack([x - centre, -centre - x])                                 # (2, B, 2)
        log_r, dead = _log_norm(moons)                                                 # (2, B)
        inside = (moons[..., 1] >= 0).double().log()                   # the half turn where y is positive
        each = inside - math.log(math.pi) + log_normal(log_r, self.noise) - 2 * log_r
        return logsumexp(each.masked_fill(dead, -math.inf), 0) - math.log(2)

    def _sample(self, n, generator):
        upper = torch.randint(2, (n, 1), generator=generator).bool()
        angle = math.pi * uniform(n, generator)
        moon = _point((self.noise * normal(n, generator)).exp(), angle)
        centre = moon.new_tensor([-0.5, -0.25])
        return torch.where(upper, centre + moon, -centre - moon)


@dataclass(frozen=True, eq=False)
class Rings(Toy):
    """Circles around the origin, equally likely: angle uniform, log-radius N(log radius, noise²)."""

    radii: tuple[float, ...]
    noise: float

    def _log_prob(self, x):
        log_r, dead = _log_norm(x)                                                     # (B,)
        each = torch.stack([log_normal(log_r - math.log(radius), self.noise) for radius in self.radii])
        density = logsumexp(each, 0) - math.log(2 * math.pi * len(self.radii)) - 2 * log_r
        return density.masked_fill(dead, -math.inf)

    def _sample(self, n, generator):
        radii = torch.tensor(self.radii, dtype=torch.double)
        radius = radii[torch.randint(len(radii), (n,), generator=generator)]
        r = radius * (self.noise * normal(n, generator)).exp()
        return _point(r, 2 * math.pi * uniform(n, generator))


@dataclass(frozen=True, eq=False)
class Spirals(Toy):
    """Arms whose radius is uniform between ``start`` and ``stop`` and whose angle grows with it.

    Across an arm, the angle is normal with standard deviation ``noise / r``, so that the arm is ``noise``
    wide everywhere, and cut off half a turn away, which the erf in the density accounts for.
    """

    arms: int
    start: float
    stop: float
    turns: float
    noise: float

    def _spread(self, r: Tensor) -> Tensor:
        return self.noise / r

    def _bend(self, r: Tensor) -> Tensor:
        return 2 * math.pi * self.turns * r / self.stop

    def _log_prob(self, x):
        r = x.norm(dim=-1)
        inside = (r >= self.start) & (r <= self.stop)
        r = r.clamp(self.start, self.stop)
        straight = rotate(x, -self._bend(r))
        each = []
        for k in range(self.arms):
            u, v = rotate(straight, torch.full_like(r, -2 * math.pi * k / self.arms)).unbind(-1)
            angle = torch.atan2(v, u)                                                  # (B,) in [-π, π]
            kept = torch.erf(math.pi / (self._spread(r) * math.sqrt(2)))
            each.append(log_normal(angle, self._spread(r)) - kept.log())
        across = logsumexp(torch.stack(each), 0) - math.log(self.arms)
        along = -math.log(self.stop - self.start)
        return torch.where(inside, along + across - r.log(), -math.inf)

    def _sample(self, n, generator):
        arm = torch.randint(self.arms, (n,), generator=generator)
        r = self.start + (self.stop - self.start) * uniform(n, generator)
        below = torch.special.ndtr(-math.pi / self._spread(r))                         # cut off on each side
        level = below + (1 - 2 * below) * uniform(n, generator).clamp(min=1e-16)
        angle = torch.special.ndtri(level) * self._spread(r)                           # inverse CDF
        return _point(r, angle + self._bend(r) + 2 * math.pi * arm / self.arms)


def two_moons(noise: float = 0.1) -> Moons:
    """Two interlocking half circles of radius 1."""
    return Moons("two_moons", 1.5 * math.exp(8 * noise), noise)


def rings(radii: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0), noise: float = 0.04) -> Rings:
    """Concentric circles."""
    return Rings("rings", max(radii) * math.exp(8 * noise), tuple(radii), noise)


def two_spirals(noise: float = 0.1) -> Spirals:
    """Two arms of three quarters of a turn each."""
    return Spirals("two_spirals", 3.1, arms=2, start=0.3, stop=3.0, turns=0.75, noise=noise)


def swiss_roll(noise: float = 0.1) -> Spirals:
    """One arm that winds more than once and a half."""
    return Spirals("swiss_roll", 3.1, arms=1, start=0.6, stop=3.0, turns=2.0, noise=noise)
