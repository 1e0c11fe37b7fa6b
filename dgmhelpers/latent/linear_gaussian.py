r"""The linear Gaussian model: the VAE whose likelihood and posterior are known.

.. math::  z \sim \mathcal N(0, I), \quad x \mid z \sim \mathcal N(Wz + b, v I) \quad\Longrightarrow\quad
           x \sim \mathcal N(b,\; WW^\top + v I), \quad
           z \mid x \sim \mathcal N\big(M^{-1} W^\top (x - b),\; v M^{-1}\big), \quad M = W^\top W + v I ,

where v is the variance of the noise. So every statement about the bound can be checked to rounding: it falls short of
log p(x) by exactly KL(q ‖ p(z | x)). The encoder is linear with one standard deviation for each latent dimension. It
can be the posterior if and only if the columns of W are orthogonal, which is how ``fit_closed_form`` leaves them.

Source
    M. Tipping and C. Bishop, "Probabilistic principal component analysis", JRSS B, 1999.
Differs
    A separate encoder, so that it can be wrong. It takes no parts: the exact density is that of the standard prior.
Cost
    ``log_prob``: a factorisation of a Z × Z matrix, then O(DZ) an example.
"""

import math

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.latent.base import LatentVariableModel
from dgmhelpers.likelihoods import Gaussian
from dgmhelpers.numerics import single


class LinearGaussianVAE(LatentVariableModel):
    """Exact density over real vectors (probabilistic PCA), and a bound beside it.

    Args:
        dim: number of variables D.
        latent: number of latent dimensions Z, at most D.
        free_bits: as in :class:`VAE`.

    ``fit`` minimises minus the bound; since there is a ``log_prob``, it is that by which it validates. Identities hold
    to 1e-6 and better after ``.double()``.
    """

    PAPER = {"dim": 18, "latent": 2}

    def __init__(self, dim: int = 2, latent: int = 1, free_bits: float = 0.0):
        at_least("dim", dim, 1)
        if at_least("latent", latent, 1) > dim:
            raise ValueError(f"latent must be at most dim = {dim}, got {latent}")
        config = {"dim": dim, "latent": latent, "free_bits": free_bits}
        super().__init__([dim], latent, Gaussian(), config, free_bits)
        self.W = nn.Parameter(torch.randn(dim, latent) * 0.5 / math.sqrt(latent))
        self.b = nn.Parameter(torch.zeros(dim))
        self.log_sigma = nn.Parameter(torch.zeros(()))
        self.encoder = nn.Linear(dim, latent)
        self.log_std = nn.Parameter(torch.zeros(latent))

    def _encode(self, x, context=None):
        mean = self.encoder(x)                                                         # (B, Z)
        return mean, self.log_std.expand_as(mean)

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Mean ``Wz + b`` and log standard deviation of ``p(x | z)``: ``(B, Z)`` gives ``(B, D, 2)``."""
        mean = z @ self.W.T + self.b                                                   # (B, D)
        return torch.stack([mean, self.log_sigma.expand_as(mean)], -1)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-density in nats, shape ``(B,)``: of the Gaussian that is left when z is integrated out."""
        self._refuse_context(context)
        W, b, log_sigma = self._in_single()
        away = self.check(x) - b                                                       # (B, D)
        dim, variance = len(b), (2 * log_sigma).exp()
        L = torch.linalg.cholesky(self._M())                                           # (Z, Z)
        inside = torch.linalg.solve_triangular(L, (away @ W).T, upper=False)           # (Z, B): L⁻¹ Wᵀ(x − b)
        squares = (away.square().sum(1) - inside.square().sum(0)) / variance           # (x − b)ᵀ C⁻¹ (x − b)
        log_det = 2 * L.diagonal().log().sum() + 2 * (dim - self.latent) * log_sigma
        return -0.5 * (squares + log_det + dim * math.log(2 * math.pi))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The exact ``p(z | x)``: its mean, ``(B, Z)``, and its covariance, which is the same for all, ``(Z, Z)``."""
        W, b, log_sigma = self._in_single()
        inverse = torch.linalg.inv(self._M())
        return (self.check(x) - b) @ W @ inverse, (2 * log_sigma).exp() * inverse

    def posterior_gap(self, x: Tensor) -> Tensor:
        """``KL(q(z | x) ‖ p(z | x))`` in closed form, shape ``(B,)``: what the bound lacks."""
        x = self.check(x)
        mean, log_std = (single(t) for t in self._encode(x))                           # (B, Z)
        centre, covariance = self.posterior(x)
        precision = torch.linalg.inv(covariance)
        away, variance = centre - mean, (2 * log_std).exp()
        squares = ((away @ precision) * away).sum(1) + (variance * precision.diagonal()).sum(1)
        return 0.5 * (squares - self.latent + torch.logdet(covariance)) - log_std.sum(1)

    @torch.no_grad()
    def set_encoder_to_posterior(self) -> "LinearGaussianVAE":
        """Make q the diagonal Gaussian nearest to the posterior: the posterior itself if W's columns are orthogonal.

        Its mean is the posterior's, its variances are the inverses of the diagonal of the posterior's precision, which
        is what minimises KL(q ‖ p(z | x)).
        """
        M, (W, b, log_sigma) = self._M(), self._in_single()
        weight = torch.linalg.solve(M, W.T)                                            # (Z, D)
        self.encoder.weight.copy_(weight)
        self.encoder.bias.copy_(-weight @ b)
        self.log_std.copy_(log_sigma - 0.5 * M.diagonal().log())
        return self

    @torch.no_grad()
    def fit_closed_form(self, x: Tensor) -> "LinearGaussianVAE":
        """Maximum likelihood without a step: the leading eigenvectors of the covariance of ``x``, ``(N, D)``.

        v is the mean of the D − Z eigenvalues left out, and each column of W an eigenvector of length
        ``√(eigenvalue − v)``. The encoder becomes the posterior.

        Raises:
            ValueError: if nothing is left out (Z = D), or what is left out has no variance.
        """
        x = self.check(x).cpu().double()                                       # once, and no device need have float64
        if len(x) < 2:
            raise ValueError(f"a covariance needs two examples or more, got {len(x)}")
        mean, dim = x.mean(0), len(self.b)
        if self.latent == dim:
            raise ValueError(f"with latent = dim = {dim} no direction is left to estimate the variance from")
        centred = x - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))              # ascending
        variance = values[: dim - self.latent].mean()
        if not variance > 1e-12 * values[-1]:
            raise ValueError("the examples lie in fewer directions than latent: v would be 0 and the density infinite")
        lengths = (values[dim - self.latent :] - variance).clamp(min=0).sqrt()         # (Z,)
        self.W.copy_((vectors[:, dim - self.latent :] * lengths).flip(1))
        self.b.copy_(mean)
        self.log_sigma.copy_(0.5 * variance.log())
        return self.set_encoder_to_posterior()

    def _M(self):
        W, _, log_sigma = self._in_single()
        return W.T @ W + (2 * log_sigma).exp() * torch.eye(self.latent, dtype=W.dtype, device=W.device)

    def _in_single(self):
        """W, b and log σ in float32 at least, which is what matrices can be factorised in."""
        return single(self.W), single(self.b), single(self.log_sigma)
