"""Every mask in the book: who may look at whom.

A mask is a boolean matrix with one row per output and one column per input; true means *may depend on*. They
are computed from what defines them (an order, the degrees of hidden units), so that a picture of a mask
(``viz.matrix(mask)``) is a picture of the definition.
"""

import math

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
    paths = masks[0].cpu().double()                      # not every device has double precision
    for mask in masks[1:]:
        paths = (mask.cpu().double() @ paths).clamp(max=1.0)  # only "none or some" matters; counts overflow
    return (paths > 0).to(masks[0].device)


def draw(mask: Tensor) -> str:
    """The mask in characters, a row a line: ``x`` may see, ``.`` may not."""
    if mask.ndim != 2:
        raise ValueError(f"expected a mask of two dimensions, got shape {tuple(mask.shape)}")
    return "\n".join(" ".join("x" if entry else "." for entry in row) for row in mask.tolist())


def colour_of(features: int, colours: int) -> Tensor:
    """The colour channel that each feature of a layer belongs to, in even runs, shape ``(features,)``, in 0 … C − 1.

    A feature of colour c at a pixel may see the colours of that pixel up to c (R, then G, then B), and the whole of
    every earlier pixel.
    """
    if features < colours:
        raise ValueError(f"{features} features cannot serve {colours} colours: one of them would have none")
    return torch.arange(features) * colours // features


def raster_taps(kernel: int, above: int | None = None) -> Tensor:
    """The taps of a kernel that lie before its centre or on it, shape ``(above + 1, kernel)``.

    The rows below the centre are left out: nothing in them could ever be seen. With a side of 5::

        x x x x x
        x x x x x
        x x x . .        the centre, which :func:`may_see` decides on by colour: mask A or mask B

    With ``above = 0`` there is only the row of the centre, and nothing right of it: shape ``(1, kernel // 2 + 1)``.
    """
    left = kernel // 2
    above = left if above is None else above
    if above == 0:
        return torch.ones(1, left + 1, dtype=torch.bool)
    taps = torch.ones(above + 1, kernel, dtype=torch.bool)
    taps[-1, left + 1 :] = False
    return taps


def raster(receiver: Tensor, sender: Tensor, kernel: int, *, strict: bool, above: int | None = None) -> Tensor:
    """The mask of a convolution in raster order, shape ``(outputs, inputs, above + 1, width)``.

    Every colour of an earlier pixel is visible; at the centre the colours decide, by the rule of MADE's degrees.

    Args:
        receiver: colour of each output feature (:func:`colour_of`).
        sender: colour of each input feature.
        kernel: odd side of the square kernel.
        strict: mask A (only earlier colours of the pixel itself), else mask B (its own colour as well).
        above: rows above the centre, ``kernel // 2`` if not given; 0 for a kernel along the row.
    """
    taps = raster_taps(kernel, above)
    mask = taps.expand(len(receiver), len(sender), *taps.shape).clone()
    mask[:, :, -1, kernel // 2] = may_see(receiver, sender, strict=strict)
    return mask


def offsets(height: int, width: int) -> tuple[Tensor, Tensor]:
    """From each pixel to each other: how many rows up, and how many columns to the right; ``(HW, HW)`` each."""
    row = torch.arange(height).repeat_interleave(width)
    column = torch.arange(width).repeat(height)
    return row[:, None] - row[None, :], column[None, :] - column[:, None]


def blind(pixels_seen: Tensor, colours: int) -> Tensor:
    """What of its past each sub-pixel cannot see, ``(D, D)``, from which pixels see which others, ``(HW, HW)``.

    Positions are flat ``(C, H, W)``. The earlier colours of a pixel itself are always seen.
    """
    unseen = past(torch.arange(len(pixels_seen))) & ~pixels_seen
    return unseen.repeat(colours, colours)


def raster_order(event_shape) -> Tensor:
    """Flat positions of ``(C, H, W)`` in raster order, the colours of a pixel in turn: R, G, B, next pixel."""
    return torch.arange(math.prod(event_shape)).reshape(event_shape[0], -1).T.reshape(-1)


def alternating(event_shape, odd: bool = False) -> Tensor:
    """A chessboard over the last two axes of an example, every second entry of a vector: boolean, ``event_shape``.

    True at the first entry; ``odd`` swaps the two halves. With an odd number of entries one half has one more::

        x . x      a coupling leaves x as it is,
        . x .      and moves the others by what it reads there
        x . x
    """
    shape = torch.Size(event_shape)
    axes = torch.meshgrid(*(torch.arange(size) for size in shape[-2:]), indexing="ij")
    return (torch.stack(axes).sum(0) % 2 == int(odd)).expand(shape).clone()


def half(event_shape, odd: bool = False) -> Tensor:
    """True in the first half of the first axis (``odd``: in the second), boolean, ``event_shape``.

    Raises:
        ValueError: if the first axis has one entry, which has no half.
    """
    shape = torch.Size(event_shape)
    if shape[0] < 2:
        raise ValueError(f"{shape[0]} channel or entry cannot be cut in half: squeeze first, or use alternating()")
    first = torch.arange(shape[0]) < shape[0] // 2
    return (first ^ odd).reshape(-1, *[1] * (len(shape) - 1)).expand(shape).clone()
