r"""The multivariate Gaussian, by maximum likelihood.

.. math::  \log p(x) = -\tfrac12 (x - \mu)^\top \Sigma^{-1} (x - \mu) - \tfrac12 \log\det(2\pi\Sigma), \qquad
           \hat\mu = \frac1N \sum_n x_n, \quad \hat\Sigma = \frac1N \sum_n (x_n - \hat\mu)(x_n - \hat\mu)^\top.

The covariance is kept as :math:`\Sigma = LL^\top` with L triangular and its diagonal an exponential, so that any
values of the parameters are a Gaussian.

Source
    R. A. Fisher, "On the mathematical foundations of theoretical statistics", 1922, for the method.
Differs
    Divides by N, which maximises the likelihood, where the unbiased estimate divides by N − 1.
Cost
    ``fit``: O(ND² + D³). ``log_prob``: O(D²) an example, after one triangular factor. ``sample``: O(D²).
"""

import math

import torch
from torch import Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.classical.base import Classical, parameter, some
from dgmhelpers.numerics import exp, single

LEAST = 1e-10  # smallest share of the total variance that a direction must have: below it, rounding decides


class SingularCovariance(ValueError):
    """The examples have no spread in some direction, so their likelihood has no maximum."""


class Gaussian(Classical):
    """Exact density over real vectors.

    Args:
        dim: number of entries D.
        mean: ``(D,)``; zero if not given.
        covariance: ``(D, D)``, symmetric and positive definite; the identity if not given.
    """

    def __init__(self, dim: int = 2, mean=None, covariance=None):
        at_least("dim", dim, 1)
        super().__init__([dim], None, {"dim": dim})
        self.mean = parameter(dim)                                                     # (D,)
        self.raw = parameter(dim, dim)                                                 # (D, D): see `triangular`
        if mean is not None:
            self._set(mean=torch.as_tensor(mean, dtype=torch.double).expand(dim))
        if covariance is not None:
            covariance = torch.as_tensor(covariance, dtype=torch.double)
            if covariance.shape != (dim, dim) or not torch.allclose(covariance, covariance.T):
                raise ValueError(f"covariance must be a symmetric ({dim}, {dim}) matrix")
            self._set(raw=raw_factor(covariance))

    @property
    def covariance(self) -> Tensor:
        """Σ, ``(D, D)``."""
        L = triangular(self.raw)
        return L @ L.T

    @torch.no_grad()
    def fit(self, x: Tensor, *, ridge: float = 0.0) -> "Gaussian":
        """Set mean and covariance to those of ``x``, ``(N, D)``.

        Args:
            ridge: added to every variance; makes a singular covariance usable, and the fit no longer the maximum.

        Raises:
            SingularCovariance: if the examples do not spread in every direction and ``ridge`` is 0.
        """
        x = some(self.check(x))
        centred = x - x.mean(0)
        covariance = centred.T @ centred / len(x) + not_negative("ridge", ridge) * torch.eye(x.shape[1]).to(x)
        self._set(mean=x.mean(0), raw=raw_factor(covariance, f"of these {len(x):,} examples"))
        return self

    def _log_prob(self, x):
        return log_normal(x, self.mean, self.raw)

    def _sample(self, n, generator):
        noise = torch.empty(n, *self.event_shape, dtype=self.dtype, device=self.device).normal_(generator=generator)
        return self.mean + noise @ triangular(self.raw).T


def triangular(raw: Tensor) -> Tensor:
    """L from any ``(..., D, D)``: its lower triangle, the diagonal exponentiated. (The upper triangle is not used.)"""
    return raw.tril(-1) + torch.diag_embed(exp(raw.diagonal(dim1=-2, dim2=-1)))


def raw_factor(covariance: Tensor, of: str = "given") -> Tensor:
    """The parameters whose :func:`triangular` is the Cholesky factor of ``covariance``, ``(D, D)``.

    Raises:
        SingularCovariance: if a direction has less than 1e-10 of the mean variance: saying what to do about it.
    """
    values = torch.linalg.eigvalsh(covariance)                                         # ascending
    scale = values.clamp(min=0).mean()
    flat = int((values <= LEAST * scale).sum())
    if flat or not scale > 0:
        still = [i for i, v in enumerate(covariance.diagonal().tolist()) if v <= LEAST * scale]
        constant = f" (entries {still[:5]} are constant)" if still else ""
        raise SingularCovariance(
            f"the covariance {of} is singular: no spread in {flat} of {len(values)} directions{constant}, so the "
            "likelihood has no maximum; drop such entries, bring more examples than entries, or give ridge= "
            "(1e-3 of a typical variance, say)"
        )
    L = torch.linalg.cholesky(covariance)
    return L.tril(-1) + torch.diag_embed(L.diagonal().log())


def log_normal(x: Tensor, mean: Tensor, raw: Tensor) -> Tensor:
    """Log-density of ``x``, ``(B, D)``, under means ``(..., D)`` and factors ``(..., D, D)``: ``(B, ...)``."""
    mean, raw = single(mean), single(raw)
    lead, dim = mean.shape[:-1], mean.shape[-1]
    away = (x.reshape(len(x), *[1] * len(lead), dim) - mean).movedim(0, -1)            # (..., D, B)
    z = torch.linalg.solve_triangular(triangular(raw), away, upper=False)              # (..., D, B)
    log_volume = raw.diagonal(dim1=-2, dim2=-1).sum(-1)                                # (...): log det L
    value = -0.5 * z.square().sum(-2) - (log_volume + 0.5 * dim * math.log(2 * math.pi)).unsqueeze(-1)
    return value.movedim(-1, 0)
