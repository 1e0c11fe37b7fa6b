"""What several checkers of chapter 04 need."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def weights(D: int, H: int, seed: int) -> list[Tensor]:
    """Random W (H, D), V (D, H), b (D,) and c (H,) of a NADE, float64."""
    g = Generator().manual_seed(seed)
    return [torch.randn(shape, generator=g, dtype=torch.double) for shape in [(H, D), (D, H), (D,), (H,)]]


def score(logits: Tensor, x: Tensor) -> Tensor:
    """Log-probability of binary ``x`` (B, D) given logits, nats, (B,)."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
