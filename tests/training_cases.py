"""What the tests of training share: two kinds of examples, a model that draws, and how weights are compared."""

import torch

from dgmhelpers.autoregressive import CharRNN

QUIET = dict(progress=False, device="cpu")


def bits(n=96, dim=6, seed=0):
    """Bits of which each repeats the one before it nine times in ten."""
    generator = torch.Generator().manual_seed(seed)
    flips = torch.bernoulli(torch.full((n, dim), 0.1), generator=generator)
    flips[:, 0] = torch.bernoulli(torch.full((n,), 0.5), generator=generator)
    return flips.cumsum(1) % 2


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def text_model():
    """A model whose training also draws from PyTorch's own random numbers, for dropout."""
    torch.manual_seed(0)
    return CharRNN(length=6, levels=3, hidden=8, layers=2, dropout=0.3)


def text(n=64):
    return torch.randint(3, (n, 6), generator=torch.Generator().manual_seed(0))


TEXT_RUN = dict(steps=40, batch_size=10, lr=1e-2, warmup=5, ema=0.9, clip=1.0, evaluate_every=7, **QUIET)
