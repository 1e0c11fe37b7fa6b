r"""The mu-law codec: 256 levels, spaced finely where the ear is, near silence.

.. math::  f(x) = \operatorname{sign}(x) \frac{\ln(1 + \mu |x|)}{\ln(1 + \mu)},
           \qquad \mu = \text{levels} - 1,

and the code of x is the nearest to f(x) of ``levels`` values spread evenly over [-1, 1].

``encode(decode(q)) == q`` for every level q: decoding loses nothing. ``decode(encode(x))`` loses at most
half a step of f, so its error grows with \|x\|: relative precision, not absolute. When ``levels`` is even no
level decodes to exactly 0, and silence becomes the level just above it.

Source
    ITU-T G.711 (1988) uses a piecewise linear approximation of f; this is f itself, as in WaveNet (2016).
"""

import math

import torch
from torch import Tensor


def encode(x: Tensor, levels: int = 256) -> Tensor:
    """Level of each amplitude in [-1, 1], ``long``, same shape.

    Raises:
        ValueError: if an amplitude is outside [-1, 1] or not a number.
    """
    x = torch.as_tensor(x, dtype=torch.double)
    if not (x.abs() <= 1).all():
        raise ValueError("mu-law codes amplitudes between -1 and 1: scale the sound first")
    mu = _mu(levels)
    f = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((f + 1) / 2 * mu + 0.5).floor().long()


def decode(q: Tensor, levels: int = 256) -> Tensor:
    """Amplitude in [-1, 1] of each level, float64, same shape.

    Raises:
        ValueError: if an entry is not an integer between 0 and ``levels - 1``.
    """
    q = torch.as_tensor(q)
    if q.is_floating_point() or ((q.long() < 0) | (q.long() >= levels)).any():
        raise ValueError(f"expected integer levels from 0 to {levels - 1}")
    mu = _mu(levels)
    f = q.double() * 2 / mu - 1
    return f.sign() * torch.expm1(f.abs() * math.log1p(mu)) / mu


def _mu(levels: int) -> int:
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")
    return levels - 1
