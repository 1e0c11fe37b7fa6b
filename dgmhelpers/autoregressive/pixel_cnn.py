r"""PixelCNN: every pixel from the ones before it, by convolutions whose kernels are masked.

A convolution whose kernel is zero below its centre, and right of it in the centre's row, sees only pixels that come
before in raster order. The first layer must not see the pixel itself (mask A); the layers above may look at their own
place, where by then only the past has been gathered (mask B). With several colours, the features are divided among
them, and at the centre those of R see no colour of the pixel itself in the first layer, those of G see R, those of B
see R and G. The blocks are residual,

.. math::  h^0 = K^{A} * x, \qquad
           h^{l} = h^{l-1} + K_3^{l} \max(0,\, K_2^{l} * \max(0,\, K_1^{l} \max(0, h^{l-1}))),

with :math:`K_1, K_3` of 1 × 1 and :math:`K_2` of ``kernel`` × ``kernel``, at half of the width.

However deep it is, the model has a blind spot: to see a column further right, a path has to go up a row.

Source
    A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016.
Differs
    The first kernel has the size of the others unless told otherwise (the paper's is 7 × 7). Features are divided
    among the colours as evenly as their number allows. The last layer of each block starts smaller by the root of the
    number of blocks, so that the sum does not grow with depth. Kernels have no rows below their centre, instead of rows
    that are always masked.
Cost
    ``log_prob``: one pass. ``sample``: HWC steps that together compute every activation once (cached), or HWC passes
    (naive).
"""

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.pixels import PixelModel
from dgmhelpers.layers import RasterConv2d


class PixelCNN(PixelModel):
    """Exact density over images of any size and number of colours, in raster order, with a blind spot.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        channels: features of the residual stream, at least C; the blocks work at half of it, or at C.
        layers: residual blocks, 0 or more.
        kernel: side of the kernel of each block, odd.
        first_kernel: side of the first kernel, the one under mask A: at least 3 and no smaller than the others, whose
            side it has if not given.
        head: features between the last block and the parameters; ``channels`` if not given, and 32 at
            least: a narrow layer of rectified units dies whole.

    Warns:
        ReceptiveFieldWarning: if the images are larger than what a pixel can see.
    """

    PAPER = {"event_shape": (3, 32, 32), "levels": 256, "channels": 256, "layers": 15, "first_kernel": 7, "head": 1024}

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        channels: int = 32,
        layers: int = 6,
        kernel: int = 3,
        first_kernel: int | None = None,
        head: int | None = None,
    ):
        at_least("layers", layers, 0)
        sizes = {"channels": channels, "kernel": kernel, "first_kernel": first_kernel or max(kernel, 3)}
        sizes |= {"head": head or max(channels, 32)}
        super().__init__(event_shape, levels, sizes, {"layers": layers})
        if sizes["first_kernel"] < max(kernel, 3):
            raise ValueError(f"first_kernel must be at least 3, and no smaller than kernel, got {first_kernel}")
        stream, inner = self.features(channels), self.features(max(channels // 2, self.colours))
        self.first = RasterConv2d(torch.arange(self.colours), stream, sizes["first_kernel"], strict=True)
        self.blocks = nn.ModuleList(Block(stream, inner, kernel, 1 / max(layers, 1) ** 0.5) for _ in range(layers))
        head_features = self.features(sizes["head"])
        self.head = RasterConv2d(stream, head_features, 1, gain=2**0.5)
        self.output = RasterConv2d(head_features, self.outputs, 1, gain=0.1)
        self.warn_if_larger(*[self.reach] * 2)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional at once, ``(B, C, H, W)`` logits or ``(B, C, H, W, levels)``."""
        self._refuse_context(context)
        h = self.first(self.scaled(x))                                             # (B, channels, H, W)
        for block in self.blocks:
            h = block(h)
        return self.arranged(self.output(self.head(h.relu()).relu()))

    def conditionals(self, n, context=None):
        """One walk through the image for every layer; a layer computes each of its activations once."""
        self._refuse_context(context)
        width = self.event_shape[2]
        first, head, output = (layer.walk(n, width) for layer in (self.first, self.head, self.output))
        blocks = [block.walk(n, width) for block in self.blocks]
        for _ in range(len(self.order)):
            h = first.give()                                                       # (n, features of the colour)
            for block in blocks:
                h = block(h)
            x_i = yield self.parameters_at(output(head(h.relu()).relu()))
            first.take(self.scaled(x_i)[:, None])

    @property
    def reach(self) -> int:
        """How many rows up, or columns to the left, a pixel sees."""
        return self.config["first_kernel"] // 2 + len(self.blocks) * (self.config["kernel"] // 2)

    def seen(self, up: Tensor, right: Tensor, beyond: Tensor | bool = True) -> Tensor:
        """Rows and columns up to :attr:`reach`; to the right, only as far as a path can climb on its way.

        A path has one hop in each layer. It goes right only in a hop that goes up as well, so u rows up there are at
        most u of those. The hop of the first layer, under mask A, cannot stay where it is (of several colours some may,
        which takes them no further): let it be one of them, since its kernel is no smaller than the others.
        """
        first, side = self.config["first_kernel"] // 2, self.config["kernel"] // 2
        furthest = first + side * (up - 1).clamp(max=len(self.blocks))             # columns right, u > 0 rows up
        furthest = torch.where(up > 0, furthest, -1)
        return (up <= self.reach) & (-right <= self.reach) & (right <= furthest)


class Block(nn.Module):
    """Down to half of the width, a masked kernel, up again, and added to what came in."""

    def __init__(self, stream: Tensor, inner: Tensor, kernel: int, scale: float):
        super().__init__()
        self.down = RasterConv2d(stream, inner, 1, gain=2**0.5)
        self.look = RasterConv2d(inner, inner, kernel, gain=2**0.5)
        self.up = RasterConv2d(inner, stream, 1, gain=scale)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.up(self.look(self.down(h.relu()).relu()).relu())

    def walk(self, n: int, width: int):
        """The same for the next sub-pixel: a function from its features to its features."""
        down, look, up = (layer.walk(n, width) for layer in (self.down, self.look, self.up))
        return lambda h: h + up(look(down(h.relu()).relu()).relu())
