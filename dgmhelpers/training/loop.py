"""One loop for any objective: players that take turns, streams of examples, and nothing lost.

An objective is a function of a page. It is called once a step with the run's :class:`~dgmhelpers.training.state.State`
and yields ``(player, loss)`` for each update; the loop takes the update before it asks for more::

    def turns(state):
        x, labels = state.batch("x")                                  # the next examples of that stream
        z = torch.randn(len(x), 2, generator=state.draws)             # what is drawn, is drawn from here
        yield "critic", critic(x, labels).mean() - critic(generator(z)).mean()
        yield "generator", -critic(generator(z)).mean()               # the critic has moved

    train(model, turns, players={"critic": Adam(...), "generator": Adam(...)}, streams={"x": (x, labels)},
          steps=1000, batch_size=64)

A third entry, ``(player, loss, shown)``, is what enters the history instead of the loss. What a sampler carries from
step to step (chains, a buffer) stands in ``state.carry`` and is resumed with the rest; ``state.check(what, value)`` has
a step refused if a value is not finite. Turns are computed when they are asked for, so a generator function says them.
"""

import contextlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers import console, devices
from dgmhelpers.arguments import plain
from dgmhelpers.numerics import gradients_on
from dgmhelpers.training import arguments
from dgmhelpers.training.guards import (
    CHECK_EVERY,
    Interrupts,
    TrainingDiverged,
    interrupted,
    no_denormals,
    random_state_kept,
    sound_convolutions,
)
from dgmhelpers.training.history import Record
from dgmhelpers.training.identity import describe
from dgmhelpers.training.players import Player
from dgmhelpers.training.processes import Processes
from dgmhelpers.training.progress import Bar
from dgmhelpers.training.state import State

ONE_AT_A_TIME = threading.RLock()   # PyTorch's random numbers belong to the process: two runs would share them
Turns = Callable[[State], Iterable[tuple]]


def train(
    model: nn.Module,
    turns: Turns,
    *,
    players: Mapping[str, Player | torch.optim.Optimizer],
    streams: Mapping[str, Tensor | tuple[Tensor | None, ...]],
    steps: int,
    batch_size: int,
    valid: Callable[[nn.Module], float] | None = None,
    examine: Callable[[], Mapping[str, Tensor]] | None = None,
    watch: Callable[[nn.Module, int], object] | None = None,
    carry: Mapping[str, Tensor] | None = None,
    ema: float | None = None,
    averaged: Iterable[str] | None = None,
    evaluate_every: int | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    precision: str = "no",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    progress: bool = True,
    device: str | torch.device | None = None,
    history: Record | None = None,
    identity: Mapping | None = None,
    together: bool = False,
    advice: str = "Lower the learning rates",
) -> Record:
    """Train by any objective; leave ``model`` in eval mode with its best weights, or its last if nothing chooses.

    Args:
        model: holds all that is trained.
        turns: called once a step with the :class:`State`; yields ``(player, loss)``, as this module says.
        players: by name; an optimiser alone stands for ``Player(optimizer)``.
        streams: examples by name, ``(N, ...)``, or several tensors that stay together; each stream has its own order.
        steps: in all, those before an interruption included.
        batch_size: examples in a batch, unless ``state.batch`` is asked for another number.
        valid: ``valid(model)`` gives a figure that is small for good weights; the weights kept are those of the least.
        examine: values that must be finite for weights to be kept, by name; the weights themselves by default.
        watch: ``watch(model, step)`` is called before the first step and at evaluations; what it returns, if not
            None, enters the history: numbers, text, tensors, and lists and dicts of them.
        carry: tensors by name that the turns read and replace in ``state.carry``; resumed.
        ema, averaged: decay of a moving average of the weights, which is then what is validated and kept, and the
            players whose weights are averaged: all by default.
        evaluate_every: steps between evaluations and checkpoints; a twentieth of ``steps`` by default.
        patience: stop after so many validations in a row without improvement.
        time_limit: stop at the first evaluation after so many seconds of this call.
        precision: "no" or "bf16", automatic mixed precision in the turns.
        seed: decides batches, draws and dropout. The caller's random state is not touched.
        checkpoint: file that keeps the state; if it exists the run goes on from it, unless ``resume`` is False.
        history: an empty record of the kind to return.
        identity: what must be the same for a run to go on, instead of these arguments.
        together: whether several processes may train together: the mean of their losses must be the whole batch's.

    Trainings of one process wait for each other, because dropout draws from PyTorch's own random numbers, of which
    there is one stream; whatever else draws from it in another thread meanwhile changes what comes out.

    Raises:
        ValueError: for arguments that cannot be meant.
        CheckpointError: if ``checkpoint`` is damaged or belongs to another run; the file is left as it is.
        TrainingDiverged: if a loss, or what is examined, is not finite; model and checkpoint are the last good ones.
        KeyboardInterrupt: once the state is saved, if there is a ``checkpoint``.
    """
    given = dict(locals())
    playing = {name: p if isinstance(p, Player) else Player(p) for name, p in players.items()}
    arguments.check_loop(model, playing, steps=steps, batch_size=batch_size, evaluate_every=evaluate_every, ema=ema,
                         seed=seed, patience=patience, time_limit=time_limit, precision=precision, watch=watch)
    steps, batch_size, seed = int(steps), int(batch_size), int(seed)
    if identity is None:
        identity = {name: x for name, x in given.items() if name not in arguments.UNDECIDED} | {"players": playing}
    processes = Processes(devices.for_model(model, devices.device(device)))
    if processes.count > 1 and not together:
        raise ValueError("this objective runs in one process; start it without a launcher")
    with (ONE_AT_A_TIME, gradients_on(), random_state_kept(processes.device), no_denormals(),
          sound_convolutions(model, processes.device, precision), Interrupts() as asked):
        model.to(processes.device)
        state = State(
            model, {name: player.optimizer for name, player in playing.items()}, streams, batch_size=batch_size,
            seed=seed, device=processes.device, history=history or Record(), ema=ema, carry=carry,
            averaged=[p for name in averaged or playing for p in playing[name].parameters],
            rank=processes.rank, processes=processes.count,
        )  # fmt: skip
        processes.agree(model)
        loop = _Loop(state, turns, playing, processes, precision, advice)
        loop.valid, loop.examine, loop.watch = valid, examine, watch
        loop.steps, loop.evaluate_every = steps, min(evaluate_every or max(1, steps // 20), steps)
        loop.patience, loop.time_limit, loop.asked = patience, time_limit, asked
        loop.checkpoint, loop.identity = checkpoint, describe(identity) if checkpoint is not None else {}
        return loop.run(resume, progress and processes.rank == 0)


class _Loop:
    """The step of any objective, and what surrounds it."""

    valid: Callable[[nn.Module], float] | None
    examine: Callable[[], Mapping[str, Tensor]] | None
    watch: Callable[[nn.Module, int], object] | None
    steps: int
    evaluate_every: int
    patience: int | None
    time_limit: float | None
    checkpoint: str | os.PathLike | None
    identity: dict
    asked: Interrupts

    def __init__(self, state: State, turns: Turns, players: dict[str, Player], processes: Processes, precision, advice):
        self.state, self.history, self.turns, self.players = state, state.history, turns, players
        self.processes, self.precision, self.advice = processes, precision, advice
        self.unseen: list[tuple[dict, dict]] = []        # of each step not looked at yet: what was checked, the losses

    def step(self) -> None:
        """Every turn of one step. Nothing here waits for the device."""
        state, losses = self.state, dict[str, Tensor]()
        state.checks = {}
        self.unseen.append((state.checks, losses))
        turns = self.turns(state)
        for name, loss, *shown in turns if self.precision == "no" else _lowered(turns, state.device.type):
            if name not in self.players:
                raise ValueError(f"a turn of {name!r}: the players are {', '.join(self.players)}")
            for value in (loss, *shown):
                if value.numel() != 1:
                    shape = tuple(value.shape)
                    raise ValueError(f"a loss must be one number, the mean over its batch, got shape {shape}")
            if not loss.requires_grad:
                raise ValueError(f"{name}'s loss does not depend on any parameter: it has no gradient")
            if state.weight != 1:                        # this process's part of the batch
                loss, shown = loss * state.weight, [value * state.weight for value in shown]
            if shown:
                state.check(f"{name}'s loss", loss)
            losses[name] = (shown[0] if shown else loss).detach()
            self.players[name].move(loss, state.now, self.processes)
        state.updated()

    def look(self) -> None:
        """Enter what was not looked at yet into the history; refuse what is not finite, and say whose it is."""
        history, unseen, self.unseen = self.history, self.unseen, []
        values = [value for row in unseen for part in row for value in part.values()]
        if self.processes.count > 1:
            values = self.processes.mean(values)
        if self.state.device.type == "cpu":
            numbers = iter([value.item() for value in values])
        else:
            numbers = iter(torch.stack(values).tolist() if values else [])   # one wait for all
        for checks, losses in unseen:
            step = len(history.steps) + 1
            found = {what: next(numbers) for what in checks}, {name: next(numbers) for name in losses}
            for what, value in found[0].items():
                self.refuse(what, value, step)
            for name, value in found[1].items():
                self.refuse("loss" if len(self.players) == 1 else f"{name}'s loss", value, step)
            if step > 1 and history.curves.keys() != losses.keys():
                raise ValueError(f"each step must yield the same players' losses: step {step} yields "
                                 f"{', '.join(losses)}, and those before it {', '.join(history.curves)}")
            history.steps.append(step)
            for name, value in found[1].items():
                history.curves.setdefault(name, []).append(value)

    def refuse(self, what: str, value: float, step: int) -> None:
        """Stop if ``value`` is not finite."""
        if not math.isfinite(value):
            whose = next((p for name, p in self.players.items() if what.startswith(name)), None)
            rate = (whose or next(iter(self.players.values()))).rate(step)
            last = next((curve[-1] for curve in self.history.curves.values() if curve), None)
            raise TrainingDiverged(step, rate, value, last, self.state.kept_step, what, self.advice)

    def evaluate(self) -> None:
        """Measure the model, keep it if it is the best or nothing chooses, show it to who watches; whether to stop."""
        state, history, model = self.state, self.history, self.state.model
        model.eval()
        with state.averaged(), random_state_kept(state.device):
            found: Mapping[str, Any]
            if self.valid is not None:
                found = {"validation": float(self.valid(model))}
            elif self.examine is not None:
                found = self.examine()
            else:
                found = {"sum of the weights' sizes": sum(p.detach().abs().sum() for p in model.parameters())}
            for what, value in found.items():
                self.refuse(what, float(value), state.step)
            if self.valid is None or state.record(found["validation"]):
                state.keep()
            self.look_on()
        model.train()
        history.seconds = time.perf_counter() - self.started
        late = self.time_limit is not None and time.perf_counter() - self.called >= self.time_limit
        if state.step == self.steps:
            return
        if self.patience is not None and state.worse >= self.patience:
            history.stopped = "patience"
        elif self.processes.any(late):
            history.stopped = "time"

    def look_on(self) -> None:
        """Enter what ``watch`` sees, in words that the checkpoint can hold."""
        if self.watch is not None:
            seen = plain(self.watch(self.state.model, self.state.step))
            try:
                json.dumps(seen)
            except (TypeError, ValueError) as error:
                kinds = "numbers, text, tensors, or lists and dicts of them"
                raise TypeError(f"watch must return {kinds}: {error}") from None
            if seen is not None:
                self.history.watched.append((self.state.step, seen))

    def save(self) -> None:
        if self.checkpoint is not None and self.processes.rank == 0:
            self.state.save(self.checkpoint, self.identity)
        self.processes.wait()

    def run(self, resume: bool, show: bool) -> Record:
        """All steps that are left."""
        state, history, model, steps = self.state, self.history, self.state.model, self.steps
        if self.checkpoint is not None and resume and state.restore(self.checkpoint, self.identity) and show:
            over = state.step == steps or history.stopped == "patience"
            word = "finished" if over else "going on"
            console.say(f"{self.checkpoint}: {word} at step {state.step:,} of {steps:,}")
        history.stopped = "patience" if history.stopped == "patience" else None
        self.called = time.perf_counter()
        self.started = self.called - history.seconds
        look_every = 1 if state.device.type == "cpu" else min(CHECK_EVERY, self.evaluate_every)
        bar, settled = Bar(steps, state.step, show), True    # settled: False while a step is half done
        try:
            if state.step == 0:
                model.eval()
                with random_state_kept(state.device):
                    self.look_on()
            model.train()
            while state.step < steps and history.stopped is None:
                if self.asked.pending and self.processes.count == 1:
                    raise KeyboardInterrupt
                settled = False
                self.step()
                due = state.step % self.evaluate_every == 0 or state.step == steps
                if due or state.step % look_every == 0:
                    self.look()
                    if show:
                        bar.note(history.note())
                if show:
                    bar.update()
                if due:
                    self.evaluate()
                settled = True
                if due:
                    self.save()
                    if self.processes.any(self.asked.pending):
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            history.stopped, history.seconds = "interrupted", time.perf_counter() - self.started
            if settled:
                self.look()
                self.save()
            bar.finish(interrupted(state, steps, self.checkpoint))
            raise
        except Exception:
            bar.finish()
            if self.unseen:                              # a model that is NaN may fail before its loss is looked at
                with contextlib.suppress(ValueError):
                    self.look()
            raise
        finally:
            state.leave()
            model.eval()
            for player in self.players.values():
                player.leave()
        bar.finish(str(history))
        return history


def _lowered(turns: Iterable[tuple], device: str) -> Iterator[tuple]:
    """The turns with their forward passes in mixed precision; what the loop does between them is in full."""
    turns = iter(turns)
    while True:
        with torch.autocast(device, torch.bfloat16):
            turn = next(turns, None)
        if turn is None:
            return
        name, *values = turn
        yield name, *(value.float() if value.dtype == torch.bfloat16 else value for value in values)
