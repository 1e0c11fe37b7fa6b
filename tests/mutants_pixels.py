"""Faults that pixel models really have; the rows are a name, a mutant, and the law that must name the fault."""

import functools

import torch.nn.functional as F
from torch import nn

from dgmhelpers import masks
from dgmhelpers.autoregressive import GatedPixelCNN, PixelCNN
from dgmhelpers.autoregressive.gated_pixel_cnn import gate


def remasked(layer, *, strict=False, sender=None):
    """The layer under another mask than its own."""
    sender = layer.sender if sender is None else sender
    above = layer.up if layer.up else 0
    layer.mask = masks.raster(layer.receiver, sender, 2 * layer.left + 1, strict=strict, above=above)


class PeekingPixelCNN(PixelCNN):
    """Mask B in the first layer: every pixel sees itself."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        remasked(self.first)


class WrongColoursPixelCNN(PixelCNN):
    """Blue first where the order says red first: at the centre the colours look the wrong way."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        remasked(self.first, strict=True, sender=self.first.sender.flip(0))


class BatchNormPixelCNN(PixelCNN):
    """BatchNorm between masked layers."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.norm = nn.BatchNorm2d(sizes["channels"], track_running_stats=False)

    def forward(self, x, context=None):
        h = self.norm(self.first(self.scaled(x)))
        for block in self.blocks:
            h = block(h)
        return self.arranged(self.output(self.head(h.relu()).relu()))


class NoResidualWalkPixelCNN(PixelCNN):
    """The cached sampler forgets what the blocks are added to."""

    def conditionals(self, n, context=None):
        for block in self.blocks:
            block.walk = functools.partial(self._walk, block)
        return super().conditionals(n, context)

    @staticmethod
    def _walk(block, n, width):
        step = type(block).walk(block, n, width)
        return lambda h: step(h) - h


class UnshiftedGatedPixelCNN(GatedPixelCNN):
    """The vertical stack gets the image as it is: its own row, left and right."""

    def forward(self, x, context=None):
        v = h = self.scaled(x)
        for layer in self.layers:
            v, h = layer(v, h)
        return self.arranged(self.output(self.head(h.relu()).relu()))


class GatedInName(GatedPixelCNN):
    """A vertical stack under the plain model's mask: gated, in two stacks, and with the blind spot as before."""

    def forward(self, x, context=None):
        h = self.scaled(x)
        v = F.pad(h, (0, 0, 1, 0))[:, :, :-1]
        for layer in self.layers:
            kernel = layer.vertical.weight * masks.raster_taps(layer.vertical.weight.shape[-1])
            seen = F.conv2d(v, kernel, layer.vertical.bias, padding=layer.vertical.side)[:, :, : x.shape[2]]
            v, link = layer.descend(seen, None, None)
            mixed = layer.mix(gate(layer.horizontal(h) + link, 1))
            h = mixed if layer.is_first else h + mixed
        return self.arranged(self.output(self.head(h.relu()).relu()))


class UnlinkedWalkGatedPixelCNN(GatedPixelCNN):
    """In the cached sampler the vertical stack does not tell the horizontal one what it has seen."""

    def conditionals(self, n, context=None):
        twin = GatedPixelCNN(**self.config).to(self.dtype)
        twin.load_state_dict(self.state_dict())
        for layer in twin.layers:
            nn.init.zeros_(layer.link.weight)
        return twin.conditionals(n, context)


SMALL = dict(event_shape=(1, 2, 4), channels=8, layers=2)
RGB = dict(event_shape=(3, 1, 2), channels=12, layers=1)
GATED = dict(event_shape=(1, 2, 4), channels=6, layers=3)

ROWS = [
    ("first kernel under mask B", lambda: PeekingPixelCNN(**SMALL), "depends_on_exactly_its_past"),
    ("first kernel under mask B, summed", lambda: PeekingPixelCNN(**SMALL), "sums_to_one"),
    ("colours the wrong way", lambda: WrongColoursPixelCNN(**RGB), "depends_on_exactly_its_past"),
    ("BatchNorm between convolutions", lambda: BatchNormPixelCNN(**SMALL), "ignores_the_batch"),
    ("residual dropped in the walk", lambda: NoResidualWalkPixelCNN(**SMALL), "cached_equals_naive"),
    ("vertical stack not shifted", lambda: UnshiftedGatedPixelCNN(**GATED), "depends_on_exactly_its_past"),
    ("gated in name", lambda: GatedInName(**GATED), "depends_on_exactly_its_past"),
    ("link dropped in the walk", lambda: UnlinkedWalkGatedPixelCNN(**GATED), "cached_equals_naive"),
]
