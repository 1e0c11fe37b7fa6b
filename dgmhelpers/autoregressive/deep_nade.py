r"""DeepNADE: one deep network that predicts any variable from any others.

NADE shares its weights between the steps of one order, and with a second hidden layer the sharing breaks: D steps would
need D deep passes for each example and update. DeepNADE trains on one step of a random order at a time instead. The
network is told which variables are known, by a mask beside the masked values,

.. math::  h^1 = \max\big(0,\, W\,(x \odot m) + U m + c\big), \quad
           h^{l+1} = \max(0,\, W^{l+1} h^l + c^{l+1}), \quad
           \mathrm{logit}\, p(x_i = 1 \mid x_S) = (V h^L + b)_i,

and one pass gives the conditionals of all that are not. How that estimates the likelihood, and what the network then is
(a density for every order), is in :mod:`dgmhelpers.autoregressive.order_agnostic`. Different orders give different
densities, and an equal mixture of a few is better than one: this is EoNADE, the ensemble.

Source
    B. Uria, I. Murray and H. Larochelle, "A deep and tractable density estimator", ICML 2014.
Differs
    Each example of a batch draws its own order and its own step.
Cost
    ``loss``: one pass, O(DH + LH²), whatever the order. ``log_prob``: D passes for each order of the mixture, which is
    why training is cheap and evaluation is not; the first layer is O(DH) for all of them together, the others D times
    O(H²). ``sample``: the same, cached; D times that, naive.
"""

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive import order_agnostic
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import Bernoulli
from dgmhelpers.model import drawn
from dgmhelpers.protocols import Method

MOST_HIDDEN = 2**24  # activations of one layer held at a time by an exact evaluation


class DeepNADE(Autoregressive):
    """Exact density over binary vectors: an equal mixture over ``orders`` of one order-agnostic network.

    Args:
        dim: number of variables D.
        hidden: units in each hidden layer.
        layers: hidden layers.
        orders: the orders of the mixture: how many to draw, or permutations ``(M, D)``. Training does not look at
            them: evaluate with others by :meth:`with_orders`.
        seed: draws the orders.
    """

    PAPER = {"dim": 784, "hidden": 500, "layers": 2, "orders": 128}

    def __init__(self, dim: int = 64, hidden: int = 128, layers: int = 2, orders=4, seed: int = 0):
        for name, value in [("dim", dim), ("hidden", hidden), ("layers", layers)]:
            at_least(name, value, 1)
        config = {"dim": dim, "hidden": hidden, "layers": layers}
        config |= {"orders": orders, "seed": seed}
        super().__init__([dim], Bernoulli(), order_agnostic.orders_of(orders, dim, seed), config)
        self.first = nn.Linear(2 * dim, hidden)                                    # [W, U] and c
        self.deeper = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers - 1))
        self.output = nn.Linear(hidden, dim)                                       # V and b

    def network(self, x: Tensor, mask: Tensor) -> Tensor:
        """Logits of all variables given those that the mask says are known, ``(B, D)``; one pass."""
        h = self.first(torch.cat([x * mask, mask], 1)).relu()                      # (B, H)
        for layer in self.deeper:
            h = layer(h).relu()
        return self.output(h)                                                      # (B, D)

    def forward(self, x: Tensor, context: Tensor | None = None, *, component: int = 0) -> Tensor:
        """Logits of every conditional of one of the orders, shape ``(B, D)``: D passes, as far as they differ.

        The first layer's sums grow by a column a step, as in NADE. As many examples at a time as memory allows.
        """
        self._refuse_context(context)
        parts = x.split(max(1, MOST_HIDDEN // (x.shape[1] * self.output.in_features)))
        return torch.cat([self._every_step(part, self.orders[component]) for part in parts])

    def _every_step(self, x, order):
        W, U = self.first.weight.T.split(len(order))                               # (D, H) each
        added = x[:, order, None] * W[order] + U[order]                            # (B, D, H), what each step adds
        h = (self.first.bias + added.cumsum(1) - added).relu()                     # (B, D, H), before it is added
        for layer in self.deeper:
            h = layer(h).relu()
        logits = (h * self.output.weight[order]).sum(-1) + self.output.bias[order]  # (B, D), by step
        return logits[:, order.argsort()]

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """An estimate of minus the mean log-likelihood, averaged over all D! orders, from one pass.

        Its expectation is ``E_o[−log p_o(x)]``, which by Jensen's inequality is never below minus the log of the
        mixture over all orders.
        """
        self._refuse_context(context)
        return order_agnostic.loss(self, self._prepare(x), generator)

    def conditionals(self, n, context=None, *, component: int = 0):
        """NADE's recursion in the first layer, the others anew each step; of the output one row."""
        self._refuse_context(context)
        W, U = self.first.weight.split(self.event_shape[0], dim=1)                 # (H, D) each
        a = self.first.bias.repeat(n, 1)                                           # (n, H)
        for i in self.steps(component):
            h = a.relu()
            for layer in self.deeper:
                h = layer(h).relu()
            x_i = yield h @ self.output.weight[i] + self.output.bias[i]            # (n,)
            a = torch.addcmul(a, x_i[:, None], W[:, i]) + U[:, i]

    @drawn
    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        given: Tensor | None = None,
        known: Tensor | None = None,
        temperature: float = 1.0,
        method: Method = "cached",
        generator: Generator | None = None,
    ) -> Tensor:
        """As :meth:`Autoregressive.sample`, but any entries may be known.

        They are moved to the front of the order, and the unknown drawn one by one from the network's conditionals:
        exactly ``p_o(unknown | known)`` of the order that results. With several orders each example draws one of
        them, evenly: the equal mixture of those conditionals, not the conditional of the mixture (which would weigh
        each order by its ``p_o(known)``).
        """
        options = {"context": context, "temperature": temperature, "method": method, "generator": generator}
        return order_agnostic.sample(self, n, given=given, known=known, **options)

    def with_orders(self, orders, seed: int = 0) -> "DeepNADE":
        """The same network as a mixture over other orders: so many drawn by ``seed``, or permutations ``(M, D)``."""
        return order_agnostic.with_orders(self, orders, seed)
