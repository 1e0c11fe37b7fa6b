r"""Gated PixelCNN: two stacks of convolutions, and no blind spot.

A *vertical* stack gathers all of the rows above: fed with the image shifted down by one row, it needs no mask, so its
field grows as a rectangle. A *horizontal* stack gathers the pixel's own row, to its left. At every layer the vertical
stack tells the horizontal one what it has seen, never the other way, and the last horizontal features give the
conditionals. Both stacks are gated: with a and b the two halves of what a layer's convolutions give,

.. math::  a_v^l, b_v^l = K_v^l * v^{l-1} + V_v^l c, \qquad v^l = \tanh(a_v^l) \odot \sigma(b_v^l)

.. math::  a_h^l, b_h^l = K_h^l * h^{l-1} + L^l [K_v^l * v^{l-1}] + V_h^l c, \qquad
           h^l = h^{l-1} + W^l\, (\tanh(a_h^l) \odot \sigma(b_h^l)),

where c is the class, if there is one, as a vector of zeros with a single one; :math:`v^0` is the image shifted down,
:math:`h^0` the image, which the first layer sees under mask A and does not add.

Source
    A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves and K. Kavukcuoglu, "Conditional image
    generation with PixelCNN decoders", NIPS 2016.
Differs
    The image is shifted down once, before the vertical stack, where the paper shifts each layer's features on their way
    to the horizontal stack: the same fields. The first kernel has the size of the others unless told otherwise. The
    last layer of each residual starts smaller by the root of the number of layers. No bias by location.
Cost
    ``log_prob``: one pass. ``sample``: H steps of whole rows for the vertical stack and HWC steps of single sub-pixels
    for the horizontal one, that together compute every activation once (cached), or HWC passes (naive).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.pixels import PixelModel
from dgmhelpers.layers import RasterConv2d, VerticalConv2d
from dgmhelpers.layers.raster import Walk
from dgmhelpers.protocols import Context


class GatedPixelCNN(PixelModel):
    """Exact density over images of any size and number of colours, given a class or not; sees all within its reach.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        channels: features of each stack, at least C.
        layers: gated layers, the first included.
        kernel: side of the kernels of each layer, odd.
        first_kernel: side of the first layer's kernels, at least 3; that of the others if not given.
        head: features between the last layer and the parameters; ``channels`` if not given, and 32 at
            least: a narrow layer of rectified units dies whole.
        classes: number of classes of a conditional model, whose ``context`` is the class of each example, ``(B,)``
            integers; None for a model without.

    Warns:
        ReceptiveFieldWarning: if the images are larger than what a pixel can see.
    """

    PAPER = {"event_shape": (3, 32, 32), "levels": 256, "channels": 384, "layers": 20, "kernel": 5}  # for ImageNet

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        channels: int = 32,
        layers: int = 7,
        kernel: int = 3,
        first_kernel: int | None = None,
        head: int | None = None,
        classes: int | None = None,
    ):
        sizes = {"channels": channels, "layers": layers, "kernel": kernel}
        sizes |= {"first_kernel": first_kernel or max(kernel, 3), "head": head or max(channels, 32)}
        super().__init__(event_shape, levels, sizes, {"classes": classes})
        if classes is not None:
            self.conditioned_on = Context((), at_least("classes", classes, 1))
        kernels = [sizes["first_kernel"]] + [kernel] * (layers - 1)
        stream, image = self.features(channels), torch.arange(self.colours)
        self.layers = nn.ModuleList(
            Layer(stream, side, 1 / layers**0.5, image if l == 0 else None) for l, side in enumerate(kernels)
        )
        self.by_class = None if classes is None else nn.Embedding(classes, layers * 4 * channels)
        if self.by_class is not None:
            nn.init.normal_(self.by_class.weight, std=0.01)
        head_features = self.features(sizes["head"])
        self.head = RasterConv2d(stream, head_features, 1, gain=2**0.5)
        self.output = RasterConv2d(head_features, self.outputs, 1, gain=0.1)
        self.warn_if_larger(self.reach + 1, self.reach)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional at once, ``(B, C, H, W)`` logits or ``(B, C, H, W, levels)``."""
        biases = self._biases(context, len(x))
        h = self.scaled(x)                                                         # (B, C, H, W)
        v = F.pad(h, (0, 0, 1, 0))[:, :, :-1]                                      # the rows above: shifted down
        for layer, bias in zip(self.layers, biases, strict=True):
            v, h = layer(v, h, *bias)                                              # (B, channels, H, W) each
        return self.arranged(self.output(self.head(h.relu()).relu()))

    def conditionals(self, n, context=None):
        """The vertical stack a row at a time, the horizontal one a sub-pixel at a time; each activation once."""
        biases = self._biases(context, n)
        colours, height, width = self.event_shape
        vertical = [layer.vertical.walk(n, width) for layer in self.layers]
        horizontal = [layer.walk(n, width) for layer in self.layers]
        head, output = self.head.walk(n, width), self.output.walk(n, width)
        above = self.output.bias.new_zeros(n, colours, 1, width)
        for _ in range(height):
            v, links = above, []
            for layer, next_row, bias in zip(self.layers, vertical, biases, strict=True):
                v, link = layer.descend(next_row(v), *bias)                        # (n, channels, 1, W)
                links.append(link[:, :, 0].permute(2, 0, 1).contiguous())          # (W, n, 2 · channels)
            above = torch.zeros_like(above)
            for column in range(width):
                for colour in range(colours):
                    h = None
                    for step, link in zip(horizontal, links, strict=True):
                        h = step(h, link[column], colour)                          # (n, features of the colour)
                    x_i = yield self.parameters_at(output(head(h.relu()).relu()))
                    above[:, colour, 0, column] = x_i = self.scaled(x_i)
                    horizontal[0].take(x_i[:, None])

    def _biases(self, context, n):
        """What the class adds in each layer: to the vertical gates and the horizontal ones, ``(B, 2 · channels)``."""
        if self.by_class is None:
            self._refuse_context(context)
            return [(None, None)] * len(self.layers)
        both = self.by_class(self._check_context(context, n))                      # (B, layers · 2 · 2 · channels)
        both = both.unflatten(1, (len(self.layers), 2, -1))
        return [layer.unbind(1) for layer in both.unbind(1)]

    @property
    def reach(self) -> int:
        """How many columns to either side a pixel sees; and one row more upwards."""
        return self.config["first_kernel"] // 2 + (len(self.layers) - 1) * (self.config["kernel"] // 2)

    def seen(self, up: Tensor, right: Tensor) -> Tensor:
        """A rectangle: all columns up to :attr:`reach` in all rows above up to one more; the same to the left."""
        return (up <= self.reach + 1) & (right.abs() <= self.reach)


class Layer(nn.Module):
    """One gated layer of both stacks.

    Args:
        stream: colour of each feature.
        kernel: side of the kernels.
        scale: how much smaller the residual starts.
        image: colours of the image, for the first layer: it looks at the image itself, under mask A.
    """

    def __init__(self, stream: Tensor, kernel: int, scale: float, image: Tensor | None):
        super().__init__()
        self.is_first = image is not None
        below, gates = stream if image is None else image, stream.repeat(2)
        self.vertical = VerticalConv2d(len(below), len(gates), kernel, gain=GAIN)
        self.link = nn.Conv2d(len(gates), len(gates), 1, bias=False)
        nn.init.normal_(self.link.weight, std=len(gates) ** -0.5)
        self.horizontal = RasterConv2d(below, gates, kernel, strict=self.is_first, above=0, gain=GAIN)
        self.mix = RasterConv2d(stream, stream, 1, gain=scale)

    def forward(self, v, h, v_bias=None, h_bias=None):
        v, link = self.descend(self.vertical(v), v_bias, h_bias)
        mixed = self.mix(gate(self.horizontal(h) + link, 1))
        return v, mixed if self.is_first else h + mixed

    def descend(self, seen: Tensor, v_bias: Tensor | None, h_bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """From what the vertical kernels see: the next vertical features, and what the horizontal gates are told."""
        link = self.link(seen)
        if v_bias is not None and h_bias is not None:
            seen, link = seen + v_bias[:, :, None, None], link + h_bias[:, :, None, None]
        return gate(seen, 1), link

    def walk(self, n: int, width: int) -> "LayerWalk":
        return LayerWalk(self, n, width)


class LayerWalk:
    """The horizontal half of a layer, one sub-pixel after the other."""

    def __init__(self, layer: Layer, n: int, width: int):
        self.horizontal, self.mix = Walk(layer.horizontal, n, width), layer.mix.walk(n, width)
        self.take = self.horizontal.take

    def __call__(self, h: Tensor | None, link: Tensor, colour: int) -> Tensor:
        """Features of the next sub-pixel given those of the layer below (None for the first, which looks back)."""
        gates = self.horizontal.give() if h is None else self.horizontal(h)
        mixed = self.mix(gate(gates + link[:, self.horizontal.outputs[colour]], 1))
        return mixed if h is None else h + mixed


GAIN = 2.0  # gates halve what they pass and tanh bends it: twice the usual scale keeps a deep stack awake


def gate(both: Tensor, dim: int) -> Tensor:
    """tanh(a) ⊙ σ(b) of the two halves along ``dim``."""
    a, b = both.chunk(2, dim)
    return a.tanh() * b.sigmoid()
