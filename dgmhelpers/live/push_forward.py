r"""Bend a map with your own hands, and see what it does to a density.

The map is straight between knots at z = −3, …, 3 and goes on straight outside, so all is exact:

.. math::  f(z) = f(-3) + \int_{-3}^{z} s(t)\,dt, \qquad p(x) = \frac{p(z)}{s(z)}, \quad z = f^{-1}(x),

with a slope s that is constant in each piece. The data is what the map is to imitate.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dgmhelpers.live.cell import Live, button, ipywidgets, log_slider, slider
from dgmhelpers.live.drawing import figure, signed

KNOTS = torch.arange(-3.0, 4.0, dtype=torch.double)     # (7,) of z
LEAST = 0.02                                            # slope: a density stays below 0.4 / LEAST


class Bent:
    """The map and its density, from the slopes between the knots.

    Args:
        slopes: of the six pieces, ``(6,)``, above zero; the outer two go on for ever.
        start: f(−3).
    """

    def __init__(self, slopes: Tensor, start: Tensor | float):
        self.slopes = slopes
        steps = torch.cat([slopes.new_zeros(1), slopes.cumsum(0)])                 # knots are one apart
        self.heights = start + steps                                               # (7,): f at the knots

    def __call__(self, z: Tensor) -> Tensor:
        """f(z), of z's shape."""
        piece = (z.detach() + 3).floor().long().clamp(0, 5)
        return self.heights[piece] + self.slopes[piece] * (z - KNOTS[piece])

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats of the pushed-forward standard normal, of x's shape."""
        piece = torch.searchsorted(self.heights.detach(), x.detach(), right=True).sub(1).clamp(0, 5)
        z = KNOTS[piece] + (x - self.heights[piece]) / self.slopes[piece]
        return -0.5 * z.square() - 0.5 * math.log(2 * math.pi) - self.slopes[piece].log()


def best_map(x: Tensor) -> Bent:
    """The map whose density gives the data ``(N,)`` the most, as a search from its quantiles finds it.

    One number at a time is tried a step up and a step down, and steps halve when none helps. Gradients would mislead:
    the density jumps at the knots, and no derivative sees an example pass from one piece to the next.
    """
    at = torch.quantile(x, torch.special.ndtr(KNOTS).clamp(0.002, 0.998))
    now = torch.cat([at[:1], at.diff().clamp(min=2 * LEAST).log()])                # f(−3), and the log slopes

    def score(numbers: Tensor) -> float:
        return Bent(numbers[1:].exp(), numbers[0]).log_prob(x).mean().item()

    best, step = score(now), 0.4
    while step > 0.01:
        improved = False
        for move in torch.cat([torch.eye(7), -torch.eye(7)]).double() * step:
            tried = now + move
            if tried[1:].min() > math.log(LEAST) and (found := score(tried)) > best:
                now, best, improved = tried, found, True
        step = step if improved else step / 2
    return Bent(now[1:].exp(), now[0])


def push_forward(x: Tensor | None = None, *, unit: str = "distance from the rim, metres", seed: int = 0) -> Live:
    """Set the slopes of a map from noise to data, and watch the density that it pushes forward beside its samples.

    Args:
        x: numbers to imitate, ``(N,)``; how far the synthetic shot chart's 2,000 shots are from the rim, if not given.
        unit: what they are, for the axis.
        seed: decides the noise, and the data if it is not given.

    Raises:
        ValueError: if ``x`` is not a vector of ten finite numbers or more.
    """
    from dgmhelpers import viz

    g = torch.Generator().manual_seed(seed)
    if x is None:
        from dgmhelpers.data import toys

        x = toys.shot_chart().sample(2000, g, dtype=torch.double).norm(dim=1)
    if x.ndim != 1 or len(x) < 10 or not x.isfinite().all():
        raise ValueError(f"x must be at least ten finite numbers, (N,), got {tuple(x.shape)}")
    x, noise = x.double(), torch.randn(4000, generator=g, dtype=torch.double)
    best = best_map(x)
    most = best.log_prob(x).mean().item()
    low, high = x.min().item(), x.max().item()
    margin = 0.1 * (high - low)
    window = low - margin, high + margin
    line = torch.linspace(-3.4, 3.4, 69, dtype=torch.double)
    ranks = torch.special.ndtri((torch.arange(24, dtype=torch.double) + 0.5) / 24)

    def draw(start: float, **slopes: float):
        f = Bent(torch.tensor(list(slopes.values()), dtype=torch.double), start)
        score = f.log_prob(x).mean().item()
        across = torch.linspace(*window, 240, dtype=torch.double)
        with viz.style():
            fig = figure(6.6, 4.2)
            axes = fig.subplot_mosaic("FFX;FFX;ZZ.")
            F, Z, X = (axes[name] for name in "FZX")
            grey, blue, orange = (viz.COLOURS[name] for name in ("grey", "blue", "orange"))
            F.plot(line, f(line), color=orange)
            F.plot(KNOTS, f.heights, "o", color=orange, markersize=5)
            F.vlines(ranks, window[0], f(ranks), color=grey, lw=0.6)
            F.hlines(f(ranks), ranks, 3.4, color=grey, lw=0.6)
            F.set(xlim=(-3.4, 3.4), ylim=window, ylabel=unit, xticklabels=[], title="the map f")
            Z.plot(line, torch.exp(-0.5 * line**2) / math.sqrt(2 * math.pi), color=blue)
            Z.set(xlim=(-3.4, 3.4), ylim=(0, 0.45), xlabel="noise z", ylabel="p(z)", yticks=[0, 0.4])
            sideways: dict[str, Any] = {"bins": 60, "range": window, "density": True, "orientation": "horizontal"}
            X.hist(f(noise), histtype="stepfilled", color=blue, alpha=0.4, **sideways)
            X.hist(x, histtype="step", color=viz.INK, lw=0.9, **sideways)
            X.plot(f.log_prob(across).exp(), across, color=orange, lw=1.5)
            tallest = torch.histogram(x, 60, range=window, density=True).hist.max().item()
            X.set(ylim=window, xlim=(0, 1.4 * tallest), xlabel="p(x)", yticklabels=[],
                  title=f"you: {signed(score)} nats")
        told = ", ".join(f"{s:.2g}" for s in slopes.values())
        alt = (f"A map from noise to data with slopes {told}, and the density that it pushes forward next to a "
               f"histogram of the data: {score:.2f} nats a data point. The best that a search finds is {most:.2f}.")
        return fig, alt

    even = (x.quantile(0.95) - x.quantile(0.05)).item() / 4
    controls = {"start": slider("f(−3)", x.mean().item() - 3 * even, low - 3 * even, high, 0.05)}
    for k in range(6):
        piece = f"{signed(k - 3, 0)} to {signed(k - 2, 0)}"
        controls[f"s{k}"] = log_slider(piece, even, math.log10(LEAST), math.log10(8 * even), 0.02)

    def show_best():
        live.set(start=best.heights[0].item(), **{f"s{k}": s for k, s in enumerate(best.slopes.tolist())})

    widgets = ipywidgets()
    help_ = widgets.HTML("The slope of f, piece by piece in z. Where f is flat, probability piles up; where it is "
                         f"steep, it spreads thin. A search finds <b>{signed(most)} nats</b> a data point. How close "
                         "do you get?")
    pieces = list(controls.values())
    buttons = widgets.HBox([button("Show the best", show_best)])
    layout = widgets.VBox([help_, widgets.HBox([widgets.VBox(pieces[:4]), widgets.VBox([*pieces[4:], buttons])],
                                               layout={"flex_flow": "row wrap"})])
    live = Live(draw, controls, layout, can="set the slopes of the map with your own hands and see the density follow")
    return live
