"""What the checkers of chapter 21 share: tables of probabilities, divergences, and the naming of mistakes."""

import torch
from torch import Generator, Tensor


def table(seed: int) -> Tensor:
    """Six positive probabilities, float64."""
    return torch.randn(6, generator=Generator().manual_seed(seed), dtype=torch.double).softmax(0)


def kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(p ‖ q) in nats; 0 log 0 is 0."""
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum()


def two_jsd(p: Tensor, q: Tensor) -> Tensor:
    """Twice the Jensen-Shannon divergence, in nats."""
    m = (p + q) / 2
    return kl(p, m) + kl(q, m)

