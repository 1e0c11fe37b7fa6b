"""Does a committed result come back? Measure the stored weights again and compare."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from dgmhelpers import data, devices, evaluation
from dgmhelpers.recipes import get, record
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import at_even_distances
from dgmhelpers.recipes.record import Folders, ResultError
from dgmhelpers.training import checkpoints, files

TOLERANCE = 1e-4    # relative: other processors and libraries add in another order
OF_SAMPLES = 5e-3   # absolute, of a figure of 1,000 samples: five of them may fall on the other side of a threshold


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
    how: str
    name: str

    @property
    def agrees(self) -> bool:
        return abs(self.measured - self.recorded) <= self.allowed

    def __str__(self) -> str:
        mark = "agrees" if self.agrees else "DIFFERS"
        unit = f" {self.unit}" if self.unit else ""
        return (f"{self.dataset} {self.split} {self.name}: {self.measured:.4f}{unit} measured, {self.recorded:.4f} "
                f"recorded: {mark} ({self.how}, within {self.allowed:.2g})")


def evaluate(
    which: str | Experiment, *, examples: int | None = None, profile: str = "full",
    device: str | torch.device | None = None, folders: Folders | None = None,
) -> tuple[list[Comparison], list[str]]:  # fmt: skip
    """Measure the stored weights of an experiment again, on all examples or on so many (``measures.spread``).

    Figures on data that is not at hand are passed over; runs whose weights are not kept come back by the command that
    made them.

    Returns:
        A comparison for each figure that could be measured, and a line for each that could not.

    Raises:
        ResultError: if the result is missing, keeps no weights, or has others than it was measured on.
    """
    experiment = (get(which) if isinstance(which, str) else which).for_profile(profile)
    name, folders = experiment.name, folders or Folders.standard(profile)
    if examples is not None and examples < 2:
        raise ValueError(f"examples must be at least 2, got {examples}")
    result, stored = record.result(name, folders.results), folders.checkpoints / f"{name}.safetensors"
    if not result["checkpoint"]:
        raise ResultError(f"{name} keeps no weights: {result['command']} makes its figures again")
    model = checkpoints.load(stored, devices.device(device), classes=experiment.classes())
    if files.sha256(stored) != result["checkpoint"]["sha256"]:
        raise ResultError(f"{stored.name} is not the file that {name}.json was measured on: its sha256 differs")
    measures = {figure: measure for measure in experiment.measures for figure in measure.units}
    own = experiment.stages[0].dataset
    comparisons: list[Comparison] = []
    missing: list[str] = []
    again: dict[tuple, list[dict]] = {}
    for then in result["metrics"]:
        where, split, measure = then["dataset"], then["split"], measures[then["name"]]
        place = (id(measure), where, split)              # of which one measure may give several figures
        if place not in again:
            try:
                made = Made(result["seed"], torch.device("cpu"))
                dataset = own(made) if where == result["dataset"]["name"] else data.load(where)
                if dataset.sha256 != result["dataset"]["sha256"] and where == result["dataset"]["name"]:
                    raise data.DataUnavailable("it is not the data that the result was made on")
            except data.DataUnavailable as error:
                again[place] = []
                missing.append(f"{where} {split}: not measured, {error}")
                continue
            again[place] = measure.entries(model, experiment, dataset, result["seed"], split, examples)
        same_draws = then["kind"] == "exact" or devices.device(device).type == result["device"]["type"]
        for now in again[place]:
            if now["name"] == then["name"]:
                comparisons.append(_compare(then, now, same_draws))
    others = len(result["runs"]) - 1
    return comparisons, missing + (
        [f"{others} other runs keep no weights: {result['command']} makes them again"] if others else [])


def evaluate_file(
    path, dataset: str | data.Dataset, *, split: str = "test", examples: int | None = None,
    device: str | torch.device | None = None,
) -> list[str]:  # fmt: skip
    """Measure a checkpoint of your own on a data set; gives lines to print.

    Raises:
        ValueError: if it has no exact likelihood, or the data's examples are not of its shape.
    """
    found = data.load(dataset) if isinstance(dataset, str) else dataset
    model: Any = checkpoints.load_named(path, device)
    if not callable(getattr(model, "log_prob", None)):
        raise ValueError(f"{type(model).__name__} has no log_prob: there is no likelihood to measure")
    x = found.split(split)
    if found.symbols is not None and len(model.event_shape) == 1:
        x = found.windows(model.event_shape[0], split)[:: model.event_shape[0]]
    x = x.reshape(len(x), *model.event_shape) if x[0].numel() == model.event_shape.numel() else x
    estimate = evaluation.nats(model, x if examples is None or examples >= len(x) else at_even_distances(x, examples))
    return [f"{found.name} {split}: {estimate}", f"{found.name} {split}: "
            f"{evaluation.bits_per_dim(estimate, max(1, model.event_shape.numel()))}"]


def _compare(then: dict, now: dict, same_draws: bool = True) -> Comparison:
    """Like with like: the whole split, the first examples if their own mean was stored, else within four errors.

    A bound is an average of draws, and another kind of device draws others: then four errors are allowed, too.
    """
    recorded, first = then["value"], then.get("first") or {"examples": None}
    if then["standard_error"] is None:
        how, allowed = "the same draws", TOLERANCE * abs(recorded) + OF_SAMPLES
    elif now["examples"] == then["examples"]:
        how, allowed = f"the same {now['examples']:,} examples", TOLERANCE * abs(recorded)
        allowed += 0 if same_draws else 4 * now["standard_error"]
    elif now["examples"] == first.get("examples"):
        recorded, how = first["value"], f"the first {now['examples']:,} examples"
        allowed = TOLERANCE * abs(recorded) + (0 if same_draws else 4 * now["standard_error"])
    else:
        how = f"{now['examples']:,} of {then['examples']:,} examples, four standard errors"
        allowed = 4 * math.hypot(now["standard_error"], then["standard_error"])
    return Comparison(
        then["dataset"], then["split"], recorded, now["value"], allowed, then["unit"], how, then["name"])
