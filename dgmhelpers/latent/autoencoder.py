r"""Autoencoders: a code and a reconstruction, and no distribution.

.. math::  z = f(x), \quad \hat x = g(z), \quad
           \text{minimise}\; \lVert x - \hat x \rVert^2
           \;\text{ or, for bits, }\; -\textstyle\sum_i x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i).

Nothing says which codes are likely, so neither model has a ``sample``, a ``log_prob`` or a bound. The denoising one is
shown a damaged x and must give back the whole one: it can then have more codes than pixels, and for real values its
step :math:`\hat x - x` points uphill on the density of the damaged data.

Source
    G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science, 2006, whose
    sizes ``Autoencoder.PAPER`` has; P. Vincent, H. Larochelle, Y. Bengio and P.-A. Manzagol, "Extracting and composing
    robust features with denoising autoencoders", ICML 2008.
Differs
    Weights are not tied.
Cost
    One pass of each network.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least
from dgmhelpers.latent.vae import mlp
from dgmhelpers.model import Model


class Autoencoder(Model):
    """A code for vectors, and back.

    Args:
        dim: number of variables D.
        latent: numbers in a code, Z.
        hidden: units of each hidden layer of the encoder; the decoder has the same in reverse.
        levels: 2 for bits (scored by cross-entropy), None for real values (by squared error).
    """

    PAPER = {"dim": 784, "latent": 30, "hidden": (1000, 500, 250), "levels": 2}

    def __init__(self, dim: int = 64, latent: int = 2, hidden: tuple[int, ...] = (128,), levels: int | None = 2):
        if levels not in (2, None):
            raise ValueError(f"levels must be 2 for bits or None for real values, got {levels!r}")
        at_least("dim", dim, 1)
        hidden = tuple(at_least("hidden", units, 1) for units in hidden)
        config = {"dim": dim, "latent": latent, "hidden": hidden, "levels": levels}
        super().__init__([dim], levels, config)
        self.latent = at_least("latent", latent, 1)
        self.encoder, self.decoder = mlp([dim, *hidden, latent]), mlp([latent, *hidden[::-1], dim])

    def encode(self, x: Tensor) -> Tensor:
        """The code of each example, ``(B, Z)``."""
        return self.encoder(self.check(x))

    def decode(self, z: Tensor) -> Tensor:
        """What codes ``(B, Z)`` stand for, ``(B, D)``: values from 0 to 1 for bits, real ones otherwise."""
        raw = self.decoder(z)
        return raw.sigmoid() if self.levels == 2 else raw

    def reconstruct(self, x: Tensor) -> Tensor:
        """``decode(encode(x))``, ``(B, D)``."""
        return self.decode(self.encode(x))

    def errors(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """What each example's reconstruction lacks, ``(B,)``: cross-entropy in nats, or squared error; summed over D.

        Raises:
            ValueError: if ``x`` is not ``(B, D)``, or not bits, or not finite.
        """
        return self._errors(self.check(x), generator)

    def _errors(self, x, generator):
        raw = self.decoder(self.encoder(self._damage(x, generator)))
        if self.levels == 2:
            return F.binary_cross_entropy_with_logits(raw, x, reduction="none").sum(1)
        return (x - raw).square().sum(1)

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """The mean of :meth:`errors`: what training minimises."""
        self._refuse_context(context)
        return self._errors(self._prepare(x), generator).mean()

    def _damage(self, x, generator):
        return x


class DenoisingAutoencoder(Autoencoder):
    """An autoencoder that is trained to undo damage.

    Args:
        noise: for bits the probability that a bit is replaced by a fair coin, for real values the standard deviation of
            what is added to them.

    The other arguments are those of :class:`Autoencoder`. ``encode`` and ``reconstruct`` take x as it is; ``errors``
    and ``loss`` damage it first, in evaluation mode too: undoing damage is what the model is for.
    """

    PAPER = {"dim": 784, "latent": 500, "hidden": (), "levels": 2, "noise": 0.25}

    def __init__(
        self,
        dim: int = 64,
        latent: int = 2,
        hidden: tuple[int, ...] = (128,),
        levels: int | None = 2,
        noise: float = 0.3,
    ):
        super().__init__(dim, latent, hidden, levels)
        most = 1.0 if levels == 2 else math.inf
        if not (0 < noise <= most and math.isfinite(noise)):
            raise ValueError(f"noise must be positive{' and at most 1' if levels else ''}, got {noise!r}")
        self.noise = float(noise)
        self.config["noise"] = self.noise

    def damage(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """``x``, ``(B, D)``, with noise."""
        return self._damage(self.check(x), generator)

    def _damage(self, x, generator):
        if self.levels is None:
            return x + self.noise * torch.empty_like(x).normal_(generator=generator)
        hit = torch.empty_like(x).uniform_(generator=generator) < self.noise
        return torch.where(hit, torch.empty_like(x).bernoulli_(0.5, generator=generator), x)
