r"""What every variational autoencoder shares: a bound made from an encoder, a decoder and nothing else.

A latent z is drawn from a standard normal, and an example from a likelihood whose parameters a decoder computes from
z. The encoder gives a diagonal Gaussian q(z | x) in place of the posterior, and with it a lower bound on log p(x):

.. math::  \log p(x) \;\ge\; \mathbb E_{q(z \mid x)}\big[\log p(x \mid z)\big]
           - \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big), \qquad
           \mathrm{KL}_j = \tfrac12\big(\mu_j^2 + s_j^2 - 1\big) - \log s_j ,

where :math:`\mu` and :math:`s` are the mean and the standard deviations of q(z | x). The expectation is estimated with
one draw :math:`z = \mu + s \odot \varepsilon`, through which gradients flow.
With k draws the bound is the log of the mean of k importance weights :math:`w_i = p(x, z_i) / q(z_i \mid x)`, which is
never lower on average, and tends to log p(x).

Source
    D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014; D. Rezende, S. Mohamed and D. Wierstra,
    "Stochastic backpropagation and approximate inference in deep generative models", ICML 2014; for k > 1 Y. Burda,
    R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016; free bits from D. Kingma et al.,
    "Improved variational inference with inverse autoregressive flow", 2016.
Differs
    Two cures for a posterior that ignores x act on the training loss alone, never on a figure that is reported:
    *free bits*, an argument of the model, and *warm-up*, an argument of :func:`dgmhelpers.training.fit`
    (``anneal=2000`` raises ``model.beta`` from 0 to 1 over the first 2,000 steps). In evaluation mode ``loss`` is minus
    the mean bound whatever they are, so that validation compares like with like.
Cost
    ``elbo``: one pass of the encoder, k of the decoder. ``sample``: one pass of the decoder.
"""

import abc
import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.model import Model
from dgmhelpers.numerics import logsumexp


class Terms(NamedTuple):
    """The two terms of the bound, in nats: ``elbo = reconstruction − kl.sum(1)``.

    Attributes:
        reconstruction: one-draw estimate of ``E_q log p(x | z)``, ``(B,)``.
        kl: ``KL(q(z_j | x) ‖ p(z_j))`` of each latent dimension in closed form, ``(B, Z)``.
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """The bound, ``(B,)``."""
        return self.reconstruction - self.kl.sum(1)


class LatentVariableModel(Model):
    """A decoder of a standard normal latent, with a diagonal Gaussian encoder.

    Args:
        event_shape: shape of one example.
        latent: number of latent dimensions Z.
        likelihood: what x is given z, from :mod:`dgmhelpers.likelihoods`.
        config: the keyword arguments that make this model again.
        free_bits: λ, nats in each latent dimension that training may use for nothing: its KL, averaged over the batch,
            counts as λ where it is below λ.

    ``beta`` weighs the KL in the training loss. It is 1, but while ``fit(..., anneal=...)`` raises it.
    """

    def __init__(self, event_shape, latent: int, likelihood, config: dict, free_bits: float = 0.0):
        super().__init__(event_shape, likelihood.levels, config)
        self.latent, self.likelihood = at_least("latent", latent, 1), likelihood
        self.free_bits, self.beta = not_negative("free_bits", free_bits), 1.0

    @abc.abstractmethod
    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """:meth:`encode`, of examples that have been checked."""

    @abc.abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Parameters of ``p(x | z)`` from latents ``(B, Z)``: shape ``(B, *event_shape, *parameter_shape)``."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of ``q(z | x)``, each ``(B, Z)``.

        Raises:
            ValueError: if ``x`` is not ``(B, *event_shape)`` or holds a value the likelihood has no probability for.
        """
        return self._encode(self.check(x))

    def elbo(self, x: Tensor, k: int = 1, *, generator: Generator | None = None) -> Tensor:
        """Stochastic lower bound on ``log p(x)`` in nats, shape ``(B,)``.

        With ``k = 1`` the KL is in closed form and the reconstruction a one-draw estimate; with ``k > 1`` it is the log
        of the mean of k importance weights.

        Raises:
            ValueError: for ``k < 1``, a generator elsewhere, or an ``x`` that :meth:`encode` refuses.
        """
        if at_least("k", k, 1) == 1:
            return self.terms(x, generator=generator).elbo
        return logsumexp(self.log_weights(x, k, generator=generator), 0) - math.log(k)

    def terms(self, x: Tensor, *, generator: Generator | None = None) -> Terms:
        """The bound for one draw, in its two terms."""
        x = self.check(x)
        return self._terms(x, *self._encode(x), generator)

    def terms_at(self, x: Tensor, mean: Tensor, log_std: Tensor, *, generator: Generator | None = None) -> Terms:
        """The same for any diagonal Gaussian q, given by its mean and log standard deviation, ``(B, Z)`` each."""
        return self._terms(self.check(x), mean, log_std, generator)

    def log_weights(self, x: Tensor, k: int, *, generator: Generator | None = None) -> Tensor:
        """``log p(x | z) + log p(z) − log q(z | x)`` for k draws of z from q, shape ``(k, B)``."""
        x = self.check(x)
        mean, log_std = self._encode(x)                                                # (B, Z)
        noise = self._noise((at_least("k", k, 1), *mean.shape), generator)             # (k, B, Z)
        z = mean + log_std.exp() * noise
        log_prior, log_q = log_normal(z).sum(-1), (log_normal(noise) - log_std).sum(-1)    # (k, B)
        return self._log_likelihood(x.expand(k, *x.shape), z) + log_prior - log_q

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """What training minimises, a scalar in nats per example: minus the mean bound (k = 1).

        In training mode the KL is weighed by ``beta`` and has its free bits:
        ``−mean(reconstruction) + beta · Σ_j max(free_bits, mean(kl_j))``. In evaluation mode it has neither. Values are
        checked on the CPU only: on an accelerator the look would stall every step.
        """
        self._refuse_context(context)
        x = self._prepare(x)
        reconstruction, kl = self._terms(x, *self._encode(x), generator)
        each = kl.mean(0)                                                              # (Z,)
        if self.training:
            each = self.beta * (each.clamp(min=self.free_bits) if self.free_bits else each)
        return each.sum() - reconstruction.mean()

    @torch.no_grad()
    def sample(self, n: int, *, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` examples, shape ``(n, *event_shape)``: z from the prior, then x given z.

        Args:
            temperature: above 0; multiplies the spread of z and cools the likelihood.

        Raises:
            ValueError: for a negative ``n``, a ``temperature`` of 0 or less, or a generator on another device.
        """
        self._check_draw(n, generator, temperature)
        z = temperature * self._noise((n, self.latent), generator)
        return self.likelihood.sample(self.decode(z), temperature, generator)

    def means(self, z: Tensor) -> Tensor:
        """``E[x | z]``, shape ``(B, *event_shape)``: what pictures of a decoder show. Levels give a real number."""
        return self.likelihood.mean(self.decode(z))

    @torch.no_grad()
    def reconstruct(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """``E[x | z]``, ``(B, *event_shape)``, at the mean of ``q(z | x)``; at a draw from it, given a generator."""
        mean, log_std = self.encode(x)
        return self.means(mean if generator is None else mean + log_std.exp() * self._noise(mean.shape, generator))

    def _terms(self, x, mean, log_std, generator):
        z = mean + log_std.exp() * self._noise(mean.shape, generator)                  # (B, Z)
        return Terms(self._log_likelihood(x, z), gaussian_kl(mean, log_std))

    def _log_likelihood(self, x, z):
        """``log p(x | z)``: ``(..., *event_shape)`` and ``(..., Z)`` give ``(...)``."""
        lead = z.shape[:-1]
        params = self.decode(z.reshape(-1, self.latent))
        each = self.likelihood.log_prob(params, x.reshape(-1, *self.event_shape))
        return each.flatten(1).sum(1).reshape(lead)

    def _noise(self, shape, generator):
        self._check_draw(0, generator)
        return torch.empty(shape, dtype=self.dtype, device=self.device).normal_(generator=generator)


def gaussian_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    """``KL(N(µ, s²) ‖ N(0, 1))`` in nats, entry by entry: ``½(µ² + s² − 1) − log s``."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std


def log_normal(z: Tensor) -> Tensor:
    """Log-density of the standard normal, entry by entry."""
    return -0.5 * (z.square() + math.log(2 * math.pi))


def scaled(x: Tensor, likelihood, dtype: torch.dtype) -> Tensor:
    """An example as a network takes it: levels 0 … K − 1 mapped to [0, 1], real values as they are.

    Not to [−1, 1]: most pixels are background, and a background of zeros leaves the first layer alone. On binarised
    MNIST that was worth 30 nats after 2,500 steps.
    """
    return x if likelihood.levels is None else x.to(dtype) / (likelihood.levels - 1)
