"""The residual block of PixelCNN++ and PixelSNAIL: shifted convolutions and a gate."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.layers.shifted import POINT, ShiftedConv2d


class GatedBlock(nn.Module):
    r"""Two shifted convolutions, a gate, and what came in:

    .. math::  h + a \odot \sigma(b), \qquad (a, b) = K_2 * D\,\phi\Big(K_1 * \phi(h) + \sum_i L_i \phi(t_i)\Big),

    where :math:`\phi(h)` is ELU of h and of −h side by side, D is dropout, and the :math:`t_i` are what the block is
    told by other streams and layers.

    Args:
        channels: features.
        window: of both convolutions.
        told: features of each thing it is told.
        dropout: share of the hidden features that training drops.
        gain: of the last convolution; less than 1 keeps a deep stack from growing.
    """

    told: Any      # a ModuleList of ShiftedConv2d

    def __init__(self, channels: int, window, told: tuple[int, ...] = (), dropout: float = 0.0, gain: float = 1.0):
        super().__init__()
        self.look = ShiftedConv2d(2 * channels, channels, window)
        self.told = nn.ModuleList(ShiftedConv2d(2 * each, channels, POINT) for each in told)
        self.dropout = nn.Dropout(dropout)
        self.gates = ShiftedConv2d(2 * channels, 2 * channels, window, gain=gain)

    def forward(self, h: Tensor, *told: Tensor) -> Tensor:
        """``(B, channels, H, W)``, and as much of each thing it is told."""
        hidden = self.look(both_ways(h))
        for layer, what in zip(self.told, told, strict=True):
            hidden = hidden + layer(both_ways(what))
        return h + gated(self.gates(self.dropout(both_ways(hidden))))

    def rows(self, n: int, width: int):
        """The same a row at a time: a function of the rows."""
        look, gates = self.look.rows(n, width), self.gates.rows(n, width)

        def next_row(h, *told):
            hidden = look(both_ways(h))
            for layer, what in zip(self.told, told, strict=True):
                hidden = hidden + layer(both_ways(what))
            return h + gated(gates(both_ways(hidden)))

        return next_row

    def of_row(self, row: Tensor) -> Tensor:
        """What the first thing it is told adds in a whole row, ``(n, told, 1, W)`` to ``(W, n, channels)``."""
        return self.told[0](both_ways(row))[:, :, 0].permute(2, 0, 1).contiguous()

    def pixels(self, n: int, width: int):
        """The same a pixel at a time: a function of ``h``, ``(n, channels)``, of what is added (:meth:`of_row`), and of
        the rest that it is told."""
        look, gates = self.look.pixels(n, width), self.gates.pixels(n, width)
        maps = [(layer.weight[:, :, 0, 0], layer.bias) for layer in self.told]

        def next_pixel(h, added, *told):
            hidden = look(both_ways(h))
            if added is not None:
                hidden = hidden + added
            for (weight, bias), what in zip(maps[len(maps) - len(told) :], told, strict=True):
                hidden = hidden + F.linear(both_ways(what), weight, bias)
            return h + gated(gates(both_ways(hidden)))

        return next_pixel


def both_ways(x: Tensor) -> Tensor:
    """ELU of x and of −x, side by side along axis 1."""
    return F.elu(torch.cat([x, -x], 1))


def gated(both: Tensor) -> Tensor:
    """a ⊙ σ(b) of the two halves along axis 1."""
    a, b = both.chunk(2, 1)
    return a * b.sigmoid()
