"""MultinomialNADE: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.autoregressive import MultinomialNADE
from models import Case, Mutant


class EagerMultinomialNADE(MultinomialNADE):
    """The column of a value is added before the value is predicted."""

    def forward(self, x, context=None):
        h = (self.c + self.W[self.order, x[:, self.order].long()].cumsum(1)).sigmoid()[:, self.order.argsort()]
        return torch.einsum("bdh,dkh->bdk", h, self.V) + self.b


class OneColumnMultinomialNADE(MultinomialNADE):
    """The cached sampler always adds the column of level 0."""

    def conditionals(self, n, context=None):
        a = self.c.repeat(n, 1)
        for i in self.steps():
            yield a.sigmoid() @ self.V[i].T + self.b[i]
            a = a + self.W[i, 0]


CASES = [
    Case("MultinomialNADE", lambda: MultinomialNADE(dim=5, levels=3, hidden=8)),
    Case("MultinomialNADE shuffled", lambda: MultinomialNADE(4, levels=4, hidden=8, order=[2, 0, 3, 1])),
    Case("MultinomialNADE of two levels", lambda: MultinomialNADE(dim=9, levels=2, hidden=12), slow=True),
    Case("MultinomialNADE of one", lambda: MultinomialNADE(dim=1, levels=5, hidden=3), slow=True),
]
MUTANTS = [
    Mutant("level's column added too early", lambda: EagerMultinomialNADE(5, 3, 8), "depends_on_exactly_its_past"),
    Mutant("level's column added too early, summed", lambda: EagerMultinomialNADE(5, 3, 8), "sums_to_one"),
    Mutant("the same column for every level", lambda: OneColumnMultinomialNADE(5, 3, 8), "cached_equals_naive"),
]
