r"""Kernel density estimate: a small Gaussian on every example.

.. math::  p(x) = \frac1N \sum_{n=1}^{N} \mathcal N(x;\, x_n, h^2 I).

The examples are the parameters; one number is left to choose, the bandwidth h. On the training examples themselves
the likelihood grows without bound as h shrinks, so it is chosen by leaving each example out of its own estimate:
:math:`\sum_n \log \frac{1}{N-1} \sum_{m \neq n} \mathcal N(x_n;\, x_m, h^2 I)`.

Source
    E. Parzen, "On estimation of a probability density function and mode", 1962; R. P. W. Duin, "On the choice of
    smoothing parameters for Parzen estimators of probability density functions", 1976, for leaving one out.
Differs
    One bandwidth for all directions.
Cost
    ``log_prob``: O(ND) an example. ``fit``: O(N²D) some twenty times, and O(N²) for each of 56 bandwidths tried; memory
    for four million distances, however many examples. ``sample``: O(D).
"""

import math

import torch
from torch import Tensor

from dgmhelpers.arguments import at_least, positive
from dgmhelpers.classical.base import Classical, parameter, some
from dgmhelpers.numerics import blocks, logsumexp, over_scale, single


class KDE(Classical):
    """Exact density over real vectors.

    Args:
        dim: number of entries D.
        examples: N; ``fit`` changes it.
        bandwidth: h, the standard deviation of each kernel.
    """

    points: Tensor

    def __init__(self, dim: int = 2, examples: int = 1, bandwidth: float = 1.0):
        at_least("dim", dim, 1)
        at_least("examples", examples, 1)
        super().__init__([dim], None, {"dim": dim, "examples": examples})
        self.log_bandwidth = parameter()                                               # ()
        self.register_buffer("points", torch.zeros(examples, dim, dtype=torch.double))  # (N, D)
        self._set(log_bandwidth=torch.tensor(positive("bandwidth", bandwidth)).log())

    @property
    def bandwidth(self) -> Tensor:
        """h."""
        return self.log_bandwidth.exp()

    @torch.no_grad()
    def fit(self, x: Tensor, *, bandwidth: float | None = None) -> "KDE":
        """Keep ``x``, ``(N, D)``, and set the bandwidth: the given one, or the best when each example is left out.

        Raises:
            ValueError: if no bandwidth is given and the examples cannot tell: fewer than two, or (nearly) every one a
                copy of another, where the best bandwidth is zero.
        """
        x = some(self.check(x))
        self.points: Tensor = x.to(self.points.dtype, copy=True)
        self.config["examples"] = len(x)
        h = self._best_bandwidth(x) if bandwidth is None else positive("bandwidth", bandwidth)
        self._set(log_bandwidth=torch.tensor(h, dtype=torch.double).log())
        return self

    @torch.no_grad()
    def leave_one_out(self, bandwidths) -> Tensor:
        """Mean log-density of each example under the kernels of the others, nats, for each bandwidth given."""
        points, (n, dim) = single(self.points), self.points.shape
        if n < 2:
            raise ValueError("leaving one out needs at least two examples")
        widths = [positive("bandwidth", h) for h in torch.as_tensor(bandwidths, dtype=torch.double).flatten().tolist()]
        totals, first = [0.0] * len(widths), 0
        for part in blocks(points, n):
            distances, rows = _distances(part, points), torch.arange(len(part), device=part.device)
            distances[rows, first + rows] = math.inf                                   # to itself: left out
            for i, h in enumerate(widths):
                totals[i] += logsumexp(-0.5 * (distances / h).square(), 1).sum().item()
            first += len(part)
        values = [total / n - math.log(n - 1) - dim * math.log(h * math.sqrt(2 * math.pi))
                  for total, h in zip(totals, widths, strict=True)]
        return torch.tensor(values, dtype=points.dtype, device=points.device)

    def _best_bandwidth(self, x):
        """On a grid of powers of two around the data's spread, then by golden section."""
        spread = x.std(0, correction=0).square().mean().sqrt().item()
        if len(x) < 2 or spread == 0:
            raise ValueError("the bandwidth cannot be chosen from fewer than two different examples: give bandwidth=")
        grid = [spread * 2.0**e for e in range(-16, 4)]
        best = int(self.leave_one_out(grid).argmax())
        if best == 0:
            raise ValueError(
                "the best bandwidth is zero: nearly every example is a copy of another, so the data is discrete; "
                "dequantise it, or give bandwidth="
            )
        low, high = math.log(grid[best - 1]), math.log(grid[min(best + 1, len(grid) - 1)])
        ratio = (math.sqrt(5) - 1) / 2
        for _ in range(18):
            left, right = high - ratio * (high - low), low + ratio * (high - low)
            values = self.leave_one_out([math.exp(left), math.exp(right)])
            low, high = (low, right) if values[0] > values[1] else (left, high)
        return math.exp((low + high) / 2)

    def _log_prob(self, x):
        n, dim = self.points.shape
        points, log_h = single(self.points), single(self.log_bandwidth)
        kernels = [logsumexp(-0.5 * over_scale(_distances(part, points), log_h).square(), 1) for part in blocks(x, n)]
        return torch.cat(kernels) - math.log(n) - dim * (log_h + 0.5 * math.log(2 * math.pi))

    def _sample(self, n, generator):
        which = torch.randint(len(self.points), (n,), generator=generator, device=self.device)
        noise = torch.empty(n, *self.event_shape, dtype=self.dtype, device=self.device).normal_(generator=generator)
        return self.points[which] + self.bandwidth * noise


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Distances, ``(A, B)``, without the cancellation of ‖a‖² − 2ab + ‖b‖²."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
