r"""Bend the plane with your own hands, one coupling layer after the other, against a trained flow.

The map goes from noise to data: two scales, then shears, each of which moves one coordinate by a function of the other,

.. math::  x = \mu + (e^{a} z_1,\; e^{b} z_2), \qquad x_2 \mathrel{+}= c_1 (x_1^2 - 1), \quad x_1 \mathrel{+}= c_2 x_2,
           \quad x_2 \mathrel{+}= c_3 \sin 2 x_1, \quad x_1 \mathrel{+}= c_4 x_2^2 .

A shear changes no volume, so log |det| of all of it is a + b, and the density is exact.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.live.cell import Live, button, ipywidgets, slider
from dgmhelpers.live.drawing import dots, figure, signed

SHEARS = {  # what moves, and by which function of the other coordinate
    "arch": (1, lambda v: v.square() - 1),
    "lean": (0, lambda v: v),
    "wave": (1, lambda v: torch.sin(2 * v)),
    "bow": (0, lambda v: v.square()),
}
NAMES = ("across", "up", *SHEARS)


class Hand:
    """The map and its density.

    Args:
        numbers: the log-scales across and up, then the sizes of the shears, ``(6,)``.
        centre: where the middle of the noise goes before the shears, ``(2,)``.
    """

    def __init__(self, numbers: Tensor, centre: Tensor):
        self.log_scale, self.sizes, self.centre = numbers[:2], numbers[2:], centre

    def __call__(self, z: Tensor) -> Tensor:
        """Where noise ``(n, 2)`` goes."""
        x = list((z * self.log_scale.exp()).unbind(-1))
        for size, (moves, function) in zip(self.sizes, SHEARS.values(), strict=True):
            x[moves] = x[moves] + size * function(x[1 - moves])
        return torch.stack(x, -1) + self.centre

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats, ``(n,)``, of points ``(n, 2)``."""
        z = list((x - self.centre).unbind(-1))
        for size, (moves, function) in reversed(list(zip(self.sizes, SHEARS.values(), strict=True))):
            z[moves] = z[moves] - size * function(z[1 - moves])
        noise = torch.stack(z, -1) * (-self.log_scale).exp()
        return -0.5 * noise.square().sum(-1) - math.log(2 * math.pi) - self.log_scale.sum()


def best_hand(x: Tensor) -> Tensor:
    """The six numbers that a search finds for points ``(N, 2)``: one at a time, up and down, in ever smaller steps."""
    centre, ends = x.mean(0), []
    moves = torch.cat([torch.eye(len(NAMES)), -torch.eye(len(NAMES))]).to(x)

    def score(numbers: Tensor) -> float:
        return Hand(numbers, centre).log_prob(x).mean().item()

    for wave in (-0.8, 0.0, 0.8):                           # the hills are several
        now = torch.cat([x.std(0).log(), x.new_zeros(len(SHEARS))])
        now[NAMES.index("wave")] = wave
        best, step = score(now), 0.4
        while step > 0.01:
            improved = False
            for move in moves * step:
                if (found := score(now + move)) > best:
                    now, best, improved = now + move, found, True
            step = step if improved else step / 2
        ends.append((best, now))
    return max(ends, key=lambda end: end[0])[1]


def bend(toy, flow=None, *, seed: int = 0) -> Live:
    """Bend a Gaussian until it fits a toy density, and see the nats; next to it a trained flow, if there is one.

    Args:
        toy: a density in the plane, of ``data.toys``: what is to be imitated.
        flow: a model with ``log_prob`` and ``inverse`` over points ``(B, 2)``, such as a ``flows.Flow``.
        seed: decides the noise and the data.

    Raises:
        ValueError: if the flow is not over the plane.
    """
    from dgmhelpers import viz
    from dgmhelpers.live.cell import on_cpu

    if flow is not None and tuple(flow.event_shape) != (2,):
        raise ValueError(f"the flow must be over the plane, (2,), got {tuple(flow.event_shape)}")
    g = Generator().manual_seed(seed)
    x = toy.sample(1000, g, dtype=torch.double)
    noise = torch.randn(120, 2, generator=g, dtype=torch.double)
    exact, centre, best = toy.log_prob(x).mean().item(), x.mean(0), best_hand(x)
    found = Hand(best, centre).log_prob(x).mean().item()
    start = torch.cat([x.std(0).log(), torch.zeros(len(SHEARS), dtype=torch.double)])
    grid = _grid()
    theirs = _of_flow(on_cpu(flow), x, noise, grid) if flow is not None else None

    def draw(**numbers: float):
        hand = Hand(torch.tensor([numbers[name] for name in NAMES], dtype=torch.double), centre)
        score = hand.log_prob(x).mean().item()
        panels = [(f"you: {signed(score)} nats a point", hand(noise), hand(grid))]
        if theirs is not None:
            panels.append((f"trained flow: {signed(theirs[0])}", theirs[1], theirs[2]))
        with viz.style():
            fig = figure(3.3 * len(panels), 3.5)
            for ax, (title, points, lines) in zip(fig.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
                ax.plot(*lines.movedim(2, 0).transpose(1, 2).round(decimals=2), color=viz.COLOURS["grey"], lw=0.6)
                dots(ax, x[:120], viz.INK, size=2.2, alpha=0.45)
                dots(ax, points, viz.COLOURS["blue"], size=3)
                ax.set(xlim=(-toy.extent, toy.extent), ylim=(-toy.extent, toy.extent), xticks=[], yticks=[])
                ax.set_title(title, fontsize=10)
                ax.spines[:].set_visible(False)
        told = ", ".join(f"{name} {numbers[name]:.2f}" for name in NAMES)
        alt = (f"A grid and points of noise, bent by hand ({told}), over points of {toy.name}: {score:.2f} nats a "
               f"point. A search over the same six numbers finds {found:.2f}, the exact density has {exact:.2f}.")
        return fig, alt + ("" if theirs is None else f" A trained flow has {theirs[0]:.2f}.")

    ends = {"across": (-2.5, 1.5), "up": (-2.5, 1.5)}
    controls = {name: slider(name, value, *ends.get(name, (-1.5, 1.5)), 0.05)
                for name, value in zip(NAMES, start.tolist(), strict=True)}

    def set_all(values: Tensor):
        live.set(**dict(zip(NAMES, values.tolist(), strict=True)))

    widgets = ipywidgets()
    help_ = widgets.HTML(
        "Blue is your noise after two scales (as logarithms) and four shears; dark is the data. The exact density has "
        f"<b>{signed(exact)} nats</b> a point; a search over your six numbers finds <b>{signed(found)}</b>.")
    each = list(controls.values())
    again, show = button("Start again", lambda: set_all(start)), button("Show the best", lambda: set_all(best))
    layout = widgets.VBox([help_, widgets.HBox([widgets.VBox(each[:3]), widgets.VBox(each[3:])],
                                               layout={"flex_flow": "row wrap"}), widgets.HBox([again, show])])
    live = Live(draw, controls, layout, can="bend the plane by hand and watch the density follow")
    return live


def _grid(lines: int = 7, places: int = 25) -> Tensor:
    """Lines of a square grid over the noise, ``(2 · lines, places, 2)``."""
    at, along = (torch.linspace(-2.4, 2.4, n, dtype=torch.double) for n in (lines, places))
    down = torch.stack(torch.broadcast_tensors(at[:, None], along), -1)
    return torch.cat([down, down.flip(-1)])


@torch.no_grad()
def _of_flow(flow, x: Tensor, noise: Tensor, grid: Tensor) -> tuple[float, Tensor, Tensor]:
    """Mean nats of a flow at the data, and where it sends noise and grid."""
    z = torch.cat([noise, grid.flatten(0, 1)]).to(flow.dtype)
    points, lines = flow.inverse(z)[0].double().split([len(noise), grid[..., 0].numel()])
    return flow.log_prob(x.to(flow.dtype)).mean().item(), points, lines.unflatten(0, grid.shape[:2])
