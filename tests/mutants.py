"""Faults that models really have, one mutant each, with the law that must name it.

Every mutant keeps the model's shape and would pass a test of shapes; several reach a wonderful likelihood.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import mutants_latent
import mutants_nade_family
import mutants_pixel_rnn
import mutants_pixels
import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers import masks
from dgmhelpers.autoregressive import FVBN, MADE, NADE, CharRNN
from dgmhelpers.likelihoods import Bernoulli


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


class EagerNADE(NADE):
    """The deck's formula: the hidden layer adds the variable before it is predicted."""

    def forward(self, x, context=None):
        a = self.c + (x[:, self.order, None] * self.W[self.order]).cumsum(1)
        return ((a.sigmoid() * self.V[self.order]).sum(-1))[:, self.order.argsort()] + self.b


class StaleNADE(NADE):
    """The cached sampler walks in raster order, whatever the model's order."""

    def conditionals(self, n, context=None):
        a = self.c.repeat(n, 1)
        for i in range(self.event_shape[0]):
            x_i = yield a.sigmoid() @ self.V[i] + self.b[i]
            a = a + x_i[:, None] * self.W[i]


class TwiceSigmoid(Bernoulli):
    """The sampler applies the link function twice."""

    def sample(self, params, temperature=1.0, generator=None):
        return torch.bernoulli(torch.sigmoid(torch.sigmoid(params)), generator=generator)


class FlippedSign(Bernoulli):
    """The sampler takes the logit of 0 for the logit of 1."""

    def sample(self, params, temperature=1.0, generator=None):
        return super().sample(-params, temperature, generator)


class LooseBernoulli(Bernoulli):
    """Forgets half of the cross-entropy: ``x log p`` alone."""

    def log_prob(self, params, x):
        return x * F.logsigmoid(params)


class UnshiftedRNN(CharRNN):
    """Feeds symbol t to predict symbol t: the shift by one is missing."""

    def stream(self, x, state=None):
        h, hidden = self.cell(self.embedding(x.long()))
        return self._logits(h), (x[:, -1:], hidden)


class DeafNADE(NADE):
    """The gradient does not arrive: the parameters are detached."""

    def forward(self, x, context=None):
        return super().forward(x).detach() + 0 * self.b


class LoudFVBN(FVBN):
    """Starts with weights of scale ten."""

    def __init__(self, dim):
        super().__init__(dim)
        nn.init.normal_(self.weight, std=10.0)
        nn.init.normal_(self.bias, std=10.0)


class CountingNADE(NADE):
    """Keeps a running mean of what it sees in a buffer, also when it is only evaluated."""

    def __init__(self, dim, hidden):
        super().__init__(dim, hidden)
        self.register_buffer("mean", torch.zeros(dim))

    def forward(self, x, context=None):
        self.mean += 0.1 * (x.detach().mean(0) - self.mean)
        return super().forward(x)


class DimmedDensity(NADE):
    """Reports bits and calls them nats."""

    def log_prob(self, x, context=None):
        return super().log_prob(x, context) / math.log(2)


def with_likelihood(likelihood):
    def make():
        model = NADE(dim=9, hidden=12)
        model.likelihood = likelihood()
        return model

    return make


@dataclass(frozen=True)
class Mutant:
    """A model with one fault, and the law that must break."""

    name: str
    make: Callable
    law: str


MUTANTS = [
    Mutant("mask A flipped to B", lambda: PeekingFVBN(9), "depends_on_exactly_its_past"),
    Mutant("mask A flipped to B, summed", lambda: PeekingFVBN(9), "sums_to_one"),
    Mutant("mask A flipped to B, trained", lambda: PeekingFVBN(9), "never_beats_entropy"),
    Mutant("triangle the wrong way", lambda: FutureFVBN(9), "depends_on_exactly_its_past"),
    Mutant("mask on the data of the weights", lambda: MaskedDataFVBN(9), "forward_changes_nothing"),
    Mutant("output rule not strict", lambda: LazyMADE(dim=9, hidden=16, direct=False), "depends_on_exactly_its_past"),
    Mutant("degrees missing", lambda: UniformDegreesMADE(9, 16), "depends_on_exactly_its_past"),
    Mutant("BatchNorm between masked layers", lambda: BatchNormMADE(9, 16), "ignores_the_batch"),
    Mutant("logits averaged over orders", lambda: LogitAveragingMADE(9, 16, masks=4, order="random"), "sums_to_one"),
    Mutant("log p averaged over orders", lambda: LogAveragingMADE(9, 16, masks=4, order="random"), "sums_to_one"),
    Mutant("residual dropped in the cache", lambda: IndirectSamplerMADE(9, 16), "cached_equals_naive"),
    Mutant("hidden unit adds x before predicting it", lambda: EagerNADE(9, 12), "sums_to_one"),
    Mutant("cache in another order", lambda: StaleNADE(9, 12, order=list(range(9))[::-1]), "cached_equals_naive"),
    Mutant("sigmoid doubled", with_likelihood(TwiceSigmoid), "sampler_matches_density"),
    Mutant("sign flipped", with_likelihood(FlippedSign), "sampler_matches_density"),
    Mutant("half of the cross-entropy", with_likelihood(LooseBernoulli), "sums_to_one"),
    Mutant("no shift by one", lambda: UnshiftedRNN(length=9, levels=2, hidden=12), "depends_on_exactly_its_past"),
    Mutant("gradient detached", lambda: DeafNADE(9, 12), "learns_a_constant"),
    Mutant("weights of scale ten", lambda: LoudFVBN(9), "starts_sane"),
    Mutant("a buffer that counts", lambda: CountingNADE(9, 12), "forward_changes_nothing"),
    Mutant("bits called nats", lambda: DimmedDensity(9, 12), "sums_to_one"),
]
for other in (mutants_nade_family, mutants_pixels, mutants_pixel_rnn, mutants_latent):
    MUTANTS += [Mutant(*row) for row in other.ROWS]
