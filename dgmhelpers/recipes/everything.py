"""``train --all``: every recipe and every study, one after another; what is done is passed over, what fails is told.

Done means: the result and the weights it was measured on are there, it was made by the recipe as it stands, from the
same seed, and not cut short by the clock. Whatever stops the work, the same command goes on.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from dgmhelpers import console, devices, recipes
from dgmhelpers.recipes import check, run, study
from dgmhelpers.recipes.base import Recipe
from dgmhelpers.training import files

REASONS = (ValueError, RuntimeError, OSError, ImportError, KeyError)   # of one recipe, and no reason to stop the others


@dataclass(frozen=True)
class Outcome:
    """What became of one recipe.

    Attributes:
        state: "done" before, "trained" now, "put down" until the next time, "not begun", or "failed".
        why: one line.
    """

    name: str
    state: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.state}: {self.why}"


def train_all(*, profile: str | None = None, seed: int = 0, device: str | None = None, precision: str | None = None,
              compiled: bool = False, hours: float | None = None, names: list[str] | None = None,
              folders: run.Folders | None = None,
              say=console.say) -> list[Outcome]:  # fmt: skip
    """Carry out every recipe (of ``names``) that is not done yet; gives what became of each.

    Args:
        hours: begin nothing after so long, and put down what is training then.
        say: called with each line of news.

    Raises:
        KeyboardInterrupt: as soon as what is training has put itself down.
    """
    profile, begun = devices.profile(profile), time.perf_counter()
    folders, outcomes = folders or run.Folders.standard(profile), []
    known = recipes.studies()
    for name in names or [*recipes.names(), *known]:
        left = None if hours is None else 3600 * hours - (time.perf_counter() - begun)
        done, why = of_study(known[name], profile, folders) if name in known else standing(name, profile, seed, folders)
        if done:
            outcome = Outcome(name, "done", why)
        elif left is not None and left <= 0:
            outcome = Outcome(name, "not begun", f"{hours:g} hours are over")
        else:
            say(f"{name}: {why}")
            outcome = _carry_out(name, profile, seed, device, precision, compiled, left, folders, say)
        outcomes.append(outcome)
        say(str(outcome))
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in dict.fromkeys(
        outcome.state for outcome in outcomes)}
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
    return outcomes


def _carry_out(name, profile, seed, device, precision, compiled, left, folders, say) -> Outcome:
    began = time.perf_counter()
    try:
        if name in recipes.studies():
            study.conduct(recipes.studies()[name], profile=profile, device=device, folders=folders, say=say)
        elif run.train(name, profile=profile, seed=seed, device=device, precision=precision, compiled=compiled,
                       budget=left, folders=folders, say=say) is None:  # fmt: skip
            return Outcome(name, "put down", "the time is up; the same command goes on")
    except REASONS as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
        return Outcome(name, "failed", f"{type(error).__name__}: {' '.join(str(text).split())}")
    return Outcome(name, "trained", f"{(time.perf_counter() - began) / 60:.1f} min")


def standing(name: str, profile: str, seed: int, folders: run.Folders) -> tuple[bool, str]:
    """Whether a recipe is done, and one line that says why or why not."""
    stored = folders.checkpoints / f"{name}.safetensors"
    try:
        result = check.read(name, folders.results)
    except check.ResultError as error:
        return False, "its result is damaged" if "damaged" in str(error) else "has no result yet"
    if not stored.is_file() or files.sha256(stored) != result["checkpoint"]["sha256"]:
        return False, "the weights that its result was measured on are not here"
    if (result["profile"], result["seed"]) != (profile, seed):
        return False, f"its result is of the {result['profile']} profile and seed {result['seed']}"
    training = result["training"]
    if training.get("stopped") == "time":
        return False, f"was stopped by the clock at {training['steps_taken']:,} of {training['steps_planned']:,} steps"
    difference = changed(recipes.get(name).for_profile(profile), result)
    if difference:
        return False, f"was made by another recipe: {difference}"
    metric = result["metrics"][0]
    return True, f"{metric['value']:.2f} {metric['unit']}, {metric['dataset']} {metric['split']}, {result['finished']}"


def changed(recipe: Recipe, result: dict) -> str | None:
    """The first thing in which a recipe is no longer what its result was made by; None if it is the same.

    Precision and compilation are left out: these are for the machine to choose.
    """
    if recipe.model != result["model"]["class"] or recipe.dataset != result["dataset"]["name"]:
        return "the model or its data"
    chosen = recipe.with_candidate(recipe.candidates[min(result["selection"]["chosen"], len(recipe.candidates) - 1)])
    config = _plain(chosen.config) | ({} if recipe.orders is None else {"orders": recipe.orders})
    for what, now, then in (("config", config, result["model"]["config"]),
                            ("training", _plain(chosen.training), result["training"])):  # fmt: skip
        for key, value in now.items():
            given_in_full = key == "orders" and isinstance(then.get(key), list)
            if key not in ("precision", "compiled") and then.get(key) != value and not given_in_full:
                return f"{what} {key}: {then.get(key)!r} then, {value!r} now"
    if len(recipe.candidates) != len(result["selection"]["candidates"]):
        return "its candidates"
    return None


def of_study(which: study.Study, profile: str, folders: run.Folders) -> tuple[bool, str]:
    """Whether a study is done, and one line that says why or why not."""
    which, path = which.for_profile(profile), folders.results / "studies" / f"{which.name}.json"
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
        runs = {(r["variant"], r["seed"]) for r in result["runs"]}
        same = result["settings"] == _plain(which.settings) and result["profile"] == profile
    except OSError:
        return False, "has no result yet"
    except (ValueError, KeyError, TypeError):
        return False, "its result is damaged"
    wanted = {(variant, seed) for variant in which.variants for seed in which.seeds}
    if not same or runs != wanted:
        return False, "was made by another study: its settings, variants or seeds differ"
    return True, f"{len(runs)} runs, {result['finished']}"


def _plain(mapping) -> dict:
    return json.loads(json.dumps(dict(mapping)))
