"""``train --all``: every experiment, one after another; what is done is passed over, what fails is told.

Done means: the result and the weights it was measured on are there, it was made by the recipe as it stands, from the
same seeds, and not cut short by the clock. Whatever stops the work, the same command goes on.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dgmhelpers import console, devices, recipes
from dgmhelpers.recipes import record
from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.record import Folders
from dgmhelpers.recipes.train import Say, train
from dgmhelpers.training import files

REASONS = (ValueError, RuntimeError, OSError, ImportError, KeyError)   # of one recipe, and no reason to stop the others


@dataclass(frozen=True)
class Outcome:
    """What became of one experiment.

    Attributes:
        state: "done" before, "trained" now, "put down" until the next time, "not begun", or "failed".
        why: one line.
    """

    name: str
    state: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.state}: {self.why}"


def train_all(
    names: Iterable[str] | None = None,
    *,
    profile: str | None = None,
    seed: int | None = None,
    hours: float | None = None,
    folders: Folders | None = None,
    say: Say = console.say,
    **rest,
) -> list[Outcome]:
    """Carry out every experiment (of ``names``) that is not done yet; gives what became of each.

    Args:
        hours: begin nothing after so long, and put down what is training then.
        say: called with each line of news.
        rest: for :func:`~dgmhelpers.recipes.train.train`: device, precision, compiled.

    Raises:
        KeyboardInterrupt: as soon as what is training has put itself down.
    """
    profile, begun = devices.profile(profile), time.perf_counter()
    folders, outcomes = folders or Folders.standard(profile), []
    for name in names or recipes.names():
        left = None if hours is None else 3600 * hours - (time.perf_counter() - begun)
        done, why = standing(recipes.get(name), profile, seed, folders)
        if done:
            outcome = Outcome(name, "done", why)
        elif left is not None and left <= 0:
            outcome = Outcome(name, "not begun", f"{hours:g} hours are over")
        else:
            say(f"{name}: {why}")
            outcome = _carry_out(name, profile=profile, seed=seed, budget=left, folders=folders, say=say, **rest)
        outcomes.append(outcome)
        say(str(outcome))
    states = [outcome.state for outcome in outcomes]
    say(", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)))
    return outcomes


def _carry_out(name: str, **how) -> Outcome:
    began = time.perf_counter()
    try:
        if train(name, **how) is None:
            return Outcome(name, "put down", "the time is up; the same command goes on")
    except REASONS as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
        return Outcome(name, "failed", f"{type(error).__name__}: {' '.join(str(text).split())}")
    return Outcome(name, "trained", f"{(time.perf_counter() - began) / 60:.1f} min")


def standing(experiment: Experiment, profile: str, seed: int | None, folders: Folders) -> tuple[bool, str]:
    """Whether an experiment is done, and one line that says why or why not."""
    experiment = experiment.for_profile(profile)
    experiment = experiment if seed is None else replace(experiment, seeds=(seed,))
    try:
        result = record.result(experiment.name, folders.results)
    except record.ResultError as error:
        return False, "its result is damaged" if "damaged" in str(error) else "has no result yet"
    stored, training = result["checkpoint"], result["training"] or {}
    path = folders.checkpoints / f"{experiment.name}.safetensors"
    if stored and not (path.is_file() and files.sha256(path) == stored["sha256"]):
        return False, "the weights that its result was measured on are not here"
    if result["profile"] != profile:
        return False, f"its result is of the {result['profile']} profile"
    if training.get("stopped") == "time":
        planned = f" of {training['steps_planned']:,}" if training["steps_planned"] else ""
        return False, f"was stopped by the clock at {training['steps_taken']:,}{planned} steps"
    difference = record.difference(experiment, result)
    if difference:
        return False, f"was made by another recipe: {difference}"
    return True, f"{len(result['runs'])} run{'s' * (len(result['runs']) > 1)}, {result['finished']}"
