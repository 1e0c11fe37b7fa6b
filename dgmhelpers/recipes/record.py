"""What is on record: results as they were written, what was watched meanwhile, and the figures they stand beside."""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgmhelpers import evaluation, places
from dgmhelpers.recipes.experiment import Experiment, plain
from dgmhelpers.training import checkpoints, files

FRAME = 250         # samples in a frame that is stored
FRAMES = 11         # that are stored at most, at even distances from the first
WATCHED = "-over-time.safetensors"


class ResultError(RuntimeError):
    """A result is missing, damaged, or of other weights."""


@dataclass(frozen=True)
class Folders:
    """Where things are kept.

    Attributes:
        runs: training in progress. checkpoints: trained weights. results: what was measured.
    """

    runs: Path
    checkpoints: Path
    results: Path

    @classmethod
    def standard(cls, profile: str) -> "Folders":
        """Those of :mod:`dgmhelpers.places` in the full profile; beside the runs in the quick one, to spoil nothing."""
        runs = places.runs() / profile
        if profile == "quick":
            return cls.within(runs)
        return cls(runs, places.checkpoints(), places.results())

    @classmethod
    def within(cls, folder: Path) -> "Folders":
        """All in one folder."""
        return cls(folder, folder / "checkpoints", folder / "results")


def names(folder: Path | None = None) -> list[str]:
    """Everything that has a result."""
    return sorted(path.stem for path in (folder or places.results()).glob("*.json"))


def result(name: str, folder: Path | None = None) -> dict[str, Any]:
    """The result of that name, as it was written, with the published figures that it names (:func:`published`).

    Raises:
        ResultError: if there is none, or it is not what a result is.
    """
    path = (folder or places.results()) / f"{name}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found["published"] = [{**published().get(row["id"], {}), **row} for row in found["published"]]
        for key in ("runs", "metrics", "settings", "dataset"):
            found[key]
    except FileNotFoundError:
        raise ResultError(f"there is no result {name}: python -m dgmhelpers train {name} makes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path} is damaged: {error}") from None
    return found


def results(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Every result, by name."""
    return {name: result(name, folder) for name in names(folder)}


def published() -> dict[str, dict[str, Any]]:
    """The published figures of ``book/published.json`` by id, with the data set they are of; none outside a checkout.

    Each has system, value, kind ("exact", "bound" or "estimate"), unit, status, and where there are: cite (a key of
    ``book/references.bib``), note, digits. Status: "read" if the table, or the authors' own repository, was opened;
    "reported" if the figure is as the literature repeats it; "computed" here.
    """
    root = places.checkout()
    return {} if root is None else _rows(root / "book" / "published.json")


@functools.cache
def _rows(path: Path) -> dict[str, dict[str, Any]]:
    sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
    return {row["id"]: {"unit": each["unit"], "data": each["data"], **row} for each in sets for row in each["rows"]}


def summary(runs: list[dict]) -> dict[str, dict[str, dict]]:
    """Mean, standard error and number of seeds of each figure of each variant."""
    found: dict[str, dict[str, dict]] = {}
    for variant in dict.fromkeys(run["variant"] for run in runs):
        figures = [run["figures"] for run in runs if run["variant"] == variant]
        for name in figures[0]:
            estimate = evaluation.mean(torch.tensor([each[name] for each in figures], dtype=torch.double))
            error = estimate.standard_error if estimate.n > 1 else None
            entry = {"mean": estimate.value, "standard_error": error, "seeds": estimate.n}
            found.setdefault(variant, {})[name] = entry
    return found


def gains(record: Mapping[str, Any], figure: str, variant: str, base: str = "plain") -> evaluation.Gains:
    """By how much a variant's figure is above that of another, seed by seed, from a result.

    Runs of one seed share their first weights, where their networks have one shape, and their batches.
    """
    of = {(run["variant"], run["seed"]): run["figures"][figure] for run in record["runs"]}
    seeds = [seed for name, seed in of if name == variant]
    return evaluation.Gains([of[variant, seed] - of[base, seed] for seed in seeds], 1)


def difference(experiment: Experiment, found: Mapping[str, Any]) -> str | None:
    """The first thing in which an experiment is no longer what a result was made by; None if it is the same.

    Precision and compilation are left out: these are for the machine to choose.
    """
    first, model = experiment.stages[0], found["model"]
    source = found["dataset"]["name"] if not isinstance(first.source, str) else first.source
    if source != found["dataset"]["name"] or (model and model["class"] != checkpoints.name_of(_last(experiment))):
        return "the model or its data"
    candidates = found["selection"]["candidates"] if found["selection"] else [{}]
    if len(experiment.candidates) != len(candidates):
        return "its candidates"
    if list(experiment.seeds) != found["seeds"] or list(experiment.variants) != list(found["variants"]):
        return "its variants or seeds"
    chosen = found["selection"]["chosen"] if found["selection"] else 0
    now = experiment.changed(experiment.candidates[chosen]).settings()
    for what, value, then in (("settings", now, found["settings"]),
                              ("variant", experiment.variants, found["variants"])):  # fmt: skip
        for key, each in value.items():
            if key not in ("precision", "compiled") and not _within(each, then.get(key)):
                return f"{what} {key}: {then.get(key)!r} then, {each!r} now"
    return None


def _last(experiment: Experiment) -> Any:
    return experiment.stages[-1].model if experiment.whole is None else experiment.whole


def _within(now: Any, then: Any) -> bool:
    """Whether what is asked for now is what was made; a config on record may hold defaults beside it."""
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        return all(_within(value, then.get(key)) for key, value in now.items())
    return plain(now) == then


# --- what was watched -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OverTime:
    """What was watched in an experiment.

    Attributes:
        seeds: of the runs, S of them.
        steps, frame_steps: by variant, at which counts (T of them) and samples (T′) were taken.
        counts: by variant, samples in each mode and elsewhere, ``(S, T, K + 1)``.
        frames: by variant, samples of the first seed's run, ``(T′, n, *event_shape)``, n at most 250.
        metadata: where they come from.
    """

    seeds: list[int]
    steps: dict[str, list[int]]
    frame_steps: dict[str, list[int]]
    counts: dict[str, Tensor]
    frames: dict[str, Tensor]
    metadata: dict


def over_time(name: str, folder: Path | None = None) -> OverTime:
    """What was watched in the experiment of that name.

    Raises:
        CheckpointError: if there is no such file, or it is damaged.
    """
    tensors, metadata = files.read((folder or places.results()) / f"{name}{WATCHED}")
    steps = metadata["steps"]                            # in the experiment's order; tensors are in the alphabet's
    return OverTime(metadata["seeds"], steps, metadata["frame_steps"],
                    {variant: tensors[f"counts/{variant}"].long() for variant in steps},
                    {variant: tensors[f"frames/{variant}"].float() for variant in steps}, metadata)


def keep_watched(path: Path, watched: list[tuple[int, dict]]) -> None:
    """Write what one run's ``watch`` returned."""
    looks = watched[:: math.ceil(len(watched) / FRAMES)]
    frames = [(step, look["samples"]) for step, look in looks if look.get("samples") is not None]
    arrays = {"counts": torch.tensor([look["counts"] for _, look in watched], dtype=torch.int16),
              "frames": torch.tensor([samples for _, samples in frames]).to(torch.float16)}
    files.write(path, arrays, {"steps": [step for step, _ in watched], "frame_steps": [step for step, _ in frames]})


def gather_watched(path: Path, parts: dict[str, list[Path]], facts: dict) -> None:
    """What was watched in the runs of each variant, into one file beside the result; none if nothing was."""
    arrays: dict[str, Tensor] = {}
    steps: dict[str, dict] = {"steps": {}, "frame_steps": {}}
    for variant, paths in parts.items():
        if not all(each.is_file() for each in paths):
            continue
        found = [files.read(each) for each in paths]
        arrays[f"counts/{variant}"] = torch.stack([tensors["counts"] for tensors, _ in found])     # (S, T, K + 1)
        arrays[f"frames/{variant}"] = found[0][0]["frames"][:, :FRAME]                             # (T', n, ...)
        for kind, each in steps.items():
            each[variant] = found[0][1][kind]
    if arrays:
        files.write(path, arrays, facts | steps | {"kind": "watched"})

