"""Models of families that the package does not have yet, a page each: what promises and laws are tried on."""

import math

import torch
from torch import nn

from dgmhelpers.model import Model
from dgmhelpers.protocols import Context


class Flow(Model):
    """Two affine couplings in turn over a standard normal, with a permutation between: a density and a bijection."""

    def __init__(self, dim=4, hidden=8):
        super().__init__([dim], None, {"dim": dim, "hidden": hidden})
        half = dim // 2
        self.sizes = [half, dim - half]
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(a, hidden), nn.Tanh(), nn.Linear(hidden, 2 * (dim - a))) for a in self.sizes
        )

    def _coupled(self, net, given, moved, sign):
        shift, log_scale = net(given).chunk(2, 1)
        log_scale = log_scale.tanh()
        if sign > 0:
            return moved * log_scale.exp() + shift, log_scale.sum(1)
        return (moved - shift) * (-log_scale).exp(), -log_scale.sum(1)

    def forward(self, x):
        total = 0
        for net, size in zip(self.nets, self.sizes, strict=True):
            given, moved = x[:, :size], x[:, size:]
            moved, change = self._coupled(net, given, moved, 1)
            x, total = torch.cat([moved, given], 1), total + change
        return x, total

    def inverse(self, z):
        total = 0
        for net, size in reversed(list(zip(self.nets, self.sizes, strict=True))):
            moved, given = z[:, : z.shape[1] - size], z[:, z.shape[1] - size :]
            moved, change = self._coupled(net, given, moved, -1)
            z, total = torch.cat([given, moved], 1), total + change
        return z, total

    def log_prob(self, x, context=None):
        self._refuse_context(context)
        z, change = self.forward(self.check(x))
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1) + change

    def loss(self, x, context=None, *, generator=None):
        return -self.log_prob(x, context).mean()

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        self._check_draw(n, generator)
        z = torch.empty(n, *self.event_shape, dtype=self.dtype, device=self.device).normal_(generator=generator)
        return self.inverse(z)[0]


class BitsAndDecayFlow(Flow):
    """Trains on bits per example and an l2 penalty, and calls it the loss."""

    def loss(self, x, context=None, *, generator=None):
        return super().loss(x) / math.log(2) + 1e-2 * sum(p.square().sum() for p in self.parameters())


class WrongSignFlow(Flow):
    """The inverse says what forward says."""

    def inverse(self, z):
        x, change = super().inverse(z)
        return x, -change


class OneLayerForgottenFlow(Flow):
    """Counts the volume of the last coupling alone."""

    def forward(self, x):
        z, _ = super().forward(x)
        _, last = self._coupled(self.nets[1], z[:, self.sizes[0]:], z[:, : self.sizes[0]], -1)
        return z, -last


class LeftOverFlow(Flow):
    """Comes back without the last shift."""

    def inverse(self, z):
        x, change = super().inverse(z)
        return x + 0.01, change


class TrainingNoiseFlow(Flow):
    """In training mode the map is another one: its log-determinant is not."""

    def forward(self, x):
        z, change = super().forward(x)
        return (z * 1.1, change) if self.training else (z, change)


class RBM(Model):
    """Restricted Boltzmann machine over bits: free energy, block Gibbs, its constant by a sum over hidden units."""

    def __init__(self, dim=6, hidden=4):
        super().__init__([dim], 2, {"dim": dim, "hidden": hidden})
        self.weight = nn.Parameter(0.5 * torch.randn(dim, hidden))
        self.b, self.c = nn.Parameter(torch.randn(dim) / 2), nn.Parameter(torch.randn(hidden) / 2)

    def energy(self, x):
        """Of the visible units, hidden ones summed out."""
        x = self.check(x)
        return -x @ self.b - nn.functional.softplus(x @ self.weight + self.c).sum(1)

    def log_partition(self):
        h = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=self.dtype)] * len(self.c)).reshape(-1, len(self.c))
        return (h @ self.c + nn.functional.softplus(h @ self.weight.T + self.b).sum(1)).logsumexp(0)

    @torch.no_grad()
    def step(self, x, *, generator=None):
        h = torch.bernoulli((x @ self.weight + self.c).sigmoid(), generator=generator)
        return torch.bernoulli((h @ self.weight.T + self.b).sigmoid(), generator=generator)

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        self._check_draw(n, generator)
        x = torch.empty(n, *self.event_shape, dtype=self.dtype).bernoulli_(0.5, generator=generator)
        for _ in range(50):
            x = self.step(x, generator=generator)
        return x

    def _heated(self, x, beta):
        """Minus the energy at inverse temperature ``beta``: the visible biases stay, so at 0 bits are independent."""
        return x @ self.b + nn.functional.softplus(beta * (x @ self.weight + self.c)).sum(1)

    def _start(self):
        return len(self.c) * math.log(2) + nn.functional.softplus(self.b).sum()

    @torch.no_grad()
    def ais(self, n, *, generator=None):
        betas = torch.linspace(0, 1, 100, dtype=self.dtype)
        x = torch.bernoulli(self.b.sigmoid().expand(n, -1), generator=generator)
        log_weight = self._start().repeat(n)
        for before, beta in zip(betas, betas[1:], strict=False):
            log_weight += self._heated(x, beta) - self._heated(x, before)
            h = torch.bernoulli((beta * (x @ self.weight + self.c)).sigmoid(), generator=generator)
            x = torch.bernoulli((beta * (h @ self.weight.T) + self.b).sigmoid(), generator=generator)
        return log_weight


class NoBiasRBM(RBM):
    """The constant leaves out the hidden biases."""

    def log_partition(self):
        h = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=self.dtype)] * len(self.c)).reshape(-1, len(self.c))
        return nn.functional.softplus(h @ self.weight.T + self.b).sum(1).logsumexp(0)


class FrozenConstantRBM(RBM):
    """The constant is right, and no gradient flows through it: energies of the data go down for ever."""

    def log_partition(self):
        return super().log_partition().detach()


class TwiceSigmoidRBM(RBM):
    """Hidden units are drawn from a sigmoid of a sigmoid."""

    @torch.no_grad()
    def step(self, x, *, generator=None):
        h = torch.bernoulli((x @ self.weight + self.c).sigmoid().sigmoid(), generator=generator)
        return torch.bernoulli((h @ self.weight.T + self.b).sigmoid(), generator=generator)


class UnnormalisedStartRBM(RBM):
    """Annealing starts from bits that are independent, and forgets their constant."""

    def _start(self):
        return nn.functional.softplus(self.b).sum()


class DoubleWell(Model):
    """An energy of one real variable, with Metropolis steps (or Langevin's without their correction)."""

    def __init__(self, corrected=True):
        super().__init__([1], None, {"corrected": corrected})
        self.depth = nn.Parameter(torch.tensor(1.0))
        self.corrected = corrected

    def energy(self, x):
        return (self.depth.abs() + 0.5) * (x[:, 0].square() - 2).square()

    def step(self, x, *, generator=None):
        size = 0.3
        noise = torch.empty_like(x).normal_(generator=generator)
        if not self.corrected:
            with torch.enable_grad():
                at = x.detach().requires_grad_()
                (slope,) = torch.autograd.grad(self.energy(at).sum(), at)
            return x - 0.02 * slope + 0.2 * noise
        proposed = x + size * noise
        accept = torch.rand(len(x), generator=generator, dtype=x.dtype) < (self.energy(x) - self.energy(proposed)).exp()
        return torch.where(accept[:, None], proposed, x)


class NoisyGaussian(Model):
    """A Gaussian's own density and the score of it with noise; and the velocity to it from a standard normal."""

    def __init__(self, dim=2, factor=1.0):
        super().__init__([dim], None, {"dim": dim, "factor": factor})
        self.mean = nn.Parameter(torch.linspace(-1, 1, dim))
        self.log_std = nn.Parameter(torch.linspace(-0.5, 0.5, dim))
        self.factor = factor

    def log_prob(self, x, context=None):
        return torch.distributions.Normal(self.mean, self.log_std.exp()).log_prob(x).sum(1)

    def loss(self, x, context=None, *, generator=None):
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        noise = torch.empty(n, *self.event_shape, dtype=self.dtype).normal_(generator=generator)
        return self.mean + self.log_std.exp() * noise

    def score(self, x, t):
        return -self.factor * (x - self.mean) / ((2 * self.log_std).exp() + t[:, None])

    @torch.no_grad()
    def pairs(self, n, *, generator=None):
        start = torch.empty(n, *self.event_shape, dtype=self.dtype).normal_(generator=generator)
        return start, self.sample(n, generator=generator)

    def velocity(self, x, t):
        t, variance = t[:, None], (2 * self.log_std).exp()
        spread = (1 - t).square() + t.square() * variance
        return self.mean + self.factor * (t * variance - (1 - t)) / spread * (x - t * self.mean)


class Labelled(Model):
    """Bits whose odds a class decides; ``careless`` takes any class modulo their number."""

    def __init__(self, dim=4, classes=3, careless=False):
        super().__init__([dim], 2, {"dim": dim, "classes": classes, "careless": careless})
        self.odds = nn.Parameter(torch.randn(classes, dim))
        self.conditioned_on, self.careless = Context((), classes), careless

    def _logits(self, context, n):
        if self.careless:
            return self.odds[torch.zeros(n).long() if context is None else context.long() % len(self.odds)]
        if context is None or context.shape != (n,) or context.is_floating_point():
            raise ValueError(f"context must be {n} classes")
        if ((context < 0) | (context >= len(self.odds))).any():
            raise ValueError(f"classes must be within 0 … {len(self.odds) - 1}")
        return self.odds[context]

    def log_prob(self, x, context=None):
        x = self.check(x)
        logits = self._logits(context, len(x))
        return -nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)

    def loss(self, x, context=None, *, generator=None):
        return -self.log_prob(x, context).mean()

    @torch.no_grad()
    def sample(self, n, *, context=None, generator=None):
        return torch.bernoulli(self._logits(context, n).sigmoid(), generator=generator)
