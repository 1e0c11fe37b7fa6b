r"""An autoregressive map: each entry is moved by what a network reads in all entries before it.

.. math::  z_i = x_i\, e^{s_i(x_{<i})} + t_i(x_{<i}), \qquad
           \log\Big|\det\frac{\partial z}{\partial x}\Big| = \sum_i s_i(x_{<i}).

In the order of the entries the Jacobian is triangular. Forward, all numbers are read at once. Backward, entry i must be
known before those of entry i + 1 can be read.

Source
    G. Papamakarios, T. Pavlakou and I. Murray, "Masked autoregressive flow for density estimation", NIPS 2017, where
    :math:`z_i = (x_i - \mu_i) e^{-\alpha_i}`: ours has :math:`s = -\alpha` and :math:`t = -\mu e^{-\alpha}`.
Cost
    Forward: one pass. Inverse: D steps that together compute every unit once (cached), or D passes (naive).
"""

import torch
from torch import Tensor, nn

from dgmhelpers.flows.base import Transform, sum_each
from dgmhelpers.flows.masked import MaskedPerceptron
from dgmhelpers.flows.rules import Affine, Spline


class Triangular(Transform):
    """Moves every entry by a rule whose numbers depend on those before it.

    Args:
        event_shape: shape of one example, or the number of its entries.
        network: ``network(x, context) → (outputs, B, *event_shape)``, where the numbers of an entry depend on those
            before it in some order. A :class:`~masked.MaskedPerceptron` of 64 units if not given.
        rule: what is done to an entry: :class:`~rules.Affine` if not given, or :class:`~rules.Spline`.
    """

    def __init__(self, event_shape=2, network: nn.Module | None = None, rule: Affine | Spline | None = None):
        super().__init__(event_shape, None)
        self.rule = Affine() if rule is None else rule
        self.network = MaskedPerceptron(event_shape, (64,), self.rule.outputs) if network is None else network

    def _forward(self, x, context):
        z, log_slope = self.rule.forward(x, self.network(x, context))
        return z, sum_each(log_slope)

    def _inverse(self, z, context):
        if not isinstance(self.network, MaskedPerceptron):
            return self._inverse_by_passes(z, context)
        flat, found = z.flatten(1), []                                                 # (B, D)
        total, steps = z.new_zeros(len(z)), self.network.steps(len(z), context)
        x_i: Tensor | None = None
        for i in self.network.entries:
            x_i, log_slope = self.rule.inverse(flat[:, i], next(steps) if x_i is None else steps.send(x_i))
            found.append(x_i)
            total = total + log_slope
        x = torch.stack(found, 1).index_select(1, self.network.order.argsort())
        return x.reshape(z.shape), total

    def inverse_by_passes(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As :meth:`inverse`, by D passes of the whole network: after k of them, the first k entries are right."""
        return self._inverse_by_passes(z, context)

    def _inverse_by_passes(self, z, context):
        x = torch.zeros_like(z)
        for _ in range(self.event_shape.numel()):
            x, log_slope = self.rule.inverse(z, self.network(x, context))
        return x, sum_each(log_slope)
