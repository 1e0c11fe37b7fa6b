r"""What is done to one entry: a shift and a scale, or a spline, by numbers that were read elsewhere.

.. math::  z = x\, e^{s} + t, \qquad \text{or} \qquad
           z = y_k + h_k \frac{\delta_k \xi^2 + d_k\, \xi (1 - \xi)}{\delta_k + (d_k + d_{k+1} - 2 \delta_k)\, \xi (1 -
           \xi)}, \quad \xi = \frac{x - x_k}{w_k}, \quad \delta_k = \frac{h_k}{w_k}

in the bin k of x. A spline's knots :math:`(x_k, y_k)` rise in both coordinates, and the curve has the slope
:math:`d_k` there. From −reach to reach it is K such pieces; outside, z = x. With numbers that are all 0 both are the
identity.

Source
    the spline: J. Gregory and R. Delbourgo, "Piecewise rational quadratic interpolation to monotonic data", 1982; in a
    flow: C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, "Neural spline flows", NeurIPS 2019.
Differs
    No knot is nearer to the next than ``LEAST`` of the mean distance, and no slope at a knot is below ``LEAST``: a
    smaller one costs digits of the inverse.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dgmhelpers.arguments import at_least, not_negative, positive

BOUND = 2.0
LEAST = 0.02


class Affine:
    """A shift and a scale: ``x · exp(s) + t``.

    Args:
        bound: largest \\|log scale\\|, ``bound · tanh(raw / bound)``; 0 for a shift alone, None for no bound.
    """

    def __init__(self, bound: float | None = BOUND):
        self.bound = None if bound is None else not_negative("bound", bound)
        self.outputs = 1 if self.bound == 0 else 2

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and log scale from what was read, ``(outputs, …)``."""
        if self.bound == 0:
            return raw[0], torch.zeros_like(raw[0])
        return raw[0], raw[1] if self.bound is None else self.bound * (raw[1] / self.bound).tanh()

    def forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """``z`` and ``log dz/dx``, both of the shape of ``x``; ``raw`` is ``(outputs, *x.shape)``."""
        shift, log_scale = self.split(raw)
        return x * log_scale.exp() + shift, log_scale

    def inverse(self, z: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` and ``log dx/dz``."""
        shift, log_scale = self.split(raw)
        return (z - shift) * (-log_scale).exp(), -log_scale


class Spline:
    """A rising curve of rational-quadratic pieces between −reach and reach, and the identity outside.

    Args:
        bins: number of pieces.
        reach: where the spline ends, on both sides. Standardise what it is to bend: beyond, nothing is bent.
    """

    def __init__(self, bins: int = 8, reach: float = 4.0):
        self.bins, self.reach = at_least("bins", bins, 2), positive("reach", reach)
        self.outputs = 3 * bins - 1

    def knots(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places x, places y and slopes of the K + 1 knots, ``(K + 1, …)`` each, of what was read, ``(3K − 1, …)``."""
        widths, heights, slopes = raw.split([self.bins, self.bins, self.bins - 1])
        one = F.softplus(slopes + math.log(math.expm1(1 - LEAST))) + LEAST             # 1 where nothing was read
        return self._places(widths), self._places(heights), F.pad(one, _at_both_ends(one), value=1.0)

    def _places(self, raw):
        sizes = LEAST + (1 - LEAST) * self.bins * raw.softmax(0)                       # of mean 1
        inner = sizes[:-1].cumsum(0) * (2 * self.reach / self.bins) - self.reach
        return torch.cat([torch.full_like(raw[:1], -self.reach), inner, torch.full_like(raw[:1], self.reach)])

    def forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """``z`` and ``log dz/dx``, both of the shape of ``x``; ``raw`` is ``(outputs, *x.shape)``."""
        inside = x.abs() < self.reach
        at = x.where(inside, 0.0)                                                      # outside, no piece is defined
        x0, y0, width, height, low, high = self._piece(at, raw, 0)
        s, xi = height / width, (at - x0) / width
        between = xi * (1 - xi)
        below = s + (low + high - 2 * s) * between
        z = y0 + height * (s * xi.square() + low * between) / below
        log_slope = self._log_slope(s, xi, low, high, below)
        return z.where(inside, x), log_slope.where(inside, 0.0)

    def inverse(self, z: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` and ``log dx/dz``: the root of a quadratic equation that lies in the piece."""
        inside = z.abs() < self.reach
        at = z.where(inside, 0.0)
        x0, y0, width, height, low, high = self._piece(at, raw, 1)
        s, up = height / width, at - y0
        bend = up * (low + high - 2 * s)
        a, b, c = height * (s - low) + bend, height * low - bend, -s * up
        xi = 2 * c / (-b - (b.square() - 4 * a * c).clamp(min=0).sqrt())               # the form that does not cancel
        below = s + (low + high - 2 * s) * xi * (1 - xi)
        log_slope = self._log_slope(s, xi, low, high, below)
        return (x0 + xi * width).where(inside, z), -log_slope.where(inside, 0.0)

    def _piece(self, at, raw, axis):
        """Left end (x and y), width, height and the slopes at both ends of the piece that ``at`` lies in."""
        x, y, slope = self.knots(raw)
        k = (at[None] >= (x, y)[axis][1:-1]).sum(0, keepdim=True)                      # (1, …), 0 … K − 1
        (x0, x1), (y0, y1), (low, high) = ((each.gather(0, k)[0], each.gather(0, k + 1)[0]) for each in (x, y, slope))
        return x0, y0, x1 - x0, y1 - y0, low, high

    @staticmethod
    def _log_slope(s, xi, low, high, below):
        above = high * xi.square() + 2 * s * xi * (1 - xi) + low * (1 - xi).square()
        return 2 * s.log() + above.log() - 2 * below.log()


def _at_both_ends(x: Tensor) -> list[int]:
    """Padding by one at both ends of the first axis, as ``F.pad`` counts axes."""
    return [0, 0] * (x.ndim - 1) + [1, 1]


def rule_of(bins: int, reach: float, bound: float | None) -> Affine | Spline:
    """A spline of so many bins; with none, a shift and a scale."""
    return Spline(bins, reach) if bins else Affine(bound)
