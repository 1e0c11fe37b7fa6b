r"""Algorithm 1: two networks that learn from each other, k steps of the discriminator to one of the generator.

One iteration is

.. math::  \theta_d \leftarrow \theta_d - \mathrm{opt}_d\big(\nabla_{\theta_d} L_d(D(x), D(G(z)))\big) \quad
           \text{($k$ times, each with fresh $x$ and $z$)}, \\
           \theta_g \leftarrow \theta_g - \mathrm{opt}_g\big(\nabla_{\theta_g} L_g(D(G(z)))\big) \quad
           \text{(with fresh $z$)},

with any pair of losses :math:`L_d, L_g` from :mod:`dgmhelpers.adversarial.losses`; ``loss="minimax"`` is the algorithm
as it was published.

Source
    I. Goodfellow et al., "Generative adversarial nets", NIPS 2014, algorithm 1.
Differs
    Minibatches of examples run through one permutation of the data after another, not drawn with replacement. Adam by
    default, at a constant rate (momentum in the paper: ``optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.5)``).
Cost
    An iteration: 2k + 1 passes of the discriminator and k + 1 of the generator forward, 2k + 1 and 1 backward. On CUDA
    the loop waits for the device at evaluations and every hundred iterations, not at each. One process.
"""

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import console, devices
from dgmhelpers.adversarial import losses
from dgmhelpers.training import files
from dgmhelpers.training.arguments import check_adversarial, identify_adversarial
from dgmhelpers.training.guards import CHECK_EVERY, Interrupts, TrainingDiverged, interrupted, no_denormals
from dgmhelpers.training.progress import Bar
from dgmhelpers.training.state import State

ADVICE = "Lower the learning rates, or change the loss or k"
Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass
class GameHistory:
    """What happened during the game.

    Attributes:
        steps: 1, 2, ... for each iteration.
        discriminator_loss: at the last of the k discriminator steps of each, before the update, without any penalty.
        generator_loss: of each, before the update.
        watched: pairs (step, what ``watch`` returned).
        seconds: time spent in the loop, evaluation included, over all resumed parts.
        stopped: None if all steps were taken, else why not: "time" or "interrupted".
    """

    per_step: ClassVar[tuple[str, ...]] = ("discriminator_loss", "generator_loss")
    pairs: ClassVar[tuple[str, ...]] = ("watched",)

    steps: list[int] = field(default_factory=list)
    discriminator_loss: list[float] = field(default_factory=list)
    generator_loss: list[float] = field(default_factory=list)
    watched: list[tuple[int, object]] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str | None = None

    def __str__(self) -> str:
        parts = [f"{len(self.steps):,} steps in {self.seconds:.0f} s"]
        for name, values in ("D", self.discriminator_loss), ("G", self.generator_loss):
            if values:
                parts.append(f"{name}'s loss {sum(values[-20:]) / len(values[-20:]):.4g}")
        return ", ".join(parts + (["stopped by the clock"] if self.stopped == "time" else []))


def fit_adversarial(
    model: nn.Module,
    train: Tensor,
    *,
    steps: int,
    batch_size: int,
    k: int = 1,
    loss: str | losses.Loss = "nonsaturating",
    lr: float = 2e-4,
    betas: tuple[float, float] = (0.5, 0.999),
    optimizer: Optimizer | None = None,
    discriminator_optimizer: Optimizer | None = None,
    generator_batch_size: int | None = None,
    ema: float | None = None,
    opponent: Callable[[nn.Module, Tensor, Tensor], Callable[[Tensor], Tensor]] | None = None,
    watch: Callable[[nn.Module, int], object] | None = None,
    evaluate_every: int | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    progress: bool = True,
    device: str | torch.device | None = None,
) -> GameHistory:
    """Play the game; leave the model in eval mode with its last weights.

    Args:
        model: with ``generator`` (z to examples), ``discriminator`` (examples to logits; it may look at a whole batch),
            ``noise(n, generator=...)`` and ``event_shape``, such as :class:`dgmhelpers.adversarial.GAN`.
        train: all examples, ``(N, *event_shape)``.
        steps: generator updates in all, those before an interruption included.
        batch_size: real examples, and as many fake ones, in a discriminator step.
        k: discriminator steps to each step of the generator.
        loss: a name in ``losses.LOSSES``, or a :class:`~dgmhelpers.adversarial.losses.Loss`.
        lr, betas: Adam's, of both players, unless ``optimizer`` is given.
        optimizer, discriminator_optimizer: make the optimiser of given parameters, such as
            ``partial(torch.optim.SGD, lr=0.1)``; the first serves both players if it is alone.
        generator_batch_size: fake examples in a generator step; ``batch_size`` by default.
        ema: decay of an exponential moving average of the generator's weights, which is then what is kept.
        opponent: ``opponent(model, real, fake)`` gives what the generator's step is scored by, examples to logits,
            instead of the discriminator as it is: one unrolled by some steps, for instance.
        watch: ``watch(model, step)`` is called before the first step and at every evaluation, the model in eval mode,
            the random state put back; what it returns (if not None, and it must be what JSON can hold) is entered in
            the history.
        evaluate_every: steps between looks at the weights, calls of ``watch`` and checkpoints; a twentieth of
            ``steps`` by default.
        time_limit: stop at the first evaluation after so many seconds of this call.
        seed: decides batches, noise and dropout. The caller's random state is not touched.
        checkpoint: file that keeps the state; if it exists the run goes on from it, unless ``resume`` is False.

    Raises:
        ValueError: for arguments that cannot be meant, and for logits that do not match.
        CheckpointError: if ``checkpoint`` is damaged or belongs to another run; the file is left as it is.
        TrainingDiverged: if a loss, or what the generator makes, is not finite: it says which. Model and checkpoint
            are the last good ones.
        KeyboardInterrupt: once the state is saved, if there is a ``checkpoint``.
    """
    arguments = dict(locals())
    check_adversarial(**arguments)
    evaluate_every = arguments["evaluate_every"] = min(evaluate_every or max(1, steps // 20), steps)
    loss = arguments["loss"] = losses.get(loss) if isinstance(loss, str) else loss
    make = optimizer or partial(torch.optim.Adam, lr=lr, betas=betas)
    generator_batch_size = generator_batch_size or batch_size
    where = devices.device(device)
    model.to(where)
    players = {"generator": trainable(model.generator), "discriminator": trainable(model.discriminator)}
    of_g, of_d = make(players["generator"]), (discriminator_optimizer or make)(players["discriminator"])
    optimizers = {"generator": of_g, "discriminator": of_d}
    identity = identify_adversarial(**arguments, optimizers=optimizers) if checkpoint is not None else {}
    train = files.move(train, where)
    look_every = 1 if where.type == "cpu" else min(CHECK_EVERY, evaluate_every)

    def diverged(what: str, value: float, step: int) -> TrainingDiverged:
        last = history.discriminator_loss[-1] if history.discriminator_loss else None
        return TrainingDiverged(step, of_g.defaults.get("lr", math.nan), value, last, state.kept_step, what, ADVICE)

    def look() -> None:
        """Enter the losses not looked at yet into the history; refuse what is not finite, and say whose it is."""
        for d, g, total, largest in torch.stack(unseen).tolist() if unseen else []:
            step = len(history.steps) + 1
            if not math.isfinite(largest):
                raise diverged("generator's output", largest, step)
            if not math.isfinite(total):
                raise diverged("discriminator's loss", total, step)
            if not math.isfinite(g):
                raise diverged("generator's loss", g, step)
            history.steps.append(step)
            history.discriminator_loss.append(d)
            history.generator_loss.append(g)
        unseen.clear()

    def evaluate() -> None:
        """See that the updated model works, keep it, show it to who watches, and see whether to stop."""
        model.eval()
        with state.averaged():
            for what, value in works(model, batch_size, where).items():
                if not math.isfinite(value):
                    raise diverged(what, value, state.step)
            state.keep()
            look_on()
        model.train()
        history.seconds = time.perf_counter() - started
        if state.step < steps and time_limit is not None and time.perf_counter() - called >= time_limit:
            history.stopped = "time"

    def look_on() -> None:
        if watch is None:
            return
        with torch.random.fork_rng(devices_of(where)):
            seen = watch(model, state.step)
        if seen is not None:
            history.watched.append((state.step, seen))

    def save() -> None:
        if checkpoint is not None:
            state.save(checkpoint, identity)

    with torch.random.fork_rng(devices_of(where)), no_denormals(), Interrupts() as asked:
        state = State(model, optimizers, len(train), seed, where, ema, 0, GameHistory(), players["generator"])
        if checkpoint is not None and resume and state.restore(checkpoint, identity) and progress:
            word = "finished" if state.step == steps else "going on"
            console.say(f"{checkpoint}: {word} at step {state.step:,} of {steps:,}")
        history, unseen, called = state.history, [], time.perf_counter()
        started, history.stopped = called - history.seconds, None
        bar = Bar(steps, state.step, progress)
        if state.step == 0:
            model.eval()
            look_on()
        model.train()
        settled = True                                   # False while an iteration is half done
        try:
            while state.step < steps and history.stopped is None:
                if asked.pending:
                    raise KeyboardInterrupt
                settled, step, largest = False, state.step + 1, torch.zeros((), device=where)
                for _ in range(k):
                    z = model.noise(batch_size, generator=state.draws)
                    real = train[state.next_batch(batch_size)]
                    with torch.no_grad():
                        fake = model.generator(z)
                    d = total = loss.discriminator(model.discriminator(real), model.discriminator(fake))
                    if loss.penalty is not None:
                        penalty = loss.penalty(model.discriminator, real, fake, generator=state.draws)
                        total = d + loss.penalty_weight * penalty
                    largest = torch.maximum(largest, fake.abs().amax())      # NaN and infinity stay what they are
                    descend(total, of_d, players["discriminator"])
                z = model.noise(generator_batch_size, generator=state.draws)
                score = model.discriminator if opponent is None else opponent(model, real, fake)
                g = loss.generator(score(model.generator(z)))
                descend(g, of_g, players["generator"])
                unseen.append(torch.stack([d.detach(), g.detach(), total.detach(), largest.to(d.dtype)]))
                due = step % evaluate_every == 0 or step == steps
                if due or step % look_every == 0:
                    look()
                    bar.note(f"D {history.discriminator_loss[-1]:.4g}, G {history.generator_loss[-1]:.4g}")
                state.updated()
                bar.update()
                if due:
                    evaluate()
                settled = True
                if due:
                    save()
        except KeyboardInterrupt:
            history.stopped, history.seconds = "interrupted", time.perf_counter() - started
            if settled:
                look()
                save()
            bar.finish(interrupted(state, steps, checkpoint))
            raise
        except BaseException:
            bar.finish()
            raise
        finally:
            state.leave()
            model.eval()
    bar.finish(str(history))
    return history


def trainable(player: nn.Module) -> list[nn.Parameter]:
    """The parameters of one player that training may change."""
    return [p for p in player.parameters() if p.requires_grad]


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """One step of one player: the other's parameters get no gradient, and nothing is left behind."""
    if loss.numel() != 1:
        raise ValueError(f"a loss must be one number, the mean over its batch, got shape {tuple(loss.shape)}")
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def works(model: nn.Module, n: int, where: torch.device) -> dict[str, float]:
    """The sum of the sizes of what each player makes of ``n`` draws: finite if all of it is."""
    fake = model.generator(model.noise(n, generator=Generator(where).manual_seed(0)))
    return {"generator's output": fake.abs().sum().item(),
            "discriminator's output": model.discriminator(fake).abs().sum().item()}


def devices_of(where: torch.device) -> list[torch.device]:
    """The devices whose random state is to be put back beside the CPU's."""
    return [where] if where.type == "cuda" else []
