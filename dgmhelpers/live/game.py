"""Play the game of a small GAN in the plane, with its rates under your hand, while it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.adversarial import GAN, losses
from dgmhelpers.arguments import at_least
from dgmhelpers.evaluation import coverage
from dgmhelpers.live.cell import LABEL, Live, button, ipywidgets, log_slider, slider
from dgmhelpers.live.drawing import dots, figure

BATCH, PER_TICK = 128, 20
LOOKED_AT, DRAWN = 500, 300     # samples that are counted, and that are drawn


class Match:
    """A GAN, its two optimisers, the randomness of its batches, and a record; every setting can change between steps.

    Args:
        toy: what to imitate, from :mod:`dgmhelpers.data.toys`; modes are counted where it has them.
        seed: decides data, weights, batches and noise. Torch's own random state is left alone.
        settings: of :class:`~dgmhelpers.adversarial.GAN`.

    Attributes:
        steps: generator updates so far.
        record: at each look the step, the mean of D on data and on samples, and the modes found.
    """

    def __init__(self, toy, seed: int = 0, **settings):
        self.toy, self.draws = toy, Generator().manual_seed(seed)
        self.data = toy.sample(4000, Generator().manual_seed(0), dtype=torch.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GAN(**{"dim": 2, "latent": 2, "hidden": 64} | settings)
        players = self.model.discriminator, self.model.generator
        self.of_d, self.of_g = (torch.optim.Adam(player.parameters(), betas=(0.5, 0.999)) for player in players)
        self.steps = 0
        self.record: list = []
        self.look()

    def play(self, steps: int, *, lr_d: float, lr_g: float, k: int, loss: str = "nonsaturating", slope: float = 0.0,
             noise: float = 0.0) -> None:
        """So many iterations of algorithm 1, and a look.

        Args:
            lr_d, lr_g: Adam's rates, of discriminator and generator.
            k: discriminator steps to each step of the generator.
            loss: one of ``losses.LOSSES``.
            slope: weight of the penalty on the discriminator's slope at the data; 0 for none.
            noise: standard deviation of normal noise on all the discriminator sees.

        Raises:
            FloatingPointError: if a player's loss is not finite; the step that would have followed is not taken.
        """
        rules, model = losses.get(loss), self.model
        self.of_d.param_groups[0]["lr"], self.of_g.param_groups[0]["lr"] = lr_d, lr_g

        def blurred(x: Tensor) -> Tensor:
            return x + noise * torch.randn(x.shape, generator=self.draws) if noise else x

        for _ in range(steps):
            for _ in range(k):
                chosen = torch.randint(len(self.data), (BATCH,), generator=self.draws)
                real, fake = blurred(self.data[chosen]), blurred(model.sample(BATCH, generator=self.draws))
                cost = rules.discriminator(model.discriminator(real), model.discriminator(fake))
                if rules.penalty is not None:
                    penalty = rules.penalty(model.discriminator, real, fake, generator=self.draws)
                    cost = cost + rules.penalty_weight * penalty
                if slope:
                    cost = cost + slope * losses.slope_penalty(model.discriminator, real, fake)
                self._descend(cost, "discriminator", self.of_d)
            fake = blurred(model.generator(model.noise(BATCH, generator=self.draws)))
            self._descend(rules.generator(model.discriminator(fake)), "generator", self.of_g)
            self.steps += 1
        self.look()

    def samples(self) -> Tensor:
        """The generator's, always from the same noise, ``(500, 2)``."""
        return self.model.sample(LOOKED_AT, generator=Generator().manual_seed(1))

    @torch.no_grad()
    def look(self) -> None:
        """Enter how things are in the record."""
        samples, modes = self.samples(), getattr(self.toy, "modes", None)
        sure = [self.model.discriminator(x).sigmoid().mean().item() for x in (self.data[:LOOKED_AT], samples)]
        least = 0 if modes is None else round(LOOKED_AT / len(modes) / 4)          # a quarter of an even share
        found = 0 if modes is None else coverage(samples, self.toy, least=least).found
        self.record.append((self.steps, *sure, found))

    def _descend(self, cost: Tensor, whose: str, optimiser: torch.optim.Optimizer) -> None:
        """One step of one player; the other's parameters get no gradient."""
        if not cost.isfinite():
            raise FloatingPointError(f"the {whose}'s loss is {cost.item()} after {self.steps} steps: lower the rates "
                                     "and start again")
        parameters = optimiser.param_groups[0]["params"]
        for parameter, gradient in zip(parameters, torch.autograd.grad(cost, parameters), strict=True):
            parameter.grad = gradient
        optimiser.step()


def picture(match: Match):
    """Where data, samples and the discriminator are, and the record; a figure, and what it shows in words."""
    from dgmhelpers import viz

    modes = getattr(match.toy, "modes", None)
    scale = 1.4 * match.data.abs().quantile(0.99).item()
    across = torch.linspace(-scale, scale, 40)
    with torch.no_grad():
        sure = match.model.discriminator(torch.cartesian_prod(across, across)).sigmoid().reshape(40, 40).T
    steps, on_data, on_samples, found = zip(*match.record, strict=True)
    blue, grey = viz.COLOURS["blue"], viz.COLOURS["grey"]
    with viz.style():
        fig = figure(6.6, 3.5)
        ax, record = fig.subplots(1, 2, width_ratios=[1.25, 1])
        ax.imshow(sure, origin="lower", extent=[-scale, scale] * 2, cmap=viz.DIVERGING, vmin=0, vmax=1, alpha=0.55)
        dots(ax, match.data[:DRAWN], viz.INK, 1.8, 0.5)
        dots(ax, match.samples()[:DRAWN].clamp(-scale, scale), blue, 3.0, 0.9)
        ax.set(xlim=(-scale, scale), ylim=(-scale, scale), xticks=[], yticks=[], aspect="equal",
               title=f"step {match.steps:,}")
        if modes is None:
            record.plot(steps, on_data, color=grey, label="D on data")
            record.plot(steps, on_samples, color=blue, label="D on samples")
            record.axhline(0.5, color=viz.INK, ls=":", lw=1)
            record.set(ylim=(-0.02, 1.02), title="how sure D is")
            record.legend(loc="lower right", fontsize="small")
        else:
            record.plot(steps, found, color=blue)
            record.axhline(len(modes), color=viz.INK, ls=":", lw=1)
            record.set(ylim=(-0.3, len(modes) + 0.5), title=f"{found[-1]} of {len(modes)} modes")
        record.set(xlabel="step", xlim=(0, max(400, steps[-1])))
    told = f"; {found[-1]} of {len(modes)} modes found" if modes is not None else ""
    return fig, (f"Data as small dots and samples in blue after {match.steps} steps, over the discriminator's view "
                 f"(orange: real, purple: fake). On average it gives data {on_data[-1]:.2f} and samples "
                 f"{on_samples[-1]:.2f}{told}.")


def game(
    toy=None, *, cures: bool = False, lr: tuple[float, float] | None = None, k: int = 1, warm: int = 200, seed: int = 0
) -> Live:
    """A GAN that trains while you look, in steps of twenty; pause it, change a rate, a loss or a cure, and go on.

    Args:
        toy: what to imitate, from :mod:`dgmhelpers.data.toys`; two moons if not given, a ring of eight with ``cures``.
        cures: offer two remedies besides the rates, the slope penalty and noise, and begin with a game that collapses.
            Modes are counted where the toy has them: one is found if it gets a quarter of an even share of the samples.
        lr: Adam's rates to begin with, of discriminator and generator: 1e-3 both if not given, and with ``cures`` 2e-4
            and 2e-3, a hasty generator that collapses.
        k: discriminator steps to each step of the generator, to begin with.
        warm: steps that are played before the first picture, in twenties.
        seed: decides weights, batches and noise.

    Raises:
        ValueError: for rates outside 1e-5 … 0.1, a k outside 1 … 10, or a negative ``warm``.
    """
    from dgmhelpers.data import toys

    lr = lr or ((2e-4, 2e-3) if cures else (1e-3, 1e-3))
    if not all(1e-5 <= rate <= 0.1 for rate in lr):
        raise ValueError(f"both rates must be within 1e-5 … 0.1, got {lr}")
    if not isinstance(k, int) or not 1 <= k <= 10:
        raise ValueError(f"k must be 1 to 10, got {k!r}")
    at_least("warm", warm, 0)
    toy = toy or (toys.ring_of_8() if cures else toys.two_moons())
    now: dict[str, Any] = {"tick": 0, "seed": seed}

    def begin() -> None:
        now["match"] = Match(toy, now["seed"], hidden=128 if cures else 64)

    def draw(tick: int, **settings):
        if tick == 0 and now["tick"]:       # the stop button
            begin()
        elif tick != now["tick"]:
            try:
                now["match"].play(PER_TICK, **settings)
            except FloatingPointError:
                play.playing = False
                raise
        now["tick"] = tick
        return picture(now["match"])

    def another() -> None:
        now["seed"] += 1
        begin()
        live.update()

    begin()
    for _ in range(warm // PER_TICK):
        now["match"].play(PER_TICK, lr_d=lr[0], lr_g=lr[1], k=k)
    widgets = ipywidgets()
    play = widgets.Play(min=0, max=10**6, interval=150, show_repeat=False)
    controls = {
        "tick": play,
        "lr_d": log_slider("D's rate", lr[0], -5, -1, 0.1),
        "lr_g": log_slider("G's rate", lr[1], -5, -1, 0.1),
        "k": slider("k", k, 1, 10, 1),
        "loss": widgets.Dropdown(options=list(losses.LOSSES), value="nonsaturating", description="loss",
                                 style={"description_width": LABEL}),
    }
    if cures:
        controls["slope"] = slider("slope penalty", 0.0, 0.0, 5.0, 0.1)
        controls["noise"] = slider("noise", 0.0, 0.0, 1.0, 0.05)
    task = "G is ten times faster than D, and runs from mode to mode. What cures it while it plays? " if cures else ""
    help_ = widgets.HTML(f"{task}▶ plays and pauses, ■ goes back to the start; all settings can change while it plays. "
                         "Small dots: data. Blue: samples. Orange: where D says “real”; purple: “fake”.")
    _, *rows = controls.values()
    settings = widgets.HBox([widgets.VBox(rows[:2]), widgets.VBox(rows[2:])], layout={"flex_flow": "row wrap"})
    first = widgets.HBox([play, button("Another start", another, "other weights and batches")])
    doing = "start a collapse, and cure it while it runs" if cures else "play the game with its rates under your hand"
    live = Live(draw, controls, widgets.VBox([help_, first, settings]), can=doing)
    return live
