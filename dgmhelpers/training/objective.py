"""A model's loss and density in the shape of ``forward``: for whatever calls a module and knows no other method.

``DataParallel`` and ``DistributedDataParallel`` split what ``forward`` is given, Lightning's ``training_step`` and
``torch.export`` call it::

    loss = torch.nn.DataParallel(Objective(model))(x).mean()
    program = torch.export.export(LogProb(model), (x,))
"""

from typing import Any

from torch import Tensor, nn


class Objective(nn.Module):
    """``forward(x, context=None)`` is ``model.loss``, with one axis, so that a gathered batch is a vector of losses."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The mean loss of the batch, ``(1,)``."""
        return self.model.loss(x, context).reshape(1)


class LogProb(nn.Module):
    """``forward(x)`` is ``model.log_prob``, without a look at the values, which a graph cannot hold.

    The model's ``checks`` are off from then on: values that it has no probability for are no longer refused.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model.eval()
        for part in model.modules():
            if hasattr(part, "checks"):
                part.checks = False

    def forward(self, x: Tensor) -> Tensor:
        """Nats of each example, ``(B,)``."""
        return self.model.log_prob(x)
