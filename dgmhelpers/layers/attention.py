r"""Attention: each position takes a weighted mean of the values of all positions that it may see.

.. math::  \mathrm{out}_t = \sum_{s \le t} a_{ts} v_s, \qquad
           a_{t\cdot} = \mathrm{softmax}_{s \le t}\big(q_t^\top k_s / \sqrt d\big),

with queries q, keys k and values v linear in the features, for several heads of d features each.

Source
    A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. Gomez, L. Kaiser and I. Polosukhin, "Attention is all
    you need", NIPS 2017. Rotary positions: J. Su, Y. Lu, S. Pan, A. Murtadha, B. Wen and Y. Liu, "RoFormer: enhanced
    transformer with rotary position embedding", 2021.
"""

import math

import torch
from torch import Tensor, nn

from dgmhelpers.masks import past


class Attention(nn.Module):
    """Attention of a sequence to itself, causal or not.

    Args:
        hidden: features of a position, a multiple of ``heads``.
        heads: means that each position takes, of ``hidden // heads`` features each.
        gain: how much smaller the last layer starts.
        causal: whether a position sees itself and what is before it, or all of the sequence.
    """

    def __init__(self, hidden: int, heads: int, gain: float = 1.0, causal: bool = True):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.joint = nn.Linear(hidden, 3 * hidden, bias=False)                     # queries, keys and values
        self.mix = nn.Linear(hidden, hidden, bias=False)
        nn.init.normal_(self.joint.weight, std=hidden**-0.5)
        nn.init.normal_(self.mix.weight, std=gain * hidden**-0.5)

    def forward(self, h: Tensor, turn: Tensor | None = None, memory: "Memory | None" = None) -> Tensor:
        """New features ``(B, t, hidden)`` of ``t`` positions: all of them, or those after what ``memory`` holds.

        Args:
            turn: angles of rotary positions, ``(t, d / 2)``; see :func:`rotate`.
        """
        q, k, v = self.parts(h, turn)
        if memory is not None:
            k, v = memory.extend(k, v)                                             # (B, heads, s, d), s ≥ t
        return self.mix((self.weights(q, k) @ v).transpose(1, 2).flatten(2))

    def parts(self, h: Tensor, turn: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, ``(B, heads, t, d)`` each."""
        q, k, v = self.joint(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return (q, k, v) if turn is None else (rotate(q, turn), rotate(k, turn), v)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """How much each query looks at each key, ``(B, heads, t, s)``; the queries are those of the last t keys."""
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        if self.causal:
            future = past(torch.arange(k.shape[2], device=k.device)).T             # (s, s) s' > t
            scores = scores.masked_fill(future[-q.shape[2]:], -math.inf)
        return scores.softmax(-1)


class Memory:
    """Keys and values of one attention layer, of the positions read so far: the cache of a sampler.

    Attributes:
        at: how many positions it holds. Set it back to forget the last ones.
    """

    def __init__(self, n: int, length: int, layer: Attention):
        hidden = layer.mix.in_features
        self.both = layer.mix.weight.new_empty(2, n, layer.heads, length, hidden // layer.heads)
        self.at = 0

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values of the next positions, ``(n, heads, t, d)`` each; gives all there are."""
        begin, self.at = self.at, self.at + k.shape[2]
        self.both[0, :, :, begin:self.at], self.both[1, :, :, begin:self.at] = k, v
        return self.both[0, :, :, : self.at], self.both[1, :, :, : self.at]


def angles(coordinates: Tensor, size: int, base: float = 10_000.0) -> Tensor:
    """Angles of rotary positions, ``(t, size / 2)``, for coordinates ``(t, axes)``: pair j turns with axis j mod axes.

    From one pair of an axis to its next the angle of one step falls, from 1 towards ``1 / base``.
    """
    pairs, axes = size // 2, coordinates.shape[1]
    j = torch.arange(pairs, device=coordinates.device)
    rates = base ** (-(j // axes).to(coordinates.dtype) * axes / pairs)            # (pairs,)
    return coordinates[:, j % axes] * rates


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Turn the pairs (first half, second half) of the last axis, ``(..., t, d)``, by angles ``(t, d / 2)``.

    A score is a sum over pairs of the lengths' product and the cosine of the angle between: after it, it depends on
    positions by their difference alone.
    """
    a, b = x.chunk(2, -1)
    cos, sin = turn.cos().to(x.dtype), turn.sin().to(x.dtype)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
