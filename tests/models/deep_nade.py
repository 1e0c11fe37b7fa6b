"""DeepNADE: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.autoregressive import DeepNADE, order_agnostic
from models import SHUFFLED, Case, Mutant


class UnweightedDeepNADE(DeepNADE):
    """The loss is the sum over the unknown, without D / (D − k): late steps count for less."""

    def weight(self, known):
        return torch.ones(len(known))

    def loss(self, x, context=None, *, generator=None):
        known = order_agnostic.draw_known(len(x), x.shape[1], generator)
        each = self.likelihood.log_prob(self.network(x, known.to(x.dtype)), x) * ~known
        return -(self.weight(known) * each.sum(1)).mean()


class OffByOneDeepNADE(UnweightedDeepNADE):
    """D / (D − d + 1) is the paper's, where d is counted from one; here the number of known variables stands for d."""

    def weight(self, known):
        return known.shape[1] / (known.shape[1] - known.sum(1) + 1)


class InclusiveDeepNADE(DeepNADE):
    """The running sums include the variable that is to be predicted: cumsum without taking off the last term."""

    def _every_step(self, x, order):
        W, U = self.first.weight.T.split(len(order))
        h = (self.first.bias + (x[:, order, None] * W[order] + U[order]).cumsum(1)).relu()
        for layer in self.deeper:
            h = layer(h).relu()
        logits = (h * self.output.weight[order]).sum(-1) + self.output.bias[order]
        return logits[:, order.argsort()]


CASES = [
    Case("DeepNADE", lambda: DeepNADE(dim=9, hidden=16)),
    Case("DeepNADE of one layer", lambda: DeepNADE(dim=9, hidden=16, layers=1, orders=1)),
    Case("DeepNADE deep, shuffled", lambda: DeepNADE(dim=9, hidden=16, layers=3, orders=[SHUFFLED]), slow=True),
    Case("DeepNADE of one", lambda: DeepNADE(dim=1, hidden=3, orders=2), slow=True),
]
MUTANTS = [
    Mutant("order-agnostic loss unweighted", lambda: UnweightedDeepNADE(9, 12), "loss_matches_target"),
    Mutant("order-agnostic weight off by one", lambda: OffByOneDeepNADE(9, 12), "loss_matches_target"),
    Mutant("running sum one step ahead", lambda: InclusiveDeepNADE(9, 12), "depends_on_exactly_its_past"),
    Mutant("running sum one step ahead, summed", lambda: InclusiveDeepNADE(9, 12), "sums_to_one"),
]
