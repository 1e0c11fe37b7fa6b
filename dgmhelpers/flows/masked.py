r"""MADE's network with several numbers an entry: all of them at once, or one entry after the other without repetition.

The numbers of the entry in place d of the order depend on the entries before it, and on the context:

.. math::  h^{1} = \rho\big((W^{1} \odot M^{1})\, x + C c + b^{1}\big), \quad \dots \quad
           r = (V \odot M^{V})\, h^{L} + b .

Source
    M. Germain, K. Gregor, I. Murray and H. Larochelle, "MADE: Masked Autoencoder for Distribution Estimation",
    ICML 2015. The masks are those of :class:`~dgmhelpers.autoregressive.MADE`.
Cost
    ``forward``: one pass. ``steps``: D steps, each of which computes the units that became computable, so that all
    together cost one pass in operations, and D times its latency.
"""

from collections.abc import Generator as Steps
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import permutations
from dgmhelpers.flows.base import shape_of
from dgmhelpers.flows.networks import in_type_of, zero
from dgmhelpers.layers import MaskedLinear
from dgmhelpers.masks import may_see, rank_of, spread_degrees
from dgmhelpers.numerics import single


class MaskedPerceptron(nn.Module):
    """A perceptron whose outputs for an entry read the entries before it. It starts at zero.

    Args:
        event_shape: shape of one example, or the number of its entries; images are read as vectors.
        hidden: units of each hidden layer, one layer at least.
        outputs: numbers for each entry.
        order: a permutation of 0 … D − 1, the order of the entries; raster if not given.
        context: entries of what it is conditioned on, if anything.
    """

    order: Tensor

    def __init__(self, event_shape, hidden: tuple[int, ...] = (64,), outputs: int = 2, order=None, context: int = 0):
        super().__init__()
        self.shape = shape_of(event_shape)
        dim, self.outputs, hidden = self.shape.numel(), outputs, tuple(at_least("hidden", u, 1) for u in hidden)
        if not hidden:
            raise ValueError("a masked perceptron needs one hidden layer at least")
        self.register_buffer("order", permutations(order, dim)[0], persistent=False)
        self.entries: list[int] = self.order.tolist()            # the same, where the loop over them is
        place = rank_of(self.order) + 1                                                # (D,) 1 … D
        masks: list[Tensor] = []
        self.known: list[list[int]] = []                         # of each layer: units that so many entries decide
        below = place
        for units in hidden:                                     # with a context, some units read nothing beside it
            degrees = spread_degrees(units, dim + 1) - 1 if context else spread_degrees(units, dim)
            masks.append(may_see(degrees, below))
            self.known.append(torch.bincount(degrees, minlength=dim).cumsum(0).tolist())
            below = degrees                                      # sorted: those of degree m lie side by side
        masks.append(may_see(place, below, strict=True).repeat(outputs, 1))            # (outputs · D, H)
        sizes = [dim, *hidden, outputs * dim]
        self.layers = nn.ModuleList(MaskedLinear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        zero(self.linears[-1])
        self.context = nn.Linear(context, hidden[0], bias=False) if context else None
        for i, mask in enumerate(masks):
            self.register_buffer(f"mask_{i}", mask, persistent=False)

    @property
    def linears(self) -> list[MaskedLinear]:
        """The layers, first to last."""
        return cast(list[MaskedLinear], list(self.layers))

    @property
    def masks(self) -> list[Tensor]:
        """The masks of the layers, first to last: a row an output, a column an input."""
        return [getattr(self, f"mask_{i}") for i in range(len(self.layers))]

    def masked_weights(self):
        """Each weight with its mask: outside, it has no effect and gets no gradient."""
        return [(layer.weight, mask) for layer, mask in zip(self.linears, self.masks, strict=True)]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """``(B, *event_shape)`` gives ``(outputs, B, *event_shape)``."""
        h = in_type_of(self.linears[0], x.flatten(1))                                  # (B, D)
        for i, (layer, mask) in enumerate(zip(self.linears, self.masks, strict=True)):
            h = layer(h if i == 0 else F.silu(h), mask)
            if i == 0:
                h = self._with_context(h, context)
        return single(h).reshape(len(x), self.outputs, *self.shape).transpose(0, 1)

    def steps(self, n: int, context: Tensor | None = None) -> Steps[Tensor, Tensor, None]:
        """Yields the numbers of the entry in place 1, 2, …, ``(outputs, n)``, and is sent its value, ``(n,)``."""
        weights = [mask * weight for weight, mask in self.masked_weights()]
        sums = [layer.bias.expand(n, -1) for layer in self.linears]                    # before each nonlinearity
        sums[0] = self._with_context(sums[0], context)
        done = [0] * len(self.known)
        dim = self.shape.numel()
        for place, i in enumerate(self.entries):
            for depth, known in enumerate(self.known):                                 # units of degree = place
                new = slice(done[depth], known[place])
                if new.start < new.stop:
                    h = F.silu(sums[depth][:, new])
                    sums[depth + 1] = torch.addmm(sums[depth + 1], h, weights[depth + 1][:, new].T)
                done[depth] = new.stop
            x_i = yield single(sums[-1][:, i::dim]).T
            if place < dim - 1:
                sums[0] = torch.addcmul(sums[0], in_type_of(self.linears[0], x_i)[:, None], weights[0][:, i])

    def _with_context(self, sums, context):
        if self.context is None or context is None:
            return sums
        return sums + self.context(in_type_of(self.context, context.flatten(1)))
