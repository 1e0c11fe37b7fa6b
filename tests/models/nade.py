"""NADE: small ones that are held to every law, and faults that such a model really has."""

import math

import torch
import torch.nn.functional as F

from dgmhelpers.autoregressive import NADE
from dgmhelpers.likelihoods import Bernoulli
from models import SHUFFLED, Case, Mutant


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


class DeafNADE(NADE):
    """The gradient does not arrive: the parameters are detached."""

    def forward(self, x, context=None):
        return super().forward(x).detach() + 0 * self.b


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


CASES = [
    Case("NADE", lambda: NADE(dim=9, hidden=12)),
    Case("NADE shuffled", lambda: NADE(dim=9, hidden=12, order=SHUFFLED)),
    Case("NADE of one", lambda: NADE(dim=1, hidden=3), slow=True),
]
MUTANTS = [
    Mutant("hidden unit adds x before predicting it", lambda: EagerNADE(9, 12), "sums_to_one"),
    Mutant("cache in another order", lambda: StaleNADE(9, 12, order=list(range(9))[::-1]), "cached_equals_naive"),
    Mutant("sigmoid doubled", with_likelihood(TwiceSigmoid), "sampler_matches_density"),
    Mutant("sign flipped", with_likelihood(FlippedSign), "sampler_matches_density"),
    Mutant("half of the cross-entropy", with_likelihood(LooseBernoulli), "sums_to_one"),
    Mutant("gradient detached", lambda: DeafNADE(9, 12), "learns_a_constant"),
    Mutant("a buffer that counts", lambda: CountingNADE(9, 12), "forward_changes_nothing"),
    Mutant("bits called nats", lambda: DimmedDensity(9, 12), "sums_to_one"),
]
