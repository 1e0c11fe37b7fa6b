"""Models written as somebody else would, without this package: what ``laws.audit`` meets in the wild."""

import torch
from torch import nn


class ForeignNet(nn.Module):
    """A masked two-layer network over nine bits, float32, its own names for everything."""

    def __init__(self, bits=9, width=32, batch_norm=False, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.bits = bits
        self.first, self.second = nn.Linear(bits, width), nn.Linear(width, bits)
        nn.init.normal_(self.first.weight)
        nn.init.normal_(self.second.weight, std=0.5)
        self.norm = nn.BatchNorm1d(width) if batch_norm else nn.Identity()
        degree = torch.arange(width) % (bits - 1)
        self.register_buffer("low", (degree[:, None] >= torch.arange(bits)[None]).float())
        self.register_buffer("high", (torch.arange(bits)[:, None] > degree[None]).float())

    def logits(self, x):
        h = torch.relu(self.norm(nn.functional.linear(x, self.first.weight * self.low, self.first.bias)))
        return nn.functional.linear(h, self.second.weight * self.high, self.second.bias)

    def score(self, x):
        return -nn.functional.binary_cross_entropy_with_logits(self.logits(x), x, reduction="none").sum(1)

    @torch.no_grad()
    def generate(self, count, squash=torch.sigmoid):
        x = torch.zeros(count, self.bits, dtype=self.first.weight.dtype)
        for i in range(self.bits):
            x[:, i] = torch.bernoulli(squash(self.logits(x)[:, i]))
        return x

    def generate_twice_squashed(self, count):
        return self.generate(count, squash=lambda a: torch.sigmoid(torch.sigmoid(a)))


class OrderAverage(nn.Module):
    """Averages the logits of several orders and calls the result an ensemble."""

    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList(ForeignNet(seed=s) for s in range(4))
        self.orders = [torch.randperm(9, generator=torch.Generator().manual_seed(s)) for s in range(4)]

    def score(self, x):
        logits = [m.logits(x[:, o])[:, o.argsort()] for m, o in zip(self.members, self.orders, strict=True)]
        mean = torch.stack(logits).mean(0)
        return -nn.functional.binary_cross_entropy_with_logits(mean, x, reduction="none").sum(1)


def make_net():
    """A factory, as ``python -m dgmhelpers audit foreign:make_net`` would call it; it is no module of our form."""
    return ForeignNet()
