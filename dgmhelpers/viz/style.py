"""How figures look: ink that follows the page, colours that everyone can tell apart.

The built page has a light and a dark mode, and a figure is drawn once. So text, axes and ticks are
drawn in a sentinel colour (:data:`INK`) that :mod:`dgmhelpers.viz.show` turns into the page's own
``currentColor``, backgrounds are transparent, and the series colours (:data:`COLOURS`) stand out
at 4 : 1 or better on white and on near-black. The book's style sheet sharpens them further in each mode
through the CSS variables ``--dgm-blue``, ``--dgm-orange``, and so on.
"""

from __future__ import annotations

import contextlib

from dgmhelpers.arguments import needs

INK = "#010203"
"""Foreground: becomes ``currentColor`` in the page."""

COLOURS = {
    "blue": "#1f7fc0",
    "orange": "#cf5a00",
    "green": "#00906a",
    "purple": "#b8609a",
    "gold": "#9a7500",
    "grey": "#808080",
}
"""Series colours by name: Okabe and Ito's hues, moved to where both backgrounds give contrast."""

CYCLE = [COLOURS[name] for name in ("blue", "orange", "green", "purple", "gold")]

SEQUENTIAL = "cividis"
"""Colour map for magnitudes: even steps of lightness, the same for the colour-blind."""

DIVERGING = "PuOr_r"
"""Colour map for signed values, with zero in the middle."""


def parameters() -> dict:
    """Matplotlib's settings for this book, as a dictionary for ``rc_context``."""
    from cycler import cycler

    return {
        "figure.figsize": (5.4, 3.3),
        "figure.dpi": 96,
        "figure.facecolor": "none",
        "figure.constrained_layout.use": True,
        "savefig.facecolor": "none",
        "axes.facecolor": "none",
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.titlesize": "medium",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=CYCLE),
        "grid.color": INK,
        "grid.alpha": 0.15,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "lines.color": COLOURS["blue"],
        "lines.linewidth": 1.8,
        "patch.edgecolor": INK,
        "hatch.color": INK,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 11,
        "mathtext.fontset": "dejavusans",
        "image.cmap": SEQUENTIAL,
        "image.interpolation": "none",
        "svg.fonttype": "none",
        "svg.hashsalt": "dgmhelpers",
    }


def style():
    """Use this book's look for every matplotlib figure that follows.

    Call it once in a set-up cell; or say ``with viz.style():`` to use it for one block only.
    """
    needs("matplotlib", "viz")
    import matplotlib

    before = matplotlib.rcParams.copy()
    matplotlib.rcParams.update(parameters())
    return _Restore(before)


class _Restore(contextlib.AbstractContextManager):
    """Puts matplotlib's settings back at the end of a ``with`` block; without one, does nothing."""

    def __init__(self, before):
        self._before = before

    def __exit__(self, *_):
        needs("matplotlib", "viz")
        import matplotlib

        dict.update(matplotlib.rcParams, self._before)

    def __repr__(self):
        return ""
