"""ConvNADE: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.autoregressive import ConvNADE, order_agnostic
from models import Case, Mutant


class PeekingConvNADE(ConvNADE):
    """The mask is given as an input and not applied to x."""

    def network(self, x, mask):
        return self.output(self.hidden[0](torch.cat([x, mask], 1)).relu()) + self.b


class ShortSightedConvNADE(ConvNADE):
    """Declares no blind spot, and has one."""

    blind_spot = None


class RasterConvNADE(ConvNADE):
    """Known places are marked in the image's order, whatever the order of the model."""

    def conditionals(self, n, context=None, *, component=0):
        return order_agnostic.one_by_one(self, n, sorted(self.steps(component)))


CASES = [
    Case("ConvNADE", lambda: ConvNADE(event_shape=(1, 3, 3), channels=6, layers=2, orders=2)),
    Case("ConvNADE of 3 levels", lambda: ConvNADE(event_shape=(1, 2, 3), levels=3, channels=6, layers=2)),
    Case("ConvNADE blind", lambda: ConvNADE(event_shape=(2, 1, 4), channels=4, layers=1, orders=2), slow=True),
    Case("ConvNADE of one", lambda: ConvNADE(event_shape=(1, 1, 1), channels=2, layers=1, orders=1), slow=True),
]
MUTANTS = [
    Mutant("x not masked", lambda: PeekingConvNADE((1, 2, 2), 2, 4, 1), "depends_on_exactly_its_past"),
    Mutant("x not masked, summed", lambda: PeekingConvNADE((1, 2, 2), 2, 4, 1), "sums_to_one"),
    Mutant("field too small", lambda: ShortSightedConvNADE((1, 1, 5), 2, 4, 1), "depends_on_exactly_its_past"),
    Mutant("holes in another order", lambda: RasterConvNADE((1, 2, 2), 2, 4, 1), "cached_equals_naive"),
]
