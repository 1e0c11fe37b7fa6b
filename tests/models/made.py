"""MADE: small ones that are held to every law, and faults that such a model really has."""

import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers import masks
from dgmhelpers.autoregressive import MADE
from models import SHUFFLED, Case, Mutant


class LazyMADE(MADE):
    """The output's rule is "not below" instead of "above": output d uses units that have seen variable d."""

    def masks(self, component=0):
        *hidden, _ = super().masks(component)
        return [*hidden, masks.may_see(masks.rank_of(self.orders[component]) + 1, self.degrees[component, -1])]


class UniformDegreesMADE(MADE):
    """Degrees drawn uniformly, as it happens without the highest ones: outputs go blind, undeclared."""

    blind_spot = None

    def __init__(self, dim, hidden):
        super().__init__(dim=dim, hidden=hidden, direct=False)
        self.degrees.clamp_(max=dim // 2)


class BatchNormMADE(MADE):
    """BatchNorm between masked layers: in training mode the batch leaks."""

    def __init__(self, dim, hidden):
        super().__init__(dim=dim, hidden=hidden, layers=2, direct=False)
        self.norm = nn.BatchNorm1d(hidden, track_running_stats=False)

    def forward(self, x, context=None, *, component=0):
        first, second, output = self.masks()
        h = F.relu(self.norm(F.linear(x, first * self.inputs[0].weight, self.inputs[0].bias)))
        h = F.relu(F.linear(h, second * self.inputs[1].weight, self.inputs[1].bias))
        return F.linear(h, output * self.output.weight, self.output.bias)


class LogitAveragingMADE(MADE):
    """An "ensemble" over orders that averages logits: each average sees everything, in some order."""

    def log_prob(self, x, context=None):
        x = x.to(self.dtype)
        logits = torch.stack([self(x, component=m) for m in range(len(self.orders))]).mean(0)
        return self.likelihood.log_prob(logits, x).sum(1)


class LogAveragingMADE(MADE):
    """Averages log-probabilities over orders: a bound of the mixture that sums to less than one."""

    def log_prob(self, x, context=None):
        x = x.to(self.dtype)
        return torch.stack([self._log_prob(x, context, m) for m in range(len(self.orders))]).mean(0)


class IndirectSamplerMADE(MADE):
    """The cached sampler drops the direct connections (a residual); the density keeps them."""

    def conditionals(self, n, context=None, *, component=0):
        twin = MADE(**(self.config | {"direct": False})).to(self.dtype)
        twin.load_state_dict({k: v for k, v in self.state_dict().items() if k != "direct.weight"})
        return twin.conditionals(n, context)


CASES = [
    Case("MADE", lambda: MADE(dim=9, hidden=16)),
    Case("MADE deep, indirect", lambda: MADE(dim=9, hidden=24, layers=3, direct=False)),
    Case("MADE shuffled", lambda: MADE(dim=9, hidden=16, layers=2, order=SHUFFLED), slow=True),
    Case("MADE blind", lambda: MADE(dim=9, hidden=4, direct=False), slow=True),
    Case("MADE of several masks", lambda: MADE(dim=9, hidden=16, masks=3), slow=True),
    Case("MADE of random orders", lambda: MADE(dim=9, hidden=16, layers=2, masks=4, order="random", seed=1), slow=True),
    Case("MADE of one", lambda: MADE(dim=1, hidden=3), slow=True),
]
MUTANTS = [
    Mutant("output rule not strict", lambda: LazyMADE(dim=9, hidden=16, direct=False), "depends_on_exactly_its_past"),
    Mutant("degrees missing", lambda: UniformDegreesMADE(9, 16), "depends_on_exactly_its_past"),
    Mutant("BatchNorm between masked layers", lambda: BatchNormMADE(9, 16), "ignores_the_batch"),
    Mutant("logits averaged over orders", lambda: LogitAveragingMADE(9, 16, masks=4, order="random"), "sums_to_one"),
    Mutant("log p averaged over orders", lambda: LogAveragingMADE(9, 16, masks=4, order="random"), "sums_to_one"),
    Mutant("residual dropped in the cache", lambda: IndirectSamplerMADE(9, 16), "cached_equals_naive"),
]
