r"""MADE: an autoencoder whose weights are masked until its outputs are conditionals.

Number the variables by their place in the order, and give every hidden unit a degree m between 1 and D − 1: it may
see the first m variables. Keep a connection only if degrees do not fall along it, and let the output for place d use
only degrees below d. Then no path leads from a variable to its own output, or to an earlier one:

.. math::  h^{1} = \rho\big((W^{1} \odot M^{1})\, x + b^{1}\big), \quad \dots \quad
           \mathrm{logit}\, p(x_{o_d} = 1 \mid x_{o_{<d}}) = \big[(V \odot M^{V})\, h^{L}
           + (A \odot M^{A})\, x + c\big]_{o_d}.

With several masks the model is an equal mixture: each has its own connectivity and, if the order is "random", its
own order. Training draws one mask a step; the density is the log of the mean of their probabilities.

Source
    M. Germain, K. Gregor, I. Murray and H. Larochelle, "MADE: Masked Autoencoder for Distribution Estimation",
    ICML 2015.
Differs
    Every degree appears equally often (up to one) instead of being drawn uniformly, so no degree is missing where
    there are D − 1 hidden units or more; masks are drawn at random for each step rather than cycled through; the
    direct connections A are on by default.
Cost
    ``log_prob``: one pass per mask. ``sample``: D steps that together compute every activation once (cached), or D
    passes (naive).
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.layers import MaskedLinear
from dgmhelpers.likelihoods import Bernoulli
from dgmhelpers.masks import may_see, past, rank_of, reach, spread_degrees


class MADE(Autoregressive):
    """Exact density over binary vectors.

    Args:
        dim: number of variables D.
        hidden: units in each hidden layer.
        layers: hidden layers.
        masks: how many masks the mixture has.
        order: a permutation of 0 … D − 1 that all masks share (raster if not given), or ``"random"``: one drawn
            for each mask, order-agnostic training.
        direct: connect the inputs to the outputs as well, by a strictly triangular matrix.
        seed: draws the orders and the connectivities. One mask in a given order needs no draw.
    """

    PAPER = {"dim": 784, "hidden": 8000, "layers": 2, "masks": 32, "order": "random"}

    def __init__(
        self,
        dim: int = 64,
        hidden: int = 256,
        layers: int = 1,
        masks: int = 1,
        order=None,
        direct: bool = True,
        seed: int = 0,
    ):
        for name, value in [("dim", dim), ("hidden", hidden), ("layers", layers), ("masks", masks)]:
            at_least(name, value, 1)
        config = {"dim": dim, "hidden": hidden, "layers": layers, "masks": masks}
        config |= {"order": order, "direct": direct, "seed": seed}
        generator = torch.Generator().manual_seed(int(seed))
        super().__init__([dim], Bernoulli(), _orders(dim, masks, order, generator), config)
        self.inputs = nn.ModuleList(MaskedLinear(n, hidden) for n in [dim] + [hidden] * (layers - 1))
        self.output = MaskedLinear(hidden, dim)
        self.direct = MaskedLinear(dim, dim, bias=False) if direct else None
        if self.direct is not None:
            nn.init.zeros_(self.direct.weight)
        self.degrees: Tensor
        self.register_buffer("degrees", _degrees(dim, hidden, layers, masks, generator))  # (M, L, H)
        self.on_host("degrees")

    def forward(self, x: Tensor, context: Tensor | None = None, *, component: int | Tensor = 0) -> Tensor:
        """Logits of every conditional at once under one of the masks, shape ``(B, D)``."""
        self._refuse_context(context)
        *hidden_masks, output_mask = self.masks(component)
        h = x                                                                      # (B, D)
        for layer, mask in zip(self.inputs, hidden_masks, strict=True):
            h = layer(h, mask).relu()                                              # (B, H)
        logits = self.output(h, output_mask)                                       # (B, D)
        if self.direct is not None:
            logits = logits + self.direct(x, past(chosen(self.orders, component)))
        return logits

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean log-likelihood under one mask, drawn anew each time.

        With one mask this is minus the mean ``log_prob``. With several its expectation is the mean over masks of
        each mask's loss, which by Jensen's inequality is never below minus the mean ``log_prob`` of the mixture.
        """
        if len(self.orders) == 1:
            return super().loss(x, context)
        where = self.device if generator is None else generator.device
        component = torch.randint(len(self.orders), (1,), generator=generator, device=where).to(self.device)
        return -self._log_prob(self._prepare(x), context, component).mean()

    def conditionals(self, n, context=None, *, component: int = 0):
        """Compute each unit at the moment it becomes computable, and never again.

        A hidden unit of degree m is final once the first m variables are known. So step m finishes the units of
        degree m, layer by layer; then the next output has all that it may use.
        """
        self._refuse_context(context)
        layers = cast(list[MaskedLinear], [*self.inputs, self.output])
        weights = [mask * layer.weight for mask, layer in zip(self.masks(component), layers, strict=True)]
        direct = None if self.direct is None else past(self.orders[component]) * self.direct.weight
        values = [weight.new_zeros(n, weight.shape[1]) for weight in weights]      # x, h¹, …, h^L
        degrees = torch.tensor(self.on_host("degrees")[component])                 # (L, H)
        for step, i in enumerate(self.steps(component), start=1):
            logit = values[-1] @ weights[-1][i] + self.output.bias[i]              # (n,)
            x_i = yield logit if direct is None else logit + values[0] @ direct[i]
            values[0][:, i] = x_i
            for depth, layer in enumerate(layers[:-1]):
                ready = (degrees[depth] == step).nonzero()[:, 0].to(self.device)   # units of this degree
                before = F.linear(values[depth], weights[depth][ready], layer.bias[ready])
                values[depth + 1][:, ready] = before.relu()                        # final from here on

    def masks(self, component: int | Tensor = 0) -> list[Tensor]:
        """The masks of every layer, first layer first, output last; a row an output, a column an input."""
        place = rank_of(chosen(self.orders, component)) + 1                        # (D,) 1 … D
        below, masks = place, []
        for degrees in chosen(self.degrees, component):
            masks.append(may_see(degrees, below))
            below = degrees
        return [*masks, may_see(place, below, strict=True)]

    @property
    def blind_spot(self) -> Tensor:
        """Which of its past an output cannot see because no path leads there, ``(M, D, D)``.

        Empty with direct connections, or with D − 1 hidden units or more.
        """
        spots = []
        for m, order in enumerate(self.orders):
            seen = reach(self.masks(m)) | (self.direct is not None)
            spots.append(past(order) & ~seen)
        return torch.stack(spots)

    def masked_weights(self):
        """Each masked weight with the union of its masks: outside, it has no effect and gets no gradient."""
        layers = [*self.inputs, self.output]
        every = [torch.stack(masks).any(0) for masks in zip(*map(self.masks, range(len(self.orders))), strict=True)]
        pairs = [(layer.weight, mask) for layer, mask in zip(layers, every, strict=True)]
        if self.direct is not None:
            pairs.append((self.direct.weight, torch.stack([past(order) for order in self.orders]).any(0)))
        return pairs


def chosen(stack: Tensor, component: int | Tensor) -> Tensor:
    """``stack[component]``; of a tensor ``(1,)`` without asking its device which one it was."""
    return stack.index_select(0, component)[0] if isinstance(component, Tensor) else stack[component]


def _orders(dim: int, count: int, order, generator: Generator) -> Tensor:
    if isinstance(order, str):
        if order != "random":
            raise ValueError(f'order must be a permutation or "random", got {order!r}')
        return torch.stack([torch.randperm(dim, generator=generator) for _ in range(count)])
    order = torch.arange(dim) if order is None else torch.as_tensor(order, dtype=torch.long)
    return order.expand(count, -1).clone()


def _degrees(dim: int, hidden: int, layers: int, count: int, generator: Generator) -> Tensor:
    deal = None if count == 1 else generator  # a single mask has nothing to vary: keep it in order of degree
    return torch.stack([torch.stack([spread_degrees(hidden, dim, deal) for _ in range(layers)]) for _ in range(count)])
