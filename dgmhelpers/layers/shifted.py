"""Convolutions whose window is shifted instead of masked: it ends at the pixel itself, above and to the left of it.

Where :class:`~dgmhelpers.layers.RasterConv2d` multiplies a centred kernel by zeros, these pad on one side only, so no
weight is wasted. Windows, with the output's place marked o::

    down       x x x      rows that end here, every column beside       (above 1, left 1, right 1)
               x o x
    down-right x x        what is above and to the left                 (above 1, left 1, right 0)
               x o

A window contains its own place: fed with features of strictly earlier pixels it gives features of strictly earlier
pixels. With a stride of 2 output (i, j) stands at input (2i, 2j), and :class:`Spread2d` takes it back to the four
places (2i … 2i + 1, 2j … 2j + 1), none of which comes before (2i, 2j) in raster order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DOWN, DOWN_RIGHT, POINT = (1, 1, 1), (1, 1, 0), (0, 0, 0)  # above, left, right


class ShiftedConv2d(nn.Module):
    """A convolution over a window that ends at its own row, and reaches no further right than it is told.

    Args:
        inputs, outputs: features.
        window: rows above, columns to the left, columns to the right; ``DOWN`` and ``DOWN_RIGHT`` are the usual ones.
        stride: 1, or 2 to halve both sides (rounded up).
        gain: standard deviation of the initial weights, times the root of the number of taps.
    """

    def __init__(self, inputs: int, outputs: int, window: tuple[int, int, int], stride: int = 1, gain: float = 1.0):
        super().__init__()
        self.above, self.left, self.right = window
        self.stride = stride
        shape = (outputs, inputs, self.above + 1, self.left + 1 + self.right)
        self.weight = nn.Parameter(torch.randn(shape) * gain / (inputs * shape[2] * shape[3]) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """All positions at once: ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``, or half of both sides."""
        x = F.pad(x, (self.left, self.right, self.above, 0))
        return F.conv2d(x, self.weight, self.bias, self.stride)

    def rows(self, n: int, width: int) -> "Rows":
        """The same one row after the other."""
        return Rows(self, n, width)

    def pixels(self, n: int, width: int) -> "Pixels":
        """The same one pixel after the other; for windows that do not reach to the right in their own row."""
        return Pixels(self, n, width)


class Rows:
    """A :class:`ShiftedConv2d` on its way down an image, a row at a time."""

    def __init__(self, layer: ShiftedConv2d, n: int, width: int):
        self.layer = layer
        self.before = layer.weight.new_zeros(n, layer.weight.shape[1], layer.above, width)
        self.count = 0

    def __call__(self, row: Tensor) -> Tensor | None:
        """From the next row, ``(n, inputs, 1, W)``, the output's; None in the rows between, of a stride."""
        layer, window = self.layer, torch.cat([self.before, row], 2)
        self.before, self.count = window[:, :, 1:], self.count + 1
        if (self.count - 1) % layer.stride:
            return None
        window = F.pad(window, (layer.left, layer.right, 0, 0))
        return F.conv2d(window, layer.weight, layer.bias, layer.stride)


class Pixels:
    """A :class:`ShiftedConv2d` on its way through an image, pixel by pixel in raster order.

    What the rows above contribute is computed for a whole row at once, when the row begins; what the row itself
    contributes waits for each pixel.
    """

    def __init__(self, layer: ShiftedConv2d, n: int, width: int):
        assert not layer.right or layer.above == 0, "a pixel's own row is not known to its right"
        self.layer, self.n, self.width = layer, n, width
        weight, inputs = layer.weight, layer.weight.shape[1]
        self.over = weight[:, :, : layer.above]                                    # (out, in, above, taps)
        self.own = weight[:, :, -1].permute(2, 1, 0).flatten(0, 1).contiguous()    # (taps · in, out)
        self.before = weight.new_zeros(n, inputs, layer.above, width)
        self.row = weight.new_zeros(n, width + layer.left, inputs)
        self.count = 0

    def __call__(self, x: Tensor) -> Tensor | None:
        """From the next pixel's features, ``(n, inputs)``, the output's, ``(n, outputs)``; None between strides."""
        layer = self.layer
        if layer.weight.shape[2:] == (1, 1):
            return F.linear(x, layer.weight[:, :, 0, 0], layer.bias)
        row, column = divmod(self.count, self.width)
        self.count += 1
        if column == 0:
            self._begin(row)
        self.row[:, column + layer.left] = x
        if row % layer.stride or column % layer.stride:
            return None
        window = self.row[:, column : column + layer.left + 1].flatten(1)          # (n, taps · in)
        return torch.addmm(self.pending[column // layer.stride], window, self.own)

    def _begin(self, row: int) -> None:
        layer = self.layer
        if row and layer.above:
            latest = self.row[:, layer.left :].transpose(1, 2).unsqueeze(2)        # (n, in, 1, W)
            self.before = torch.cat([self.before[:, :, 1:], latest], 2)
        if layer.above:
            rows = F.pad(self.before, (layer.left, 0, 0, 0))
            over = F.conv2d(rows, self.over, layer.bias, layer.stride)             # (n, out, 1, W)
            self.pending = over[:, :, 0].permute(2, 0, 1).contiguous()             # (W, n, out)
        else:
            self.pending = layer.bias.expand(self.width, self.n, -1)


class Spread2d(nn.Module):
    """Every position becomes a square of 2 × 2, by a linear map for each of its four places."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4 * outputs, inputs) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(4 * outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, 2H, 2W)``."""
        return F.pixel_shuffle(F.conv2d(x, self.weight[:, :, None, None], self.bias), 2)

    def pixel(self, x: Tensor) -> Tensor:
        """``(n, inputs)`` to the four places' features, ``(2, 2, n, outputs)``."""
        return F.linear(x, self.weight, self.bias).unflatten(1, (-1, 2, 2)).permute(2, 3, 0, 1)
