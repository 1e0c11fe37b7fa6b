r"""Levels under a density: noise spreads each level over its cell, and the density of the sum bounds its probability.

A level x ∈ {0, …, K − 1} is the cell [x, x + 1). A density p over real numbers gives it the probability of its cell, an
integral that nobody computes; noise v from any density q on the cell gives a lower bound:

.. math::  \log P(x) = \log\int_{[0,1)^D} p(x + v)\, dv \;\ge\;
           \mathbb E_{q(v \mid x)}\big[\log p(x + v) - \log q(v \mid x)\big].

With uniform noise log q = 0. Here p is a flow over y = h((x + v) / K), h the logit or the map from (0, 1) to (−1, 1):
four terms are added:

.. math::  \underbrace{\log p_{\text{flow}}(y)}_{\text{flow}}
           + \underbrace{\log\Big|\det\frac{\partial h}{\partial u}\Big|}_{\text{squash}}
           \underbrace{{} - D \log K}_{\text{levels}}
           \underbrace{{} - \log q(v \mid x)}_{\text{noise}} .

Source
    B. Uria, I. Murray and H. Larochelle, "RNADE", 2013, and L. Theis, A. van den Oord and M. Bethge, "A note on the
    evaluation of generative models", ICLR 2016, for uniform noise; J. Ho et al., "Flow++", ICML 2019, for noise by a
    flow.
Differs
    The flow of the noise starts from a logistic density, which the sigmoid makes uniform: untrained, it is uniform.
Cost
    ``elbo``: k passes of the flow, and of the noise's. ``sample``: one inverse pass.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least, closest
from dgmhelpers.flows.base import shape_of
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.glow import Glow
from dgmhelpers.flows.maf import IAF, MAF
from dgmhelpers.flows.maps import Logit
from dgmhelpers.flows.nice import NICE
from dgmhelpers.flows.noise import UniformNoise, VariationalNoise
from dgmhelpers.flows.real_nvp import RealNVP
from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import logsumexp, single

FLOWS: dict[str, Callable[..., Flow]] = {"NICE": NICE, "RealNVP": RealNVP, "MAF": MAF, "IAF": IAF, "Glow": Glow}
NOISE: dict[str, type[nn.Module]] = {"uniform": UniformNoise, "variational": VariationalNoise}


class Terms(NamedTuple):
    """The four terms of the bound in nats, ``(B,)`` each.

    Attributes:
        flow: log-density of the squashed example y under the flow.
        squash: log-determinant of the logit, or of the affine map.
        levels: ``−D log K``, for dividing by the number of levels.
        noise: ``−log q(v | x)``, 0 for uniform noise; its mean is the noise's entropy.
    """

    flow: Tensor
    squash: Tensor
    levels: Tensor
    noise: Tensor

    @property
    def elbo(self) -> Tensor:
        """The bound, ``(B,)``: their sum."""
        return self.flow + self.squash + self.levels + self.noise


class Dequantised(Model):
    """A lower bound on the probability of levels, by a flow and noise.

    Args:
        event_shape: shape of one example.
        levels: number of values K.
        flow: ``"RealNVP"``, ``"NICE"``, ``"MAF"``, ``"IAF"`` or ``"Glow"``, or a flow over examples of that shape.
        sizes: keyword arguments of the flow, if it is a name.
        noise: ``"uniform"`` or ``"variational"``.
        noise_sizes: keyword arguments of :class:`~noise.VariationalNoise`.
        squash: ``"logit"``, or ``"affine"`` for the map from (0, 1) to (−1, 1).
        alpha: of the :class:`Logit`. Above 0, and with the affine map, a flow has some of its mass beyond the cells,
            which the bound gives away and :meth:`sample` puts in the nearest.
    """

    levels: int

    def __init__(self, event_shape=(1, 8, 8), levels: int = 17, flow: str | Flow = "RealNVP",
                 sizes: Mapping | None = None, noise: str = "uniform", noise_sizes: Mapping | None = None,
                 squash: str = "logit", alpha: float = 0.0):  # fmt: skip
        shape = shape_of(event_shape)
        at_least("levels", levels, 2)
        for value, known, what in ((noise, NOISE, "noise"), (squash, ("logit", "affine"), "squash")):
            if value not in known:
                raise ValueError(f"no {what} is called {value!r}: {closest(value, known)}")
        if isinstance(flow, str) and flow not in FLOWS:
            raise ValueError(f"no flow is called {flow!r}: {closest(flow, FLOWS)}")
        config = {"event_shape": list(shape), "levels": levels, "flow": flow, "sizes": dict(sizes or {}),
                  "noise": noise, "noise_sizes": dict(noise_sizes or {}), "squash": squash, "alpha": alpha}  # fmt: skip
        super().__init__(shape, levels, config if isinstance(flow, str) else None)
        self.flow = FLOWS[flow](event_shape=shape, **(sizes or {})) if isinstance(flow, str) else flow
        if self.flow.event_shape != shape:
            raise ValueError(f"the flow is over {tuple(self.flow.event_shape)}, and the examples are {tuple(shape)}")
        self.noise = NOISE[noise](shape, levels, **(noise_sizes or {}))
        self.squash = Logit(shape, alpha) if squash == "logit" else None

    def dequantise(self, x: Tensor, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A point of each example's cell, ``(B, *event_shape)`` in [x, x + 1), and ``log q`` of it, ``(B,)``."""
        x = self.check(x)
        x = single(x.to(self.dtype))
        v, log_q = self.noise(x, generator=generator)
        return x + v, log_q

    def log_density(self, points: Tensor) -> Tensor:
        """Log-density in nats of points ``(B, *event_shape)`` in [0, K): what is integrated over a cell."""
        flow, squash, levels = self._density(single(points.to(self.dtype)))
        return flow + squash + levels

    def terms(self, x: Tensor, *, generator: Generator | None = None) -> Terms:
        """The bound for one draw of the noise, in its four terms."""
        return self._terms(self.check(x), generator)

    def elbo(self, x: Tensor, k: int = 1, *, generator: Generator | None = None) -> Tensor:
        """Stochastic lower bound on ``log P(x)`` in nats, shape ``(B,)``: the log of the mean of k weights."""
        return logsumexp(self.log_weights(x, k, generator=generator), 0) - math.log(k)

    def log_weights(self, x: Tensor, k: int, *, generator: Generator | None = None) -> Tensor:
        """``log p(x + v) − log q(v | x)`` for k draws of the noise, ``(k, B)``; the weights average to ``P(x)``."""
        x = self.check(x)
        many = x.repeat(at_least("k", k, 1), *[1] * len(self.event_shape))
        return self._terms(many, generator).elbo.reshape(k, len(x))

    def bits_per_dim(self, x: Tensor, k: int = 1, *, generator: Generator | None = None) -> Tensor:
        """Minus the bound in bits for each entry, ``(B,)``."""
        return -self.elbo(x, k, generator=generator) / (self.event_shape.numel() * math.log(2))

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean bound for one draw of the noise, in nats per example; what training minimises."""
        self._refuse_context(context)
        return -self._terms(self._prepare(x), generator).elbo.mean()

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` examples, ``(n, *event_shape)``: a point from the flow, and the level of its cell."""
        self._check_draw(n, generator, temperature)
        return self._levels(self.flow._sample(n, temperature, generator))

    @torch.no_grad()
    def noise_of(self, x: Tensor) -> Tensor:
        """Where the flow sends the middle of each example's cell: z, ``(B, *event_shape)``."""
        x = single(self.check(x).to(self.dtype))
        return self.flow.chain._forward(self._squashed(x + 0.5)[0], None)[0]

    @torch.no_grad()
    def levels_at(self, z: Tensor) -> Tensor:
        """The levels of the cells that the flow carries z to; :meth:`noise_of` is undone by it."""
        return self._levels(self.flow.inverse(z)[0])

    def _levels(self, y):
        u = (y + 1) / 2 if self.squash is None else self.squash._inverse(y, None)[0]
        level = (u * self.levels).floor().clamp(0, self.levels - 1)
        return level.to(self.dtype) if self.levels == 2 else level.long()

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set what the flow sets by examples, with uniform noise from a fixed seed."""
        x = single(self.check(x).to(self.dtype))
        noise = torch.rand(x.shape, generator=Generator().manual_seed(0), dtype=torch.float).to(x)
        self.flow.chain.initialise(self._squashed(x + noise)[0])

    def _terms(self, x, generator):
        x = single(x.to(self.dtype))
        v, log_q = self.noise(x, generator=generator)
        return Terms(*self._density(x + v), -log_q)

    def _density(self, points):
        y, squash = self._squashed(points)
        levels = squash.new_full((len(squash),), -self.event_shape.numel() * math.log(self.levels))
        return self.flow._log_prob(y), squash, levels

    def _squashed(self, points):
        u = points / self.levels
        if self.squash is None:
            return 2 * u - 1, points.new_full((len(u),), self.event_shape.numel() * math.log(2))
        tiny = torch.finfo(u.dtype).eps / 2                                            # 16.99999999 / 17 rounds to 1
        return self.squash._forward(u.clamp(tiny, 1 - tiny), None)


def plain_images(event_shape, levels: int) -> Tensor:
    """One image of every level, all pixels alike, ``(levels, *event_shape)``: no digit, and no noise."""
    shape = shape_of(event_shape)
    return torch.arange(levels).reshape(-1, *[1] * len(shape)).expand(levels, *shape).clone()
