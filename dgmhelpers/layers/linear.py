"""A linear layer under a mask."""

import torch.nn.functional as F
from torch import Tensor, nn


class MaskedLinear(nn.Linear):
    """A linear layer that is told at every call who may see whom.

    The mask multiplies the weight inside the expression, so that a weight it removes has no effect and no gradient;
    nothing is ever written into the weight. One layer can serve many masks.
    """

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]  # the mask is the point
        """Map ``(B, inputs)`` to ``(B, outputs)``; ``mask`` is boolean, ``(outputs, inputs)``."""
        return F.linear(x, mask * self.weight, self.bias)
