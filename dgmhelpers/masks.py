"""Every mask in the book: who may look at whom.

A mask is a boolean matrix with one row per output and one column per input; true means *may depend on*. They
are computed from what defines them (an order, the degrees of hidden units), so that a picture of a mask
(``viz.matrix(mask)``) is a picture of the definition.
"""

import torch
from torch import Generator, Tensor


def rank_of(order: Tensor) -> Tensor:
    """Place of every variable in ``order``: ``rank[order[k]] = k``, shape ``(D,)``."""
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    return rank


def past(order: Tensor) -> Tensor:
    """``past[i, j]``: does variable ``j`` come before variable ``i`` in ``order``?  Shape ``(D, D)``.

    In raster order this is the strictly lower triangle::

        . . . .
        x . . .        row i: what the conditional of variable i may see
        x x . .
        x x x .
    """
    rank = rank_of(order)
    return rank[None, :] < rank[:, None]


def spread_degrees(units: int, dim: int, generator: Generator | None = None) -> Tensor:
    """Degrees for ``units`` hidden units of a MADE over ``dim`` variables, shape ``(units,)``, in 1 … D − 1.

    A unit of degree ``m`` may see the first ``m`` variables of the order. Every degree appears equally often
    (up to one), so that with ``units ≥ D − 1`` no degree is missing and no output is blind to its past. MADE's
    paper draws each degree uniformly instead, which leaves some out by chance. With a generator the degrees
    are dealt to the units in random order: a new connectivity with the same counts.
    """
    highest = max(dim - 1, 1)
    if units >= highest:
        degrees = 1 + torch.arange(units) % highest
    else:  # too few to give every degree a unit: spread them evenly from 1 to D - 1
        degrees = torch.linspace(1, highest, units).round().long()
    if generator is None:
        return degrees.sort().values
    return degrees[torch.randperm(units, generator=generator)]


def may_see(receiver: Tensor, sender: Tensor, *, strict: bool = False) -> Tensor:
    """MADE's rule, shape ``(receivers, senders)``: degrees never fall along a path, and rise at the output.

    Args:
        receiver: degrees of the units above, shape ``(R,)``.
        sender: degrees of the units below, shape ``(S,)``.
        strict: true for the last layer, whose output of degree ``d`` may use degrees below ``d`` alone.
    """
    if strict:
        return receiver[:, None] > sender[None, :]
    return receiver[:, None] >= sender[None, :]


def reach(masks: list[Tensor]) -> Tensor:
    """Which input can reach which output through a stack of masked layers, first layer first.

    The product of the masks counts the paths; where it is zero there is none, whatever the weights.
    """
    paths = masks[0].double()
    for mask in masks[1:]:
        paths = (mask.double() @ paths).clamp(max=1.0)  # only "none or some" matters; counts overflow
    return paths > 0


def draw(mask: Tensor) -> str:
    """The mask in characters, a row a line: ``x`` may see, ``.`` may not."""
    if mask.ndim != 2:
        raise ValueError(f"expected a mask of two dimensions, got shape {tuple(mask.shape)}")
    return "\n".join(" ".join("x" if entry else "." for entry in row) for row in mask.tolist())
