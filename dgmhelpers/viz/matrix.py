"""Matrices as pictures: masks, weights, dependence patterns."""

from __future__ import annotations

from dgmhelpers.arguments import needs
from dgmhelpers.viz.show import Picture, close, described, numpy_of, side_by_side, to_png, to_svg
from dgmhelpers.viz.style import COLOURS, DIVERGING, INK, SEQUENTIAL, parameters


def matrix(
    values,
    *,
    alt: str,
    title=None,
    row_labels=None,
    column_labels=None,
    xlabel=None,
    ylabel=None,
    caption: str | None = None,
    annotate: bool | str | None = None,
    colourbar: bool | None = None,
    limits: tuple[float, float] | None = None,
    size: float | None = None,
) -> Picture:
    """One matrix, or several side by side (below one another on a phone).

    A boolean or 0/1 matrix is drawn as a mask, ones filled; signed values get a diverging colour map with
    zero in the middle, others a sequential one, both safe for colour-blind readers.

    Args:
        values: ``(rows, columns)``, or a list of such matrices; for a list, ``title``, ``xlabel``, ``ylabel``,
            ``row_labels`` and ``column_labels`` may be lists too, one entry a matrix.
        alt: what the picture shows, in words.
        annotate: write the numbers into the cells, as ``str.format`` would with this format
            (``True`` means ``"{:g}"``).
        colourbar: by default, where the values are not 0/1 and are not written out.
        limits: the values at the ends of the colour map.
        size: height of the picture in inches (chosen from the number of rows by default).

    Raises:
        ValueError: if ``alt`` is empty, or a matrix does not have two axes or one finite entry.
    """
    needs("matplotlib", "viz")
    import matplotlib
    import matplotlib.pyplot as plt
    import numpy as np

    alt = described(alt)
    several = isinstance(values, (list, tuple)) and getattr(values[0], "ndim", 1) == 2
    panels = [numpy_of(v) for v in (values if several else [values])]
    for panel in panels:
        if panel.ndim != 2 or panel.size == 0:
            raise ValueError(f"expected a matrix (rows, columns), got shape {panel.shape}")
        if not np.isfinite(panel).any():
            raise ValueError("there is nothing to draw: every entry of a matrix is NaN or infinite")

    def of(option, i):
        return option[i] if several and isinstance(option, (list, tuple)) else option

    cell = _cell(panels, size)
    svgs, pngs = [], []
    with matplotlib.rc_context(parameters()):
        for i, panel in enumerate(panels):
            rows, columns = panel.shape
            fig, ax = plt.subplots(figsize=(columns * cell + _MARGIN, rows * cell + _MARGIN), layout="compressed")
            _draw(ax, panel, annotate, colourbar, limits)
            ax.set_title(of(title, i) or "", fontsize=10)
            ax.set_xlabel(of(xlabel, i) or "")
            ax.set_ylabel(of(ylabel, i) or "")
            _label(ax.xaxis, of(column_labels, i), columns)
            _label(ax.yaxis, of(row_labels, i), rows)
            svgs.append(to_svg(fig, tight=True))
            pngs.append(to_png(fig, tight=True))
            close(fig)
    return side_by_side(svgs, pngs, alt=alt, caption=caption)


_MARGIN = 0.75  # inches beside a panel for its labels
_WIDEST = 6.6  # inches on a page for panels side by side


def _cell(panels, size) -> float:
    """Side of one cell in inches, the same in all panels, so that they fit the page where that keeps them legible."""
    tallest = max(panel.shape[0] for panel in panels)
    cell = (size - 0.8 if size else min(3.4, max(0.9, 0.27 * tallest))) / tallest
    together = (_WIDEST - _MARGIN * len(panels)) / sum(panel.shape[1] for panel in panels)
    alone = (_WIDEST - _MARGIN) / max(panel.shape[1] for panel in panels)
    return min(cell, alone, max(together, 0.6 * cell))


def _draw(ax, panel, annotate, colourbar, limits):
    import numpy as np
    from matplotlib.colors import ListedColormap

    mask = panel.dtype == bool or bool(np.isin(panel, (0, 1)).all())
    panel = panel.astype(float)
    if mask:
        colours, (low, high) = ListedColormap([(0.5, 0.5, 0.5, 0.1), COLOURS["blue"]]), (0.0, 1.0)
    else:
        finite = panel[np.isfinite(panel)]
        low, high = limits or (finite.min(), finite.max())
        if low < 0 < high and limits is None:
            low, high = -max(-low, high), max(-low, high)
        colours = DIVERGING if low < 0 < high else SEQUENTIAL
    image = ax.imshow(panel, cmap=colours, vmin=low, vmax=high, interpolation="none", aspect="equal")
    rows, columns = panel.shape
    if max(rows, columns) <= 48:  # lines between the cells
        for x in range(1, columns):
            ax.axvline(x - 0.5, color=INK, alpha=0.25, linewidth=0.5)
        for y in range(1, rows):
            ax.axhline(y - 0.5, color=INK, alpha=0.25, linewidth=0.5)
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_alpha(0.6)
    ax.tick_params(length=0)
    if annotate:
        form = "{:g}" if annotate is True else annotate
        for (r, c), value in np.ndenumerate(panel):
            paint = image.cmap(image.norm(value))
            light = 0.2126 * paint[0] + 0.7152 * paint[1] + 0.0722 * paint[2] > 0.45
            ink = INK if paint[3] < 0.5 else "#0d0d0d" if light else "#ffffff"
            ax.text(c, r, form.format(value), ha="center", va="center", color=ink, fontsize=9)
    if colourbar if colourbar is not None else not (mask or annotate):
        bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.03)
        bar.outline.set_alpha(0.4)


def _label(axis, labels, count):
    if labels is not None:
        if len(labels) != count:
            raise ValueError(f"{len(labels)} labels for {count} rows or columns")
        axis.set_ticks(range(count), [str(label) for label in labels], fontsize=9)
    elif count <= 10:
        axis.set_ticks(range(count))
    else:
        axis.set_major_locator(_locator())


def _locator():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=True)
