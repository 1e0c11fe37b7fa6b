r"""The coupling layer: some entries stay, the others are moved by what a network reads in those.

.. math::  z_{\text{kept}} = x_{\text{kept}}, \qquad
           z_{\text{moved}} = x_{\text{moved}} \odot e^{s(x_{\text{kept}})} + t(x_{\text{kept}}), \qquad
           \log\Big|\det\frac{\partial z}{\partial x}\Big| = \sum_j s_j(x_{\text{kept}}),

or by a spline in place of shift and scale. The Jacobian is triangular, so its determinant is the product of its
diagonal, and the network is never inverted.

Source
    L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", ICLR 2017; without s (``bound=0``)
    L. Dinh, D. Krueger and Y. Bengio, "NICE: non-linear independent components estimation", 2015; splines:
    C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, "Neural spline flows", NeurIPS 2019.
Differs
    s is ``bound · tanh(raw / bound)``, where the paper has a tanh with a learned factor; ``bound=None`` leaves it free.
Cost
    One pass of the network in either direction.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.flows.base import Transform, shape_of, sum_each
from dgmhelpers.flows.networks import Convolutional, Perceptron
from dgmhelpers.flows.rules import BOUND, Affine, Spline
from dgmhelpers.masks import alternating


class Coupling(Transform):
    """Moves the entries outside ``keep`` by a rule whose numbers depend on those within.

    Args:
        rule: what is done to an entry: see :mod:`~dgmhelpers.flows.rules`. The rest is as for :class:`AffineCoupling`.
    """

    move: Tensor

    def __init__(self, event_shape, keep: Tensor | None, network: nn.Module | None, rule: Affine | Spline):
        shape = shape_of(event_shape)
        keep = alternating(shape) if keep is None else torch.as_tensor(keep, dtype=torch.bool)
        if keep.shape != shape or keep.all() or not keep.any():
            raise ValueError(f"keep must be a mask of shape {tuple(shape)} that keeps some entries and moves some, got "
                             f"shape {tuple(keep.shape)} with {int(keep.sum())} of {keep.numel()} kept")
        super().__init__(shape, None)
        self.rule = rule
        self.network = network_of(keep, outputs=rule.outputs) if network is None else network
        self.register_buffer("move", ~keep, persistent=False)

    def _read(self, x, context):
        return self.network(x * ~self.move, context) * self.move                       # (outputs, B, *event_shape)

    def _forward(self, x, context):
        z, log_slope = self.rule.forward(x, self._read(x, context))
        return z.where(self.move, x), sum_each(log_slope * self.move)

    def _inverse(self, z, context):
        x, log_slope = self.rule.inverse(z, self._read(z, context))                    # the kept entries are x's own
        return x.where(self.move, z), sum_each(log_slope * self.move)


class AffineCoupling(Coupling):
    """Moves the entries outside ``keep`` by a shift and a scale that depend on those within.

    Args:
        event_shape: shape of one example, or the number of its entries.
        keep: boolean mask of that shape: what stays and is read. Every second entry if not given.
        network: ``network(x, context) → (outputs, B, *event_shape)``: the shift, and the log scale unless it is 0, of
            every entry (what it says of the kept ones counts for nothing). A :class:`~networks.Perceptron` of one
            layer of 64 units, or a :class:`~networks.Convolutional` network of 32 channels for images, if not given.
        bound: largest \\|log scale\\|; 0 for a shift alone (NICE), None for no bound.
    """

    rule: Affine

    def __init__(self, event_shape=2, keep: Tensor | None = None, network: nn.Module | None = None,
                 bound: float | None = BOUND):  # fmt: skip
        super().__init__(event_shape, keep, network, Affine(bound))

    def shift_and_log_scale(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both of the shape of ``x``, zero where entries are kept; they depend on the kept entries of ``x`` alone."""
        return self.rule.split(self._read(x, context))


class RationalQuadratic(Coupling):
    """Moves the entries outside ``keep``, each by a spline whose knots depend on those within.

    The same spline in an autoregressive flow is ``MAF(bins=8)``.

    Args:
        event_shape, keep, network: as for :class:`AffineCoupling`; the network has 3 · bins − 1 outputs an entry.
        bins, reach: of the :class:`~dgmhelpers.flows.rules.Spline`.
    """

    rule: Spline

    def __init__(self, event_shape=2, keep: Tensor | None = None, network: nn.Module | None = None, bins: int = 8,
                 reach: float = 4.0):  # fmt: skip
        super().__init__(event_shape, keep, network, Spline(bins, reach))


def network_of(keep: Tensor, hidden: tuple[int, ...] = (64,), channels: int = 32, blocks: int = 1,
               outputs: int = 2) -> nn.Module:  # fmt: skip
    """A perceptron for the mask of a vector, and convolutions for that of an image."""
    if keep.ndim == 3:
        return Convolutional(keep, channels, blocks, outputs)
    return Perceptron(keep, tuple(hidden), outputs)
