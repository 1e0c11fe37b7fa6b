"""Arithmetic at the edge: where a probability is zero, a scale leaves the range of the numbers, or they are short.

What these functions have in common: for finite arguments, and for −∞ where it stands for a probability of zero, neither
the value nor any gradient is NaN. A value may be −∞ where the true one is, or is beyond the range of its type.
"""

import contextlib
import math

import torch
from torch import Tensor


@contextlib.contextmanager
def gradients_on():
    """Gradients are taken within, whatever the caller switched off. See :func:`ordinary` for tensors from there."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def ordinary(x):
    """``x``, or a copy that gradients can pass if it is a tensor made in inference mode."""
    return x.clone() if isinstance(x, Tensor) and x.is_inference() else x


def single(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in a shorter type: eight bits are too few to subtract, sum or draw with."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


BLOCK = 2**22  # numbers held at once by what compares everything with everything: 32 MiB of float64


def blocks(x: Tensor, each: int) -> tuple[Tensor, ...]:
    """``x`` cut along its first axis, for work that needs ``each`` numbers for every row: ``BLOCK`` at a time."""
    return x.split(max(1, BLOCK // max(1, each)))


def logsumexp(x: Tensor, dim: int) -> Tensor:
    """``log Σ exp(x)`` over one dimension, where a row may be all −∞: it gives −∞, and its gradient is 0.

    (torch's own has NaN for that gradient: ``exp(−∞ − (−∞))``.)
    """
    dead = (x == -math.inf).all(dim)
    return x.masked_fill(dead.unsqueeze(dim), 0.0).logsumexp(dim).masked_fill(dead, -math.inf)


def over_scale(x: Tensor, log_scale: Tensor) -> Tensor:
    """``x · exp(−log_scale)`` for any finite arguments, kept within a quarter of what the type can hold.

    Where it is kept, its gradient is 0. A scale that underflows to 0 or overflows makes no NaN: ``0 / 0`` is 0.
    """
    most = torch.finfo(x.dtype).max
    root = (-0.5 * log_scale).clamp(max=math.floor(math.log(most))).exp()              # twice: its square may overflow
    return ((x * root).clamp(-most, most) * root).clamp(-most / 4, most / 4)            # 0 · ∞ would be NaN


def log1mexp(log_x: Tensor) -> Tensor:
    """``log(1 − exp(−x))`` of a positive x, from its logarithm: exact also where x itself is 0 or ∞ in its type."""
    tiny = log_x < -40                                                                 # 1 − exp(−x) is x, to rounding
    return torch.where(tiny, log_x, torch.log(-torch.expm1(-log_x.clamp(-40, 80).exp())))


def exp(x: Tensor) -> Tensor:
    """``exp(x)``, neither 0 nor ∞: where it would be, as small or as large as can be, with a gradient of 0."""
    most = math.floor(-math.log(torch.finfo(x.dtype).tiny))
    return x.clamp(-most, most).exp()
