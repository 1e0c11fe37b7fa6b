"""What the figures of several live cells share."""

from __future__ import annotations

from dgmhelpers.viz.show import numpy_of


def figure(width: float, height: float):
    """A figure that pyplot does not know of, so that none is left open and no other thread finds it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def signed(value: float, digits: int = 2) -> str:
    """A number for readers, with a minus sign that is one."""
    return f"{value:.{digits}f}".replace("-", "−")


def dots(axes, points, colour: str, size: float = 2.6, alpha: float = 0.6) -> None:
    """Points ``(n, 2)`` as one path of specks: a tenth of the SVG that as many markers take."""
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    twice = np.repeat(numpy_of(points), 2, axis=0)                                 # from each point to itself
    if not len(twice):
        return
    path = Path(twice, [Path.MOVETO, Path.LINETO] * (len(twice) // 2))
    path.should_simplify = False
    axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=size, alpha=alpha, capstyle="round"))


def ellipse(axes, centre, factor, colour: str, radii=(1.0, 2.0)) -> None:
    """The curves at so many standard deviations of a Gaussian with covariance ``factor @ factor.T``, ``(2, 2)``."""
    import numpy as np

    turn = np.linspace(0, 2 * np.pi, 48)
    circle = np.stack([np.cos(turn), np.sin(turn)])                                # (2, 48)
    for radius in radii:
        ring = numpy_of(centre)[:, None] + radius * numpy_of(factor) @ circle
        axes.plot(*ring, color=colour, lw=2.2 if radius == radii[0] else 1)
