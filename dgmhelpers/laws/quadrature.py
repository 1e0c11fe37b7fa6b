"""Integrals over one or two real variables: the box that holds a density, its mass, and draws made uniform by it."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.subject import Subject

POINTS = {1: (20001, 40001), 2: (301, 601)}     # on a side, coarse and fine
WIDEST = 2.0**14
EDGE, SLIVER = 1e-7, 1e-12  # of the mass, and of the density: what may be left outside
ENDLESS = 0.01      # of the mass near the edge of the widest box, where a heavy tail has none
FIRST = 8.0                                     # half the side of the box to begin with


@dataclass(frozen=True)
class Grid:
    """A density on a regular grid.

    Attributes:
        axes: the places along each dimension.
        density: ``p`` there, not normalised; 0 where the log-density is −∞.
        mass: its integral, and
        error: what the finer of two grids still changed.
        coarse: axes and density of the other.
        endless: whether there is mass out to the widest box: no density, or one on a circle.
    """

    axes: list[Tensor]
    density: Tensor
    mass: float
    error: float
    coarse: tuple[list[Tensor], Tensor]
    endless: bool = False


def integrate(subject: Subject, log_density=None, keep: bool = True) -> Grid:
    """The integral of a density over the box that holds it, by the trapezoid rule on two grids.

    The box comes from the density: it starts at ±8 in each dimension and grows while there is mass at its edge, then
    shrinks to where the mass is. A region where log p is −∞ is found by that, and counts as nothing.
    """
    function = log_density or subject.log_prob
    if subject.grids is not None and function in subject.grids:
        return subject.grids[function]
    box, endless = _box(subject, function)
    coarse, fine = (_on_grid(subject, function, box, points) for points in POINTS[subject.dim])
    masses = [_mass(axes, density) for axes, density in (coarse, fine)]
    grid = Grid(*fine, masses[1], abs(masses[1] - masses[0]), coarse, endless)
    if subject.grids is not None and keep:
        subject.grids[function] = grid
    return grid


def _box(subject: Subject, function) -> tuple[list[tuple[float, float]], bool]:
    """Per dimension where the mass is, with a margin: widened from ±8 until no more is at the edge, then narrowed."""
    points, half = {1: 8001, 2: 201}[subject.dim], FIRST
    told = [(-torch.inf, torch.inf)] * subject.dim
    if subject.box is not None:
        told = list(zip(*(end.tolist() for end in subject.box), strict=True))
        if all(math.isfinite(end) for ends in told for end in ends):
            return told, False
    while True:
        box = [_within(half, *ends) for ends in told]
        axes, density = _on_grid(subject, function, box, points)
        outer = points // 16
        edge = max((m[:outer].sum() + m[-outer:].sum()).item() for m in _margins(density))
        total = density.sum().item()
        if (total > 0 and edge <= EDGE * total) or half >= WIDEST:
            endless = edge > ENDLESS * total
            break
        half *= 2
    for _ in range(2):  # what is narrow is found on a grid that is fine where it is
        box = [_narrowed(*each) for each in zip(axes, _margins(density), box, strict=True)]
        axes, density = _on_grid(subject, function, box, points)
    return [_narrowed(*each) for each in zip(axes, _margins(density), box, strict=True)], endless


def _within(half: float, low: float, high: float) -> tuple[float, float]:
    """An interval of length ``2 half`` inside of what may be without ends: around 0, or from the end that there is."""
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    if math.isfinite(low):
        return low, low + 2 * half
    return (high - 2 * half, high) if math.isfinite(high) else (-half, half)


def _margins(density: Tensor) -> list[Tensor]:
    return [density] if density.ndim == 1 else [density.sum(1), density.sum(0)]


def _narrowed(axis: Tensor, margin: Tensor, ends: tuple[float, float]) -> tuple[float, float]:
    some = (margin > SLIVER * margin.max()).nonzero()[:, 0]
    first, last = (axis[some[0]].item(), axis[some[-1]].item()) if len(some) else (axis[0].item(), axis[-1].item())
    reach = 0.05 * (last - first) + 2 * (axis[1] - axis[0]).item()
    return max(first - reach, ends[0]), min(last + reach, ends[1])


def _on_grid(subject: Subject, function, box, points: int) -> tuple[list[Tensor], Tensor]:
    axes = [torch.linspace(a, b, points, dtype=torch.double) for a, b in box]
    places = torch.cartesian_prod(*axes).reshape(-1, subject.dim)
    values = subject.log_probs(places, batch=65536, of=function)
    return axes, values.exp().reshape([points] * subject.dim)


def _mass(axes: list[Tensor], density: Tensor) -> float:
    for axis in reversed(axes):
        density = torch.trapezoid(density, axis, dim=-1)
    return density.item()


def uniforms(axes: list[Tensor], density: Tensor, draws: Tensor) -> list[Tensor]:
    """Each draw's conditional distribution function, dimension by dimension: uniform if they come from the density."""
    marginal = density if len(axes) == 1 else torch.trapezoid(density, axes[1], dim=1)
    found = [_interpolate(axes[0], _cumulative(marginal, axes[0]), draws[:, 0])]
    if len(axes) == 2:
        row, share = _place(axes[0], draws[:, 0])
        share = share[:, None]
        conditional = density[row - 1] * (1 - share) + density[row] * share        # (n, points)
        cumulative = _cumulative(conditional, axes[1])
        column, part = _place(axes[1], draws[:, 1])
        column, part = column[:, None], part[:, None]
        found.append((cumulative.gather(1, column - 1) * (1 - part) + cumulative.gather(1, column) * part)[:, 0])
    return found


def sample(grid: Grid, n: int, generator: Generator) -> Tensor:
    """``n`` draws from the density on the grid, ``(n, D)``: a cell by its mass, and a place in it evenly."""
    cells = grid.density
    for i in range(cells.ndim):
        cells = (cells.narrow(i, 0, cells.shape[i] - 1) + cells.narrow(i, 1, cells.shape[i] - 1)) / 2
    total = cells.flatten().cumsum(0)
    u = torch.rand(n, generator=generator, dtype=torch.double) * total[-1]
    which = torch.searchsorted(total, u).clamp(max=len(total) - 1)
    index = torch.stack(torch.unravel_index(which, cells.shape), 1)                # (n, D)
    inside = index + torch.rand(index.shape, generator=generator, dtype=torch.double)
    step = torch.stack([axis[1] - axis[0] for axis in grid.axes])
    return torch.stack([axis[0] for axis in grid.axes]) + inside * step


def _place(axis: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    right = torch.searchsorted(axis, at.contiguous()).clamp(1, len(axis) - 1)
    return right, ((at - axis[right - 1]) / (axis[right] - axis[right - 1])).clamp(0, 1)


def _cumulative(density: Tensor, axis: Tensor) -> Tensor:
    steps = torch.cumulative_trapezoid(density, axis, dim=-1)
    whole = torch.cat([torch.zeros_like(steps[..., :1]), steps], -1)
    return whole / whole[..., -1:].clamp(min=1e-300)


def _interpolate(axis: Tensor, values: Tensor, at: Tensor) -> Tensor:
    right, share = _place(axis, at)
    return values[right - 1] * (1 - share) + values[right] * share
