r"""What every variational autoencoder shares: a bound made from an encoder, a decoder, a prior and a family of q.

A latent z is drawn from the prior, a standard normal unless another is given, and an example from a likelihood whose
parameters a decoder computes from z. The encoder gives q(z | x), a diagonal Gaussian unless another family is given, in
place of the posterior, and with it a lower bound on log p(x). With both defaults:

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
    the mean bound whatever they are, so that validation compares like with like. A conditional model is a model of
    x for each context: encoder, decoder and a conditional prior see it.
Cost
    ``elbo``: one pass of the encoder, k of the decoder. ``sample``: one pass of the decoder.
"""

import abc
import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.latent.parts import DiagonalNormal, Parameters, Posterior, StandardNormal
from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import logsumexp
from dgmhelpers.protocols import Context, Density


class Terms(NamedTuple):
    """The two terms of the bound, in nats: ``elbo = reconstruction − kl.sum(1)``.

    Attributes:
        reconstruction: one-draw estimate of ``E_q log p(x | z)``, ``(B,)``.
        kl: ``KL(q(z_j | x) ‖ p(z_j))`` of each latent dimension in closed form, ``(B, Z)``; where prior or posterior
            has none, a one-draw estimate of the whole, ``(B, 1)``.
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """The bound, ``(B,)``."""
        return self.reconstruction - self.kl.sum(1)


class LatentVariableModel(Model):
    """A decoder of latents with a prior, and an encoder that says which q each example has.

    Args:
        event_shape: shape of one example.
        latent: number of latent dimensions Z.
        likelihood: what x is given z, from :mod:`dgmhelpers.likelihoods`.
        config: the keyword arguments that make this model again, but for prior and posterior: these are stages of a
            checkpoint (``checkpoints.save(..., stages={"prior": model.prior})``).
        free_bits: λ, nats in each latent dimension that training may use for nothing: its KL, averaged over the batch,
            counts as λ where it is below λ.
        prior: a ``Density`` over ``(Z,)``; the standard normal by default.
        posterior: a :class:`~dgmhelpers.latent.parts.Posterior`; the diagonal Gaussian by default. It is kept as ``q``.
        conditioned_on: what a context is, for a conditional model.

    ``beta`` weighs the KL in the training loss. It is 1, but while ``fit(..., anneal=...)`` raises it.

    Raises:
        ValueError: for a prior that is not a density over ``(Z,)``, or is conditional on something else.
    """

    def __init__(
        self, event_shape, latent: int, likelihood, config: dict, free_bits: float = 0.0,
        prior: Density | None = None, posterior: Posterior | None = None, conditioned_on: Context | None = None,
    ):  # fmt: skip
        super().__init__(event_shape, likelihood.levels, config)
        self.latent, self.likelihood = at_least("latent", latent, 1), likelihood
        self.free_bits, self.beta = not_negative("free_bits", free_bits), 1.0
        self.prior = StandardNormal(latent) if prior is None else prior
        self.q: Posterior = DiagonalNormal(latent) if posterior is None else posterior
        self.conditioned_on = conditioned_on
        if isinstance(self.prior, Model):
            self.prior.inner = True
        if tuple(self.prior.event_shape) != (latent,):
            raise ValueError(f"the prior must be a density over ({latent},), got one over "
                             f"{tuple(self.prior.event_shape)}")
        self._about_prior = getattr(self.prior, "conditioned_on", None)
        if self._about_prior not in (None, conditioned_on):
            raise ValueError(f"the prior is conditioned on {self._about_prior}, the model on {conditioned_on}")

    @abc.abstractmethod
    def _encode(self, x: Tensor, context: Tensor | None = None) -> Parameters:
        """:meth:`encode`, of examples that have been checked; with the context behind them if there is one."""

    @abc.abstractmethod
    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of ``p(x | z)`` from latents ``(B, Z)``: shape ``(B, *event_shape, *parameter_shape)``.

        A conditional model takes the context behind z, one row for each.
        """

    def encode(self, x: Tensor, context: Tensor | None = None) -> Parameters:
        """Parameters of ``q(z | x)``: mean and log standard deviation, each ``(B, Z)``, and what else the family has.

        Raises:
            ValueError: if ``x`` is not ``(B, *event_shape)`` or holds a value the likelihood has no probability for, or
                the context is not what the model is conditioned on.
        """
        return self._encode(self.check(x), *self._about(context, len(x)))

    def elbo(self, x: Tensor, k: int = 1, context: Tensor | None = None, *,
             generator: Generator | None = None) -> Tensor:  # fmt: skip
        """Stochastic lower bound on ``log p(x)`` in nats, shape ``(B,)``.

        With ``k = 1`` the reconstruction is a one-draw estimate, and the KL in closed form where there is one; with
        ``k > 1`` it is the log of the mean of k importance weights.

        Raises:
            ValueError: for ``k < 1``, a generator elsewhere, or an ``x`` or context that :meth:`encode` refuses.
        """
        if at_least("k", k, 1) == 1:
            return self.terms(x, context, generator=generator).elbo
        return logsumexp(self.log_weights(x, k, context, generator=generator), 0) - math.log(k)

    def terms(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Terms:
        """The bound for one draw, in its two terms."""
        x, about = self.check(x), self._about(context, len(x))
        return self._terms(x, self._encode(x, *about), generator, *about)

    def terms_at(self, x: Tensor, mean: Tensor, log_std: Tensor, context: Tensor | None = None, *,
                 generator: Generator | None = None) -> Terms:  # fmt: skip
        """The same for any q of a family that mean and log standard deviation, ``(B, Z)`` each, say all about."""
        return self._terms(self.check(x), (mean, log_std), generator, *self._about(context, len(x)))

    def log_weights(self, x: Tensor, k: int, context: Tensor | None = None, *,
                    generator: Generator | None = None) -> Tensor:  # fmt: skip
        """``log p(x | z) + log p(z) − log q(z | x)`` for k draws of z from q, shape ``(k, B)``."""
        x, about = self.check(x), self._about(context, len(x))
        self._check_draw(0, generator)
        q = self._encode(x, *about)                                                    # (B, Z) each
        z, log_q = self.q.rsample_and_log_prob(q, (at_least("k", k, 1),), generator=generator)
        return self._log_likelihood(x.expand(k, *x.shape), z, *about) + self._log_prior(z, *about) - log_q

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """What training minimises, a scalar in nats per example: minus the mean bound (k = 1).

        In training mode the KL is weighed by ``beta`` and has its free bits:
        ``−mean(reconstruction) + beta · Σ_j max(free_bits, mean(kl_j))``. In evaluation mode it has neither. Values are
        checked on the CPU only: on an accelerator the look would stall every step.
        """
        about = self._about(context, len(x))
        x = self._prepare(x)
        reconstruction, kl = self._terms(x, self._encode(x, *about), generator, *about)
        each = kl.mean(0)                                                              # (Z,)
        if self.training:
            each = self.beta * (each.clamp(min=self.free_bits) if self.free_bits else each)
        return each.sum() - reconstruction.mean()

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, context: Tensor | None = None, temperature: float = 1.0,
               generator: Generator | None = None) -> Tensor:  # fmt: skip
        """Draw ``n`` examples, shape ``(n, *event_shape)``: z from the prior, then x given z.

        Args:
            context: of a conditional model, one row for each draw.
            temperature: above 0; multiplies the spread of z and cools the likelihood.

        Raises:
            ValueError: for a negative ``n``, a ``temperature`` of 0 or less, or a generator on another device.
        """
        self._check_draw(n, generator, temperature)
        about = self._about(context, n)
        more: dict = {"temperature": temperature} if temperature != 1 else {}
        if self._about_prior is not None:
            more["context"] = context
        z = self.prior.sample(n, generator=generator, **more).to(self.dtype)           # a prior may compute in double
        return self.likelihood.sample(self.decode(z, *about), temperature, generator)

    def means(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """``E[x | z]``, shape ``(B, *event_shape)``: what pictures of a decoder show. Levels give a real number."""
        return self.likelihood.mean(self.decode(z, *self._about(context, len(z))))

    @torch.no_grad()
    def reconstruct(self, x: Tensor, generator: Generator | None = None, *, context: Tensor | None = None) -> Tensor:
        """``E[x | z]``, ``(B, *event_shape)``, at the first parameter of q, its mean; at a draw, given a generator."""
        self._check_draw(0, generator)
        q = self.encode(x, context)
        z = q[0] if generator is None else self.q.rsample(q, generator=generator)
        return self.means(z, context)

    def _about(self, context: Tensor | None, n: int) -> tuple[Tensor, ...]:
        """The context, checked, as the further arguments of encoder and decoder: none for an unconditional model."""
        if self.conditioned_on is None:
            self._refuse_context(context)
            return ()
        return (self._check_context(context, n),)

    def _terms(self, x, q, generator, *about):
        self._check_draw(0, generator)
        if self.q.closed(self.prior):
            z = self.q.rsample(q, generator=generator)                                 # (B, Z)
            return Terms(self._log_likelihood(x, z, *about), self.q.kl(q, self.prior))
        z, log_q = self.q.rsample_and_log_prob(q, generator=generator)
        likelihood = self._log_likelihood(x, z, *about)                                # (B,)
        return Terms(likelihood, (log_q - self._log_prior(z, *about))[:, None])

    def _log_prior(self, z, *about):
        """``log p(z)``: ``(..., Z)`` gives ``(...)``."""
        about = _repeated(about, z) if self._about_prior is not None else ()
        return self.prior.log_prob(z.reshape(-1, self.latent), *about).reshape(z.shape[:-1]).to(self.dtype)

    def _log_likelihood(self, x, z, *about):
        """``log p(x | z)``: ``(..., *event_shape)`` and ``(..., Z)`` give ``(...)``."""
        params = self.decode(z.reshape(-1, self.latent), *_repeated(about, z))
        each = self.likelihood.log_prob(params, x.reshape(-1, *self.event_shape))
        return each.flatten(1).sum(1).reshape(z.shape[:-1])

    def _noise(self, shape, generator):
        self._check_draw(0, generator)
        return torch.empty(shape, dtype=self.dtype, device=self.device).normal_(generator=generator)


def _repeated(about, z):
    """A context of ``(B, …)`` for each of the draws ``(..., B, Z)``, flat as they are."""
    return tuple(each.expand(*z.shape[:-2], *each.shape).reshape(-1, *each.shape[1:]) for each in about)


def scaled(x: Tensor, likelihood, dtype: torch.dtype) -> Tensor:
    """An example as a network takes it: levels 0 … K − 1 mapped to [0, 1], real values as they are.

    Not to [−1, 1]: most pixels are background, and a background of zeros leaves the first layer alone. On binarised
    MNIST that was worth 30 nats after 2,500 steps.
    """
    return x if likelihood.levels is None else x.to(dtype) / (likelihood.levels - 1)
