"""GatedPixelCNN: small ones that are held to every law, and faults that such a model really has."""

import torch.nn.functional as F
from torch import nn

from dgmhelpers import masks
from dgmhelpers.autoregressive import GatedPixelCNN
from dgmhelpers.autoregressive.gated_pixel_cnn import gate
from models import CONDITIONAL, ORDERED, Case, Mutant


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


SMALL = dict(event_shape=(1, 2, 4), channels=6, layers=3)

CASES = [
    Case("GatedPixelCNN of classes", lambda: GatedPixelCNN(event_shape=(1, 2, 3), channels=6, layers=3, classes=3),
         (*ORDERED, *CONDITIONAL)),
    Case("GatedPixelCNN", lambda: GatedPixelCNN(event_shape=(1, 3, 3), channels=6, layers=3)),
    Case("GatedPixelCNN wide first", lambda: GatedPixelCNN((1, 2, 4), channels=6, layers=2, first_kernel=5)),
    Case("GatedPixelCNN of 4 levels", lambda: GatedPixelCNN((1, 3, 2), levels=4, channels=6, layers=4), slow=True),
    Case("GatedPixelCNN wide kernels", lambda: GatedPixelCNN((1, 2, 5), channels=6, layers=2, kernel=5), slow=True),
    Case("GatedPixelCNN RGB", lambda: GatedPixelCNN(event_shape=(3, 2, 2), channels=7, layers=2), slow=True),
    Case("GatedPixelCNN RGB of 4 levels", lambda: GatedPixelCNN((3, 2, 1), levels=4, channels=6, layers=3), slow=True),
    Case("GatedPixelCNN of one", lambda: GatedPixelCNN(event_shape=(1, 1, 1), channels=2, layers=1), slow=True),
]
MUTANTS = [
    Mutant("vertical stack not shifted", lambda: UnshiftedGatedPixelCNN(**SMALL), "depends_on_exactly_its_past"),
    Mutant("gated in name", lambda: GatedInName(**SMALL), "depends_on_exactly_its_past"),
    Mutant("link dropped in the walk", lambda: UnlinkedWalkGatedPixelCNN(**SMALL), "cached_equals_naive"),
]
