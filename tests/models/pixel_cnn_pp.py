"""PixelCNN++: small ones that are held to every law, and faults that such a model really has."""

import torch
import torch.nn.functional as F

from dgmhelpers.autoregressive import PixelCNNpp
from dgmhelpers.layers import Spread2d
from dgmhelpers.likelihoods import DiscretizedLogisticMixture
from models import Case, Mutant


class UnmovedPixelCNNpp(PixelCNNpp):
    """The left stream is given the image where it is: every pixel sees itself."""

    def network(self, x):
        return super().network(F.pad(x, (0, 1))[..., 1:])


class EarlySpread(Spread2d):
    """A coarse position fills the square that ends at its pixel, where it must fill the one that begins there."""

    def forward(self, x):
        return super().forward(x).roll((-1, -1), (2, 3))


class EarlyPixelCNNpp(PixelCNNpp):
    """Goes up from a coarse scale one pixel too far up and left."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        for spread in self.spread_l:
            spread.__class__ = EarlySpread


class ParallelColoursPixelCNNpp(PixelCNNpp):
    """The sampler draws the colours of a pixel without looking at each other."""

    def conditionals(self, n, context=None):
        step = self.pixels(n)
        z = next(step)
        while True:
            nothing = torch.zeros(n, self.colours)
            values = []
            for c in range(self.colours):
                pixel = z.unflatten(1, (self.likelihood.rows, -1))
                values.append((yield self.likelihood.by_colour(pixel, nothing)[:, c]))
            z = step.send(self.inputs(torch.stack(values, 1)))


class StaleWalkPixelCNNpp(PixelCNNpp):
    """The cached sampler takes the same corner of every square."""

    def pixels(self, n):
        for spread in self.spread_l:
            spread.pixel = lambda l, spread=spread: Spread2d.pixel(spread, l)[:1, :1].expand(2, 2, -1, -1)
        return super().pixels(n)


class ClosedEnds(DiscretizedLogisticMixture):
    """The first and the last level own their interval alone, and what lies beyond is lost."""

    def _of_each(self, mean, log_scale, x):
        wider = DiscretizedLogisticMixture(3 * self.levels, 1)                     # so that no level is at an end
        scale = (3 * self.levels - 1) / (self.levels - 1)
        inner = x.to(mean.dtype) + self.levels
        at = mean / scale + (2 * (self.levels - 1) / 2 + 2 * self.levels) / (3 * self.levels - 1) - 1
        return wider._of_each(at, log_scale - torch.tensor(scale).log(), inner)


class OwnSlope(DiscretizedLogisticMixture):
    """The mean of a colour depends on the colour itself."""

    def _of_each(self, mean, log_scale, x):
        return super()._of_each(mean + 0.5 * (x.to(mean.dtype) / self.levels).unsqueeze(-1), log_scale, x)


def with_likelihood(kind, **sizes):
    def make():
        model = PixelCNNpp(**sizes)
        model.likelihood = kind(model.likelihood.levels, model.config["components"], model.colours)
        return model

    return make


SMALL = dict(event_shape=(1, 3, 3), channels=4, layers=1)
RGB = dict(event_shape=(3, 1, 2), levels=4, channels=4, layers=1, scales=1, components=2)

CASES = [
    Case("PixelCNN++", lambda: PixelCNNpp(**SMALL)),
    Case("PixelCNN++ RGB of 4 levels", lambda: PixelCNNpp(**RGB)),
    Case("PixelCNN++ RGB with strides",
         lambda: PixelCNNpp((3, 2, 2), channels=4, layers=1, scales=2, components=2), slow=True),
    Case("PixelCNN++ of three scales", lambda: PixelCNNpp((1, 3, 4), channels=4, layers=1, scales=3), slow=True),
    Case("PixelCNN++ of a mixture", lambda: PixelCNNpp((1, 2, 2), 6, channels=4, layers=1, components=3), slow=True),
    Case("PixelCNN++ of a softmax", lambda: PixelCNNpp((1, 2, 3), 4, channels=4, layers=1, components=0), slow=True),
    Case("PixelCNN++ with dropout", lambda: PixelCNNpp((1, 2, 4), channels=8, layers=1, dropout=0.5), slow=True),
    Case("PixelCNN++ of one", lambda: PixelCNNpp((1, 1, 1), channels=4, layers=1), slow=True),
]  # fmt: skip
MUTANTS = [
    Mutant("PixelCNN++ not moved", lambda: UnmovedPixelCNNpp(**SMALL), "depends_on_exactly_its_past"),
    Mutant("squares that end at their pixel", lambda: EarlyPixelCNNpp(**SMALL), "depends_on_exactly_its_past"),
    Mutant("colours drawn side by side", lambda: ParallelColoursPixelCNNpp(**RGB), "cached_equals_naive"),
    Mutant("one corner of every square", lambda: StaleWalkPixelCNNpp(**SMALL), "cached_equals_naive"),
    Mutant("no tails beyond the ends", with_likelihood(ClosedEnds, **RGB), "sums_to_one"),
    Mutant("a slope on the colour itself", with_likelihood(OwnSlope, **RGB), "sums_to_one"),
]
