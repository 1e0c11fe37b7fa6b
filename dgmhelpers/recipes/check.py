"""Does a committed result come back? Measure the stored weights again and compare."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from dgmhelpers import data, devices
from dgmhelpers.recipes import get, studies
from dgmhelpers.recipes.measure import measure
from dgmhelpers.recipes.run import Folders
from dgmhelpers.training import checkpoints, files

TOLERANCE = 1e-4    # relative: other processors and libraries add in another order
OF_SAMPLES = 5e-3   # absolute, of a figure of 1,000 samples: five of them may fall on the other side of a threshold


class ResultError(RuntimeError):
    """A result is missing, damaged, or of other weights."""


@dataclass(frozen=True)
class Comparison:
    """One figure, then and now.

    Attributes:
        allowed: largest difference that still counts as the same.
        how: what was compared, in words.
    """

    dataset: str
    split: str
    recorded: float
    measured: float
    allowed: float
    unit: str
    examples: int
    how: str
    name: str = "nll"

    @property
    def agrees(self) -> bool:
        return abs(self.measured - self.recorded) <= self.allowed

    def __str__(self) -> str:
        mark = "agrees" if self.agrees else "DIFFERS"
        what = "" if self.name == "nll" else f" {self.name}"
        return (f"{self.dataset} {self.split}{what}: {self.measured:.4f} {self.unit} measured, {self.recorded:.4f} "
                f"recorded: {mark} ({self.how}, within {self.allowed:.2g})")


def read(name: str, folder: Path) -> dict:
    """The result of that name.

    Raises:
        ResultError: if there is none, or it is not what a result is.
    """
    path = folder / f"{name}.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        result["metrics"], result["checkpoint"]["sha256"]
    except FileNotFoundError:
        raise ResultError(f"there is no result {name}: python -m dgmhelpers train {name} makes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path} is damaged: {error}") from None
    return result


def evaluate(name: str, *, examples: int | None = None, profile: str | None = None, device=None,
             folders: Folders | None = None) -> tuple[list[Comparison], list[str]]:
    """Measure the stored weights of a recipe again, on all examples or on so many (``measure.spread``).

    Figures on data that is not at hand are passed over.

    Returns:
        A comparison for each figure that could be measured, and a line for each that could not.

    Raises:
        ResultError: if the result is missing or its weights are not the ones it was measured on.
    """
    recipe = get(name)
    folders = folders or Folders.standard(profile or "full")
    recipe = recipe.for_profile("quick") if profile == "quick" else recipe
    if examples is not None and examples < 2:
        raise ValueError(f"examples must be at least 2, got {examples}")
    result, stored = read(name, folders.results), folders.checkpoints / f"{name}.safetensors"
    model = checkpoints.load(stored, devices.device(device))
    if files.sha256(stored) != result["checkpoint"]["sha256"]:
        raise ResultError(f"{stored.name} is not the file that {name}.json was measured on: its sha256 differs")
    comparisons, missing = [], []
    for metric in result["metrics"]:
        try:
            dataset = data.load(metric["dataset"])
        except data.DataUnavailable as error:
            missing.append(f"{metric['dataset']} {metric['split']}: not measured, {error}")
            continue
        now = measure(model, recipe, dataset, metric["split"], examples, metric.get("name", "nll"))
        same_draws = metric["kind"] == "exact" or devices.device(device).type == result["device"]["type"]
        comparisons.append(_compare(metric, now, same_draws))
    return comparisons, missing


def evaluate_study(name: str, *, profile: str | None = None, device=None,
                   folders: Folders | None = None) -> tuple[list[Comparison], list[str]]:
    """Measure the one model of a study whose weights are stored again, and compare with what its run recorded.

    The other runs have no weights: their figures come back by carrying out the study, and a line says so.

    Raises:
        ResultError: if there is no such result, or it keeps no weights.
    """
    study, folders = studies()[name].for_profile(profile or "full"), folders or Folders.standard(profile or "full")
    path = folders.results / "studies" / f"{name}.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultError(f"there is no result {name}: python -m dgmhelpers train {name} makes it") from None
    except ValueError as error:
        raise ResultError(f"{path} is damaged: {error}") from None
    if not result["checkpoint"]:
        raise ResultError(f"{name} keeps no weights: {result['command']} makes it again")
    stored = folders.checkpoints / result["checkpoint"]
    model, about = checkpoints.load(stored, devices.device(device)), checkpoints.read_metadata(stored)
    (run,) = (r for r in result["runs"] if (r["variant"], r["seed"]) == (about["variant"], about["seed"]))
    dataset = study.load(study.dataset)
    if dataset.sha256 != result["dataset"]["sha256"]:
        return [], [f"{study.dataset}: not measured, it is not the data that the study was made on"]
    how = f"{run['variant']}, seed {run['seed']}, the same draws"
    comparisons = [
        Comparison(study.dataset, "samples", run["figures"][figure], now,
                   TOLERANCE * abs(run["figures"][figure]) + OF_SAMPLES, "", len(dataset.test), how, figure)
        for figure, now in study.measure(model, dataset, run["seed"]).items()
    ]  # fmt: skip
    others = len(result["runs"]) - 1
    return comparisons, [f"{others} other runs keep no weights: {result['command']} makes them again"] if others else []


def _compare(then: dict, now: dict, same_draws: bool = True) -> Comparison:
    """Like with like: the whole split, the first examples if their own mean was stored, else within four errors.

    A bound is an average of draws, and another kind of device draws others: then four errors are allowed, too.
    """
    recorded, first = then["value"], then["first"]
    if now["examples"] == then["examples"]:
        how, allowed = f"the same {now['examples']:,} examples", TOLERANCE * abs(recorded)
        allowed += 0 if same_draws else 4 * now["standard_error"]
    elif now["examples"] == first["examples"]:
        recorded, how = first["value"], f"the first {now['examples']:,} examples"
        allowed = TOLERANCE * abs(recorded) + (0 if same_draws else 4 * now["standard_error"])
    else:
        how = f"{now['examples']:,} of {then['examples']:,} examples, four standard errors"
        allowed = 4 * math.hypot(now["standard_error"], then["standard_error"])
    return Comparison(
        then["dataset"], then["split"], recorded, now["value"], allowed, then["unit"], now["examples"], how,
        then.get("name", "nll"),
    )  # fmt: skip
