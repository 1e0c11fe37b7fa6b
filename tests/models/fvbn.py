"""FVBN: small ones that are held to every law, and faults that such a model really has."""

import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers import masks
from dgmhelpers.autoregressive import FVBN
from models import SHUFFLED, Case, Mutant


class PeekingFVBN(FVBN):
    """Mask A flipped to B: the diagonal is left in, so that each pixel sees itself."""

    def forward(self, x, context=None):
        with_itself = masks.past(self.order) | torch.eye(len(self.order), dtype=torch.bool)
        return F.linear(x, with_itself * self.weight, self.bias)


class FutureFVBN(FVBN):
    """Upper triangle instead of lower: the order of the mask is not the order of the sampler."""

    def forward(self, x, context=None):
        return F.linear(x, masks.past(self.order).T * self.weight, self.bias)


class MaskedDataFVBN(FVBN):
    """No mask in the expression: somebody means to zero the weights after each step, and gradients leak meanwhile."""

    def __init__(self, dim):
        super().__init__(dim)
        with torch.no_grad():
            self.weight.mul_(masks.past(self.order))

    def forward(self, x, context=None):
        return F.linear(x, self.weight, self.bias)


class LoudFVBN(FVBN):
    """Starts with weights of scale ten."""

    def __init__(self, dim):
        super().__init__(dim)
        nn.init.normal_(self.weight, std=10.0)
        nn.init.normal_(self.bias, std=10.0)


CASES = [
    Case("FVBN", lambda: FVBN(dim=9)),
    Case("FVBN shuffled", lambda: FVBN(dim=9, order=SHUFFLED)),
    Case("FVBN of one", lambda: FVBN(dim=1), slow=True),
]
MUTANTS = [
    Mutant("mask A flipped to B", lambda: PeekingFVBN(9), "depends_on_exactly_its_past"),
    Mutant("mask A flipped to B, summed", lambda: PeekingFVBN(9), "sums_to_one"),
    Mutant("mask A flipped to B, trained", lambda: PeekingFVBN(9), "never_beats_entropy"),
    Mutant("triangle the wrong way", lambda: FutureFVBN(9), "depends_on_exactly_its_past"),
    Mutant("mask on the data of the weights", lambda: MaskedDataFVBN(9), "forward_changes_nothing"),
    Mutant("weights of scale ten", lambda: LoudFVBN(9), "starts_sane"),
]
