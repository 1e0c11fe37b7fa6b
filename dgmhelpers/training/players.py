"""A player: parameters that move together, by an optimiser of their own."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dgmhelpers.training.processes import Processes
from dgmhelpers.training.schedules import Schedule, rate_of


class Player:
    """Parameters that move together, and how.

    Args:
        optimizer: over this player's parameters; no other's step gives them a gradient.
        parameters: these, in the order in which the norm of their gradient is summed; the optimiser's own by default.
        clip: largest norm of their gradient.
        l1: weight of the sum of sizes of their weights (of two or more dimensions), added to what is minimised.
        schedule: rate of a step, of the rate that the optimiser has now; None keeps it.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter] | None = None, *,
        clip: float | None = None, l1: float = 0.0, schedule: Schedule | None = None,
    ):  # fmt: skip
        self.optimizer, self.clip, self.l1, self.schedule = optimizer, clip, l1, schedule
        self.parameters = list(parameters or [p for group in optimizer.param_groups for p in group["params"]])
        self.rates = [group.get("lr", math.nan) for group in optimizer.param_groups]

    def rate(self, step: int) -> float:
        """The learning rate of a step, of the first group."""
        return float(self.rates[0] if self.schedule is None else rate_of(self.schedule, self.rates[0], step))

    def move(self, loss: Tensor, step: int, processes: Processes) -> Tensor | None:
        """One update; no gradient is left behind. Gives the norm of the gradient as it came: NaN if an entry is."""
        gradients: Sequence[Tensor | None] = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        if processes.count > 1:
            there = {i: gradient for i, gradient in enumerate(gradients) if gradient is not None}
            means = dict(zip(there, processes.mean(there.values()), strict=True))
            gradients = [means.get(i) for i in range(len(self.parameters))]
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        size = _norm(gradients)
        if self.l1:
            some = [p for p in self.parameters if p.grad is not None and p.ndim >= 2]
            for p, sign in zip(some, torch._foreach_sign([p.detach() for p in some]) if some else (), strict=True):
                p.grad.add_(sign, alpha=self.l1)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if self.schedule is not None:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate_of(self.schedule, rate, step)
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        return size

    def leave(self) -> None:
        """Give the optimiser the rates that it came with."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate


def _norm(gradients: Iterable[Tensor | None]) -> Tensor | None:
    """Their norm together, a scalar that nobody has waited for; None if there is no gradient.

    It overflows in single precision where an entry passes 1e19, as Adam's second moments do.
    """
    dense = [gradient for gradient in gradients if gradient is not None and not gradient.is_sparse]
    norms = torch._foreach_norm(dense, 2) if dense else ()
    return torch.stack([norm.to(norms[0]) for norm in norms]).sum() if norms else None
