"""The processes that train one model together, if there are several: ``accelerate launch`` starts one a device."""

import os
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Processes:
    """This process among those that train together.

    Attributes:
        rank, count: which one this is, of how many.
        device: where this one computes.
    """

    def __init__(self, device: torch.device):
        self.rank, self.count, self.device = 0, int(os.environ.get("WORLD_SIZE", "1")), device
        if self.count > 1:
            with warnings.catch_warnings():              # it imports tqdm's bar for notebooks; ours is text
                warnings.filterwarnings("ignore", message="IProgress not found")
                from accelerate import PartialState  # a second to import, and not needed by one process

            self._state = PartialState(cpu=device.type == "cpu")
            self.rank, self.device = self._state.process_index, self._state.device

    def mean(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """Each tensor's mean over the processes."""
        if self.count == 1:
            return list(tensors)
        from accelerate.utils import reduce

        return reduce(list(tensors), "mean")

    def sum(self, value: float) -> float:
        """The sum of a number over the processes."""
        if self.count == 1:
            return value
        from accelerate.utils import reduce

        return reduce(torch.tensor(float(value), dtype=torch.double), "sum").item()

    def any(self, condition: bool) -> bool:
        """Whether ``condition`` is true in any process: they must stop together."""
        return bool(self.sum(condition)) if self.count > 1 else condition

    def agree(self, model: nn.Module) -> None:
        """Give ``model`` the weights that the first process has."""
        if self.count > 1:
            from accelerate.utils import broadcast

            for tensor in model.state_dict().values():
                tensor.copy_(broadcast(tensor.clone()))

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            self._state.wait_for_everyone()
