r"""Deep Gaussian mixture: layers of linear maps, one of several drawn at each layer, from a normal.

.. math::  z \sim \mathcal N(0, I), \qquad
           x = A_{1,k_1} \big( A_{2,k_2} ( \cdots z \cdots ) + b_{2,k_2} \big) + b_{1,k_1}, \qquad
           k_l \sim \operatorname{Cat}(\pi_l).

Every path :math:`(k_1, k_2, …)` is a Gaussian, so this is a mixture of :math:`K_1 K_2 \cdots` of them that share their
parts: many components at the price of a few.

Source
    A. van den Oord and B. Schrauwen, "Factoring variations in natural images with deep Gaussian mixture models", NIPS
    2014.
Differs
    All paths are summed, where the authors' EM samples or picks them; the maps are trained by their gradient. Inverse
    maps are the parameters, as factors without which no density could be computed: a triangle below and one above.
Cost
    ``log_prob``: O(K₁ D²) for the first layer, K₁K₂ times for the second, and so on. ``sample``: a product a layer.
"""

import copy
import math

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.classical.base import Classical, draw, parameter, some
from dgmhelpers.numerics import exp, logsumexp, ordinary, single


class DeepGMM(Classical):
    """Exact density over real vectors: a mixture of Gaussians that share the layers of which they are made.

    Args:
        dim: number of entries D.
        maps: how many maps each layer has, data first.
    """

    def __init__(self, dim: int = 2, maps=(4, 4)):
        at_least("dim", dim, 1)
        maps = [at_least("maps", k, 1) for k in maps]
        super().__init__([dim], None, {"dim": dim, "maps": maps})
        self.logits = nn.ParameterList(parameter(k) for k in maps)                     # (K_l,)
        self.lower = nn.ParameterList(parameter(k, dim, dim, spread=0.1 / dim**0.5) for k in maps)
        self.upper = nn.ParameterList(parameter(k, dim, dim, spread=0.1 / dim**0.5) for k in maps)
        self.shift = nn.ParameterList(parameter(k, dim, spread=0.5) for k in maps)     # (K_l, D)

    def fit(self, x: Tensor, *, steps: int = 100) -> "DeepGMM":
        """Maximise the mean ``log_prob`` by L-BFGS from :meth:`initialise`, in float64, and round to the own type.

        Args:
            x: ``(N, D)``.
            steps: at most. The likelihood of a mixture has no maximum: more steps may fit single examples.
        """
        x = some(self.check(ordinary(x))).double()
        long = copy.deepcopy(self).double()
        long.initialise(x)
        optimiser = torch.optim.LBFGS(long.parameters(), max_iter=at_least("steps", steps, 1),
                                      line_search_fn="strong_wolfe")  # fmt: skip

        def closure():
            optimiser.zero_grad()
            loss = -long.log_prob(x).mean()
            loss.backward()
            return loss

        optimiser.step(closure)
        self.load_state_dict(long.state_dict())
        return self

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Let the first layer whiten ``x``, ``(N, D)``, with its maps' shifts at examples; the deeper ones stay."""
        x = some(self.check(x))
        covariance = torch.cov(x.T, correction=0).reshape(x.shape[1], -1)
        covariance += 1e-3 * covariance.diagonal().mean() * torch.eye(x.shape[1]).to(x)
        inverse = torch.linalg.inv(torch.linalg.cholesky(covariance))                  # lower: x − b to z
        for k in range(len(self.logits[0])):
            at = x[torch.randint(len(x), (1,))][0] if len(self.logits[0]) > 1 else x.mean(0)
            self.lower[0][k] = inverse.tril(-1) / inverse.diagonal() + torch.diag(inverse.diagonal().log())
            self.shift[0][k] = 0.5 * (at + x.mean(0))

    def _log_prob(self, x):
        h, total = x[:, None], x.new_zeros(len(x), 1)                                  # (B, paths, D), (B, paths)
        for logits, lower, upper, shift in zip(self.logits, self.lower, self.upper, self.shift, strict=True):
            inverse, log_volume = self._inverse(lower, upper)                          # (K, D, D), (K,)
            h = torch.einsum("kde,bpke->bpkd", inverse, h[:, :, None] - single(shift)).flatten(1, 2)
            total = (total[..., None] + single(logits).log_softmax(0) + log_volume).flatten(1)
        return logsumexp(total - 0.5 * h.square().sum(-1) - 0.5 * h.shape[-1] * math.log(2 * math.pi), 1)

    def _sample(self, n, generator):
        z = torch.empty(n, *self.event_shape, dtype=self.dtype, device=self.device).normal_(generator=generator)
        z = single(z)
        for logits, lower, upper, shift in reversed(
            list(zip(self.logits, self.lower, self.upper, self.shift, strict=True))
        ):
            k = draw(single(logits).softmax(0).expand(n, -1), generator)
            inverse, _ = self._inverse(lower, upper)
            z = torch.linalg.solve(inverse[k], z.unsqueeze(-1)).squeeze(-1) + single(shift)[k]
        return z.to(self.dtype)

    @staticmethod
    def _inverse(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """U · L with unit diagonals but for the exponentials between: maps ``(K, D, D)``, and log-determinants."""
        lower, upper = single(lower), single(upper)
        eye = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
        log_scale = lower.diagonal(dim1=-2, dim2=-1)                                   # (K, D)
        scaled = exp(log_scale).unsqueeze(-1) * (lower.tril(-1) + eye)
        return (upper.triu(1) + eye) @ scaled, log_scale.sum(-1)
