"""Grids of cells of a few kinds: what a pixel sees, which rows a stack works on. Kinds differ in pattern and colour."""

from __future__ import annotations

import hashlib
import html
import io

from dgmhelpers.arguments import needs
from dgmhelpers.viz.show import Picture, described, numpy_of, smaller_png
from dgmhelpers.viz.style import COLOURS

MARKS = {"filled": "blue", "hatched": "orange", "dotted": "grey", "striped": "green", "ringed": None, "empty": None}
"""How a kind of cell looks: its pattern, and the colour that goes with it."""

FIELD = {"itself": "ringed", "seen": "filled", "out of reach": "dotted", "blind": "hatched", "future": "empty"}
"""Kinds of a receptive field, in the order of the codes of ``evaluation.receptive_field``."""


def cells(
    codes,
    kinds: dict[str, str],
    *,
    alt: str,
    title: str | None = None,
    numbers=None,
    caption: str | None = None,
    size: float | None = None,
) -> Picture:
    """A grid in which each cell is of one kind, with a legend of the kinds that occur.

    Args:
        codes: ``(H, W)`` integers, each the place of a kind in ``kinds``.
        kinds: a mark of :data:`MARKS` for every kind by name.
        alt: what the picture shows, in words.
        title: a line above the grid.
        numbers: texts to stand in the cells, ``(H, W)``, as the feature maps of slides are numbered.
        size: side of a cell in CSS pixels (chosen from the number of columns by default).

    Raises:
        ValueError: if ``alt`` is empty, a mark is unknown, or a code has no kind.
    """
    alt, codes = described(alt), numpy_of(codes)
    if unknown := set(kinds.values()) - set(MARKS):
        raise ValueError(f"no mark is called {sorted(unknown)[0]!r}: there are {', '.join(MARKS)}")
    if codes.ndim != 2 or codes.size == 0 or codes.min() < 0 or codes.max() >= len(kinds):
        raise ValueError(f"expected codes (H, W) of 0 … {len(kinds) - 1}, got shape {codes.shape}")
    height, width = codes.shape
    side = size or max(6, min(26, 336 // width))
    top = 22 if title else 1
    parts = [_of_kind(codes == i, mark, side, top) for i, mark in enumerate(kinds.values())]
    lines = "".join(f"M1 {top + r * side:g}h{width * side:g}" for r in range(height + 1))
    lines += "".join(f"M{1 + c * side:g} {top}v{height * side:g}" for c in range(width + 1))
    parts.insert(0, f'<path d="{lines}" fill="none" stroke="currentColor" stroke-opacity=".25" stroke-width=".7"/>')
    if numbers is not None:
        numbers = numpy_of(numbers)
        parts += [
            f'<text x="{1 + (c + 0.5) * side:g}" y="{top + (r + 0.68) * side:g}" font-size="{0.5 * side:.3g}" '
            f'text-anchor="middle">{html.escape(str(numbers[r, c]))}</text>'
            for r in range(height)
            for c in range(width)
        ]
    if title:
        parts.append(f'<text x="1" y="14" font-size="13" font-weight="600">{html.escape(title)}</text>')
    shown = [(name, mark) for i, (name, mark) in enumerate(kinds.items()) if (codes == i).any() and mark != "empty"]
    legend, wide, low = _legend(shown, max(width * side, 300), top + height * side + 8)
    body = "".join(parts) + legend
    prefix = f"dgm{hashlib.sha256(body.encode()).hexdigest()[:10]}-"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width * side, wide) + 2:g} {low + 2:g}" '
        f'width="{max(width * side, wide) + 2:g}" fill="currentColor" font-family="sans-serif" aria-hidden="true" '
        f'style="max-width:100%;height:auto">{_patterns(body)}{body}</svg>'
    ).replace("@", prefix)
    return Picture(svg, _png(codes, list(kinds.values())), alt=alt, caption=caption, prefix=prefix)


def receptive_field(codes, *, alt: str, title: str | None = None, **more) -> Picture:
    """What a pixel sees of an image, from the codes of ``evaluation.receptive_field.fields``, ``(H, W)``.

    Seen is filled, out of reach dotted, blind hatched, the pixel itself ringed, and the future empty. The other
    arguments are those of :func:`cells`.
    """
    return cells(codes, FIELD, alt=alt, title=title, **more)


def _colour(name: str) -> str:
    return f"var(--dgm-{name}, {COLOURS[name]})"


def _of_kind(where, mark: str, side: float, top: float) -> str:
    """All cells of one kind as one path, its rows in runs."""
    if mark == "empty" or not where.any():
        return ""
    runs = []
    for r, row in enumerate(where.tolist()):
        start = None
        for c, inside in enumerate([*row, False]):
            if inside and start is None:
                start = c
            elif not inside and start is not None:
                long = (c - start) * side
                runs.append(f"M{1 + start * side:g} {top + r * side:g}h{long:g}v{side:g}h-{long:g}z")
                start = None
    shape = f'<path d="{"".join(runs)}"'
    if mark == "ringed":
        return f'{shape} fill="none" stroke="currentColor" stroke-width="3"/>'
    if mark == "filled":
        return f'{shape} style="fill: {_colour("blue")}" fill-opacity=".55"/>'
    return f'{shape} fill="url(#@{mark})"/>'


def _patterns(body: str) -> str:
    """Definitions of the patterns that a picture uses."""
    drawn = {
        "hatched": f'<rect width="6" height="6" fill-opacity=".15" style="fill: {_colour("orange")}"/><path '
        f'd="M-1 1L1 -1M0 6L6 0M5 7L7 5" stroke-width="1.6" style="stroke: {_colour("orange")}"/>',
        "dotted": f'<circle cx="3" cy="3" r="1.1" style="fill: {_colour("grey")}"/>',
        "striped": f'<rect width="6" height="6" fill-opacity=".12" style="fill: {_colour("green")}"/><path '
        f'd="M0 3H6" stroke-width="1" style="stroke: {_colour("green")}"/>',
    }
    found = "".join(
        f'<pattern id="@{mark}" width="6" height="6" patternUnits="userSpaceOnUse">{inside}</pattern>'
        for mark, inside in drawn.items()
        if f"url(#@{mark})" in body
    )
    return f"<defs>{found}</defs>" if found else ""


def _legend(shown: list[tuple[str, str]], width: float, top: float) -> tuple[str, float, float]:
    """A swatch and a name for each kind, in lines as wide as the picture; how wide and how far down they come."""
    parts, x, y, widest = [], 1.0, top, 0.0
    import numpy as np

    for name, mark in shown:
        room = 30 + 6.8 * len(name)
        if x > 1 and x + room > width:
            x, y = 1.0, y + 20
        swatch = _of_kind(np.ones((1, 1), bool), mark, 12, 1)
        text = f'<text x="18" y="11" font-size="12">{html.escape(name)}</text>'
        parts.append(f'<g transform="translate({x:g} {y:g})">{swatch}{text}</g>')
        x += room
        widest = max(widest, x)
    return "".join(parts), widest, y + 16 if shown else top


def _png(codes, marks: list[str], side: int = 9) -> bytes:
    """The same grid as a small PNG on white, for where markup does not go."""
    needs("PIL", "viz")
    from PIL import Image, ImageDraw

    height, width = codes.shape
    picture = Image.new("RGB", (width * side + 1, height * side + 1), "white")
    draw = ImageDraw.Draw(picture)
    for r, row in enumerate(codes.tolist()):
        for c, code in enumerate(row):
            x, y, mark = c * side, r * side, marks[code]
            colour = COLOURS.get(MARKS[mark] or "", "#000000")
            draw.rectangle([x, y, x + side, y + side], outline="#c0c0c0", fill=colour if mark == "filled" else None)
            if mark == "hatched":
                draw.line([x + 1, y + side - 1, x + side - 1, y + 1], fill=colour, width=2)
            elif mark == "striped":
                draw.line([x + 1, y + side // 2, x + side - 1, y + side // 2], fill=colour, width=2)
            elif mark == "dotted":
                draw.ellipse([x + 3, y + 3, x + 6, y + 6], fill=colour)
            elif mark == "ringed":
                draw.rectangle([x + 1, y + 1, x + side - 1, y + side - 1], outline=colour, width=2)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", optimize=True)
    return smaller_png(buffer.getvalue())
