r"""Diagonal BiLSTM: two LSTMs that move through the image along its diagonals, one from each upper corner.

The state of the one from the left comes from the states of its left neighbour and of the one above,

.. math::  (o, f, i, g)_{r,c} = K^{is} h^{l-1}_{r,c} + K^{ss} (s_{r,c-1}, s_{r-1,c}), \qquad
           m_{r,c} = \sigma(f) \odot m_{r,c-1} + \sigma(i) \odot \tanh g, \quad s_{r,c} = \sigma(o) \odot \tanh m_{r,c}.

Pixels of one diagonal do not wait for each other. :func:`skew` moves row r by r columns to the right, so that a
diagonal becomes a column: a step computes one. The LSTM from the right is its mirror image. It sees what is right of a
pixel in its own row, the future; so its states are moved down by one row before both are added. Together they see the
whole past, and there is no blind spot.

Source
    A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016.
Differs
    The image has a column of zeros on its right that is cut off in the end. Without it, the last pixel of the row above
    is not seen: under mask A it has entered no feature of its own row, and other features the LSTM from the right does
    not meet. The first kernel has the size 3 × 3 unless told otherwise (the paper's is 7 × 7). Forget gates start open.
    The last layer of each residual starts smaller by the root of the number of layers.
Cost
    ``log_prob``: H + W sequential steps a layer, each a diagonal. ``sample``: HWC steps that together compute every
    activation once (cached; the LSTM from the right takes W steps when a row is complete), or HWC passes (naive).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.autoregressive.pixel_rnn import PixelRNN, lstm, remembering
from dgmhelpers.layers import RasterConv2d
from dgmhelpers.layers.raster import places


class DiagonalBiLSTM(PixelRNN):
    """Exact density over images in raster order, by LSTMs along both diagonals; sees the whole past at any depth.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        hidden: units of each LSTM, at least C; the residual stream has twice as many features.
        layers: pairs of LSTMs on top of each other, 1 or more.
        first_kernel: side of the first kernel, the one under mask A, odd, 3 or more.
        head: features between the last layer and the parameters; ``2 · hidden`` if not given, and 32 at least.
    """

    PAPER = {"event_shape": (1, 28, 28), "levels": 2, "hidden": 16, "layers": 7, "first_kernel": 7, "head": 32}
    margin = 1

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        hidden: int = 16,
        layers: int = 2,
        first_kernel: int = 3,
        head: int | None = None,
    ):
        sizes = {"hidden": hidden, "layers": layers, "first_kernel": first_kernel, "head": head}
        super().__init__(event_shape, levels, sizes, Diagonals)


def skew(x: Tensor) -> Tensor:
    """Each row one column further to the right than the row above: ``(…, H, W)`` to ``(…, H, H + W − 1)``.

    What stands in column k then are the pixels of the k-th diagonal. The places in between are zero::

        a b c          a b c . .
        d e f    →     . d e f .
        g h i          . . g h i
    """
    height, width = x.shape[-2:]
    # H zeros behind each row, and the rows read off one short of that: every row begins one place later
    return F.pad(x, (0, height)).flatten(-2)[..., :-height].unflatten(-1, (height, width + height - 1))


def unskew(x: Tensor) -> Tensor:
    """The inverse of :func:`skew`: ``(…, H, H + W − 1)`` to ``(…, H, W)``."""
    height, diagonals = x.shape[-2:]
    if diagonals < height:
        raise ValueError(f"{height} rows have at least {height} diagonals, got {diagonals}: this is no skewed map")
    return F.pad(x.flatten(-2), (0, height)).unflatten(-1, (height, diagonals + 1))[..., : diagonals + 1 - height]


class Diagonals(nn.Module):
    """Two LSTMs, one from the upper left corner and one from the upper right; the sum of their states.

    Args:
        below: colour of each feature they receive.
        own: colour of each unit.
    """

    def __init__(self, below: Tensor, own: Tensor):
        super().__init__()
        self.hidden = len(own)
        self.input = RasterConv2d(below, own.repeat(8), 1)                         # K_is of both, under mask B
        # K_ss of both: from the neighbour in the row and from the one above
        self.state = nn.Parameter(torch.randn(8 * self.hidden, 2 * self.hidden) / (2 * self.hidden) ** 0.5)
        remembering(self.input.bias, self.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """All positions, a diagonal at a time: ``(B, features, H, W)`` to ``(B, hidden, H, W)``."""
        left, right = self.input(x).chunk(2, 1)                                    # (B, 4 · hidden, H, W) each
        left, right = self.sweep(torch.stack([left, right.flip(3)]))
        return left + down(right.flip(3))

    def sweep(self, gates: Tensor) -> Tensor:
        """States of both from their gates' inputs, as if from the left: ``(2, B, 4h, H, W)`` to ``(2, B, h, H, W)``.

        Outside of the image the skewed gates are zero, and with them g, so states are zero there as well.
        """
        columns = skew(gates).permute(4, 0, 1, 3, 2)                               # (H + W − 1, 2, B, H, 4h)
        weight = self.state.unflatten(0, (2, -1)).transpose(1, 2)                  # (2, 2h, 4h)
        state = cell = columns.new_zeros(*columns.shape[1:4], self.hidden)
        states = []
        for column in columns:
            neighbours = torch.cat([state, F.pad(state, (0, 0, 1, 0))[:, :, :-1]], -1)
            both = torch.baddbmm(column.flatten(1, 2), neighbours.flatten(1, 2), weight)
            state, cell = lstm(both.view_as(column), cell, -1)                     # (2, B, H, h) each
            states.append(state)
        return unskew(torch.stack(states).permute(1, 2, 4, 3, 0))

    def walk(self, n: int, width: int) -> "DiagonalsWalk":
        return DiagonalsWalk(self, n, width)


def down(x: Tensor) -> Tensor:
    """Moved down by one row: each place gets what was above it, the first row zeros."""
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


class DiagonalsWalk:
    """The same one sub-pixel after the other.

    The LSTM from the left goes with the pixels. The one from the right has to wait until a row is complete, and then
    takes the whole of it; the row below is the first that asks for it.
    """

    def __init__(self, layer: Diagonals, n: int, width: int):
        self.layer, self.width, self.count = layer, width, 0
        own = layer.input.receiver[: 4 * layer.hidden]
        self.colours = int(own.max()) + 1
        device = layer.state.device
        self.units, self.gates = (places(f, self.colours, device) for f in (own[: layer.hidden], own))
        self.inputs = places(layer.input.sender, self.colours, device)
        weight, bias = layer.input.kernel[:, :, 0, 0], layer.input.bias
        self.weight, self.bias = weight.chunk(2), bias.chunk(2)                    # (4h, features), (4h,) each
        self.beside, self.above = zip(*(w.chunk(2, 1) for w in layer.state.chunk(2)), strict=True)   # (4h, h) each
        self.row = weight.new_zeros(n, width, weight.shape[1])                     # what came in
        self.left = weight.new_zeros(n, width, layer.hidden)                       # states from the left: this row's
        self.right = weight.new_zeros(n, width, layer.hidden)                      # and from the right: the row above's

    def __call__(self, x: Tensor) -> Tensor:
        pixel, colour = divmod(self.count, self.colours)
        (row, column), self.count = divmod(pixel, self.width), self.count + 1
        if colour == 0:
            self._begin_pixel(row, column)
        self.row[:, column, self.inputs[colour]] = x
        units, gates = self.units[colour], self.gates[colour]
        mine = self.pending[:, gates] + self.row[:, column] @ self.weight[0][gates].T   # later colours are masked
        state, cell = lstm(mine, self.memory[:, units], 1)
        self.left[:, column, units], self.cell[:, units] = state, cell
        return state + self.right[:, column, units]

    def _begin_pixel(self, row: int, column: int) -> None:
        if column == 0:
            if row:
                self._complete()
            self.from_above = F.linear(self.left, self.above[0], self.bias[0])     # (n, W, 4h)
            self.left, self.row = torch.zeros_like(self.left), torch.zeros_like(self.row)
            self.cell = torch.zeros_like(self.left[:, 0])
        self.memory, self.cell = self.cell, torch.zeros_like(self.cell)
        self.pending = self.from_above[:, column]
        if column:
            self.pending = self.pending + F.linear(self.left[:, column - 1], self.beside[0])

    def _complete(self) -> None:
        """The LSTM from the right through the row that is complete, from its end to its beginning."""
        gates = F.linear(self.row, self.weight[1], self.bias[1]) + F.linear(self.right, self.above[1])
        state = cell = torch.zeros_like(self.left[:, 0])
        states = []
        for column in reversed(range(self.width)):
            state, cell = lstm(gates[:, column] + F.linear(state, self.beside[1]), cell, 1)
            states.append(state)
        self.right = torch.stack(states[::-1], 1)
