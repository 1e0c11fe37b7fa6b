r"""Multi-scale PixelCNN: a small image first, pixel by pixel; then the pixels between, in three groups at once each.

The coarse image is every second pixel of every second row, drawn by a :class:`PixelCNNpp` of its own. One up-scaling
step fills the rest: pixels right of coarse ones (group 1), then below (group 2), then diagonally below (group 3),

.. math::  p(x) = p(x_0) \prod_{g=1}^{3} \prod_{i \in g} p(x_i \mid x_0, \dots, x_{g-1}),

each group from all of those before it, at every side, but its pixels independent of each other. It is a density like
any other, in an order that is not raster's. What a group's pixels would tell each other, given the groups before, is
lost: the total correlation of the data within each group is a gap that no network closes.

Source
    S. Reed, A. van den Oord, N. Kalchbrenner, S. Gómez Colmenarejo, Z. Wang, Y. Chen, D. Belov and N. de Freitas,
    "Parallel multiscale autoregressive density estimation", ICML 2017; a small image first: A. van den Oord et al.,
    "Pixel recurrent neural networks", ICML 2016.
Differs
    One step of up-scaling, and no autoregression within groups. Networks of a few residual blocks.
Cost
    ``log_prob``: one pass of each network. ``sample``: HW/4 steps for the coarse image, and three passes (cached), or
    HWC passes of everything (naive).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers import masks
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.autoregressive.pixel_cnn_pp import PixelCNNpp
from dgmhelpers.layers.gated import both_ways, gated

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of each group: its first row and column, and every second from there


class MultiScalePixelCNN(Autoregressive):
    """Exact density over images of even sides: a coarse image, and what is between in three groups.

    Args:
        event_shape: colours, height and width ``(C, H, W)``; the sides even.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        channels: features of each network.
        layers: blocks of the coarse model at each way, and of each group's network.
        components: logistics of a pixel's mixture; as for :class:`PixelCNNpp`.
    """

    def __init__(self, event_shape=(1, 8, 8), levels: int = 2, channels: int = 24, layers: int = 2,
                 components: int | None = None):  # fmt: skip
        colours, height, width = event_shape
        if height % 2 or width % 2:
            raise ValueError(f"event_shape must have even sides, got {height} × {width}")
        coarse = PixelCNNpp((colours, height // 2, width // 2), levels, channels, layers, 1, components)
        places = torch.arange(colours * height * width).reshape(colours, height, width)
        groups = [places[:, row::2, column::2] for row, column in CORNERS]                 # (C, H/2, W/2) each
        order = torch.cat([group.flatten(1).T.flatten() for group in groups])              # raster, colours in turn
        config = {"event_shape": list(event_shape), "levels": levels, "channels": channels, "layers": layers,
                  "components": coarse.config["components"]}  # fmt: skip
        super().__init__(event_shape, coarse.likelihood, order, config)
        self.coarse = coarse
        self.between = nn.ModuleList(
            Between(coarse.colours + 2, channels, layers, coarse.outputs_of_pixel) for _ in CORNERS[1:]
        )
        for network in self.between:
            coarse.start_mixture(network.output)

    def network(self, x: Tensor, group: int) -> Tensor:
        """Parameters of one group's pixels, ``(B, outputs, H/2, W/2)``, from the groups before it."""
        if not group:
            return self.coarse.network(self.coarse.inputs(part(x, 0)))
        known = torch.zeros_like(x[:1, :1], dtype=self.dtype)
        for row, column in CORNERS[:group]:
            known[..., row::2, column::2] = 1
        seen = self.coarse.inputs(x)                                               # (B, C + 1, H, W)
        seen = torch.cat([seen * known, known.expand(len(x), -1, -1, -1)], 1)      # a one in the image, a one if known
        return part(self.between[group - 1](seen), group)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional at once, ``(B, C, H, W, *parameter_shape)``."""
        self._refuse_context(context)
        made = [self._described(self.network(x, g), part(x, g)) for g in range(4)]        # (B, C, H/2, W/2, ·) each
        whole = made[0].new_zeros(*x.shape, *self.likelihood.parameter_shape)
        for (row, column), params in zip(CORNERS, made, strict=True):
            whole[:, :, row::2, column::2] = params
        return whole

    def conditionals(self, n, context=None):
        """The coarse image by its own walk; then a pass for each group."""
        self._refuse_context(context)
        x = torch.zeros(n, *self.event_shape, dtype=self.dtype, device=self.device)
        step = self.coarse.conditionals(n)
        params = next(step)
        _, height, width = self.coarse.event_shape
        last = (height - 1, width - 1, self.coarse.colours - 1)
        for i in range(height):
            for j in range(width):
                for c in range(self.coarse.colours):
                    x[:, c, 2 * i, 2 * j] = value = yield params
                    if (i, j, c) != last:
                        params = step.send(value)
        for g in range(1, 4):
            z = self.network(x, g)                                                 # (n, outputs, H/2, W/2)
            mine = part(x, g)                                                      # a view: what is drawn goes into x
            for i in range(height):
                for j in range(width):
                    for c in range(self.coarse.colours):
                        here = self._described(z[:, :, i : i + 1, j : j + 1], mine[:, :, i : i + 1, j : j + 1])
                        mine[:, c, i, j] = yield here[:, c, 0, 0]

    @property
    def blind_spot(self) -> Tensor:
        """Pixels of one's own group, but in the coarse image: ``(D, D)``."""
        group = torch.zeros(self.event_shape[1:], dtype=torch.long)
        for g, (row, column) in enumerate(CORNERS):
            group[row::2, column::2] = g
        group = group.flatten()
        same = (group[:, None] == group) & (group > 0) & ~torch.eye(len(group), dtype=torch.bool)
        rank = masks.rank_of(self.order.cpu())[: len(group)]                       # by the first colour's place
        return (same & (rank[None] < rank[:, None])).repeat(self.coarse.colours, self.coarse.colours).to(self.device)

    def _described(self, z: Tensor, x: Tensor) -> Tensor:
        """``(B, outputs, h, w)`` and the pixels themselves, whose colours depend on each other, as parameters."""
        if not self.config["components"]:
            return self.coarse.arranged(z)
        return self.likelihood.by_colour(self.coarse._of_pixel(z), x.movedim(1, -1)).movedim(-3, 1)


class Between(nn.Module):
    """A convolutional network without any mask: what it is given is known, at every side."""

    def __init__(self, inputs: int, channels: int, layers: int, outputs: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, channels, 3, padding=1)
        self.looks = nn.ModuleList(nn.Conv2d(2 * channels, channels, 3, padding=1) for _ in range(layers))
        self.gates = nn.ModuleList(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1) for _ in range(layers))
        self.output = nn.Conv2d(channels, outputs, 1)
        assert self.output.bias is not None
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        h = self.first(x)
        for look, gates in zip(self.looks, self.gates, strict=True):
            h = h + gated(gates(both_ways(look(both_ways(h)))))
        return self.output(F.elu(h))


def part(x: Tensor, group: int) -> Tensor:
    """The pixels of one group, ``(..., H/2, W/2)``, a view."""
    row, column = CORNERS[group]
    return x[..., row::2, column::2]
