"""A diffusion model of points in the plane: one network that guesses the noise, and the chain that takes it away."""

import torch
from torch import nn

from dgmhelpers.data import toys
from dgmhelpers.evaluation import coverage
from dgmhelpers.recipes import Experiment, collapse
from dgmhelpers.recipes.measures import Elbo, Figures

T = 20


class Diffusion(nn.Module):
    def __init__(self, dim: int, hidden: int = 64):
        super().__init__()
        self.event_shape = torch.Size([dim])
        self.guess = nn.Sequential(nn.Linear(dim + 1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
                                   nn.Linear(hidden, dim))  # fmt: skip
        beta = torch.linspace(0.01, 0.35, T)
        self.register_buffer("alpha", 1 - beta)                                    # (T,)
        self.register_buffer("kept", self.alpha.cumprod(0))

    def noise_in(self, x, t):
        return self.guess(torch.cat([x, t[:, None] / T], 1))

    def loss(self, x, context=None, *, generator=None):
        t = torch.randint(T, (len(x),), generator=generator)
        noise = torch.empty_like(x).normal_(generator=generator)
        kept = self.kept[t][:, None]
        return (self.noise_in(kept.sqrt() * x + (1 - kept).sqrt() * noise, t) - noise).pow(2).mean()

    def elbo(self, x, k=1, *, generator=None):
        """One path drawn forwards: ``Σ log p(x_{t-1} | x_t) − log q(x_t | x_{t-1})``, and the end from the prior."""
        total, x_t = torch.zeros(len(x)), x
        for t in range(T):
            after = normal(self.alpha[t].sqrt() * x_t, 1 - self.alpha[t])
            later = after.sample(generator)
            total = total + self.before(later, t).log_prob(x_t) - after.log_prob(later)
            x_t = later
        return total + normal(torch.zeros_like(x), torch.tensor(1.0)).log_prob(x_t)

    def before(self, x, t):
        """``p(x_{t-1} | x_t)``."""
        noise = self.noise_in(x, torch.full((len(x),), t))
        mean = (x - (1 - self.alpha[t]) / (1 - self.kept[t]).sqrt() * noise) / self.alpha[t].sqrt()
        return normal(mean, 1 - self.alpha[t])

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        x = torch.empty(n, *self.event_shape).normal_(generator=generator)
        for t in reversed(range(T)):
            x = self.before(x, t).sample(generator)
        return x


class normal:  # noqa: N801
    def __init__(self, mean, variance):
        self.mean, self.std = mean, variance.sqrt()

    def sample(self, generator):
        return self.mean + self.std * torch.empty_like(self.mean).normal_(generator=generator)

    def log_prob(self, x):
        return torch.distributions.Normal(self.mean, self.std).log_prob(x).sum(1)


def points(made):
    """The ring of eight, with a part to validate and one to test."""
    ring = collapse.points("ring_of_8")
    return collapse.replace(ring, train=ring.train[:4000], valid=ring.train[4000:4500], test=ring.train[4500:5000])


def found(model, dataset, seed):
    drawn = model.sample(500, generator=torch.Generator().manual_seed(seed))
    return {"modes": coverage(drawn, toys.ring_of_8()).found}


EXPERIMENT = Experiment.of(
    "throwaway-diffusion", "a diffusion model of the ring of eight", model=Diffusion, source=points,
    training={"steps": 400, "batch_size": 128, "lr": 5e-3, "evaluate_every": 100, "progress": False},
    candidates=({"hidden": 32}, {"hidden": 64}), config={"hidden": 32},
    measures=(Elbo(), Figures(found, {"modes": "modes of eight, of 500 samples"})), dtype="float32",
)  # fmt: skip
