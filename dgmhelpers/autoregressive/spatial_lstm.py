r"""Spatial LSTM: an LSTM in two directions of space, with a mixture for each pixel.

The state at pixel (i, j) comes from the states above and to the left of it, and from a causal window of the image,
:math:`x_{<ij}`, ``reach`` pixels to each side:

.. math::  (g, o, t, f^r, f^c) = A [x_{<ij};\, h_{i,j-1};\, h_{i-1,j}], \qquad
           c_{ij} = \sigma(t) \odot \tanh g + \sigma(f^c) \odot c_{i,j-1} + \sigma(f^r) \odot c_{i-1,j}, \qquad
           h_{ij} = \sigma(o) \odot \tanh c_{ij}.

A mixture is read off :math:`h_{ij}`. States go right and down, never left: of the rows above a pixel sees everything to
the left, and to the right as far as one window reaches.

Source
    L. Theis and M. Bethge, "Generative image modeling using spatial LSTMs", NIPS 2015 (RIDE).
Differs
    The mixture is of discretised logistics that share their component over the colours, where theirs is of conditional
    Gaussian scale mixtures over grey values. One layer.
Cost
    ``log_prob``: HW steps after each other, or H + W − 1 if diagonals are batched, which is not done here. ``sample``:
    HW steps (cached), or HWC passes of as many (naive).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.autoregressive.whole_pixels import WholePixelModel


class SpatialLSTM(WholePixelModel):
    """Exact density over images in raster order, by an LSTM that goes right and down; blind to the far upper right.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        hidden: units.
        reach: rows above, and columns to either side, of the window of the image.
        components: logistics of a pixel's mixture; 0 for a logit of every level, of one colour alone. If not given, 0
            for binary images of one colour and 5 for others.
    """

    def __init__(self, event_shape=(1, 8, 8), levels: int = 2, hidden: int = 32, reach: int = 2,
                 components: int | None = None):  # fmt: skip
        super().__init__(event_shape, levels, components, {"hidden": hidden, "reach": reach})
        inputs = (self.colours + 1) * (reach * (2 * reach + 1) + reach)
        self.look = nn.Linear(inputs, 5 * hidden)
        self.state = nn.Linear(2 * hidden, 5 * hidden, bias=False)
        with torch.no_grad():
            self.look.bias[3 * hidden :] = 1.0                                     # forget gates start open
        self.output = nn.Linear(hidden, self.outputs_of_pixel)
        self.start_mixture(self.output)

    def network(self, x: Tensor) -> Tensor:
        """The recursion over all pixels: ``(B, C + 1, H, W)`` to ``(B, outputs, H, W)``."""
        height, width = x.shape[2:]
        reach = self.config["reach"]
        padded = F.pad(x, (reach, reach, reach, 0))
        windows = F.unfold(padded, (reach + 1, 2 * reach + 1)).unflatten(1, (x.shape[1], -1))      # (B, C + 1, ·, HW)
        windows = windows[:, :, : reach * (2 * reach + 1) + reach].flatten(1, 2)                   # without the future
        looks = self.look(windows.transpose(1, 2)).unflatten(1, (height, width))                   # (B, H, W, 5 hidden)
        walk, found = Cells(self, len(x)), []
        for i in range(height):
            for j in range(width):
                found.append(walk(looks[:, i, j], j))                              # (B, hidden)
        h = torch.stack(found, 1)                                                  # (B, HW, hidden)
        return self.output(h).transpose(1, 2).unflatten(2, (height, width))

    def pixels(self, n):
        """The recursion, a pixel at a time."""
        height, width = self.event_shape[1:]
        reach = self.config["reach"]
        x = self.output.bias.new_zeros(n, self.colours + 1, height + reach, width + 2 * reach)
        taps = reach * (2 * reach + 1) + reach
        walk = Cells(self, n)
        for i in range(height):
            for j in range(width):
                window = x[:, :, i : i + reach + 1, j : j + 2 * reach + 1].flatten(2)[:, :, :taps].flatten(1)
                x[:, :, i + reach, j + reach] = yield self.output(walk(self.look(window), j))

    def seen(self, up: Tensor, right: Tensor) -> Tensor:
        """All above to the left, and as far to the right as a window reaches; of the own row all to the left."""
        return (right <= self.config["reach"]) & ((up > 0) | (right < 0))


class Cells:
    """The states on the way through ``n`` images: those of the row above, and of the pixel to the left."""

    def __init__(self, model: SpatialLSTM, n: int):
        self.model, zero = model, model.output.bias.new_zeros(n, model.config["hidden"])
        self.above = [(zero, zero)] * model.event_shape[2]                         # states and cells, (n, hidden)
        self.start = (zero, zero)

    def __call__(self, look: Tensor, column: int) -> Tensor:
        """The state of the next pixel, ``(n, hidden)``, from what its window gives, ``(n, 5 · hidden)``."""
        (h_left, c_left), (h_up, c_up) = self.above[column - 1] if column else self.start, self.above[column]
        g, o, t, f_left, f_up = (look + self.model.state(torch.cat([h_left, h_up], 1))).chunk(5, 1)
        c = t.sigmoid() * g.tanh() + f_left.sigmoid() * c_left + f_up.sigmoid() * c_up
        self.above[column] = (o.sigmoid() * c.tanh(), c)
        return self.above[column][0]
