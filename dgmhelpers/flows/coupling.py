r"""The coupling layer: some entries stay, the others are shifted and scaled by what a network reads in those.

.. math::  z_{\text{kept}} = x_{\text{kept}}, \qquad
           z_{\text{moved}} = x_{\text{moved}} \odot e^{s(x_{\text{kept}})} + t(x_{\text{kept}}), \qquad
           \log\Big|\det\frac{\partial z}{\partial x}\Big| = \sum_j s_j(x_{\text{kept}}).

The Jacobian is triangular, so its determinant is the product of its diagonal, and the network is never inverted.

Source
    L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", ICLR 2017; without s (``bound=0``)
    L. Dinh, D. Krueger and Y. Bengio, "NICE: non-linear independent components estimation", 2015.
Differs
    s is ``bound · tanh(raw / bound)``, where the paper has a tanh with a learned factor; ``bound=None`` leaves it free.
Cost
    One pass of the network in either direction.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import not_negative
from dgmhelpers.flows.base import Transform, shape_of, sum_each
from dgmhelpers.flows.networks import Convolutional, Perceptron
from dgmhelpers.masks import alternating

BOUND = 2.0


class AffineCoupling(Transform):
    """Moves the entries outside ``keep`` by a shift and a scale that depend on those within.

    Args:
        event_shape: shape of one example, or the number of its entries.
        keep: boolean mask of that shape: what stays and is read. Every second entry if not given.
        network: ``network(x, context) → (outputs, B, *event_shape)``: the shift, and the log scale unless it is 0, of
            every entry (what it says of the kept ones counts for nothing). A :class:`~networks.Perceptron` of one
            layer of 64 units, or a :class:`~networks.Convolutional` network of 32 channels for images, if not given.
        bound: largest \\|log scale\\|; 0 for a shift alone (NICE), None for no bound.
    """

    move: Tensor

    def __init__(self, event_shape=2, keep: Tensor | None = None, network: nn.Module | None = None,
                 bound: float | None = BOUND):  # fmt: skip
        shape = shape_of(event_shape)
        keep = alternating(shape) if keep is None else torch.as_tensor(keep, dtype=torch.bool)
        if keep.shape != shape or keep.all() or not keep.any():
            raise ValueError(f"keep must be a mask of shape {tuple(shape)} that keeps some entries and moves some, got "
                             f"shape {tuple(keep.shape)} with {int(keep.sum())} of {keep.numel()} kept")
        self.bound = None if bound is None else not_negative("bound", bound)
        super().__init__(shape, None)
        outputs = 1 if self.bound == 0 else 2
        if network is None:
            network = Perceptron(keep, (64,), outputs) if len(shape) < 3 else Convolutional(keep, 32, 1, outputs)
        self.network = network
        self.register_buffer("move", ~keep, persistent=False)

    def shift_and_log_scale(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both of the shape of ``x``, zero where entries are kept; they depend on the kept entries of ``x`` alone."""
        out = self.network(x * ~self.move, context) * self.move                        # (outputs, B, *event_shape)
        if self.bound == 0:
            return out[0], torch.zeros_like(out[0])
        return out[0], out[1] if self.bound is None else self.bound * (out[1] / self.bound).tanh()

    def _forward(self, x, context):
        shift, log_scale = self.shift_and_log_scale(x, context)
        return x * log_scale.exp() + shift, sum_each(log_scale)

    def _inverse(self, z, context):
        shift, log_scale = self.shift_and_log_scale(z, context)                        # the kept entries are x's own
        return (z - shift) * (-log_scale).exp(), -sum_each(log_scale)
