"""MultiScalePixelCNN: small ones that are held to every law, and faults that such a model really has."""

import copy

import torch

from dgmhelpers.autoregressive import MultiScalePixelCNN
from models import Case, Mutant


class OpenGroups(MultiScalePixelCNN):
    """A group's network is given the group itself: pixels see each other, and themselves."""

    def network(self, x, group):
        if not group:
            return super().network(x, group)
        seen = self.coarse.inputs(x)
        return self.between[group - 1](torch.cat([seen, torch.ones_like(seen[:, :1])], 1))[
            :, :, (0, 0, 1, 1)[group] :: 2, (0, 1, 0, 1)[group] :: 2]


class GroupsNotDeclared(MultiScalePixelCNN):
    """Says that it sees all of its past; the pixels of a group do not see each other."""

    blind_spot = None


class StaleGroups(MultiScalePixelCNN):
    """The cached sampler computes every group from the coarse image alone."""

    def conditionals(self, n, context=None):
        stale, coarse = copy.copy(self), []

        def network(x, group):
            if not coarse:
                coarse.append(x.clone())
            return self.network(coarse[0], group)

        stale.network = network
        yield from MultiScalePixelCNN.conditionals(stale, n)


SMALL = dict(event_shape=(1, 2, 4), channels=4, layers=1)
CASES = [
    Case("MultiScalePixelCNN", lambda: MultiScalePixelCNN(**SMALL)),
    Case("MultiScalePixelCNN RGB",
         lambda: MultiScalePixelCNN((3, 2, 2), channels=4, layers=1, components=2)),
    Case("MultiScalePixelCNN of 4 levels", lambda: MultiScalePixelCNN((1, 2, 2), 4, channels=4, layers=1), slow=True),
    Case("MultiScalePixelCNN of a softmax",
         lambda: MultiScalePixelCNN((1, 2, 2), 4, channels=4, layers=1, components=0), slow=True),
]  # fmt: skip
MUTANTS = [
    Mutant("groups that see themselves", lambda: OpenGroups(**SMALL), "depends_on_exactly_its_past"),
    Mutant("groups not declared", lambda: GroupsNotDeclared(**SMALL), "depends_on_exactly_its_past"),
    Mutant("groups of the coarse image alone", lambda: StaleGroups(**SMALL), "cached_equals_naive"),
]
