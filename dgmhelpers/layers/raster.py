"""Convolutions that see only what comes before, and know how to compute their next output alone.

A network in raster order can be run in two ways. Given an image, every layer computes *all positions at once*: that
is ``forward``. While an image is being drawn, pixel after pixel, every layer can compute *the next position*, if it
remembers what it was given: that is its ``walk``. Walking from the first pixel to the last computes each activation
once, the whole cost of one forward pass; a sampler that calls ``forward`` for each pixel pays it as many times as there
are pixels.

A walk does the work in the largest pieces the order allows. What the rows above contribute is known when a row
begins, and is computed for the whole row by one convolution; only what the row itself contributes has to wait for
each pixel.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers import masks


class RasterConv2d(nn.Module):
    """A convolution that sees the rows above and the left of its own row, and keeps the size of the image.

    The kernel has no rows below its centre. The mask multiplies the weight inside the expression: what it removes has
    no effect and no gradient.

    Args:
        sender: colour of each input feature, shape ``(inputs,)``, from :func:`dgmhelpers.masks.colour_of`.
        receiver: colour of each output feature, shape ``(outputs,)``.
        kernel: side of the kernel, odd.
        strict: mask A, where a feature does not see its own colour at its own pixel; otherwise mask B.
        above: rows above that it sees, ``kernel // 2`` if not given; 0 for a layer along the row.
        gain: standard deviation of the initial weights, times the root of the number of taps that are not masked.
    """

    def __init__(
        self,
        sender: Tensor,
        receiver: Tensor,
        kernel: int = 3,
        *,
        strict: bool = False,
        above: int | None = None,
        gain: float = 1.0,
    ):
        super().__init__()
        self.sender: Tensor
        self.receiver: Tensor
        self.mask: Tensor
        self.sender, self.receiver = sender.cpu(), receiver.cpu()                  # not moved: they decide loops
        mask = masks.raster(receiver, sender, kernel, strict=strict, above=above)
        self.register_buffer("mask", mask, persistent=False)                       # (out, in, up + 1, width)
        self.open = bool(mask.all())                                               # then there is nothing to mask
        self.up, self.left = mask.shape[2] - 1, kernel // 2
        fan_in = mask.flatten(1).sum(1).clamp(min=1)                               # taps that each output uses
        scale = gain / fan_in.sqrt()
        self.weight = nn.Parameter(torch.randn(mask.shape) * scale.reshape(-1, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(len(receiver)))

    def forward(self, x: Tensor) -> Tensor:
        """All positions at once: ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        height, width = x.shape[2:]
        # zeros around the image on every side; the outputs that look past the last row and column are cut off
        y = F.conv2d(x, self.kernel, self.bias, padding=(self.up, self.left))
        return y[:, :, :height, :width] if self.up or self.left else y

    @property
    def kernel(self) -> Tensor:
        """The weight as it is used: under its mask."""
        return self.weight if self.open else self.mask * self.weight

    def walk(self, n: int, width: int) -> Callable[[Tensor], Tensor]:
        """The same one position after the other, for ``n`` images of ``width`` columns.

        A layer of 1 × 1 that has nothing to wait for, with one colour under mask B, is its own walk: a linear map.
        """
        if self.open and self.mask.shape[2:] == (1, 1):
            weight, bias = self.weight[:, :, 0, 0].t(), self.bias
            return lambda x: torch.addmm(bias, x, weight)                          # F.linear would turn it each time
        return Walk(self, n, width)


class Walk:
    """One :class:`RasterConv2d` on its way through an image: inputs are taken, and outputs given, in raster order.

    ``take(x)`` receives the input features of the next sub-pixel (those of one colour), ``give()`` returns the output
    features of the next, ``walk(x)`` does both. Under mask A an output is given before the input at its place is
    taken; under mask B after.

    Each input is multiplied once, when it is taken, by all the weights through which it reaches the rest of its row;
    the products wait in ``pending`` until their places come.
    """

    def __init__(self, layer: RasterConv2d, n: int, width: int):
        self.layer, self.n, self.width = layer, n, width
        weight = layer.kernel
        own = weight[:, :, -1, : layer.left + 1].flip(-1)                          # (out, in, distance to the right)
        self.colours = int(layer.receiver.max()) + 1
        self.inputs, self.outputs = (places(f, self.colours, weight.device) for f in (layer.sender, layer.receiver))
        self.spread = [own[:, places].permute(1, 2, 0).flatten(1) for places in self.inputs]  # (in_c, (left + 1) · out)
        self.above = weight[:, :, : layer.up]                                      # (out, in, up, width)
        self.rows = weight.new_zeros(n, len(layer.sender), layer.up, width)        # the inputs of the rows above
        self.row = weight.new_zeros(n, len(layer.sender), 1, width)                # and of this one, of several colours
        self.latest: list[Tensor] = []                                             # of one colour, pixel by pixel
        self.begun, self.taken, self.given = -1, 0, 0

    def take(self, x: Tensor) -> None:
        """Receive the input features of the next sub-pixel, ``(n, features of its colour)``."""
        column, colour = self._place(self.taken)
        self.taken += 1
        if self.layer.up and self.colours == 1:
            self.latest.append(x)
        elif self.layer.up:
            self.row[:, self.inputs[colour], 0, column] = x
        reach = self.layer.left + 1
        self.pending.narrow(1, column, reach).add_((x @ self.spread[colour]).view(self.n, reach, self.pending.shape[2]))

    def give(self) -> Tensor:
        """The output features of the next sub-pixel, ``(n, features of its colour)``."""
        column, colour = self._place(self.given)
        self.given += 1
        given = self.pending.select(1, column)
        return given if self.colours == 1 else given[:, self.outputs[colour]]

    def __call__(self, x: Tensor) -> Tensor:
        self.take(x)
        return self.give()

    def _place(self, count: int) -> tuple[int, int]:
        pixel, colour = divmod(count, self.colours)
        row, column = divmod(pixel, self.width)
        if row > self.begun:
            self._begin(row)
        return column, colour

    def _begin(self, row: int) -> None:
        """What the rows above contribute to a row, for all of it by one convolution."""
        layer, self.begun = self.layer, row
        self.pending = layer.bias.repeat(self.n, self.width + layer.left, 1)       # (n, W + left, out)
        if layer.up:
            if row and self.colours == 1:
                self.rows = torch.cat([self.rows[:, :, 1:], torch.stack(self.latest, 2).unsqueeze(2)], 2)
                self.latest = []
            elif row:
                self.rows = torch.cat([self.rows[:, :, 1:], self.row], 2)
                self.row = torch.zeros_like(self.row)
            above = F.conv2d(self.rows, self.above, padding=(0, layer.left))       # (n, out, 1, W)
            self.pending[:, : self.width] += above[:, :, 0].transpose(1, 2)


class VerticalConv2d(nn.Module):
    """A convolution over whole rows: its own and those above, every column, at the size of the image.

    Fed with an image shifted down by one row, it sees all of the rows above and nothing of its own, however many are
    stacked: no colour and no column needs a mask.

    Args:
        inputs, outputs: features.
        kernel: columns that it sees, odd; ``kernel // 2`` rows above its own.
        gain: standard deviation of the initial weights, times the root of the number of taps.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, gain: float = 1.0):
        super().__init__()
        self.side = kernel // 2
        shape = (outputs, inputs, self.side + 1, kernel)
        self.weight = nn.Parameter(torch.randn(shape) * gain / (inputs * (self.side + 1) * kernel) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """All rows at once: ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        return F.conv2d(x, self.weight, self.bias, padding=self.side)[:, :, : x.shape[2]]

    def walk(self, n: int, width: int):
        """The same one row after the other: a function from ``(n, inputs, 1, W)`` to ``(n, outputs, 1, W)``."""
        rows = self.weight.new_zeros(n, self.weight.shape[1], self.side, width)

        def next_row(row: Tensor) -> Tensor:
            nonlocal rows
            window = torch.cat([rows, row], 2)
            rows = window[:, :, 1:]
            return F.conv2d(window, self.weight, self.bias, padding=(0, self.side))

        return next_row


def places(features: Tensor, colours: int, device: torch.device) -> list:
    """Where the features of each colour are; all of them, without a search, if there is one colour alone."""
    return [slice(None)] if colours == 1 else [(features == c).nonzero()[:, 0].to(device) for c in range(colours)]
