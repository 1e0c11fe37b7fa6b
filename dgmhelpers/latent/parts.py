r"""The two distributions over latents that a model takes as parts: its prior p(z), and the family of its q(z | x).

**A prior** is any :class:`~dgmhelpers.protocols.Density` over ``(Z,)``: a mixture or a flow is one as it is. Its
``log_prob`` is part of the bound, so its parameters train with the model. A conditional one (it declares
``conditioned_on``) is given the model's context.

**A posterior** turns what the encoder puts out for an example, ``outputs`` numbers, into a distribution of z:

* ``split(raw)``: the parameters of q, a tuple of tensors ``(B, …)``; the first two are a mean and a log standard
  deviation, ``(B, Z)`` each. A family with more (a context for a flow) adds tensors behind them.
* ``rsample(q, shape)``: draws with a gradient, ``(*shape, B, Z)``.
* ``rsample_and_log_prob(q, shape)``: the same draws, and their ``log q(z | x)``, ``(*shape, B)``. An inverse
  autoregressive flow knows this at no extra cost, where ``log_prob`` would invert it.
* ``log_prob(z, q)``: of given z ``(*shape, B, Z)``, shape ``(*shape, B)``.
* ``closed(prior)``: whether there is a closed form of its divergence from that prior, and ``kl(q, prior)``, that form:
  ``KL(q(z_j | x) ‖ p(z_j))`` of each dimension, ``(B, Z)``. Where there is none, the bound takes one draw of
  ``log q(z | x) − log p(z)`` in its place.

Source
    D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, for the defaults.
"""

import math
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import single
from dgmhelpers.protocols import Density

Parameters = tuple[Tensor, ...]


class Posterior(Protocol):
    """A family of distributions over z, one for each example."""

    outputs: int  # how many numbers the encoder gives for one example

    def split(self, raw: Tensor) -> Parameters: ...

    def rsample(self, q: Parameters, shape: tuple[int, ...] = (), *, generator: Generator | None = None) -> Tensor: ...

    def rsample_and_log_prob(
        self, q: Parameters, shape: tuple[int, ...] = (), *, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]: ...

    def log_prob(self, z: Tensor, q: Parameters) -> Tensor: ...

    def closed(self, prior: Density) -> bool: ...

    def kl(self, q: Parameters, prior: Density) -> Tensor: ...


class StandardNormal(Model):
    """The prior ``N(0, I)`` over ``latent`` dimensions: a ``Density``. It looks at no value of z."""

    def __init__(self, latent: int = 2):
        super().__init__([at_least("latent", latent, 1)], None, {"latent": latent})
        self.latent = latent
        self.zero: Tensor
        self.register_buffer("zero", torch.zeros(()), persistent=False)     # a dtype, there being no parameters

    def log_prob(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density in nats: ``(..., Z)`` gives ``(...)``.

        Raises:
            ValueError: for a context, or a z of another number of dimensions.
        """
        self._refuse_context(context)
        if z.shape[-1:] != self.event_shape:
            raise ValueError(f"expected z of shape (..., {self.latent}), got {tuple(z.shape)}")
        return log_normal(single(z)).sum(-1)

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean log-density, a scalar."""
        return -self.log_prob(x, context).mean()

    @drawn
    def sample(self, n: int, *, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """``n`` draws, ``(n, Z)``; ``temperature`` multiplies their spread."""
        self._check_draw(n, generator, temperature)
        return temperature * _noise(self.zero, (n, self.latent), generator)


class DiagonalNormal(nn.Module):
    """The posterior ``N(µ, diag(s²))``, with µ and log s from the encoder."""

    def __init__(self, latent: int):
        super().__init__()
        self.latent = at_least("latent", latent, 1)
        self.outputs = 2 * latent
        self.zero: Tensor
        self.register_buffer("zero", torch.zeros(()), persistent=False)     # a dtype, there being no parameters

    def noise(self, shape, generator: Generator | None) -> Tensor:
        """Standard normal draws."""
        return _noise(self.zero, shape, generator)

    def split(self, raw: Tensor) -> Parameters:
        """Mean and log standard deviation, ``(B, Z)`` each, from ``(B, 2 · Z)``."""
        return tuple(raw.chunk(2, -1))

    def rsample(self, q: Parameters, shape: tuple[int, ...] = (), *, generator: Generator | None = None) -> Tensor:
        """``µ + s ε``, ``(*shape, B, Z)``."""
        mean, log_std = q
        return mean + log_std.exp() * self.noise((*shape, *mean.shape), generator)

    def rsample_and_log_prob(
        self, q: Parameters, shape: tuple[int, ...] = (), *, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same draws, and their log-density, from the noise that made them: ``(*shape, B, Z)``, ``(*shape, B)``."""
        mean, log_std = q
        noise = self.noise((*shape, *mean.shape), generator)
        return mean + log_std.exp() * noise, (log_normal(noise) - log_std).sum(-1)

    def log_prob(self, z: Tensor, q: Parameters) -> Tensor:
        """Log-density of z, ``(*shape, B, Z)``, in nats, ``(*shape, B)``."""
        mean, log_std = q
        return (log_normal((z - mean) / log_std.exp()) - log_std).sum(-1)

    def closed(self, prior: Density) -> bool:
        """Against the standard normal."""
        return isinstance(prior, StandardNormal)

    def kl(self, q: Parameters, prior: Density) -> Tensor:
        """``½(µ² + s² − 1) − log s`` of each dimension, ``(B, Z)``."""
        return gaussian_kl(*q)


def gaussian_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    """``KL(N(µ, s²) ‖ N(0, 1))`` in nats, entry by entry: ``½(µ² + s² − 1) − log s``."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std


def _noise(zero: Tensor, shape, generator: Generator | None) -> Tensor:
    """Standard normal draws of the type and place of ``zero``."""
    return torch.empty(shape, dtype=zero.dtype, device=zero.device).normal_(generator=generator)


def log_normal(z: Tensor) -> Tensor:
    """Log-density of the standard normal, entry by entry."""
    return -0.5 * (z.square() + math.log(2 * math.pi))
