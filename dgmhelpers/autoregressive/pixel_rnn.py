"""What the two recurrent models of pixels share: all but the recurrence."""

from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.pixels import PixelModel
from dgmhelpers.layers import RasterConv2d


class PixelRNN(PixelModel):
    r"""Mask A, then residual recurrent layers, then two layers of 1 × 1.

    .. math::  h^0 = K^{A} * x, \qquad h^l = h^{l-1} + W^l\, \mathrm{LSTM}^l(h^{l-1})

    A recurrent layer is a module with ``forward`` for all positions at once, from ``(B, 2 · hidden, H, W)`` to
    ``(B, hidden, H, W)``, and ``walk(n, width)`` for the next sub-pixel alone.

    Args:
        recurrence: makes a layer from the colours of the features it receives and of those it gives.
    """

    margin = 0  # columns of zeros right of the image: places that come after a row's last pixel and before the next row

    def __init__(self, event_shape, levels: int, sizes: dict, recurrence):
        hidden, layers, first_kernel = sizes["hidden"], sizes["layers"], sizes["first_kernel"]
        if sizes["head"] is None:
            sizes = sizes | {"head": max(2 * at_least("hidden", hidden, 1), 32)}
        super().__init__(event_shape, levels, sizes)
        if first_kernel < 3:
            raise ValueError(f"first_kernel must be at least 3: mask A takes its centre; got {first_kernel}")
        stream, inner = self.features(2 * hidden), self.features(hidden)
        self.first = RasterConv2d(torch.arange(self.colours), stream, first_kernel, strict=True)
        self.layers = nn.ModuleList(
            Residual(recurrence(stream, inner), RasterConv2d(inner, stream, 1, gain=layers**-0.5))
            for _ in range(layers)
        )
        head_features = self.features(sizes["head"])
        self.head = RasterConv2d(stream, head_features, 1, gain=2**0.5)
        self.output = RasterConv2d(head_features, self.outputs, 1, gain=0.1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional at once, ``(B, C, H, W)`` logits or ``(B, C, H, W, levels)``."""
        self._refuse_context(context)
        width = self.event_shape[2]
        h = self.first(nn.functional.pad(self.scaled(x), (0, self.margin)))        # (B, 2 · hidden, H, W + margin)
        for layer in self.layers:
            h = layer(h)
        return self.arranged(self.output(self.head(h[..., :width].relu()).relu()))

    def conditionals(self, n, context=None):
        """One walk through the image, and its margin, for every layer; each activation is computed once."""
        self._refuse_context(context)
        colours, height, width = self.event_shape
        first, *layers = (layer.walk(n, width + self.margin) for layer in (self.first, *self.layers))
        head, output = self.head.walk(n, width), self.output.walk(n, width)
        nothing = self.output.bias.new_zeros(n, 1)
        for _ in range(height):
            for column in range(width + self.margin):
                for _ in range(colours):
                    h = first.give()                                               # (n, features of the colour)
                    for layer in layers:
                        h = layer(h)
                    inside = column < width
                    x_i = (yield self.parameters_at(output(head(h.relu()).relu()))) if inside else None
                    first.take(self.scaled(x_i)[:, None] if inside else nothing)


class Residual(nn.Module):
    """A recurrent layer, brought up to the width of what came in, and added to it."""

    def __init__(self, recurrence: nn.Module, up: RasterConv2d):
        super().__init__()
        self.recurrence: Any                                 # a module with a walk
        self.recurrence, self.up = recurrence, up

    def forward(self, h: Tensor) -> Tensor:
        return h + self.up(self.recurrence(h))

    def walk(self, n: int, width: int):
        """The same for the next sub-pixel: a function from its features to its features."""
        recurrence, up = self.recurrence.walk(n, width), self.up.walk(n, width)
        return lambda h: h + up(recurrence(h))


def lstm(gates: Tensor, cell: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """State and memory of an LSTM from its four gates o, f, i, g, one after another along ``dim``."""
    o, f, i, g = gates.chunk(4, dim)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def remembering(bias: nn.Parameter, hidden: int) -> None:
    """Start the forget gates open, at σ(1): otherwise a memory is halved at every step."""
    with torch.no_grad():
        bias.unflatten(0, (-1, 4, hidden))[:, 1] = 1.0
