"""A training as it goes: steps, looks at what they left, evaluations, and an end that loses nothing."""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch

from dgmhelpers import console
from dgmhelpers.arguments import plain
from dgmhelpers.training import files
from dgmhelpers.training.arguments import takes_history
from dgmhelpers.training.files import CheckpointError
from dgmhelpers.training.guards import CHECK_EVERY, Interrupts, TrainingDiverged, interrupted, random_state_kept
from dgmhelpers.training.history import Record
from dgmhelpers.training.players import Player
from dgmhelpers.training.processes import Processes
from dgmhelpers.training.progress import Bar
from dgmhelpers.training.state import State

LARGE = 100.0         # an entry of the examples above which a failure may be its fault
Turns = Callable[[State], Iterable[tuple]]


@dataclass
class Run:
    """One training: the step of any objective, and what surrounds it. The fields are what ``train`` was given."""

    state: State
    turns: Turns
    players: dict[str, Player]
    processes: Processes
    _: KW_ONLY
    steps: int
    evaluate_every: int
    asked: Interrupts
    valid: Callable | None
    examine: Callable | None
    watch: Callable | None
    patience: int | None
    time_limit: float | None
    checkpoint: str | os.PathLike | None
    identity: dict
    precision: str
    advice: str
    extend: bool = False

    def __post_init__(self):
        self.history = self.state.history
        self.unseen: list[tuple[dict, ...]] = []         # of each step not looked at yet: checks, losses, gradients

    def step(self) -> None:
        """Every turn of one step. Nothing here waits for the device."""
        state, losses, gradients = self.state, dict[str, torch.Tensor](), dict[str, torch.Tensor]()
        state.checks = {}
        self.unseen.append((state.checks, losses, gradients))
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
            size = self.players[name].move(loss, state.now, self.processes)
            if size is not None:
                gradients[name] = size
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
        for checks, losses, gradients in unseen:
            step, alone = len(history.steps) + 1, len(self.players) == 1
            found = [{name: next(numbers) for name in part} for part in (checks, losses, gradients)]
            for what, value in found[0].items():
                self.refuse(what, value, step)
            for name, value in found[1].items():
                self.refuse("loss" if alone else f"{name}'s loss", value, step)
            if step > 1 and history.curves.keys() != losses.keys():
                raise ValueError(f"each step must yield the same players' losses: step {step} yields "
                                 f"{', '.join(losses)}, and those before it {', '.join(history.curves)}")
            for name, value in found[2].items():
                self.refuse("gradient" if alone else f"{name}'s gradient", value, step)
            history.steps.append(step)
            for name, value in found[1].items():
                history.curves.setdefault(name, []).append(value)

    def refuse(self, what: str, value: float, step: int) -> None:
        """Stop if ``value`` is not finite."""
        if not math.isfinite(value):
            whose = next((p for name, p in self.players.items() if what.startswith(name)), None)
            rate = (whose or next(iter(self.players.values()))).rate(step)
            last = next((curve[-1] for curve in self.history.curves.values() if curve), None)
            raise TrainingDiverged(step, rate, value, last, self.state.kept_step, what, self.advise())

    def advise(self) -> str:
        """What to try. Entries that are far from 1 come first: no rate helps a network that they saturate."""
        entries = [x for stream in self.state.streams.values() for x in stream.tensors
                   if x is not None and x.is_floating_point() and len(x)]  # fmt: skip
        reach = max((float(files.whole(x).abs().max() if files.overlaps(x) else x.abs().max()) for x in entries),
                    default=0.0)
        first = f"Entries of the examples reach {reach:.2g}: standardise them. " if reach > LARGE else ""
        return first + self.advice

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
            more = (self.history,) if takes_history(self.watch) else ()
            seen = plain(self.watch(self.state.model, self.state.step, *more))
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

    def play(self, resume: bool, show: bool) -> Record:
        """All steps that are left."""
        state, history, model, steps = self.state, self.history, self.state.model, self.steps
        if self.checkpoint is not None and resume and state.restore(
            self.checkpoint, self.identity, self.extend
        ) and show:  # fmt: skip
            over = state.step == steps or history.stopped == "patience"
            word = "finished" if over else "going on"
            console.say(f"{self.checkpoint}: {word} at step {state.step:,} of {steps:,}")
        if state.step > steps:
            raise CheckpointError(f"{self.checkpoint} has taken {state.step:,} steps already, and steps is {steps:,}")
        if self.extend and state.step < steps and history.stopped == "patience":
            history.stopped, state.worse = None, 0
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
