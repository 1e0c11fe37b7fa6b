"""PixelCNN: small ones that are held to every law, and faults that such a model really has."""

import functools

from torch import nn

from dgmhelpers import masks
from dgmhelpers.autoregressive import PixelCNN
from models import Case, Mutant


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


SMALL = dict(event_shape=(1, 2, 4), channels=8, layers=2)
RGB = dict(event_shape=(3, 1, 2), channels=12, layers=1)

CASES = [
    Case("PixelCNN", lambda: PixelCNN(event_shape=(1, 3, 3), channels=8, layers=2)),
    Case("PixelCNN of 4 levels", lambda: PixelCNN(event_shape=(1, 2, 3), levels=4, channels=8, layers=3)),
    Case("PixelCNN wide kernels", lambda: PixelCNN((1, 2, 5), channels=8, layers=1, kernel=5), slow=True),
    Case("PixelCNN wide first kernel", lambda: PixelCNN((1, 3, 3), channels=8, layers=1, first_kernel=5), slow=True),
    Case("PixelCNN RGB", lambda: PixelCNN(event_shape=(3, 2, 2), channels=14, layers=1), slow=True),
    Case("PixelCNN RGB of 4 levels", lambda: PixelCNN((3, 1, 2), levels=4, channels=12, layers=2, head=13), slow=True),
    Case("PixelCNN of one", lambda: PixelCNN(event_shape=(1, 1, 1), channels=2, layers=1), slow=True),
]
MUTANTS = [
    Mutant("first kernel under mask B", lambda: PeekingPixelCNN(**SMALL), "depends_on_exactly_its_past"),
    Mutant("first kernel under mask B, summed", lambda: PeekingPixelCNN(**SMALL), "sums_to_one"),
    Mutant("colours the wrong way", lambda: WrongColoursPixelCNN(**RGB), "depends_on_exactly_its_past"),
    Mutant("BatchNorm between convolutions", lambda: BatchNormPixelCNN(**SMALL), "ignores_the_batch"),
    Mutant("residual dropped in the walk", lambda: NoResidualWalkPixelCNN(**SMALL), "cached_equals_naive"),
]
