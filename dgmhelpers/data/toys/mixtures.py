"""Mixtures of Gaussians: the ring of 8, the grid of 25, and the pinwheel."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dgmhelpers.numerics import logsumexp

from .base import Toy, log_normal, normal, rotate


@dataclass(frozen=True, eq=False)
class GaussianMixture(Toy):
    r"""Equally likely round Gaussians: ``log p(x) = log-mean-exp over k of log N(x; modes[k], sigma² I)``.

    The entropy has no closed form; while the modes are many ``sigma`` apart it is
    ``log K + log(2 pi e sigma²)`` to more digits than anybody needs.

    Attributes:
        modes: centres, float64 ``(K, 2)``.
        sigma: standard deviation of each.
    """

    modes: Tensor
    sigma: float

    def _log_prob(self, x):
        each = log_normal(x[:, None] - self.modes.to(x.device), self.sigma).sum(-1)    # (B, K)
        return logsumexp(each, -1) - math.log(len(self.modes))

    def _sample(self, n, generator):
        mode = torch.randint(len(self.modes), (n,), generator=generator)
        return self.modes[mode] + self.sigma * normal(n, generator, 2)


@dataclass(frozen=True, eq=False)
class Pinwheel(Toy):
    """Long thin Gaussians around a hub, twisted by an angle in proportion to the radius.

    A turn by an angle that depends on the radius alone moves no point to another radius and squeezes no area:
    its Jacobian determinant is one. So the density at x is the untwisted mixture's at the untwisted x.
    """

    arms: int
    centre: float = 1.0
    radial: float = 0.3
    across: float = 0.1
    twist: float = 0.75

    def _log_prob(self, x):
        straight = rotate(x, -self.twist * x.norm(dim=-1))                             # (B, 2)
        each = []
        for k in range(self.arms):
            u, v = rotate(straight, torch.full_like(x[:, 0], -2 * math.pi * k / self.arms)).unbind(-1)
            each.append(log_normal(u - self.centre, self.radial) + log_normal(v, self.across))
        return logsumexp(torch.stack(each), 0) - math.log(self.arms)

    def _sample(self, n, generator):
        arm = torch.randint(self.arms, (n,), generator=generator)
        scale = torch.tensor([self.radial, self.across], dtype=torch.double)
        centre = torch.tensor([self.centre, 0.0], dtype=torch.double)
        petal = centre + scale * normal(n, generator, 2)                               # (n, 2)
        return rotate(petal, 2 * math.pi * arm / self.arms + self.twist * petal.norm(dim=-1))


def ring_of_8(radius: float = 2.0, sigma: float = 0.1) -> GaussianMixture:
    """Eight Gaussians on a circle."""
    angle = torch.arange(8, dtype=torch.double) * math.pi / 4
    modes = radius * torch.stack([angle.cos(), angle.sin()], -1)
    return GaussianMixture("ring_of_8", radius + 8 * sigma, modes, sigma)


def grid_of_25(spacing: float = 1.0, sigma: float = 0.05) -> GaussianMixture:
    """Twenty-five Gaussians on a 5 × 5 grid."""
    line = (torch.arange(5, dtype=torch.double) - 2) * spacing
    return GaussianMixture("grid_of_25", 2 * spacing + 8 * sigma, torch.cartesian_prod(line, line), sigma)


def two_islands(distance: float = 4.0, sigma: float = 0.4) -> GaussianMixture:
    """Two Gaussians side by side, ten standard deviations apart: what lies between them is empty to all intents."""
    modes = torch.tensor([[-distance / 2, 0.0], [distance / 2, 0.0]], dtype=torch.double)
    return GaussianMixture("two_islands", distance / 2 + 8 * sigma, modes, sigma)


def pinwheel(arms: int = 5, twist: float = 1.5) -> Pinwheel:
    """A pinwheel of that many arms; a larger twist winds them further."""
    if arms < 1:
        raise ValueError(f"arms must be at least 1, got {arms}")
    return Pinwheel("pinwheel", 3.2, arms, twist=twist)
