"""Faults of NADE's kin: real values, any order, convolutions. Rows: name, mutant, the law that must name the fault."""

import math

import torch

from dgmhelpers.autoregressive import RNADE, ConvNADE, DeepNADE, MultinomialNADE, order_agnostic
from dgmhelpers.likelihoods import MixtureOfGaussians


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


class EagerMultinomialNADE(MultinomialNADE):
    """The column of a value is added before the value is predicted."""

    def forward(self, x, context=None):
        h = (self.c + self.W[self.order, x[:, self.order].long()].cumsum(1)).sigmoid()[:, self.order.argsort()]
        return torch.einsum("bdh,dkh->bdk", h, self.V) + self.b


class OneColumnMultinomialNADE(MultinomialNADE):
    """The cached sampler always adds the column of level 0."""

    def conditionals(self, n, context=None):
        a = self.c.repeat(n, 1)
        for i in self.order.tolist():
            yield a.sigmoid() @ self.V[i].T + self.b[i]
            a = a + self.W[i, 0]


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


class PeekingConvNADE(ConvNADE):
    """The mask is given as an input and not applied to x."""

    def network(self, x, mask):
        return self.output(self.hidden[0](torch.cat([x, mask], 1)).relu()) + self.b


class InclusiveDeepNADE(DeepNADE):
    """The running sums include the variable that is to be predicted: cumsum without taking off the last term."""

    def _every_step(self, x, order):
        W, U = self.first.weight.T.split(len(order))
        h = (self.first.bias + (x[:, order, None] * W[order] + U[order]).cumsum(1)).relu()
        for layer in self.deeper:
            h = layer(h).relu()
        logits = (h * self.output.weight[order]).sum(-1) + self.output.bias[order]
        return logits[:, order.argsort()]


class ShortSightedConvNADE(ConvNADE):
    """Declares no blind spot, and has one."""

    blind_spot = None


class RasterConvNADE(ConvNADE):
    """Known places are marked in the image's order, whatever the order of the model."""

    def conditionals(self, n, context=None, *, component=0):
        return order_agnostic.one_by_one(self, n, sorted(self.steps(component)))


def rnade_with(likelihood):
    def make():
        model = RNADE(dim=1, hidden=3, components=2)
        model.likelihood = likelihood(2)
        return model

    return make


ROWS = [
    ("RNADE's cache without its scale", lambda: UnscaledRNADE(9, 12, 2), "cached_equals_naive"),
    ("RNADE adds x before predicting it", lambda: EagerRNADE(9, 12, 2), "depends_on_exactly_its_past"),
    ("RNADE adds x before predicting it, trained", lambda: EagerRNADE(2, 12, 2), "never_beats_entropy"),
    ("Gaussians of one height", rnade_with(Unnormalised), "integrates_to_one"),
    ("variance for standard deviation", rnade_with(VarianceForSpread), "sampler_matches_density"),
    ("level's column added too early", lambda: EagerMultinomialNADE(5, 3, 8), "depends_on_exactly_its_past"),
    ("level's column added too early, summed", lambda: EagerMultinomialNADE(5, 3, 8), "sums_to_one"),
    ("the same column for every level", lambda: OneColumnMultinomialNADE(5, 3, 8), "cached_equals_naive"),
    ("order-agnostic loss unweighted", lambda: UnweightedDeepNADE(9, 12), "loss_estimates_log_prob"),
    ("order-agnostic weight off by one", lambda: OffByOneDeepNADE(9, 12), "loss_estimates_log_prob"),
    ("x not masked", lambda: PeekingConvNADE((1, 2, 2), 2, 4, 1), "depends_on_exactly_its_past"),
    ("x not masked, summed", lambda: PeekingConvNADE((1, 2, 2), 2, 4, 1), "sums_to_one"),
    ("running sum one step ahead", lambda: InclusiveDeepNADE(9, 12), "depends_on_exactly_its_past"),
    ("running sum one step ahead, summed", lambda: InclusiveDeepNADE(9, 12), "sums_to_one"),
    ("field too small", lambda: ShortSightedConvNADE((1, 1, 5), 2, 4, 1), "depends_on_exactly_its_past"),
    ("holes in another order", lambda: RasterConvNADE((1, 2, 2), 2, 4, 1), "cached_equals_naive"),
]
