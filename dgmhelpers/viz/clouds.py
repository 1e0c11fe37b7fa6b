"""Clouds of points side by side, light enough for a moving figure: what generators make, one panel each."""

from __future__ import annotations

import html

from dgmhelpers.viz.show import Picture, described, numpy_of
from dgmhelpers.viz.style import COLOURS

_SIDE, _GAP, _HEAD = 150, 12, 20   # of a panel, between panels, above one, in CSS pixels


def clouds(
    points, *, alt: str, reach: float, modes=None, columns: int = 3, notes=None, caption: str | None = None
) -> Picture:
    """Panels of points in the plane, all in one scale; those that fall outside are drawn at the edge.

    Args:
        points: points of each panel by its name, ``{name: (n, 2)}``.
        alt: what the picture shows, in words.
        reach: the panels show −reach … reach both ways.
        modes: centres to mark with small crosses in every panel, ``(K, 2)``.
        columns: panels in a row.
        notes: a few words for a panel's lower edge, by its name.
        caption: text to stand below.

    Raises:
        ValueError: for no panel, points of another shape or not finite, or a reach that is not positive.
    """
    alt, notes = described(alt), notes or {}
    if not points:
        raise ValueError("there is nothing to draw: points is empty")
    if not reach > 0:
        raise ValueError(f"reach must be positive, got {reach!r}")
    columns = min(columns, len(points))
    rows = -(-len(points) // columns)
    high = _SIDE + _HEAD + _GAP
    width, height = columns * (_SIDE + _GAP) - _GAP, rows * high - _GAP
    panels = [
        f'<g transform="translate({i % columns * (_SIDE + _GAP)} {i // columns * high + _HEAD})">'
        f"{_panel(name, x, reach, modes, notes.get(name, ''))}</g>"
        for i, (name, x) in enumerate(points.items())
    ]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" fill="currentColor" '
        f'font-family="sans-serif" font-size="13" aria-hidden="true" style="max-width:100%;height:auto">'
        f"{''.join(panels)}</svg>"
    )
    return Picture(svg, None, alt=alt, caption=caption)


def _panel(name, x, reach, modes, note) -> str:
    blue = f"var(--dgm-blue, {COLOURS['blue']})"
    parts = [
        f'<text x="0" y="-6">{html.escape(str(name))}</text>',
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="none" stroke="currentColor" stroke-opacity=".35"/>',
    ]
    if modes is not None:
        crosses = "".join(f"M{a - 3:g} {b:g}h6m-3-3v6" for a, b in _places(modes, reach))
        parts.append(f'<path d="{crosses}" fill="none" stroke="currentColor" stroke-opacity=".6"/>')
    parts.append(
        f'<path d="{_dots(x, reach)}" fill="none" stroke-width="2.6" stroke-opacity=".55" '
        f'style="stroke:{blue};stroke-linecap:round"/>'        # matplotlib's figures say butt for the whole page
    )
    if note:
        parts.append(f'<text x="{_SIDE - 4}" y="{_SIDE - 5}" text-anchor="end">{html.escape(note)}</text>')
    return "".join(parts)


def _dots(x, reach) -> str:
    """A path of points, from each to its neighbour on the right: small moves are written in few characters."""
    here, moves = (0.0, 0.0), []
    for a, b in sorted(map(tuple, _places(x, reach))):
        moves.append(f"m{a - here[0]:g}{' ' if b >= here[1] else ''}{b - here[1]:g}h0")
        here = (a, b)
    return "".join(moves)


def _places(x, reach):
    """Points as places in a panel, to half a pixel."""
    import numpy as np

    x = numpy_of(x).astype(float)
    if x.ndim != 2 or x.shape[1] != 2 or not np.isfinite(x).all():
        raise ValueError(f"points must be finite, of shape (n, 2), got {x.shape}")
    across = (np.clip(x / reach, -1, 1) + 1) / 2
    return np.round(2 * _SIDE * np.stack([across[:, 0], 1 - across[:, 1]], 1)) / 2
