"""What the models over time share: steps that are one symbol or one frame of keys, their order, and their reach."""

from collections.abc import Callable

import torch
from torch import Tensor

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.likelihoods import for_levels


class FrameModel(Autoregressive):
    r"""A density over sequences, one step after the other.

    .. math::  p(x) = \prod_{t=1}^{T} p(x_t \mid x_{t-R}, \dots, x_{t-1})

    A step is one of ``levels`` symbols; or, with ``keys``, a frame of so many binary values that are independent of
    each other *given the past* (of the frames before): two keys of one frame never see each other.

    Args:
        length: steps T of one example.
        levels: values of a symbol; 2 with ``keys``.
        keys: binary values in one frame; None for symbols.
        config: the keyword arguments that make the model again, but for ``length``.
    """

    reach: int | None = None      # R, the steps back that a conditional sees; None for all

    def __init__(self, length: int, levels: int, keys: int | None, config: dict):
        length, levels = at_least("length", length, 1), at_least("levels", levels, 2)
        if keys is not None and (at_least("keys", keys, 1), levels)[1] != 2:
            raise ValueError(f"keys are pressed or not, so that levels must be 2, got {levels}")
        shape = [length] if keys is None else [length, keys]
        super().__init__(shape, for_levels(levels), None, {"length": length} | config)
        self.keys = keys
        self.outputs = keys or (1 if levels == 2 else levels)     # parameters of one step

    def before(self, x: Tensor) -> Tensor:
        """What each step is told: the one before it; ``(B, T)`` symbols, ``(B, T, keys)`` frames.

        At the first there is none: the symbol ``levels``, an empty frame.
        """
        if self.keys is not None:
            return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1).to(self.dtype)
        return torch.cat([x.new_full((len(x), 1), self.likelihood.levels), x[:, :-1]], 1).long()

    def arranged(self, z: Tensor) -> Tensor:
        """Outputs ``(..., outputs)`` as parameters: of one binary symbol, without their last axis."""
        return z.squeeze(-1) if self.keys is None and self.likelihood.levels == 2 else z

    def walk(self, n: int, context: Tensor | None) -> Callable[[Tensor], Tensor]:
        """A function from the step before, ``(n,)`` or ``(n, keys)``, to the outputs of the next, ``(n, outputs)``."""
        raise NotImplementedError

    def conditionals(self, n, context=None):
        """One step after the other; what earlier steps computed and later ones need waits in the walk's queues."""
        step = self.walk(n, context)
        shape = (n, 1) if self.keys is None else (n, 1, self.keys)
        last = self.before(torch.zeros(shape, device=self.device))[:, 0]
        for _ in range(self.event_shape[0]):
            params = self.arranged(step(last))
            if self.keys is None:
                last = (yield params).long()
            else:
                drawn = []
                for key in range(self.keys):
                    drawn.append((yield params[:, key]))
                last = torch.stack(drawn, 1).to(self.dtype)

    @property
    def blind_spot(self) -> Tensor:
        """Of its past, which values do not matter to a value: out of reach, or in its own frame, ``(D, D)``."""
        frame = torch.arange(self.event_shape.numel(), device=self.orders.device) // (self.keys or 1)
        back = frame[:, None] - frame
        seen = (back > 0) & (back <= (self.reach or self.event_shape[0]))
        place = torch.arange(len(frame), device=frame.device)
        return (place < place[:, None]) & ~seen

    def of_length(self, length: int) -> "FrameModel":
        """The same weights, copied, as a density over sequences of another length."""
        twin = type(self)(**(self.config | {"length": length})).to(self.device, self.dtype)
        twin.load_state_dict(self.state_dict() | {"orders": twin.orders})
        return twin.train(self.training)
