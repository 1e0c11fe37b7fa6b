r"""A linear layer that stretches nothing: its weight divided by its largest singular value.

.. math::  \bar W = \frac{c\, W}{\sigma(W)}, \qquad \sigma(W) \approx u^\top W v, \qquad
           v \leftarrow \frac{W^\top u}{\lVert W^\top u \rVert},\; u \leftarrow \frac{W v}{\lVert W v \rVert},

one turn of the power iteration to each forward pass in training mode, the vector u kept from one to the next: weights
change so little between updates that the estimate keeps up. A chain of such layers with 1-Lipschitz activations between
them is :math:`c^L`-Lipschitz: the discriminator's slope is bounded everywhere, not just where a penalty is taken.

Source
    T. Miyato, T. Kataoka, M. Koyama and Y. Yoshida, "Spectral normalization for generative adversarial networks", ICLR
    2018.
Differs
    The bound c is an argument (1 in the paper): data whose detail is much smaller than 1 needs a steeper discriminator.
    u starts converged, so that the bound holds from the first step. In evaluation mode nothing moves.
Cost
    Two products of the weight with a vector a pass, whatever the batch.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import positive

START = 50   # turns before the first step


class SpectralLinear(nn.Linear):
    """``x ↦ c W x / σ(W) + b``, ``(B, inputs) → (B, outputs)``.

    Args:
        inputs, outputs: sizes.
        bound: c, the largest singular value of the matrix that is applied.

    Raises:
        ValueError: for a bound that is not positive.
    """

    def __init__(self, inputs: int, outputs: int, bound: float = 1.0):
        positive("bound", bound)
        super().__init__(inputs, outputs)
        self.bound = float(bound)
        self.u: Tensor
        self.register_buffer("u", torch.ones(outputs) / math.sqrt(outputs))        # (outputs,)
        self.turn(START)

    @torch.no_grad()
    def turn(self, times: int = 1) -> None:
        """So many turns of the power iteration on u."""
        u = self.u
        for _ in range(times):
            v = F.normalize(self.weight.T @ u, dim=0)                              # (inputs,)
            u = F.normalize(self.weight @ v, dim=0)                                # (outputs,)
        self.u = u                                       # another tensor: earlier passes keep theirs

    def sigma(self) -> Tensor:
        """The estimate of σ(W), differentiable by W, u and v held fixed: its gradient is ``u vᵀ``."""
        with torch.no_grad():
            v = F.normalize(self.weight.T @ self.u, dim=0)                         # (inputs,)
        return self.u @ self.weight @ v

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.turn()
        return F.linear(x, self.weight * (self.bound / self.sigma()), self.bias)   # (B, outputs)
