r"""NADE for values with several levels, each conditional a softmax.

A value of K levels chooses one column among K, so that the recursion adds a looked-up column and multiplies nothing.
The output is K logits in place of one:

.. math::  a_{k+1} = a_k + W_{:,\,o_k,\,x_{o_k}}, \quad a_1 = c, \qquad h_k = \sigma(a_k), \qquad
           p(x_{o_k} = v \mid x_{o_{<k}}) = \mathrm{softmax}_v\big(b_{o_k} + V_{o_k}\, h_k\big).

With two levels, and zeros for the column and the logit of level 0, it is NADE.

Source
    H. Larochelle and I. Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011, for the
    recursion; the paper treats binary vectors. The lookup is a matrix times a one-hot vector.
Cost
    ``log_prob``: O(DHK) per example, and as much memory as D hidden layers. ``sample``: O(DHK) cached, D times that
    naive.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import Categorical


class MultinomialNADE(Autoregressive):
    """Exact density over vectors of levels 0 … K − 1. The levels have no order for it: 3 is no nearer to 4 than to 12.

    Args:
        dim: number of variables D.
        levels: number of values K of each.
        hidden: size H of the shared hidden layer.
        order: the order of the chain rule, a permutation of 0 … D − 1; raster if not given.
    """

    def __init__(self, dim: int = 64, levels: int = 17, hidden: int = 64, order=None):
        for name, value in [("dim", dim), ("hidden", hidden)]:
            at_least(name, value, 1)
        config = {"dim": dim, "levels": levels, "hidden": hidden, "order": order}
        super().__init__([dim], Categorical(levels), order, config)
        self.W = nn.Parameter(torch.empty(dim, levels, hidden).uniform_(-1, 1) / dim**0.5)         # a column a level
        self.V = nn.Parameter(torch.empty(dim, levels, hidden).uniform_(-1, 1) / hidden**0.5)      # hidden to output
        self.b = nn.Parameter(torch.zeros(dim, levels))
        self.c = nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every conditional at once, shape ``(B, D, K)``."""
        self._refuse_context(context)
        added = self.W[self.order, x[:, self.order].long()]                             # (B, D, H), what each step adds
        h = (self.c + added.cumsum(1) - added).sigmoid()                           # (B, D, H), before it is added
        h = h[:, self.order.argsort()]                                             # by variable
        return torch.einsum("bdh,dkh->bdk", h, self.V) + self.b                    # (B, D, K)

    def conditionals(self, n, context=None):
        """The recursion itself: keep ``a``, add a column when a level arrives."""
        self._refuse_context(context)
        a = self.c.repeat(n, 1)                                                    # (n, H)
        for i in self.steps():
            x_i = yield a.sigmoid() @ self.V[i].T + self.b[i]                      # (n, K)
            a = a + self.W[i, x_i.long()]
