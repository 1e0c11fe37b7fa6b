r"""PixelCNN++: whole pixels, shifted windows, two streams at several scales, and shortcuts between them.

Two streams of residual blocks (:class:`~dgmhelpers.layers.GatedBlock`): u at a pixel knows the rows above, with windows
that reach down to its own place in an image moved down; l knows what is above and to the left, and is told u at every
block. Both go down through ``scales`` scales, halved by strides of 2 in between, and up again. On the way up each block
is told what its partner on the way down has found. Position (i, j) of scale k belongs to pixel
:math:`(2^k i, 2^k j)` and is spread over the square that begins there, so nothing from the future arrives.

Each pixel is a mixture of logistics, joint over its colours
(:class:`~dgmhelpers.likelihoods.DiscretizedLogisticMixture`).

Source
    T. Salimans, A. Karpathy, X. Chen and D. P. Kingma, "PixelCNN++: improving the PixelCNN with discretized logistic
    mixture likelihood and other modifications", ICLR 2017; their code, https://github.com/openai/pixel-cnn.
Differs
    The last layers of blocks start small instead of weight normalisation with an initialisation by data. A scale has
    as many blocks on the way up as on the way down (the authors' code has one more at the lower scales, for the output
    of the stride). Going up, a position is spread over its square by four linear maps, without overlap. Scales of
    logistics have no floor: the differences of CDFs are exact.
Cost
    ``log_prob``: one pass. ``sample``: H steps of rows for u and HW steps of pixels for l, that compute every
    activation at every scale once (cached), or HWC passes (naive).
"""

import functools
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers import masks
from dgmhelpers.autoregressive.pixels import ReceptiveFieldWarning
from dgmhelpers.autoregressive.whole_pixels import FirstLook, WholePixelModel, moved_down
from dgmhelpers.layers import GatedBlock, ShiftedConv2d, Spread2d
from dgmhelpers.layers.shifted import DOWN, DOWN_RIGHT, POINT


class PixelCNNpp(WholePixelModel):
    """Exact density over images of any size and number of colours, in raster order, a pixel at a time.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        channels: features of each stream.
        layers: blocks of each stream at each scale, on the way down and again on the way up.
        scales: 1 for no strides; each more halves both sides once.
        components: logistics of a pixel's mixture; 0 for a logit of every level, of one colour alone. If not given, 0
            for binary images of one colour and 5 for others.
        dropout: share of the hidden features of each block that training drops.

    Warns:
        ReceptiveFieldWarning: if the images are larger than what every pixel can see.
    """

    down: Any      # a ModuleList of Scale
    up: Any        # the same, on the way back
    halve_u: Any   # a ModuleList of ShiftedConv2d
    halve_l: Any
    spread_u: Any  # a ModuleList of Spread2d
    spread_l: Any
    PAPER = {"event_shape": (3, 32, 32), "levels": 256, "channels": 192, "layers": 5, "scales": 3, "components": 10,
             "dropout": 0.5}  # fmt: skip

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        channels: int = 24,
        layers: int = 2,
        scales: int = 2,
        components: int | None = None,
        dropout: float = 0.0,
    ):
        sizes = {"channels": channels, "layers": layers, "scales": scales}
        super().__init__(event_shape, levels, components, sizes, {"dropout": dropout})
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        inputs, gain = self.colours + 1, (2 * layers * scales) ** -0.5
        self.first_u = ShiftedConv2d(inputs, channels, DOWN)
        self.first_l = FirstLook(inputs, channels)
        self.down, self.up = (nn.ModuleList(Scale(channels, layers, told, dropout, gain) for _ in range(scales))
                              for told in (0, channels))  # fmt: skip
        self.halve_u, self.halve_l = (
            nn.ModuleList(ShiftedConv2d(channels, channels, window, stride=2) for _ in range(scales - 1))
            for window in (DOWN, DOWN_RIGHT)
        )
        self.spread_u, self.spread_l = (nn.ModuleList(Spread2d(channels, channels) for _ in range(scales - 1))
                                        for _ in "ul")  # fmt: skip
        self.output = ShiftedConv2d(channels, self.outputs_of_pixel, POINT)
        self.start_mixture(self.output)
        self.warn_if_larger(self.reach + 1, self.reach)

    def network(self, x: Tensor) -> Tensor:
        """Down through the scales, and up again."""
        u, l = self.first_u(moved_down(x)), self.first_l(x)                        # (B, channels, H, W) each
        found: list[list[tuple[Tensor, Tensor]]] = []
        for k, scale in enumerate(self.down):
            if k:
                u, l = self.halve_u[k - 1](u), self.halve_l[k - 1](l)              # both sides halved, rounded up
            found.append([])
            for block_u, block_l in scale:
                u = block_u(u)
                l = block_l(l, u)
                found[k].append((u, l))
        for k, scale in reversed(list(enumerate(self.up))):
            if k < len(self.up) - 1:
                height, width = found[k][0][0].shape[2:]
                u = self.spread_u[k](u)[:, :, :height, :width]
                l = self.spread_l[k](l)[:, :, :height, :width]
            for (block_u, block_l), (from_u, from_l) in zip(scale, reversed(found[k]), strict=True):
                u = block_u(u, from_u)
                l = block_l(l, u, from_l)
        return self.output(F.elu(l))

    def pixels(self, n):
        """Rows of u when they begin, then pixels of l; a coarse position when its square begins."""
        walk = Walk(self, n)
        height, width = self.event_shape[1:]
        above = self.output.bias.new_zeros(n, self.colours + 1, 1, width)
        for row in range(height):
            walk.begin(above, row)
            above, left = torch.zeros_like(above), torch.zeros_like(above[:, :, 0, 0])
            for column in range(width):
                left = yield walk.pixel(left, row, column)
                above[:, :, 0, column] = left

    @property
    def reach(self) -> int:
        """How far every pixel sees to the sides, and one row more upwards: by blocks of the first scale alone.

        Coarser scales see further, but from the last pixel of a square not the nearest row.
        """
        convolutions = 4 * self.config["layers"] - (self.config["scales"] > 1)     # a shortcut joins after one
        return 1 + convolutions

    @functools.cached_property
    def _sight(self) -> Tensor:
        """Which pixels each sees, ``(HW, HW)``: where not-a-number arrives that was put into one of them."""
        height, width = self.event_shape[1:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReceptiveFieldWarning)
            small = type(self)((1, height, width), channels=1, layers=self.config["layers"],
                               scales=self.config["scales"]).double()  # fmt: skip
        x = torch.zeros(height * width, 2, height * width, dtype=torch.double)
        x.diagonal(dim1=0, dim2=2).fill_(torch.nan)
        with torch.no_grad():
            return small.network(x.unflatten(2, (height, width)))[:, 0].flatten(1).isnan().T

    @property
    def blind_spot(self) -> Tensor:
        """Which of its past each sub-pixel cannot see, ``(D, D)``: nothing, in images within :attr:`reach`."""
        height, width = self.event_shape[1:]
        if height - 1 <= self.reach + 1 and width - 1 <= self.reach:
            return super().blind_spot
        return masks.blind(self._sight, self.colours).to(self.device)


class Scale(nn.ModuleList):
    """Pairs of blocks, of u and of l; with ``told``, each has a partner on the way down."""

    def __init__(self, channels: int, layers: int, told: int, dropout: float, gain: float):
        partner = (told,) if told else ()
        super().__init__(
            nn.ModuleList([
                GatedBlock(channels, DOWN, partner, dropout, gain),
                GatedBlock(channels, DOWN_RIGHT, (channels, *partner), dropout, gain),
            ])
            for _ in range(layers)
        )  # fmt: skip


class Walk:
    """A PixelCNN++ on its way through ``n`` images: rows of u, then pixels of l, at every scale."""

    def __init__(self, model: PixelCNNpp, n: int):
        self.model, self.n, width = model, n, model.event_shape[2]
        widths = [-(-width // 2**k) for k in range(len(model.down))]
        self.first_u, self.first_l = model.first_u.rows(n, width), model.first_l.pixels(n, width)
        self.halve_u = [layer.rows(n, w) for layer, w in zip(model.halve_u, widths, strict=False)]
        self.halve_l = [layer.pixels(n, w) for layer, w in zip(model.halve_l, widths, strict=False)]
        self.blocks = [  # by way, scale and place: rows of u, pixels of l, and the block of l
            [[(u.rows(n, w), l.pixels(n, w), l) for u, l in scale] for scale, w in zip(way, widths, strict=True)]
            for way in (model.down, model.up)
        ]
        self.rows_u: list = [None] * len(widths)                                   # two rows for each of a scale
        self.squares_l: list = [[None] * w for w in widths]                        # and a square for each pixel

    def begin(self, above: Tensor, row: int) -> None:
        """All of u that the rows above ``row`` decide, and what it tells l: a list for each block, down and up."""
        model = self.model
        self.look = self.first_l(above)
        found: list[list[Tensor]] = []
        self.told: list[list[list[Tensor]]] = [[[] for _ in model.down] for _ in "du"]
        u, last = self.first_u(above), 0
        for k, scale in enumerate(self.blocks[0]):
            if k:
                u = self.halve_u[k - 1](u)
                if u is None:
                    break
            last = k
            found.append([])
            for step, _, block in scale:
                u = step(u)
                found[k].append(u)
                self.told[0][k].append(block.of_row(u))
        for k in range(last, -1, -1):
            if k < len(model.up) - 1:
                u = self.rows_u[k + 1][:, :, (row >> k) % 2, None, : found[k][0].shape[3]]
            for (step, _, block), partner in zip(self.blocks[1][k], reversed(found[k]), strict=True):
                u = step(u, partner)
                self.told[1][k].append(block.of_row(u))
            if k:
                self.rows_u[k] = model.spread_u[k - 1](u)

    def pixel(self, left: Tensor, row: int, column: int) -> Tensor:
        """The parameters of the next pixel, ``(n, outputs)``, from the inputs of the one to its left."""
        model = self.model
        found: list[list[Tensor]] = []
        l, last = self.look(left, column), 0
        for k, scale in enumerate(self.blocks[0]):
            if k:
                l = self.halve_l[k - 1](l)
                if l is None:
                    break
            last = k
            found.append([])
            for (_, step, _), told in zip(scale, self.told[0][k], strict=True):
                l = step(l, told[column >> k])
                found[k].append(l)
        for k in range(last, -1, -1):
            if k < len(model.up) - 1:
                l = self.squares_l[k + 1][column >> (k + 1)][(row >> k) % 2, (column >> k) % 2]
            for (_, step, _), told, partner in zip(self.blocks[1][k], self.told[1][k], reversed(found[k]), strict=True):
                l = step(l, told[column >> k], partner)
            if k:
                self.squares_l[k][column >> k] = model.spread_l[k - 1].pixel(l)
        return F.linear(F.elu(l), model.output.weight[:, :, 0, 0], model.output.bias)
