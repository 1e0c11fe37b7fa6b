"""Play the game of a small GAN in the plane, with its rates under your hand, while it runs."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from dgmhelpers.adversarial import GAN, losses
from dgmhelpers.arguments import at_least
from dgmhelpers.evaluation import coverage
from dgmhelpers.live.cell import LABEL, Live, button, ipywidgets, log_slider, slider
from dgmhelpers.live.drawing import dots

BATCH, PER_TICK, REACH = 128, 20, 3.2


class Match:
    """A GAN, its two optimisers, and the randomness of its batches; every setting can change between two steps.

    Args:
        data: examples, ``(N, 2)``.
        seed: decides weights, batches and noise. Torch's own random state is left alone.
        settings: of :class:`~dgmhelpers.adversarial.GAN`.

    Attributes:
        steps: generator updates so far.
    """

    def __init__(self, data: Tensor, seed: int = 0, **settings):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GAN(**{"dim": 2, "latent": 2, "hidden": 64} | settings)
        self.data, self.draws, self.steps = data, Generator().manual_seed(seed), 0
        players = self.model.discriminator, self.model.generator
        self.of_d, self.of_g = (torch.optim.Adam(player.parameters(), betas=(0.5, 0.999)) for player in players)

    def play(self, steps: int, *, lr_d: float, lr_g: float, k: int, loss: str = "nonsaturating", slope: float = 0.0,
             noise: float = 0.0) -> None:
        """So many iterations of algorithm 1.

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
        critic, maker = list(model.discriminator.parameters()), list(model.generator.parameters())
        for optimiser, rate in (self.of_d, lr_d), (self.of_g, lr_g):
            optimiser.param_groups[0]["lr"] = rate

        def blurred(x: Tensor) -> Tensor:
            return x + noise * torch.randn(x.shape, generator=self.draws) if noise else x

        def finite(value: Tensor, whose: str) -> Tensor:
            if not value.isfinite():
                raise FloatingPointError(f"the {whose}'s loss is {value.item()} after {self.steps} steps: "
                                         "lower its rate and start again")
            return value

        for _ in range(steps):
            for _ in range(k):
                chosen = torch.randint(len(self.data), (BATCH,), generator=self.draws)
                real, fake = blurred(self.data[chosen]), blurred(model.sample(BATCH, generator=self.draws))
                cost = rules.discriminator(model.discriminator(real), model.discriminator(fake))
                if rules.penalty is not None:
                    cost = cost + rules.penalty_weight * rules.penalty(
                        model.discriminator, real, fake, generator=self.draws)
                if slope:
                    cost = cost + slope * losses.slope_penalty(model.discriminator, real, fake)
                _descend(finite(cost, "discriminator"), self.of_d, critic)
            fake = blurred(model.generator(model.noise(BATCH, generator=self.draws)))
            _descend(finite(rules.generator(model.discriminator(fake)), "generator"), self.of_g, maker)
            self.steps += 1


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer, parameters: list) -> None:
    """One step of one player; the other's parameters get no gradient."""
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimiser.step()


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
        warm: steps that are played before the first picture.
        seed: decides everything.

    Raises:
        ValueError: for rates outside 1e-5 … 0.1, a k outside 1 … 10, or a negative ``warm``.
    """
    import matplotlib.pyplot as plt

    from dgmhelpers import viz
    from dgmhelpers.data import toys

    lr = lr or ((2e-4, 2e-3) if cures else (1e-3, 1e-3))
    at_least("warm", warm, 0)
    if not all(1e-5 <= rate <= 0.1 for rate in lr):
        raise ValueError(f"both rates must be within 1e-5 … 0.1, got {lr}")
    if not isinstance(k, int) or not 1 <= k <= 10:
        raise ValueError(f"k must be 1 to 10, got {k!r}")
    toy = toy or (toys.ring_of_8() if cures else toys.two_moons())
    data = toy.sample(4000, Generator().manual_seed(seed), dtype=torch.float32)
    modes = getattr(toy, "modes", None)
    scale = 1.4 * data.abs().quantile(0.99).item()
    hidden = 128 if cures else 64
    now: dict = {"match": Match(data, seed, hidden=hidden), "tick": 0, "seed": seed}
    seen: list[tuple[int, float, float, int]] = []      # step, D on data and on samples, modes
    across = torch.linspace(-scale, scale, 40)
    places = torch.cartesian_prod(across, across)

    def look() -> tuple[int, Tensor]:
        """Enter where the match is in the record; gives the modes found, and 500 samples."""
        model = now["match"].model
        with torch.no_grad():
            samples = model.sample(500, generator=Generator().manual_seed(seed + 1))
            real, fake = (model.discriminator(x).sigmoid().mean().item() for x in (data[:500], samples))
        fair = len(samples) / len(modes) if modes is not None else 0
        found = coverage(samples, toy, least=round(fair / 4)).found if fair else 0
        if not seen or seen[-1][0] != now["match"].steps:
            seen.append((now["match"].steps, real, fake, found))
        return found, samples

    def draw(tick: int, **settings):
        if tick == 0 and now["tick"] != 0:      # the stop button: from the beginning
            now["match"] = Match(data, now["seed"], hidden=hidden)
            seen.clear()
        elif tick != now["tick"]:
            try:
                now["match"].play(PER_TICK, **settings)
            except FloatingPointError:
                play.playing = False
                raise
        now["tick"], match = tick, now["match"]
        found, samples = look()
        with torch.no_grad():
            certain = match.model.discriminator(places).sigmoid().reshape(40, 40).T
        with viz.style():
            fig, (ax, record) = plt.subplots(1, 2, figsize=(6.6, 3.5), width_ratios=[1.25, 1])
            ax.imshow(certain, origin="lower", extent=[-scale, scale] * 2, cmap=viz.DIVERGING, vmin=0, vmax=1,
                      alpha=0.55)
            dots(ax, data[:300], viz.INK, 1.8, 0.5)
            dots(ax, samples[:300].clamp(-scale, scale), viz.COLOURS["blue"], 3.0, 0.9)
            ax.set(xlim=(-scale, scale), ylim=(-scale, scale), xticks=[], yticks=[], aspect="equal",
                   title=f"step {match.steps:,}")
            steps, *curves = zip(*seen, strict=True)
            if modes is None:
                for curve, name, colour in zip(curves, ("data", "samples"), ("grey", "blue"), strict=False):
                    record.plot(steps, curve, color=viz.COLOURS[colour], label=f"D on {name}")
                record.axhline(0.5, color=viz.INK, ls=":", lw=1)
                record.set(ylim=(-0.02, 1.02), title="how sure D is")
                record.legend(loc="lower right", fontsize="small")
            else:
                record.plot(steps, curves[2], color=viz.COLOURS["blue"])
                record.axhline(len(modes), color=viz.INK, ls=":", lw=1)
                record.set(ylim=(-0.3, len(modes) + 0.5), title=f"{found} of {len(modes)} modes")
            record.set(xlabel="step", xlim=(0, max(400, steps[-1])))
        told = f"; {found} of {len(modes)} modes found" if modes is not None else ""
        alt = (f"Data as small dots and samples in blue after {match.steps} steps, over the discriminator's view "
               f"(orange: real, purple: fake). On average it gives data {seen[-1][1]:.2f} and samples "
               f"{seen[-1][2]:.2f}{told}.")
        return fig, alt

    widgets = ipywidgets()
    play = widgets.Play(min=0, max=10**6, interval=150, show_repeat=False, description="play")
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

    def another():
        now["seed"] += 1
        now["match"] = Match(data, now["seed"], hidden=hidden)
        seen.clear()
        live.update()

    task = "G is ten times faster than D, and runs from mode to mode. What cures it while it plays? " if cures else ""
    help_ = widgets.HTML(f"{task}▶ plays and pauses, ■ goes back to the start; all settings can change while it plays. "
                         "Small dots: data. Blue: samples. Orange: where D says “real”; purple: “fake”.")
    first = widgets.HBox([play, button("Another start", another, "other weights and batches")])
    _, *rows = controls.values()
    layout = widgets.VBox([help_, first, widgets.HBox([widgets.VBox(rows[:2]), widgets.VBox(rows[2:])],
                                                      layout={"flex_flow": "row wrap"})])
    doing = "start a collapse, and cure it while it runs" if cures else "play the game with its rates under your hand"
    look()
    for _ in range(warm // PER_TICK):
        now["match"].play(PER_TICK, lr_d=lr[0], lr_g=lr[1], k=k)
        look()
    live = Live(draw, controls, layout, can=doing)
    return live
