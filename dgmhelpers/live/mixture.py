"""Fit a mixture of Gaussians by hand, against expectation maximisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dgmhelpers.live.cell import Live, button, ipywidgets, slider
from dgmhelpers.live.drawing import dots, ellipse, figure, signed

NAMES = ("blue", "orange", "green", "purple", "gold")
RIDGE = 1e-3    # on the variances that EM finds: no component collapses onto a point
STEPS = {"across": 0.05, "up": 0.05, "width": 0.05, "height": 0.05, "tilt": 0.01, "share": 0.01}   # of the sliders


def clouds(seed: int = 4) -> Tensor:
    """240 synthetic points in three long clouds, ``(240, 2)`` float64: what is fitted if nothing else is given."""
    g = torch.Generator().manual_seed(seed)
    shapes = torch.tensor([[[0.9, 0.5], [0.0, 0.35]], [[0.5, -0.3], [0.0, 0.5]], [[0.35, 0.0], [0.0, 1.0]]]).double()
    centres = torch.tensor([[-2.0, 0.0], [1.5, 1.6], [1.8, -1.8]]).double()
    return (torch.randn(3, 80, 2, generator=g, dtype=torch.double) @ shapes + centres[:, None]).flatten(0, 1)


def best_of_em(x: Tensor, components: int, starts: int = 5) -> float:
    """The mean log-likelihood in nats that the best of several runs of EM reaches, each from another start."""
    from dgmhelpers.classical import GaussianMixture

    ends = []
    for seed in range(starts):
        with torch.random.fork_rng(devices=[]):     # a new model draws its parameters from torch's own numbers
            fit = GaussianMixture(2, components, ridge=RIDGE)
        fit.fit(x, steps=200, generator=torch.Generator().manual_seed(seed))
        ends.append(fit.log_prob(x).mean().item())
    return max(ends)


class Hand:
    """The mixture that a reader moves.

    Attributes:
        means ``(K, 2)``, covariances ``(K, 2, 2)``, weights ``(K,)``: float64.
    """

    def __init__(self, components: int, reach: float):
        self.begin(components, reach)

    def begin(self, components: int, reach: float) -> None:
        """Round components, evenly spread on a circle."""
        turn = 2 * math.pi * torch.arange(components, dtype=torch.double) / components
        self.means = 0.3 * reach * torch.stack([turn.cos(), turn.sin()], 1)
        self.covariances = (0.2 * reach) ** 2 * torch.eye(2, dtype=torch.double).repeat(components, 1, 1)
        self.weights = torch.full((components,), 1 / components, dtype=torch.double)

    def log_joint(self, x: Tensor) -> Tensor:
        """``log p(x, k)`` in nats, ``(N, K)``."""
        each = torch.distributions.MultivariateNormal(self.means, self.covariances)
        return each.log_prob(x[:, None]) + self.weights.log()

    def sliders(self, k: int) -> dict[str, float]:
        """Component k as the sliders say it."""
        (a, c), (_, b) = self.covariances[k].tolist()
        across, up = self.means[k].tolist()
        values = across, up, math.sqrt(a), math.sqrt(b), c / math.sqrt(a * b), self.weights[k].item()
        return dict(zip(STEPS, values, strict=True))

    def put(self, k: int, **values: float) -> None:
        """Component k as the sliders have it; the other components divide what is left, in the proportions they had.

        A value within half a step of what it was is a slider's rounding, and changes nothing.
        """
        now = self.sliders(k)
        moved = {name: v if abs(v - now[name]) > 0.6 * STEPS[name] else now[name] for name, v in values.items()}
        across, up, width, height, tilt, share = (moved[name] for name in STEPS)
        self.means[k] = torch.tensor([across, up])
        both = tilt * width * height
        self.covariances[k] = torch.tensor([[width**2, both], [both, height**2]])
        others = torch.arange(len(self.weights)) != k
        if others.any():
            self.weights[others] *= (1 - share) / self.weights[others].sum()
            self.weights[k] = share

    def em_step(self, x: Tensor) -> None:
        """One E step and one M step, from where the components are."""
        r = self.log_joint(x).softmax(1)                                           # (N, K)
        total = r.sum(0)                                                           # (K,)
        self.means = (r.T @ x) / total[:, None]
        away = x[:, None] - self.means                                             # (N, K, 2)
        self.covariances = torch.einsum("nk,nki,nkj->kij", r, away, away) / total[:, None, None]
        self.covariances += RIDGE * torch.eye(2, dtype=torch.double)
        self.weights = total / len(x)


def mixture(x: Tensor | None = None, *, components: int = 3) -> Live:
    """Move, stretch and tilt the components of a mixture; EM goes on from where you are, a step at a time.

    Args:
        x: points in the plane, ``(N, 2)``; three synthetic clouds of 80 if not given.
        components: K, from one to five.

    Raises:
        ValueError: for points of another shape, fewer than ten of them, or another number of components.
    """
    from dgmhelpers import viz

    x = clouds() if x is None else x.double()
    if x.ndim != 2 or x.shape[1] != 2 or len(x) < 10 or not x.isfinite().all():
        raise ValueError(f"x must be at least ten finite points, (N, 2), got {tuple(x.shape)}")
    if not isinstance(components, int) or not 1 <= components <= len(NAMES):
        raise ValueError(f"components must be 1 to {len(NAMES)}, got {components!r}")
    reach = math.ceil(10.5 * x.abs().max().item()) / 10
    target = best_of_em(x, components)
    hand, tried = Hand(components, reach), []

    def draw(which: int, **values: float):
        hand.put(which, **values)
        joint = hand.log_joint(x)
        score = joint.logsumexp(1).mean().item()
        tried.append(score)
        del tried[:-60]
        with viz.style():
            fig = figure(6.6, 3.5)
            ax, record = fig.subplots(1, 2, width_ratios=[1.35, 1])
            owner = joint.argmax(1)
            for k in range(components):
                colour = viz.COLOURS[NAMES[k]]
                dots(ax, x[owner == k], colour, 3.4)
                ellipse(ax, hand.means[k], torch.linalg.cholesky(hand.covariances[k]), colour)
            ax.plot(*hand.means[which], "+", color=viz.INK, ms=12)
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
            record.axhline(target, color=viz.COLOURS["grey"], ls="--", lw=1.2)
            record.text(0, target, f"EM: {signed(target, 3)}", va="bottom")
            record.plot(tried, color=viz.INK, lw=1.2)
            record.plot(len(tried) - 1, score, "o", color=viz.COLOURS[NAMES[which]])
            lowest = max(min(tried), target - 4)
            record.set(xlabel="moves", title=f"you: {signed(score, 3)} nats", xlim=(-0.5, max(10, len(tried))),
                       ylim=(lowest - 0.1, target + 0.2 * (target - lowest) + 0.05))
        alt = (f"{len(x)} points, and {components} components as ellipses at one and two standard deviations. Mean "
               f"log-likelihood: {score:.3f} nats a point; EM reaches {target:.3f}.")
        return fig, alt

    widgets, end = ipywidgets(), reach
    first = hand.sliders(0)
    controls = {
        "which": widgets.ToggleButtons(options=[(NAMES[k], k) for k in range(components)], description="component",
                                       style={"button_width": "6em"}),
        "across": slider("left, right", first["across"], -end, end, STEPS["across"]),
        "up": slider("down, up", first["up"], -end, end, STEPS["up"]),
        "width": slider("width", first["width"], 0.05, end / 2, STEPS["width"]),
        "height": slider("height", first["height"], 0.05, end / 2, STEPS["height"]),
        "tilt": slider("tilt", first["tilt"], -0.99, 0.99, STEPS["tilt"]),
        "share": slider("share", first["share"], 0.01, 0.98, STEPS["share"]),
    }

    def follow(_=None):
        """The sliders show the component that is chosen."""
        with live.quietly():
            for name, value in hand.sliders(controls["which"].value).items():
                controls[name].value = value

    def step():
        hand.em_step(x)
        follow()
        live.update()

    def again():
        hand.begin(components, reach)
        tried.clear()
        follow()
        live.update()

    buttons = widgets.HBox([button("One step of EM", step, "from where you are"), button("Start again", again)])
    which, *rest = controls.values()
    which.observe(follow, "value")      # before the live cell looks: the sliders change first, then the picture
    help_ = widgets.HTML("Choose a component and move it; the other components stay. The score is the mean "
                         "log-likelihood of a point, and EM, from the best of five starts, reaches the dashed line.")
    layout = widgets.VBox([help_, which, widgets.HBox([widgets.VBox(rest[:3]), widgets.VBox([*rest[3:], buttons])],
                                                      layout={"flex_flow": "row wrap"})])
    live = Live(draw, controls, layout, can="fit the mixture by hand, against EM")
    return live
