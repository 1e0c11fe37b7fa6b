"""Small models of every family as somebody else would write them, right or with one fault: see ``foreign_suite``."""

import math

import torch
import torch.nn.functional as F
from foreign import ForeignNet
from torch import distributions as D
from torch import nn

NINE_BITS = {"event_shape": (9,), "levels": 2}
FOUR_OF_FIVE = {"event_shape": (4,), "levels": 5}
THREE_OF_THREE = {"event_shape": (3,), "levels": 3}


# --- Autoregressive


class Steps(nn.Module):
    """An autoregressive table over levels: a linear map of everything before to the logits of the next."""

    def __init__(self, size=4, levels=5, scale=1.0, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.size, self.levels = size, levels
        self.weight = nn.Parameter(0.7 * scale * torch.randn(size, size, levels))
        self.bias = nn.Parameter(scale * torch.randn(size, levels))
        self.register_buffer("mask", torch.tril(torch.ones(size, size), -1)[:, :, None])

    def forward(self, x):
        return torch.einsum("bj,ijk->bik", x.to(self.bias.dtype), self.weight * self.mask) + self.bias

    def score(self, x):
        return self(x).log_softmax(-1).gather(-1, x.long()[..., None])[..., 0].sum(1)

    def nll(self, x):
        return F.cross_entropy(self(x).flatten(0, 1), x.long().flatten(), reduction="sum") / len(x)

    @torch.no_grad()
    def draw(self, n, temperature=1.0, top=None):
        x = torch.zeros(n, self.size, dtype=torch.long)
        for i in range(self.size):
            logits = self(x)[:, i] / temperature
            if top is not None:
                logits = logits.masked_fill(logits < logits.topk(top).values[:, -1:], -math.inf)
            x[:, i] = D.Categorical(logits=logits).sample()
        return x


def backwards(net):
    return lambda x: net(x.flip(1)).flip(1)


class Peeking(Steps):
    """The mask keeps the diagonal: each variable sees itself."""

    def __init__(self):
        super().__init__()
        self.mask.copy_(torch.tril(torch.ones(4, 4))[:, :, None])


class Transformer(nn.Module):
    """A causal language model of one layer, as Hugging Face would have it: tokens in, ``.logits`` and ``.loss`` out."""

    def __init__(self, vocab=4, width=16, length=6, causal=True, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.token, self.place = nn.Embedding(vocab, width), nn.Embedding(length, width)
        self.layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(width, vocab)
        self.causal = causal

    def forward(self, tokens, labels=None):
        t = tokens.shape[1]
        mask = torch.full((t, t), -math.inf, dtype=self.head.weight.dtype).triu(1) if self.causal else None
        h = self.layer(self.token(tokens) + self.place(torch.arange(t)), src_mask=mask)
        logits = self.head(h)
        loss = None
        if labels is not None:
            ahead = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
            loss = F.cross_entropy(*ahead, ignore_index=-100)
        return type("Output", (), {"logits": logits, "loss": loss})()

    @torch.no_grad()
    def generate(self, tokens, max_new_tokens=1, top_k=0, **ignored):
        for _ in range(max_new_tokens):
            logits = self(tokens).logits[:, -1]
            if top_k:
                logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -math.inf)
            tokens = torch.cat([tokens, D.Categorical(logits=logits).sample()[:, None]], 1)
        return tokens


def language_model(generate=None, **options):
    from dgmhelpers import laws

    return laws.causal_lm(Transformer(**options).eval(), vocab=4, length=4, generate=generate)


# --- Flows


class Coupling(nn.Module):
    """Two affine couplings over a standard normal; ``size`` variables."""

    def __init__(self, size=2, forget=False, sign=1.0, drift=0.0, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.half, self.forget, self.sign, self.drift = size // 2, forget, sign, drift
        self.nets = nn.ModuleList(nn.Sequential(nn.Linear(a, 8), nn.Tanh(), nn.Linear(8, 2 * (size - a)))
                                  for a in (size // 2, size - size // 2))
        self.size = size

    def forward(self, x):
        total = 0
        for i, net in enumerate(self.nets):
            cut = self.half if i == 0 else self.size - self.half
            shift, scale = net(x[:, :cut]).chunk(2, 1)
            scale = scale.tanh()
            x = torch.cat([x[:, cut:] * scale.exp() + shift, x[:, :cut]], 1)
            total = total + scale.sum(1) * (0 if self.forget and i else 1)
        return x, self.sign * total

    def inverse(self, z):
        total = 0
        for i in (1, 0):
            cut = self.half if i == 0 else self.size - self.half
            moved, kept = z[:, : self.size - cut], z[:, self.size - cut :]
            shift, scale = self.nets[i](kept).chunk(2, 1)
            scale = scale.tanh()
            z, total = torch.cat([kept, (moved - shift) * (-scale).exp()], 1), total - scale.sum(1)
        return z + self.drift, total

    def log_density(self, x):
        z, change = self(x)
        return D.Normal(torch.zeros((), dtype=z.dtype), 1.0).log_prob(z).sum(1) + change

    @torch.no_grad()
    def draw(self, n, std=1.0):
        return self.inverse(std * torch.randn(n, self.size, dtype=self.nets[0][0].weight.dtype))[0]


FLOW = {"log_prob": "log_density", "sample": "draw"}


def flow(size=2, draw=None, **options):
    net = Coupling(size, **options)
    sample = net.draw if draw is None else lambda n: net.draw(n, draw)
    return {"log_prob": net.log_density, "sample": sample, "event_shape": (size,)}


# --- Latent variables


class TinyVAE(nn.Module):
    """Six bits, one latent; the bound is the usual one, with what goes wrong in it."""

    def __init__(self, fault=None, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.encode, self.decode, self.fault = nn.Linear(6, 2), nn.Linear(1, 6), fault

    def log_weights(self, x, k):
        mean, log_std = self.encode(x).chunk(2, 1)
        std = log_std.exp()
        z = mean + std * torch.randn(k, *mean.shape, dtype=x.dtype)
        q = D.Normal(mean, std if self.fault != "variance" else std.square()).log_prob(z).sum(-1)
        prior = D.Normal(torch.zeros((), dtype=x.dtype), 1.0).log_prob(z).sum(-1)
        logits = self.decode(z)
        fit = -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
        return (fit.mean(-1) if self.fault == "mean" else fit.sum(-1)) + prior - q

    def elbo(self, x, k=1):
        weights = self.log_weights(x, k)
        return weights.mean(0) if self.fault == "jensen" else weights.logsumexp(0) - math.log(k)


def vae(fault=None):
    return {"elbo": TinyVAE(fault).elbo, "event_shape": (6,), "levels": 2}


def plane_bound(offset=0.0):
    """x = z + noise in the plane: a bound by a q that is too narrow."""

    def elbo(x, k=1, *, generator=None):
        z = x / 2 + 0.6 * torch.randn(k, *x.shape, generator=generator, dtype=x.dtype)
        weight = D.Normal(0.0, 1.0).log_prob(z) + D.Normal(z, 1.0).log_prob(x) - D.Normal(x / 2, 0.6).log_prob(z)
        return weight.sum(-1).logsumexp(0) - math.log(k) + offset

    return {"elbo": elbo, "sample": lambda n: math.sqrt(2) * torch.randn(n, 2), "event_shape": (2,)}


def diffusion_bound(factor=1.0):
    """One step of a diffusion, each end sampled: the prior and decoder are Gaussian, so is the bound's noise."""

    def elbo(x, *, generator=None):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        z = 0.8 * x + 0.6 * noise                                       # q(z | x)
        kl = 0.5 * (0.36 + 0.64 * x.square() - 1 - math.log(0.36)).sum(1)
        return D.Normal(0.8 * z, 0.6).log_prob(x).sum(1) - factor * kl

    return {"elbo": elbo, "sample": lambda n: torch.randn(n, 2), "event_shape": (2,)}


# --- Densities


def von_mises_fisher(kappa=2.0, turned=False):
    def log_prob(x):
        return kappa * x[:, 2] + math.log(kappa / (4 * math.pi * math.sinh(kappa)))

    def sample(n):
        u = torch.rand(n, dtype=torch.double)
        height = 1 + torch.log(u + (1 - u) * math.exp(-2 * kappa)) / kappa
        across = torch.randn(n, 2, dtype=torch.double)
        x = torch.cat([F.normalize(across) * (1 - height.square()).sqrt()[:, None], height[:, None]], 1)
        return x.roll(1, 1) if turned else x

    return {"log_prob": log_prob, "sample": sample, "event_shape": (3,), "support": "sphere"}


def mixture(weight=1.0, constant=True):
    means = torch.tensor([[-2.0, 0.0], [2.0, 1.0], [0.0, 3.0]], dtype=torch.double)

    def log_prob(x):
        each = -0.5 * (x[:, None].double() - means).square().sum(-1) - constant * math.log(2 * math.pi)
        return each.logsumexp(1) - math.log(3)

    def sample(n):
        which = torch.multinomial(torch.tensor([weight, 1.0, 1.0]), n, True)
        return means[which] + torch.randn(n, 2, dtype=torch.double)

    return {"log_prob": log_prob, "sample": sample, "event_shape": (2,)}


def ridge(five=5.0):
    """Nine real variables, whose log p may be too high by five."""
    base = D.MultivariateNormal(torch.zeros(9, dtype=torch.double), torch.eye(9, dtype=torch.double) + 0.5)
    return {"log_prob": lambda x: base.log_prob(x.double()) + five, "sample": lambda n: base.sample((n,)),
            "event_shape": (9,)}


# --- Losses


def nonsaturating(fake):
    return F.softplus(-fake).mean()


def minimax(fake):
    return -F.softplus(fake).mean()


def called_minimax(fake):
    return F.softplus(-fake).mean()


def wgan_gp(critic, real, fake, over_batch=False):
    share = torch.rand(len(real), *[1] * (real.ndim - 1), dtype=real.dtype)
    at = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    return (slope.flatten(0 if over_batch else 1).norm(dim=-1) - 1).square().mean()


def bits(**changes):
    net = ForeignNet().eval()
    given = {"log_prob": net.score, "sample": net.generate, **NINE_BITS}
    return given | {name: change(net) for name, change in changes.items()}


def steps(net=Steps, **changes):
    net = net().eval()
    return {"log_prob": net.score, "sample": net.draw, **FOUR_OF_FIVE} | {n: f(net) for n, f in changes.items()}


class Noisy(ForeignNet):
    """Counts how often it is looked at, in its weights."""

    def score(self, x):
        with torch.no_grad():
            self.first.weight.add_(1e-3)
        return super().score(x)
