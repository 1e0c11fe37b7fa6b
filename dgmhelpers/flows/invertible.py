r"""The invertible 1 × 1 convolution: at every pixel the same matrix mixes the channels.

.. math::  z_{:,p} = W x_{:,p}, \qquad W = P\, L\, (U + \mathrm{diag}(s)), \qquad
           \log|\det| = H W \sum_c \log|s_c| ,

P a fixed permutation, L lower triangular with ones on its diagonal, U strictly upper triangular. Since \|s\| is an
exponential, W is invertible whatever training does.

Source
    D. Kingma and P. Dhariwal, "Glow: generative flow with invertible 1 × 1 convolutions", NeurIPS 2018.
Cost
    C² operations a pixel, and C³ once for the inverse.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.flows.base import Transform, shape_of
from dgmhelpers.numerics import single


class Invertible1x1(Transform):
    """Mixes the channels of an image, or the entries of a vector, by an invertible matrix: at first a random rotation.

    Args:
        event_shape: shape of one example, or the number of its entries.
    """

    order: Tensor
    sign: Tensor

    def __init__(self, event_shape=2):
        super().__init__(event_shape, {"event_shape": list(shape_of(event_shape))})
        size = self.event_shape[0]
        P, L, U = torch.linalg.lu(nn.init.orthogonal_(torch.empty(size, size)))
        s = U.diagonal()
        self.lower, self.upper = nn.Parameter(L.tril(-1)), nn.Parameter(U.triu(1))
        self.log_scale = nn.Parameter(s.abs().log())
        self.register_buffer("sign", s.sign())
        self.register_buffer("order", P.argmax(1))                                   # row i of P L is row order[i] of L
        self.places = self.event_shape.numel() // size

    def factors(self) -> tuple[Tensor, Tensor]:
        """``L`` and ``U + diag(s)``, ``(C, C)`` each."""
        lower, upper = single(self.lower).tril(-1), single(self.upper).triu(1)
        one = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
        return lower + one, upper + torch.diag(single(self.sign) * single(self.log_scale).exp())

    @property
    def W(self) -> Tensor:
        """The matrix, ``(C, C)``."""
        L, U = self.factors()
        return (L @ U).index_select(0, self.order)

    def _forward(self, x, context):
        return self._mixed(self.W, x), self._logdet().expand(len(x))

    def _inverse(self, z, context):
        L, U = self.factors()
        back = torch.eye(len(L), dtype=L.dtype, device=L.device).index_select(0, self.order).T     # P transposed
        back = torch.linalg.solve_triangular(L, back, upper=False, unitriangular=True)
        back = torch.linalg.solve_triangular(U, back, upper=True)
        return self._mixed(back, z), -self._logdet().expand(len(z))

    def _mixed(self, W, x):
        return (W @ x.reshape(len(x), len(W), -1)).reshape(x.shape)

    def _logdet(self):
        return self.places * single(self.log_scale).sum()
