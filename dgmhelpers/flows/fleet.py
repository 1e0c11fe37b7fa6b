r"""Many tiny flows in the plane at once: one batched affine coupling for each layer, for studies over kinds and seeds.

Layer l moves coordinate l % 2 by what it reads in the other one, from data to noise:

.. math::  x_i \leftarrow x_i\, e^{s} + t, \qquad (s, t) = V \tanh(W x_j + b) + c, \qquad |s| < \text{limit}.

Source
    L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", ICLR 2017.
Differs
    Flows of one seed start from the same weights, whatever their kind, so that kinds compare seed by seed. The noise
    may have two humps. It is no :class:`~dgmhelpers.flows.Flow`: every method has the flows as its first dimension.
Cost
    One matrix product a layer for all flows; shallow flows skip the layers they lack.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn


class Kind(NamedTuple):
    """What flows of one kind have in common.

    Attributes:
        layers: number of couplings.
        limit: of the size of log-scales; 1,000 is as good as none.
        humps: the noise is at ± this along its first coordinate; 0 is one Gaussian.
    """

    layers: int
    limit: float = 1e3
    humps: float = 0.0


class Fleet(nn.Module):
    """``R = len(kinds) × seeds`` flows in the plane; those of a kind follow each other, one for each seed.

    Args:
        kinds: by name, the deepest first.
        seeds: number of first weights.
        hidden: units of each coupling's network.
        seed: of the first weights.

    Raises:
        ValueError: for kinds that are not in order of their depth.
    """

    def __init__(self, kinds: Mapping[str, Kind], *, seeds: int = 5, hidden: int = 16, seed: int = 0):
        super().__init__()
        depths = [kind.layers for kind in kinds.values() for _ in range(seeds)]
        if depths != sorted(depths, reverse=True):
            raise ValueError(f"kinds must come with the deepest first, got {[k.layers for k in kinds.values()]} layers")
        self.kinds, self.seeds, draw = dict(kinds), seeds, Generator().manual_seed(seed)
        self.alive = [sum(depth > layer for depth in depths) for layer in range(max(depths))]

        def start(*shape: int, scale: float = 1.0) -> nn.Parameter:
            one = scale * torch.randn(max(depths), seeds, *shape, generator=draw)
            return nn.Parameter(one.repeat(1, len(kinds), *[1] * len(shape)))

        self.W, self.b = start(1, hidden), start(1, hidden)
        self.V, self.c = start(hidden, 2, scale=0.01), start(1, 2, scale=0.0)
        self.limit, self.humps = (
            torch.tensor([value for kind in kinds.values() for value in [getattr(kind, what)] * seeds])[:, None]
            for what in ("limit", "humps")
        )

    def of(self, kind: str) -> slice:
        """Where the flows of that kind are in the first dimension."""
        first = list(self.kinds).index(kind) * self.seeds
        return slice(first, first + self.seeds)

    def s_and_t(self, layer: int, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scales and shifts ``(n, B)`` of the n flows that have this layer, from the kept coordinate ``(R, B)``."""
        n = self.alive[layer]
        h = torch.tanh(kept[:n, :, None] * self.W[layer, :n] + self.b[layer, :n])
        s, t = (h @ self.V[layer, :n] + self.c[layer, :n]).unbind(-1)
        return self.limit[:n] * torch.tanh(s / self.limit[:n]), t

    def steps(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Data ``(R, B, 2)`` to noise, and the log-scales of each layer, ``(n, B)``."""
        a, scales = list(x.unbind(-1)), []
        for layer, n in enumerate(self.alive):
            s, t = self.s_and_t(layer, a[1 - layer % 2])
            a[layer % 2] = torch.cat([a[layer % 2][:n] * s.exp() + t, a[layer % 2][n:]])
            scales.append(s)
        return torch.stack(a, -1), scales

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data ``(R, B, 2)`` to noise, and the log-determinant in nats, ``(R, B)``."""
        z, scales = self.steps(x)
        return z, torch.stack([F.pad(s, (0, 0, 0, len(x) - len(s))) for s in scales]).sum(0)

    def inverse(self, z: Tensor) -> Tensor:
        """Noise ``(R, B, 2)`` to data."""
        a = list(z.unbind(-1))
        for layer, n in reversed(list(enumerate(self.alive))):
            s, t = self.s_and_t(layer, a[1 - layer % 2])
            a[layer % 2] = torch.cat([(a[layer % 2][:n] - t) * (-s).exp(), a[layer % 2][n:]])
        return torch.stack(a, -1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats, ``(R, B)``, of points ``(R, B, 2)``."""
        z, logdet = self(x)
        sides = torch.stack([z[..., 0] - self.humps, z[..., 0] + self.humps])
        first = (-sides.square() / 2).logsumexp(0) - math.log(2)
        return first - z[..., 1].square() / 2 - math.log(2 * math.pi) + logdet

    def noise(self, n: int, generator: Generator) -> Tensor:
        """Draws from each flow's noise, ``(R, n, 2)``."""
        z = torch.randn(len(self.limit), n, 2, generator=generator)
        z[..., 0] += self.humps * (torch.randint(2, z.shape[:2], generator=generator) * 2 - 1)
        return z
