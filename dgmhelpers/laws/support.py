r"""Where real values lie, if not everywhere: circles, spheres, simplices and boxes, seen through a flat chart.

A density on a curved set is one *per unit of length or area* of it. In a chart that keeps length and area it is an
ordinary density on a box, and every law of those applies:

========================  ==============================================  =================================
support                   examples                                        chart
========================  ==============================================  =================================
``"circle"``              angles, ``(1,)``; or unit vectors, ``(2,)``     the angle, −π … π or 0 … 2π [3]_
``"torus"``               angles, ``(D,)``                                themselves, −π … π or 0 … 2π [3]_
``"sphere"``              unit vectors, ``(3,)``                          longitude, and height −1 … 1 [1]_
``"simplex"``             ``(2,)`` or ``(3,)``, positive, of sum 1 [2]_   the first; its share of the rest
``(low, high)``           within a box, ends may be infinite              themselves
========================  ==============================================  =================================

.. [1] A band between two heights has the area 2π times their difference, wherever it is (Archimedes).
.. [2] The density is by the first D − 1 coordinates, as that of ``torch.distributions.Dirichlet``.
.. [3] The turn in which the sampler draws; without one, 0 … 2π if log p is finite there alone. A density need not be
   periodic. Angles in another unit, such as degrees, lie in a box, ``(0, 360)``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Generator, Size, Tensor

from dgmhelpers.laws.subject import Subject

NAMES = ("circle", "torus", "sphere", "simplex")
LOOKED_AT = 256     # draws, or places
OFF = 1e-4          # how far from a sphere or a simplex a draw may be
GOES_WITH = ("log_prob", "sample", "loss", "elbo")


@dataclass(frozen=True)
class Chart:
    """Coordinates in a box of a set in which examples lie.

    Attributes:
        low, high: the box, ``(d,)`` each.
        place: coordinates ``(B, d)`` to examples, ``(B, D)``; and
        back: from examples to coordinates.
        log_volume: by how much the first stretches volume, ``(B,)``.
        off: how far examples are from the set, ``(B,)``.
    """

    low: Tensor
    high: Tensor
    place: Callable[[Tensor], Tensor] = torch.clone
    back: Callable[[Tensor], Tensor] = torch.clone
    log_volume: Callable[[Tensor], Tensor] = lambda u: torch.zeros(len(u), dtype=u.dtype)
    off: Callable[[Tensor], Tensor] = lambda x: torch.zeros(len(x), dtype=x.dtype)


def chart(support: Any, dim: int, first: float = -math.pi) -> Chart:
    """The chart of a support for examples of ``dim`` variables; of angles, from ``first`` on.

    Raises:
        ValueError: for a support that is not known, or examples that cannot lie in it.
    """
    if isinstance(support, tuple | list) and len(support) == 2:
        low, high = (torch.as_tensor(end, dtype=torch.double).reshape(-1).expand(dim) for end in support)
        if not (low < high).all():
            raise ValueError(f"a box needs low < high, got {support}")
        return Chart(low, high)
    if support == "torus" or (support == "circle" and dim == 1):
        return Chart(*_ends([first] * dim, [first + 2 * math.pi] * dim),
                     back=lambda x: torch.remainder(x - first, 2 * math.pi) + first)
    if support in ("circle", "sphere") and dim == 2:
        return Chart(*_ends([-math.pi], [math.pi]), lambda u: torch.cat([u.cos(), u.sin()], 1),
                     lambda x: torch.atan2(x[:, 1:], x[:, :1]), off=_off_sphere)
    if support == "sphere" and dim == 3:
        return Chart(*_ends([-math.pi, -1.0], [math.pi, 1.0]), _on_sphere,
                     lambda x: torch.stack([torch.atan2(x[:, 1], x[:, 0]), x[:, 2]], 1), off=_off_sphere)
    if support == "simplex" and dim in (2, 3):
        return Chart(*_ends([0.0] * (dim - 1), [1.0] * (dim - 1)), _on_simplex, _shares,
                     lambda u: (1 - u[:, 0]).log() * (dim == 3), lambda x: (x.sum(1) - 1).abs() + (-x).relu().sum(1))
    raise ValueError(f"support must be one of {', '.join(NAMES)} or a box (low, high), got {support!r} for examples of "
                     f"{dim} variables: circles have 1 or 2, spheres 2 or 3, simplices 2 or 3")


def charted(subject: Subject, support: Any) -> None:
    """Show a subject through the chart of its support, in place.

    Raises:
        ValueError: if it offers what a chart is not for, or its support is not known.
    """
    if subject.levels is not None:
        raise ValueError(f"support= is for real values, and these have {subject.levels} levels")
    names = ("forward", "inverse", "energy", "step", "score", "velocity", "log_weights")
    if odd := [name for name in names if getattr(subject, name) is not None]:
        raise ValueError(f"support= goes with {', '.join(GOES_WITH)}, and not with {', '.join(odd)}")
    shape = subject.event_shape
    flat = chart(support, subject.dim, _first_angle(subject) if support in ("circle", "torus") else -math.pi)
    low, high = flat.low, flat.high

    def examples(u: Tensor) -> Tensor:
        return flat.place(u.reshape(len(u), -1)).reshape(-1, *shape)

    def inside(u: Tensor) -> Tensor:
        u = u.reshape(len(u), -1)
        return ((u >= low.to(u.dtype)) & (u <= high.to(u.dtype))).all(1)

    def density(function):
        @wraps(function)
        def at(u, *rest, **more):
            ok = inside(u)
            where = torch.where(ok[:, None], u.reshape(len(u), -1), middle.to(u.dtype))
            value = function(examples(where), *rest, **more)
            return torch.where(ok, value + flat.log_volume(where), -torch.inf)
        return at

    def whole(function):
        @wraps(function)
        def at(u, *rest, **more):
            return function(examples(u), *rest, **more) - flat.log_volume(u.reshape(len(u), -1)).mean()
        return at

    def drawn(function):
        @wraps(function)
        def at(*rest, **more):
            x = torch.as_tensor(function(*rest, **more))
            if tuple(x.shape[1:]) != tuple(shape):
                raise ValueError(f"draws of shape {tuple(x.shape)}, expected (n, {', '.join(map(str, shape))})")
            away = flat.off(x.reshape(len(x), -1)).max().item()
            if not away <= OFF:
                raise ValueError(f"a draw is {away:.2g} away from the {support}")
            return flat.back(x.reshape(len(x), -1))
        return at

    middle = torch.where(low.isfinite() & high.isfinite(), (low + high) / 2,
                         torch.where(low.isfinite(), low + 1, torch.where(high.isfinite(), high - 1, 0.0)))
    for name, change in (("log_prob", density), ("elbo", density), ("loss", whole), ("sample", drawn)):
        if (function := getattr(subject, name)) is not None:
            setattr(subject, name, change(function))
    subject.marginal, subject.box = subject.log_prob, (low, high)
    subject.event_shape = Size([len(low)])
    subject.squash = lambda z: _into(z, low, high)


def _into(z: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Standard normal values into a box, whichever of its ends are finite."""
    both = low.isfinite() & high.isfinite()
    share = torch.special.ndtr(z)
    width = torch.where(both, high - low, 1.0)
    half = torch.where(low.isfinite(), low + z.abs(), torch.where(high.isfinite(), high - z.abs(), z))
    return torch.where(both, torch.where(both, low, 0.0) + width * share, half)


def _ends(low: list, high: list) -> tuple[Tensor, Tensor]:
    return torch.tensor(low, dtype=torch.double), torch.tensor(high, dtype=torch.double)


def _first_angle(subject: Subject) -> float:
    """Where the turn begins that a model's angles lie in, 0 or −π: a density may be known on one turn alone."""
    generator = Generator().manual_seed(0)
    try:
        if subject.sample is not None:
            draws = torch.as_tensor(subject.draw(LOOKED_AT, generator))
            return 0.0 if draws.min() >= 0 and draws.max() > math.pi else -math.pi
        low = -math.pi * torch.rand(LOOKED_AT, subject.dim, generator=generator, dtype=torch.double)
        here, there = (subject.log_probs(low + turn, of=subject.scores).isfinite() for turn in (0, 2 * math.pi))
        return 0.0 if there.any() and not here.any() else -math.pi
    except (RuntimeError, TypeError, ValueError):    # the law that evaluates it says what went wrong
        return -math.pi


def _off_sphere(x: Tensor) -> Tensor:
    return (x.norm(dim=1) - 1).abs()


def _on_sphere(u: Tensor) -> Tensor:
    across = (1 - u[:, 1].square()).clamp(min=0).sqrt()
    return torch.stack([across * u[:, 0].cos(), across * u[:, 0].sin(), u[:, 1]], 1)


def _on_simplex(u: Tensor) -> Tensor:
    if u.shape[1] == 1:
        return torch.cat([u, 1 - u], 1)
    first, share = u[:, 0], u[:, 1]
    return torch.stack([first, (1 - first) * share, (1 - first) * (1 - share)], 1)


def _shares(x: Tensor) -> Tensor:
    if x.shape[1] == 2:
        return x[:, :1].clone()
    return torch.stack([x[:, 0], x[:, 1] / (x[:, 1] + x[:, 2]).clamp(min=1e-300)], 1)
