r"""Fully visible belief network: one logistic regression per variable.

The chain rule writes any joint distribution as a product of conditionals. Here each conditional is the simplest
one that can use its whole past:

.. math::  p(x) = \prod_{k=1}^{D} p(x_{o_k} \mid x_{o_{<k}}), \qquad
           p(x_i = 1 \mid \text{its past}) = \sigma\Big(b_i + \sum_{j \text{ before } i} W_{ij}\, x_j\Big).

Source
    B. Frey, G. Hinton and P. Dayan, "Does the wake-sleep algorithm produce good density estimators?", NIPS 1995.
Differs
    Any order of the variables; trained by gradient descent on minibatches rather than one regression at a time.
Cost
    ``log_prob``: one D × D product. ``sample``: D steps, of O(D) cached or O(D²) naive.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers import masks
from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import Bernoulli


class FVBN(Autoregressive):
    """Exact density over binary vectors.

    Args:
        dim: number of variables D, at least 1.
        order: the order of the chain rule, a permutation of 0 … D − 1; raster if not given.
    """

    PAPER = {"dim": 64}  # binarised 8 × 8 digits

    def __init__(self, dim: int = 64, order=None):
        at_least("dim", dim, 1)
        super().__init__([dim], Bernoulli(), order, {"dim": dim, "order": order})
        self.weight = nn.Parameter(torch.zeros(dim, dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logit of every conditional at once, shape ``(B, D)``."""
        self._refuse_context(context)
        return F.linear(x, masks.past(self.order) * self.weight, self.bias)

    def conditionals(self, n, context=None):
        """One row of the weights for each variable, where the naive sampler uses all of them."""
        self._refuse_context(context)
        weight = masks.past(self.order) * self.weight
        x = self.bias.new_zeros(n, len(self.bias))                                 # (n, D)
        for i in self.steps():
            x[:, i] = yield x @ weight[i] + self.bias[i]                           # (n,)

    def masked_weights(self):
        """Each masked weight with its mask: outside the mask it has no effect, and gets no gradient."""
        return [(self.weight, masks.past(self.order))]
