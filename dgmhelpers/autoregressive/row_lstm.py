r"""Row LSTM: an LSTM that takes a whole row of pixels at each step.

Row i's gates come from its own features, by a masked convolution along the row, and from the states of the row above,
by a convolution that needs no mask,

.. math::  (o_i, f_i, i_i, g_i) = K^{is} * h^{l-1}_i + K^{ss} * s_{i-1}, \qquad
           c_i = \sigma(f_i) \odot c_{i-1} + \sigma(i_i) \odot \tanh g_i, \qquad s_i = \sigma(o_i) \odot \tanh c_i.

A state sees ``kernel // 2`` columns further to either side with every row above: a triangle, of unlimited height.
What is above and outside of the triangle is a blind spot, at any depth on the right, and pixels of the own row are
seen only as far to the left as the layers' kernels reach together.

Source
    A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016.
Differs
    The first kernel has the size of the others unless told otherwise (the paper's is 7 × 7). Forget gates start open.
    The last layer of each residual starts smaller by the root of the number of layers. No learned initial state.
Cost
    ``log_prob``: H sequential steps a layer, each a row. ``sample``: HWC steps that together compute every activation
    once (cached), or HWC passes of H steps (naive).
"""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.autoregressive.pixel_rnn import PixelRNN, lstm, remembering
from dgmhelpers.autoregressive.pixels import ReceptiveFieldWarning
from dgmhelpers.layers import RasterConv2d
from dgmhelpers.layers.raster import places


class RowLSTM(PixelRNN):
    """Exact density over images in raster order, by an LSTM from row to row; sees a triangle.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        hidden: units of each LSTM, at least C; the residual stream has twice as many features.
        layers: LSTMs on top of each other, 1 or more.
        kernel: width of the convolutions along the row and from the row above, odd, at most ``first_kernel``.
        first_kernel: side of the first kernel, the one under mask A, odd, 3 or more.
        head: features between the last layer and the parameters; ``2 · hidden`` if not given, and 32 at least.

    Warns:
        ReceptiveFieldWarning: if a row is longer than what a pixel sees of its own row.
    """

    PAPER = {"event_shape": (3, 32, 32), "levels": 256, "hidden": 128, "layers": 12, "first_kernel": 7, "head": 1024}

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        hidden: int = 16,
        layers: int = 3,
        kernel: int = 3,
        first_kernel: int = 3,
        head: int | None = None,
    ):
        sizes = {"hidden": hidden, "layers": layers, "kernel": kernel, "first_kernel": first_kernel, "head": head}
        super().__init__(event_shape, levels, sizes, lambda below, own: Rows(below, own, kernel))
        if kernel > first_kernel:
            raise ValueError(f"kernel must be at most first_kernel, which is {first_kernel}; got {kernel}")
        if self.event_shape[2] - 1 > self.beside:
            warnings.warn(
                f"of its own row a pixel sees {self.beside} columns to its left, and the images are "
                f"{self.event_shape[2]} wide: pixels further away are not seen. More layers reach further",
                ReceptiveFieldWarning,
                stacklevel=2,
            )

    @property
    def beside(self) -> int:
        """How many columns to the left a pixel sees of its own row."""
        return self.config["first_kernel"] // 2 + self.config["layers"] * (self.config["kernel"] // 2)

    def seen(self, up: Tensor, right: Tensor) -> Tensor:
        """All that is above in a triangle, and a part of the own row.

        From u rows above, the states bring ``side`` columns a row; the first kernel its own half width once, and as it
        goes to the right only where it goes up a row itself, the states climb one row less on that side. To the left
        each layer looks ``side`` columns further before its states begin to climb.
        """
        first, side = self.config["first_kernel"] // 2, self.config["kernel"] // 2
        right_of_it = torch.where(up > 0, first + side * (up - 1), -1)
        return (-right <= self.beside + side * up) & (right <= right_of_it)


class Rows(nn.Module):
    """One LSTM that moves down the image, row by row.

    Args:
        below: colour of each feature it receives.
        own: colour of each of its units.
        kernel: width of both convolutions.
    """

    def __init__(self, below: Tensor, own: Tensor, kernel: int):
        super().__init__()
        self.hidden = len(own)
        self.input = RasterConv2d(below, own.repeat(4), kernel, above=0)           # K_is, under mask B
        self.state = nn.Parameter(torch.randn(4 * self.hidden, self.hidden, kernel) / (kernel * self.hidden) ** 0.5)
        remembering(self.input.bias, self.hidden)

    def from_above(self, states: Tensor) -> Tensor:
        """What the states of a row, ``(B, hidden, W)``, add to the gates of the next, ``(B, 4 · hidden, W)``."""
        return F.conv1d(states, self.state, padding=self.state.shape[2] // 2)      # K_ss: the row above, so no mask

    def forward(self, x: Tensor) -> Tensor:
        """All positions, a row at a time: ``(B, features, H, W)`` to ``(B, hidden, H, W)``."""
        gates = self.input(x)                                                      # (B, 4 · hidden, H, W)
        state = cell = x.new_zeros(len(x), self.hidden, x.shape[3])
        rows = []
        for row in gates.unbind(2):
            state, cell = lstm(row + self.from_above(state), cell, 1)              # (B, hidden, W) each
            rows.append(state)
        return torch.stack(rows, 2)

    def walk(self, n: int, width: int) -> "RowsWalk":
        return RowsWalk(self, n, width)


class RowsWalk:
    """The same one sub-pixel after the other: what the row above adds is computed when a row begins."""

    def __init__(self, layer: Rows, n: int, width: int):
        self.layer, self.width, self.count = layer, width, 0
        self.input = layer.input.walk(n, width)
        own = layer.input.receiver
        self.colours = int(own.max()) + 1
        device = layer.state.device
        self.units, self.gates = (places(f, self.colours, device) for f in (own[: layer.hidden], own))
        self.states = layer.state.new_zeros(n, width, layer.hidden)
        self.cells = torch.zeros_like(self.states)

    def __call__(self, x: Tensor) -> Tensor:
        pixel, colour = divmod(self.count, self.colours)
        column, self.count = pixel % self.width, self.count + 1
        if column == 0 and colour == 0:
            self.above = self.layer.from_above(self.states.transpose(1, 2)).transpose(1, 2).contiguous()
            self.states = torch.zeros_like(self.states)                            # (n, W, hidden)
        units = self.units[colour]
        gates = self.input(x) + self.above[:, column, self.gates[colour]]
        state, cell = lstm(gates, self.cells[:, column, units], 1)
        self.states[:, column, units], self.cells[:, column, units] = state, cell
        return state
