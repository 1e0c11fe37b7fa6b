r"""RNADE: NADE for real values, each conditional a mixture of Gaussians.

The hidden layer grows by one column an input, as in NADE, and a mixture of M Gaussians is read off it at every step:

.. math::  a_{k+1} = a_k + W_{:,o_k}\, x_{o_k}, \quad a_1 = c, \qquad h_k = \max(0, \rho_k\, a_k), \qquad
           p(x_{o_k} \mid x_{o_{<k}}) = \sum_{m=1}^{M} \alpha_m\, \mathcal N(x_{o_k};\, \mu_m, s_m^2),

with :math:`\alpha = \mathrm{softmax}(z^\alpha)`, :math:`\mu = z^\mu`, :math:`s = e^{z^s}`, each z linear in
:math:`h_k`. Since a is a sum of k terms it grows with k; the factors ρ, one a step and learned like the rest, let the
same weights serve early and late steps alike.

Source
    B. Uria, I. Murray and H. Larochelle, "RNADE: the real-valued neural autoregressive density-estimator", NIPS 2013.
    How its authors train it was read in their code, https://github.com/MarcCote/NADE (rnade), not in the paper.
Differs
    Everything is counted in units of ``scale`` (x enters as x/scale, and the mixture is widened again), where the
    authors' code multiplies the gradients of the means by the standard deviations; ρ starts at 1/√k where theirs starts
    at 1, the means at M places between −1 and 1 units where theirs spread over the range of the data; Gaussians only,
    no Laplacians.
Cost
    ``log_prob``: O(DHM) per example, and as much memory as D hidden layers. ``sample``: O(DHM) cached, D times that
    naive.
"""

import math

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least, positive
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import MixtureOfGaussians


class RNADE(Autoregressive):
    """Exact density over real vectors.

    A density has no upper limit: on data with repeated values (levels that nobody added noise to) the likelihood
    grows for ever as a component narrows around one of them. Dequantise first.

    Args:
        dim: number of variables D.
        hidden: size H of the shared hidden layer.
        components: Gaussians M in each conditional.
        order: the order of the chain rule, a permutation of 0 … D − 1; raster if not given.
        scale: the size that values have, such as the standard deviation of the data. It changes what a fresh model
            is and how it learns, not what it can represent.
    """

    PAPER = {"dim": 63}  # 8 × 8 patches without their mean and last pixel; its other sizes we could not look up

    def __init__(self, dim: int = 63, hidden: int = 128, components: int = 5, order=None, scale: float = 1.0):
        for name, value in [("dim", dim), ("hidden", hidden), ("components", components)]:
            at_least(name, value, 1)
        scale = positive("scale", scale)
        config = dict(dim=dim, hidden=hidden, components=components, order=order, scale=scale)
        super().__init__([dim], MixtureOfGaussians(components), order, config)
        self.scale = scale
        self.W = nn.Parameter(torch.empty(dim, hidden).uniform_(-1, 1) / dim**0.5)                 # input to hidden
        self.V = nn.Parameter(torch.empty(dim, 3, components, hidden).uniform_(-1, 1) / hidden**0.5)  # hidden to z
        self.b = nn.Parameter(torch.zeros(dim, 3, components))
        self.c = nn.Parameter(torch.empty(hidden).uniform_(-1, 1))
        self.rho = nn.Parameter(torch.arange(1, dim + 1) ** -0.5)                  # by step, not by variable
        with torch.no_grad():
            self.b[:, 1] = torch.linspace(-1, 1, components) if components > 1 else 0.0

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits, means and log standard deviations of every conditional at once, shape ``(B, D, 3, M)``."""
        self._refuse_context(context)
        added = x[:, self.order, None] / self.scale * self.W[self.order]           # (B, D, H), what each step adds
        before = added.cumsum(1) - added                                           # what was there before it
        h = (self.rho[:, None] * (self.c + before)).relu()                         # (B, D, H), by step
        h = h[:, self.order.argsort()]                                             # by variable
        return self._rescaled(torch.einsum("bdh,dpmh->bdpm", h, self.V) + self.b)  # (B, D, 3, M)

    def conditionals(self, n, context=None):
        """The recursion itself: keep ``a``, add a row when a value arrives."""
        self._refuse_context(context)
        a = self.c.repeat(n, 1)                                                    # (n, H)
        for rho_k, i in zip(self.rho, self.steps(), strict=True):
            h = (rho_k * a).relu()
            x_i = yield self._rescaled(torch.einsum("bh,pmh->bpm", h, self.V[i]) + self.b[i])  # (n, 3, M)
            a = torch.addcmul(a, x_i[:, None] / self.scale, self.W[i])

    def _rescaled(self, z):
        """From units of ``scale`` to those of the data."""
        logits, mean, log_std = z.unbind(-2)
        return torch.stack([logits, mean * self.scale, log_std + math.log(self.scale)], -2)
