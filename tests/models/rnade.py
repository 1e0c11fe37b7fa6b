"""RNADE: small ones that are held to every law, and faults that such a model really has."""

import math

import torch

from dgmhelpers.autoregressive import RNADE
from dgmhelpers.likelihoods import MixtureOfGaussians
from models import IN_THE_PLANE, SHUFFLED, Case, Mutant


class UnscaledRNADE(RNADE):
    """The cached sampler forgets the factors ρ."""

    def conditionals(self, n, context=None):
        a = self.c.repeat(n, 1)
        for i in self.order.tolist():
            x_i = yield torch.einsum("bh,pmh->bpm", a.relu(), self.V[i]) + self.b[i]
            a = a + x_i[:, None] * self.W[i]


class EagerRNADE(RNADE):
    """The hidden layer adds the value before it is predicted."""

    def forward(self, x, context=None):
        a = self.c + (x[:, self.order, None] * self.W[self.order]).cumsum(1)
        h = (self.rho[:, None] * a).relu()[:, self.order.argsort()]
        return torch.einsum("bdh,dpmh->bdpm", h, self.V) + self.b


class Unnormalised(MixtureOfGaussians):
    """Forgets that a narrow Gaussian is a high one."""

    def log_prob(self, params, x):
        logits, mean, log_std = params.unbind(-2)
        each = -0.5 * ((x.unsqueeze(-1) - mean) / log_std.exp()) ** 2 - 0.5 * math.log(2 * math.pi)
        return (logits.log_softmax(-1) + each).logsumexp(-1)


class VarianceForSpread(MixtureOfGaussians):
    """The sampler takes the variance for the standard deviation."""

    def sample(self, params, temperature=1.0, generator=None):
        return super().sample(torch.cat([params[..., :2, :], 2 * params[..., 2:, :]], -2), temperature, generator)


def rnade_with(likelihood):
    def make():
        model = RNADE(dim=1, hidden=3, components=2)
        model.likelihood = likelihood(2)
        return model

    return make


CASES = [
    Case("RNADE", lambda: RNADE(dim=9, hidden=12, components=2), IN_THE_PLANE),
    Case("RNADE shuffled", lambda: RNADE(dim=9, hidden=12, components=1, order=SHUFFLED), IN_THE_PLANE),
    Case("RNADE of two",
         lambda: RNADE(dim=2, hidden=8, components=3, order=[1, 0], scale=1.5), IN_THE_PLANE, slow=True),
    Case("RNADE of one", lambda: RNADE(dim=1, hidden=3, components=4), IN_THE_PLANE, slow=True),
]
MUTANTS = [
    Mutant("RNADE's cache without its scale", lambda: UnscaledRNADE(9, 12, 2), "cached_equals_naive"),
    Mutant("RNADE adds x before predicting it", lambda: EagerRNADE(9, 12, 2), "depends_on_exactly_its_past"),
    Mutant("RNADE adds x before predicting it, trained", lambda: EagerRNADE(2, 12, 2), "never_beats_entropy"),
    Mutant("Gaussians of one height", rnade_with(Unnormalised), "integrates_to_one"),
    Mutant("variance for standard deviation", rnade_with(VarianceForSpread), "sampler_matches_density"),
]
