"""Training curves beside the lines that give them meaning."""

from __future__ import annotations

import math

from dgmhelpers.arguments import needs
from dgmhelpers.viz.show import Picture, numpy_of, show
from dgmhelpers.viz.style import CYCLE, INK, parameters


def curve(
    series,
    *,
    references: dict[str, float] | None = None,
    xlabel: str = "step",
    ylabel: str = "nats",
    alt: str | None = None,
    caption: str | None = None,
    ylim: tuple[float, float] | None = None,
    log: bool = False,
    title: str | None = None,
) -> Picture:
    """Curves against steps, with horizontal reference lines, each labelled where it ends.

    Args:
        series: a training ``History``; or ``(steps, values)``; or several of those by name, as a dict.
        references: level of each reference line by name: ``{"uniform": 543.4, "published": 97.45}``.
        alt: what the picture says; made from the numbers if left out.
        ylim: part of the vertical axis to show; a reference outside it is named at the edge it lies beyond.
        log: logarithmic vertical axis.

    A value that is not finite is a gap. One of zero or less is one on a logarithmic axis.

    Raises:
        ValueError: if there is nothing to draw, or a reference or a limit cannot stand on the axis.
    """
    needs("matplotlib", "viz")
    import matplotlib
    import matplotlib.pyplot as plt
    import numpy as np

    lines = _lines(series, log)
    references = dict(references or {})
    if not lines:
        raise ValueError("there is no curve to draw: the history is empty")
    if not any(np.isfinite(values).any() for _, values in lines.values()):
        raise ValueError(f"there is no curve to draw: no value of {_and(lines)} is finite{' and positive' * log}")
    limits = {f"ylim[{i}]": limit for i, limit in enumerate(ylim or ())}
    for name, level in (references | limits).items():
        if not math.isfinite(level) or log and level <= 0:
            raise ValueError(f"{name} must be finite{' and above 0 on a logarithmic axis' * log}, got {level}")
    with matplotlib.rc_context(parameters()):
        fig, ax = plt.subplots()
        if log:
            ax.set_yscale("log")
        low, high = _limits(lines, references, ylim, log)
        ax.set_ylim(low, high)
        labels = []
        for (name, (steps, values)), colour in zip(lines.items(), CYCLE * len(lines), strict=False):
            ax.plot(steps, values, color=colour, marker="o" if len(steps) < 3 else None)
            if (seen := values[np.isfinite(values)]).size:
                labels.append((seen[-1], name, colour))
        for name, level in references.items():
            if low <= level <= high:
                ax.axhline(level, color=INK, alpha=0.7, linestyle=(0, (4, 3)), linewidth=1.2)
            labels.append((level, f"{name} {level:.4g}", INK))
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title or "")
        ax.grid(axis="y")
        _label_ends(ax, labels, low, high, log)
        return show(fig, alt=alt or _words(lines, references, xlabel, ylabel), caption=caption)


def _lines(series, log: bool = False) -> dict:
    """Anything accepted, as {name: (steps, values)} without empty ones; what can't be drawn is NaN."""
    import numpy as np

    if hasattr(series, "train_loss"):
        series = {"training": (series.steps, series.train_loss), "validation": series.valid_loss}
    elif not isinstance(series, dict):
        series = {"": series}
    lines = {}
    for name, points in series.items():
        if points is None or len(points) == 0:
            continue
        pairs = len(points) != 2 or all(len(p) == 2 for p in points) and not hasattr(points, "shape")
        steps, values = zip(*points, strict=True) if pairs and isinstance(points, list) else points
        steps, values = numpy_of(steps).astype(float), numpy_of(values).astype(float)
        if len(values):
            lines[name] = (steps, np.where(np.isfinite(values) & ~(log & (values <= 0)), values, np.nan))
    return lines


def _limits(lines, references, ylim, log):
    import numpy as np

    if ylim is not None:
        return ylim
    everything = np.concatenate([values for _, values in lines.values()] + [np.array(list(references.values()))])
    everything = everything[np.isfinite(everything)]
    low, high = float(everything.min()), float(everything.max())
    if log:
        return low / 1.05, high * 1.05
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _label_ends(ax, labels, low, high, log):
    """Names at the right edge, moved apart where they would overlap."""
    def height(value):
        if log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value - low) / (high - low)

    placed, room = [], 0.075
    for value, name, colour in sorted(labels, key=lambda label: label[0]):
        at = height(value)
        if at > 1:
            name, at = f"{name} ↑", 1.0
        elif at < 0:
            name, at = f"{name} ↓", 0.0
        placed.append([max(at, placed[-1][0] + room) if placed else at, name, colour])
    over = placed[-1][0] - 1.0 if placed else 0
    if over > 0:
        ceiling = 1.0
        for entry in reversed(placed):
            entry[0] = min(entry[0], ceiling)
            ceiling = entry[0] - room
    for at, name, colour in placed:
        ax.annotate(
            name, (1, at), xycoords="axes fraction", xytext=(5, 0), textcoords="offset points",
            va="center", color=colour, fontsize=10, annotation_clip=False,
        )


def _and(lines) -> str:
    """The curves' names as a text; "it" for the one without."""
    return ", ".join(name or "it" for name in lines)


def _words(lines, references, xlabel, ylabel) -> str:
    parts = []
    for name, (steps, values) in lines.items():
        name = f"{name} curve" if name else "curve"
        kept = [i for i, value in enumerate(values) if math.isfinite(value)]
        if not kept:
            parts.append(f"{name} without a value that can be drawn")
            continue
        first, last = kept[0], kept[-1]
        parts.append(f"{name} from {values[first]:.4g} to {values[last]:.4g} {ylabel} at {xlabel} {steps[last]:,.0f}")
        if len(kept) < len(values):
            parts[-1] += f" ({len(values) - len(kept)} of {len(values)} values cannot be drawn)"
    if references:
        parts.append("reference lines: " + ", ".join(f"{name} at {level:.4g}" for name, level in references.items()))
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:]


