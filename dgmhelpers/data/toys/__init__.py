"""Densities in the plane that one can look at, every one with an exact ``log_prob`` and a sampler to match.

.. code-block:: python

    ring = toys.ring_of_8()
    x = ring.sample(1000, generator=g)  # (1000, 2)
    ring.log_prob(x)                    # (1000,) nats
    ring.modes, ring.sigma              # mixtures say where their modes are

Half moons and spirals, as they are usually made, have no density in closed form: isotropic noise is added to
a curve. Here the noise is across the curve, in polar coordinates, which looks the same and makes the density
exact. The usual pinwheel is twisted by the first coordinate, which cannot be
undone in closed form; here it is twisted by the radius, which can, and which leaves areas as they are.
"""

from .base import Toy
from .court import ShotChart, shot_chart
from .mixtures import GaussianMixture, Pinwheel, grid_of_25, pinwheel, ring_of_8, two_islands
from .polar import Moons, Rings, Spirals, rings, swiss_roll, two_moons, two_spirals
from .shapes import Banana, Checkerboard, Funnel, banana, checkerboard, funnel

__all__ = [
    "Banana", "Checkerboard", "Funnel", "GaussianMixture", "Moons", "Pinwheel", "Rings", "ShotChart", "Spirals", "Toy",
    "banana", "checkerboard", "funnel", "get", "grid_of_25", "names", "pinwheel", "ring_of_8", "rings",
    "shot_chart", "swiss_roll", "two_islands", "two_moons", "two_spirals",
]  # fmt: skip

_TOYS = {
    make.__name__: make
    for make in (
        ring_of_8, grid_of_25, two_moons, pinwheel, two_spirals,
        checkerboard, swiss_roll, rings, banana, funnel, shot_chart, two_islands,
    )
}  # fmt: skip


def names() -> list[str]:
    """Every toy's name."""
    return list(_TOYS)


def get(name: str) -> Toy:
    """The toy of that name at its usual size."""
    if name not in _TOYS:
        raise ValueError(f"no toy is called {name!r}: there are {', '.join(_TOYS)}")
    return _TOYS[name]()
