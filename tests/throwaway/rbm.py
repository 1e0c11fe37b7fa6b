"""A restricted Boltzmann machine: persistent contrastive divergence, its constant exact and by annealed sampling."""

import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers.evaluation import mean
from dgmhelpers.recipes import Experiment
from dgmhelpers.recipes.measures import Annealed, Measure
from dgmhelpers.training import train


class RBM(nn.Module):
    def __init__(self, dim: int, hidden: int = 8):
        super().__init__()
        self.event_shape, self.hidden = torch.Size([dim]), hidden
        self.W = nn.Parameter(0.01 * torch.randn(dim, hidden))
        self.b, self.c = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(hidden))

    def energy(self, v, beta=1.0):
        """Free energy of the visible units, ``(B,)``, at an inverse temperature for what couples them."""
        return -v @ self.b - F.softplus(beta * (v @ self.W + self.c)).sum(1)

    @torch.no_grad()
    def gibbs(self, v, generator, beta=1.0):
        h = torch.bernoulli((beta * (v @ self.W + self.c)).sigmoid(), generator=generator)
        return torch.bernoulli((beta * h @ self.W.T + self.b).sigmoid(), generator=generator)

    @torch.no_grad()
    def log_partition(self):
        """Over the hidden states, of which there are few."""
        h = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * self.hidden)
        return (h @ self.c + F.softplus(h @ self.W.T + self.b).sum(1)).logsumexp(0)

    @torch.no_grad()
    def ais(self, chains, *, generator, temperatures=300):
        """Log weights whose mean estimates the partition function, from independent units up."""
        beta = torch.linspace(0, 1, temperatures)
        v = torch.bernoulli(self.b.sigmoid().expand(chains, -1), generator=generator)
        log_w = (F.softplus(self.b).sum() + self.hidden * torch.log(torch.tensor(2.0))).expand(chains)
        for before, now in zip(beta, beta[1:], strict=False):
            log_w = log_w + self.energy(v, before) - self.energy(v, now)
            v = self.gibbs(v, generator, now)
        return log_w

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        v = torch.zeros(n, *self.event_shape)
        for _ in range(50):
            v = self.gibbs(v, generator)
        return v


class Exact(Measure):
    name, words = "exact", "negative log-likelihood by enumeration"

    def estimate(self, model, x, context):
        with torch.no_grad():
            return mean(model.energy(x).double() + model.log_partition().double())


def contrastive_divergence(model, examples, *, lr, chains, watch=None, **run):
    def turns(state):
        moved = state.carry["chains"] = model.gibbs(state.carry["chains"], state.draws)
        yield "model", model.energy(state.batch()).mean() - model.energy(moved).mean()

    return train(
        model, turns, players={"model": torch.optim.SGD(model.parameters(), lr=lr)}, streams={"x": examples.train},
        carry={"chains": torch.zeros(chains, *model.event_shape)}, watch=watch, **run,
    )  # fmt: skip


EXPERIMENT = Experiment.of(
    "throwaway-rbm", "an RBM on the small digits", model=RBM, source="binary-digits8",
    training={"steps": 300, "batch_size": 50, "lr": 0.1, "chains": 50, "evaluate_every": 100, "progress": False},
    trainer=contrastive_divergence, measures=(Exact(), Annealed(chains=200)), dtype="float32", size=(8, 8),
)  # fmt: skip
