r"""Maps with a determinant in closed form: linear, diagonal, permutations, squeezing, the logit, a part left alone.

.. math::  \log|\det W|, \qquad \textstyle\sum_j \log|s_j|, \qquad 0, \qquad 0, \qquad
           \sum_j \log(1 - 2\alpha) - \log u_j - \log(1 - u_j), \; u = \alpha + (1 - 2\alpha) x .
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import permutations
from dgmhelpers.classical.gaussian import LEAST, SingularCovariance
from dgmhelpers.flows.base import Chain, Transform, shape_of, sum_each
from dgmhelpers.numerics import single


class Linear(Transform):
    """``z = W (x − mean)`` for vectors, W any invertible matrix: the identity, or whitening once it has seen examples.

    Args:
        dim: number of entries.
    """

    seen: Tensor

    def __init__(self, dim: int = 2):
        at_least("dim", dim, 1)
        super().__init__([dim], {"dim": dim})
        self.W = nn.Parameter(torch.eye(dim))
        self.mean = nn.Parameter(torch.zeros(dim))
        self.register_buffer("seen", torch.tensor(False))

    def _forward(self, x, context):
        return (x - single(self.mean)) @ single(self.W).T, self._logdet().expand(len(x))

    def _inverse(self, z, context):
        return torch.linalg.solve(single(self.W), z.T).T + single(self.mean), -self._logdet().expand(len(z))

    def _logdet(self):
        return torch.linalg.slogdet(single(self.W))[1]

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Whiten, the first time it is called: W becomes the inverse root of the covariance of ``x``, ``(N, D)``.

        Raises:
            SingularCovariance: if the examples do not spread in every direction.
        """
        if self.seen:
            return
        self._check_shape(x)
        x = x.cpu().double()                                                           # not every device has it
        centred = x - x.mean(0)
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))              # ascending
        flat = int((values <= LEAST * values.clamp(min=0).mean()).sum())
        if flat or not values[-1] > 0:
            raise SingularCovariance(
                f"these {len(x):,} examples cannot be whitened: no spread in {flat} of {len(values)} directions; bring "
                "more examples than entries, and leave out what is constant or a sum of others"
            )
        self.W.copy_(vectors @ torch.diag(values.rsqrt()) @ vectors.T)
        self.mean.copy_(x.mean(0))
        self.seen.fill_(True)


class Scale(Transform):
    """Each entry times a positive number of its own.

    Args:
        event_shape: shape of one example, or the number of its entries.
    """

    def __init__(self, event_shape=2):
        super().__init__(event_shape, {"event_shape": list(shape_of(event_shape))})
        self.log_scale = nn.Parameter(torch.zeros(self.event_shape))

    def _forward(self, x, context):
        log_scale = single(self.log_scale)
        return x * log_scale.exp(), log_scale.sum().expand(len(x))

    def _inverse(self, z, context):
        log_scale = single(self.log_scale)
        return z * (-log_scale).exp(), -log_scale.sum().expand(len(z))


class ActNorm(Transform):
    """Shifts and scales each channel (each entry of a vector), so that the first examples have mean 0 and variance 1.

    Until :meth:`initialise` has seen examples, which training does before its first step, it is the identity. After
    that its parameters are learned like any others, and no example sees another.

    Args:
        event_shape: shape of one example, or the number of its entries.
    """

    seen: Tensor

    def __init__(self, event_shape=2):
        super().__init__(event_shape, {"event_shape": list(shape_of(event_shape))})
        shape = (self.event_shape[0], *[1] * (len(self.event_shape) - 1))
        self.log_scale, self.shift = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))
        self.register_buffer("seen", torch.tensor(False))
        self.places = self.event_shape.numel() // self.event_shape[0]

    def _forward(self, x, context):
        log_scale = single(self.log_scale)
        return (x + single(self.shift)) * log_scale.exp(), (self.places * log_scale.sum()).expand(len(x))

    def _inverse(self, z, context):
        log_scale = single(self.log_scale)
        return z * (-log_scale).exp() - single(self.shift), (-self.places * log_scale.sum()).expand(len(z))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set shift and scale by examples, ``(N, *event_shape)``, the first time it is called."""
        if self.seen:
            return
        channels = x.transpose(0, 1).flatten(1)                                        # (C, N · places)
        if channels.shape[1] < 2:
            raise ValueError("ActNorm needs two examples at least to be initialised by")
        self.shift.copy_(-channels.mean(1).reshape(self.shift.shape))
        self.log_scale.copy_(-channels.std(1).clamp(min=1e-6).log().reshape(self.shift.shape))
        self.seen.fill_(True)


class Permutation(Transform):
    """Entries of a vector, or channels of an image, in another order: ``z[i] = x[order[i]]``.

    Args:
        event_shape: shape of one example, or the number of its entries.
        order: a permutation of the first axis; reversed if not given.
    """

    order: Tensor
    back: Tensor

    def __init__(self, event_shape=2, order=None):
        size = shape_of(event_shape)[0]
        order = permutations(torch.arange(size - 1, -1, -1) if order is None else order, size)[0]
        super().__init__(event_shape, {"event_shape": list(shape_of(event_shape)), "order": order.tolist()})
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", order.argsort(), persistent=False)

    def _forward(self, x, context):
        return x.index_select(1, self.order), x.new_zeros(len(x))

    def _inverse(self, z, context):
        return z.index_select(1, self.back), z.new_zeros(len(z))


class Squeeze(Transform):
    """Each 2 × 2 square of pixels becomes four channels: ``(C, H, W)`` gives ``(4C, H/2, W/2)``. No volume changes.

    Args:
        event_shape: ``(C, H, W)`` with H and W even.
    """

    def __init__(self, event_shape=(1, 4, 4)):
        c, h, w = (int(size) for size in event_shape)
        if h % 2 or w % 2:
            raise ValueError(f"an image of {h} × {w} cannot be squeezed: both sides must be even")
        super().__init__((c, h, w), {"event_shape": [c, h, w]}, (4 * c, h // 2, w // 2))

    def _forward(self, x, context):
        return F.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def _inverse(self, z, context):
        return F.pixel_shuffle(z, 2), z.new_zeros(len(z))


class Rest(Transform):
    """Leaves the first half of the channels as they are, and applies maps to the rest: factoring out.

    With independent entries in the base, whatever is left alone from here on goes to the base as it is.

    Args:
        event_shape: ``(C, H, W)`` with C even.
        parts: maps of ``(C/2, H, W)``.
    """

    def __init__(self, event_shape, parts):
        shape = shape_of(event_shape)
        if shape[0] % 2:
            raise ValueError(f"{shape[0]} channels cannot be split in half: squeeze first")
        super().__init__(shape, None)
        self.maps = Chain(parts)
        half = (shape[0] // 2, *shape[1:])
        if self.maps.event_shape != half or self.maps.out_shape != half:
            raise ValueError(f"the rest has shape {tuple(half)}, and the maps go from {tuple(self.maps.event_shape)} "
                             f"to {tuple(self.maps.out_shape)}")

    def _forward(self, x, context):
        left, rest = x.chunk(2, 1)
        rest, logdet = self.maps._forward(rest, context)
        return torch.cat([left, rest], 1), logdet

    def _inverse(self, z, context):
        left, rest = z.chunk(2, 1)
        rest, logdet = self.maps._inverse(rest, context)
        return torch.cat([left, rest], 1), logdet

    def initialise(self, x: Tensor) -> None:
        """The maps, by the half that they see."""
        self.maps.initialise(x.chunk(2, 1)[1])


class Logit(Transform):
    """From (0, 1) to the whole line: ``logit(α + (1 − 2α) x)``.

    With α = 0 a density over the line becomes one over (0, 1). A positive α keeps x = 0 and x = 1 finite, and the
    density a little wide: it reaches α/(1 − 2α) beyond both.

    Args:
        event_shape: shape of one example, or the number of its entries.
        alpha: at least 0, below one half.
    """

    def __init__(self, event_shape=2, alpha: float = 0.0):
        if not 0 <= alpha < 0.5:
            raise ValueError(f"alpha must be at least 0 and below 0.5, got {alpha!r}")
        super().__init__(event_shape, {"event_shape": list(shape_of(event_shape)), "alpha": float(alpha)})
        self.alpha = float(alpha)

    def _forward(self, x, context):
        u = self.alpha + (1 - 2 * self.alpha) * x
        if x.device.type == "cpu" and not ((u > 0) & (u < 1)).all():                   # elsewhere: no wait for a look
            wrong = x[~((u > 0) & (u < 1))].flatten()[0].item()
            past = self.alpha / (1 - 2 * self.alpha)
            raise ValueError(f"the logit takes values above {-past:.3g} and below {1 + past:.3g}, got {wrong:g}: "
                             "divide levels by their number, after noise was added")
        return u.logit(), -sum_each(u.log() + torch.log1p(-u)) + self._widening()

    def _inverse(self, z, context):
        x = (z.sigmoid() - self.alpha) / (1 - 2 * self.alpha)
        return x, sum_each(F.logsigmoid(z) + F.logsigmoid(-z)) - self._widening()

    def _widening(self):
        """log |det| of the affine part."""
        return self.event_shape.numel() * math.log1p(-2 * self.alpha)
