r"""A synthetic shot chart: where an invented player throws from, on half a basketball court, in metres.

The rim is the origin, the baseline is 1.575 m behind it, and the three-point line is 6.75 m away. Three habits, each
with a radius and an angle of known density, are carried to the plane by the change of variables from polar
coordinates:

.. math::  p(x) = \sum_k w_k \frac{p_k(r)\, p_k(\varphi)}{r}.

Nobody steps on the three-point line, so between 6.6 m and 6.75 m the density is zero; and nobody shoots from outside
the court. No player's data is used.
"""

import math
from dataclasses import dataclass

import torch

from .base import Toy, uniform

LINE = 6.75          # metres from the rim to the three-point line
HABITS = {           # weight, nearest and farthest radius
    "rim": (0.35, 0.0, 1.5),
    "middle": (0.20, 1.2, 6.6),
    "three": (0.45, LINE, 7.45),
}


@dataclass(frozen=True, eq=False)
class ShotChart(Toy):
    """Shots at the rim, from the middle distance, and from behind the three-point line, more from one side."""

    def _log_prob(self, x):
        r, turn = x.norm(dim=-1), torch.atan2(x[:, 1], x[:, 0]) / math.pi              # turn in (-1, 1]
        front = (x[:, 1] >= 0).double()

        def share(name):
            """Where between the nearest and the farthest radius, and one over the area element."""
            _, low, high = HABITS[name]
            return ((r - low) / (high - low)).clamp(0, 1), 1 / ((high - low) * math.pi * r.clamp(min=max(low, 1e-9)))

        (weight, _, far), u = HABITS["rim"], (r / HABITS["rim"][2]).clamp(0, 1)
        density = weight * 12 * (1 - u) ** 2 / (2 * math.pi * far**2)                  # Beta(2, 3), and r cancels
        u, element = share("middle")
        density = density + HABITS["middle"][0] * 6 * u * (1 - u) * front * element    # Beta(2, 2)
        u, element = share("three")
        a = turn.clamp(0, 1)
        density = density + HABITS["three"][0] * 20 * u * (1 - u) ** 3 * 12 * a * (1 - a) ** 2 * element
        nowhere = density == 0
        return density.masked_fill(nowhere, 1.0).log().masked_fill(nowhere, -math.inf)

    def _sample(self, n, generator):
        habits = list(HABITS.values())
        ends = torch.tensor([weight for weight, _, _ in habits], dtype=torch.double).cumsum(0)[:-1]
        habit = torch.searchsorted(ends, uniform(n, generator), right=True)            # inverse CDF
        shares = torch.stack([_beta(2, 3, n, generator), _beta(2, 2, n, generator), _beta(2, 4, n, generator)])
        turns = torch.stack([2 * uniform(n, generator), uniform(n, generator), _beta(2, 3, n, generator)])
        low = torch.tensor([low for _, low, _ in habits], dtype=torch.double)[habit]
        high = torch.tensor([high for _, _, high in habits], dtype=torch.double)[habit]
        r = low + (high - low) * shares.gather(0, habit[None])[0]
        angle = math.pi * turns.gather(0, habit[None])[0]
        return torch.stack([r * angle.cos(), r * angle.sin()], -1)


def _beta(a: int, b: int, n: int, generator):
    """Beta(a, b) for whole a and b: the a-th smallest of a + b − 1 uniform numbers, ``(n,)``."""
    return torch.stack([uniform(n, generator) for _ in range(a + b - 1)]).sort(0).values[a - 1]


def shot_chart() -> ShotChart:
    """Half a court, in metres, the rim at the origin."""
    return ShotChart("shot_chart", 7.5)
