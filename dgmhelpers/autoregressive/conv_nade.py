r"""ConvNADE: DeepNADE with a convolutional network, for images.

An order-agnostic network sees an image with holes and a mask that says where they are; both are images, so its layers
can be convolutions. Every layer keeps the size (zeros around the border), and hidden layers add to what is below them:

.. math::  h^1 = K^1 * [x \odot m,\, m], \qquad h^{l+1} = h^l + K^{l+1} * \max(0, h^l), \qquad
           z = K^{\mathrm{out}} * \max(0, h^L) + b,

where b is a bias for each pixel, since the kernels know no places. No mask is needed on them: a pixel that is
predicted is a hole in its own input, so nothing of it can come back. What the network cannot see is what lies beyond
its receptive field: with L layers of 3 × 3 and the output, L + 1 pixels away. ``blind_spot`` says which; ``dilations``
widen the field at no cost.

Source
    B. Uria, M.-A. Côté, K. Gregor, I. Murray and H. Larochelle, "Neural autoregressive distribution estimation",
    Journal of Machine Learning Research 17, 2016.
Differs
    Kernels of one size that keep the size of the image, with skip connections and dilation, where the paper shrinks and
    grows it again by kernels of 4 to 8, and adds a fully connected network beside; colour channels and more than two
    levels, which enter the network scaled to 0 … 1.
Cost
    ``loss``: one pass. ``log_prob``: D passes for each order of the mixture, D = CHW. ``sample``: D passes cached, D²
    naive.
"""

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive import order_agnostic
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import for_levels
from dgmhelpers.masks import past, reach
from dgmhelpers.model import drawn
from dgmhelpers.protocols import Method


class ConvNADE(Autoregressive):
    """Exact density over images: an equal mixture over ``orders`` of one order-agnostic convolutional network.

    Args:
        event_shape: channels, height and width ``(C, H, W)``; H and W of any size.
        levels: values of a pixel, 2 for binary images.
        channels: features of each hidden layer.
        layers: hidden layers.
        kernel: side of every kernel, odd.
        dilations: distance between a kernel's taps, one for each hidden layer in turn, again from the start when they
            run out; the output has 1.
        orders: the orders of the mixture: how many to draw, or permutations of the flat positions, ``(M, D)``.
            Training does not look at them: evaluate with others by :meth:`with_orders`.
        seed: draws the orders.
    """

    # kernels of 8, 4, 6, 7 (shrinking), 7, 6, 4, 8 (growing), beside a fully connected network of 500, 500
    PAPER = {"event_shape": (1, 28, 28), "channels": 64, "layers": 7, "orders": 128}

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        channels: int = 32,
        layers: int = 4,
        kernel: int = 3,
        dilations=(1,),
        orders=4,
        seed: int = 0,
    ):
        event_shape, dilations = tuple(event_shape), tuple(dilations)
        if len(event_shape) != 3:
            raise ValueError(f"event_shape must be (C, H, W), got {event_shape}")
        sizes = [("event_shape", size) for size in event_shape] + [("dilations", d) for d in dilations or (0,)]
        for name, value in [*sizes, ("channels", channels), ("layers", layers), ("kernel", kernel)]:
            at_least(name, value, 1)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        config = dict(event_shape=list(event_shape), levels=levels, channels=channels, layers=layers, kernel=kernel)
        config |= {"dilations": list(dilations), "orders": orders, "seed": seed}
        dim = event_shape[0] * event_shape[1] * event_shape[2]
        super().__init__(event_shape, for_levels(levels), order_agnostic.orders_of(orders, dim, seed), config)
        self.kernel = kernel
        self.dilations = [dilations[l % len(dilations)] for l in range(layers)] + [1]  # of every layer, output last
        widths = [2 * event_shape[0]] + [channels] * layers
        outputs = event_shape[0] * (1 if levels == 2 else levels)
        *hidden, output = zip(widths, [*widths[1:], outputs], self.dilations, strict=True)
        self.hidden = nn.ModuleList(_same(*each, kernel) for each in hidden)
        self.output = _same(*output, kernel)
        self.output.bias = None
        self.b = nn.Parameter(torch.zeros(outputs, *event_shape[1:]))              # every pixel has its own bias

    def network(self, x: Tensor, mask: Tensor) -> Tensor:
        """Parameters of all pixels given those that the mask says are known, one pass, ``(B, C, H, W[, levels])``."""
        first, *deeper = self.hidden
        h = first(torch.cat([x * mask / (self.likelihood.levels - 1), mask], 1))   # (B, channels, H, W)
        for layer in deeper:
            h = h + layer(h.relu())
        z = self.output(h.relu()) + self.b                                         # (B, C · levels, H, W)
        if self.likelihood.levels == 2:
            return z
        return z.unflatten(1, (self.event_shape[0], -1)).movedim(2, -1)            # (B, C, H, W, levels)

    def forward(self, x: Tensor, context: Tensor | None = None, *, component: int = 0) -> Tensor:
        """Parameters of every conditional of one of the orders, ``(B, C, H, W[, levels])``: D passes."""
        self._refuse_context(context)
        return order_agnostic.conditionals_at_once(self, x, self.orders[component])

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """An estimate of minus the mean log-likelihood, averaged over all D! orders, from one pass.

        Its expectation is ``E_o[−log p_o(x)]``, which by Jensen's inequality is never below minus the log of the
        mixture over all orders.
        """
        self._refuse_context(context)
        return order_agnostic.loss(self, self._prepare(x), generator)

    def conditionals(self, n, context=None, *, component: int = 0):
        """One pass a pixel: nothing of the last one can be kept, since the new pixel may change every feature."""
        self._refuse_context(context)
        return order_agnostic.one_by_one(self, n, self.steps(component))

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

    def with_orders(self, orders, seed: int = 0) -> "ConvNADE":
        """The same network as a mixture over other orders: so many drawn by ``seed``, or permutations ``(M, D)``."""
        return order_agnostic.with_orders(self, orders, seed)

    @property
    def blind_spot(self) -> Tensor:
        """Which of its past a pixel cannot see because it lies beyond the receptive field, ``(M, D, D)``.

        Kernels are squares, so rows and columns can be followed apart: what a stack reaches in the image is the
        Kronecker product of what it reaches along each axis.
        """
        colours, height, width = self.event_shape
        rows, columns = (reach([_band(size, self.kernel, d) for d in self.dilations]) for size in (height, width))
        seen = torch.kron(rows.int(), columns.int()).bool().repeat(colours, colours)   # (D, D)
        return torch.stack([past(order) & ~seen.to(order.device) for order in self.orders])


def _same(inputs: int, outputs: int, dilation: int, kernel: int) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation)


def _band(size: int, kernel: int, dilation: int) -> Tensor:
    """Which places along one axis a kernel connects, ``(size, size)``."""
    place = torch.arange(size)
    distance = (place[:, None] - place[None, :]).abs()
    return (distance % dilation == 0) & (distance <= dilation * (kernel // 2))
