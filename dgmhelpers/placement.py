"""Where a model's numbers live, and what may be asked of its sampler there: the same for every family."""

import torch
from torch import Generator


class Placed:
    """Beside ``nn.Module``, for models whose parameters share one dtype and one device."""

    @property
    def dtype(self) -> torch.dtype:
        """The parameters' dtype."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """The parameters' device."""
        return next(self.parameters()).device

    def _check_draw(self, n: int, generator: Generator | None) -> None:
        if n < 0:
            raise ValueError(f"n must be 0 or more, got {n}")
        if generator is not None and generator.device.type != self.device.type:
            raise ValueError(
                f"the generator is on {generator.device} and the model on {self.device}: "
                f"make one with torch.Generator(device={self.device.type!r})"
            )
