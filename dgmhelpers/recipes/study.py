"""A study: several variants of one training, each from several seeds, with intervals instead of a best run.

``python -m dgmhelpers train NAME`` carries it out and writes ``results/studies/NAME.json``: every run, and for each
variant the mean of each figure over the seeds with its standard error. A run that is finished is kept under ``runs/``
and not done again; none is left out. What was watched while training goes beside it, into
``results/studies/NAME-over-time.safetensors``: see :class:`OverTime`.
"""

import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor, nn

import dgmhelpers
from dgmhelpers import console, data, devices, evaluation
from dgmhelpers.recipes.run import Folders, command, commit, describe
from dgmhelpers.training import checkpoints, files

FRAME = 250   # samples in a frame that is stored
WATCHED = "-over-time.safetensors"


@dataclass(frozen=True)
class Study:
    """Variants times seeds.

    Attributes:
        dataset: name of a data set.
        variants: keyword arguments by the name of the variant.
        train: ``(dataset, arguments, seed, settings, checkpoint, device) → model``, trained.
        measure: ``(model, dataset, seed) → figures by name``.
        units: of each figure, in words.
        settings: what is the same in all runs, and is written beside them.
        keep: the variant whose model of the first seed is stored in ``checkpoints/`` under the study's name, if any;
            its figures are those of the stored weights.
        size: shape of one of its samples as a picture, if they are pictures.
        quick: the fields that differ in the quick profile.
        load: name → data set.
    """

    name: str
    description: str
    dataset: str
    variants: Mapping[str, Mapping]
    train: Callable[..., nn.Module]
    measure: Callable[..., dict[str, float]]
    units: Mapping[str, str]
    settings: Mapping = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    keep: str | None = None
    size: tuple[int, int] | None = None
    dtype: str = "float16"
    quick: Mapping = field(default_factory=dict)
    load: Callable[[str], data.Dataset] = data.load

    def for_profile(self, profile: str) -> "Study":
        """This study in the ``"quick"`` or the ``"full"`` profile."""
        return replace(self, **self.quick) if profile == "quick" else self


@dataclass
class Watched:
    """What ``train`` may leave as ``model.watched``, to be kept.

    Attributes:
        steps: at which the counts were taken; T of them.
        counts: samples in each cell at those steps, ``(T, K + 1)``.
        frame_steps: at which frames were taken, T′ of them.
        frames: samples at those steps, ``(T′, n, *event_shape)``; those of the first seed alone are stored.
    """

    steps: list[int]
    counts: Tensor
    frame_steps: list[int]
    frames: Tensor


@dataclass(frozen=True)
class OverTime:
    """What was watched in a study.

    Attributes:
        seeds: of the runs, S of them.
        steps, frame_steps: by variant, as for :class:`Watched`.
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
    """What was watched in the study of that name, from the repository's ``results/`` or another folder.

    Raises:
        CheckpointError: if there is no such file, or it is damaged.
    """
    folder = folder or Folders.standard("full").results
    tensors, metadata = files.read(folder / "studies" / f"{name}{WATCHED}")
    steps = metadata["steps"]                            # in the study's order; tensors are in that of the alphabet
    return OverTime(metadata["seeds"], steps, metadata["frame_steps"],
                    {variant: tensors[f"counts/{variant}"].long() for variant in steps},
                    {variant: tensors[f"frames/{variant}"].float() for variant in steps}, metadata)


def conduct(
    study: Study, *, profile: str | None = None, device=None, folders: Folders | None = None,
    say=console.say,
) -> Path:
    """Carry out a study; gives the file of its result. Runs that are finished are not done again."""
    profile = devices.profile(profile)
    study, folders, where = study.for_profile(profile), folders or Folders.standard(profile), devices.device(device)
    dataset, version, runs = study.load(study.dataset), commit(), []
    for seed in study.seeds:
        for variant, arguments in study.variants.items():
            stem = _stem(folders, study, variant, seed)
            record = _beside(stem, ".json")
            run = _finished(record, study, dataset, variant)
            if run is None:
                run = _run(study, dataset, variant, arguments, seed, stem, where, folders, version, profile)
                files.write_json(record, run)
            runs.append(run["run"])
            say(f"{variant}, seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in run["run"]["figures"].items()))
    result = {
        "name": study.name,
        "kind": "study",
        "description": study.description,
        "profile": profile,
        "dataset": {"name": dataset.name, "sha256": dataset.sha256},
        "settings": _plain(study.settings),
        "variants": {name: _plain(arguments) for name, arguments in study.variants.items()},
        "units": dict(study.units),
        "summary": summary(runs),
        "runs": runs,
        "checkpoint": f"{study.name}.safetensors" if study.keep else None,
        "command": command(study.name, profile, 0).replace(" --seed 0", ""),
        "commit": version,
        "device": describe(where),
        "versions": {"python": platform.python_version(), "dgmhelpers": dgmhelpers.__version__,
                     "torch": torch.__version__},
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    path = folders.results / "studies" / f"{study.name}.json"
    files.write_json(path, result)
    _gather(study, path, folders, {key: result[key] for key in ("name", "profile", "command", "commit", "device")})
    say(f"wrote {path.name}")
    return path


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


def gains(result: Mapping, figure: str, variant: str, base: str = "plain") -> evaluation.Gains:
    """By how much a variant's figure is above that of another, seed by seed, from a study's result.

    Runs of one seed share their first weights, where their networks have one shape, and their batches.
    """
    of = {(run["variant"], run["seed"]): run["figures"][figure] for run in result["runs"]}
    seeds = [seed for name, seed in of if name == variant]
    return evaluation.Gains([of[variant, seed] - of[base, seed] for seed in seeds], 1)


def _run(study, dataset, variant, arguments, seed, stem, where, folders, version, profile) -> dict:
    begun = time.perf_counter()
    model = study.train(dataset, dict(arguments), seed, dict(study.settings), _beside(stem, ".safetensors"), where)
    seconds = time.perf_counter() - begun
    if variant == study.keep and seed == study.seeds[0]:
        stored = folders.checkpoints / f"{study.name}.safetensors"
        provenance = {"recipe": study.name, "profile": profile, "seed": seed, "commit": version,
                      "dataset": {"name": dataset.name, "sha256": dataset.sha256}, "variant": variant}
        checkpoints.save(stored, model, provenance, dtype=study.dtype)
        model = checkpoints.load(stored, where)
    watched: Watched | None = getattr(model, "watched", None)
    if watched is not None:
        arrays = {"counts": watched.counts.to(torch.int16), "frames": watched.frames.to(torch.float16)}
        steps = {"steps": watched.steps, "frame_steps": watched.frame_steps}
        files.write(_beside(stem, WATCHED), arrays, steps)
    figures = study.measure(model, dataset, seed)
    run = {"variant": variant, "seed": seed, "figures": figures, "seconds": round(seconds, 1), "commit": version}
    return {"identity": _identity(study, dataset, variant), "run": run}


def _identity(study: Study, dataset, variant: str) -> dict:
    return {"settings": _plain(study.settings), "arguments": _plain(study.variants[variant]), "data": dataset.sha256}


def _finished(path: Path, study: Study, dataset, variant: str) -> dict | None:
    """What a run wrote, if it was a run of this very variant."""
    if not path.is_file():
        return None
    run = json.loads(path.read_text(encoding="utf-8"))
    return run if run["identity"] == _identity(study, dataset, variant) else None


def _stem(folders: Folders, study: Study, variant: str, seed: int) -> Path:
    return folders.runs / study.name / f"{variant.replace(' ', '-')}-{seed}"


def _beside(stem: Path, ending: str) -> Path:
    """``stem`` and an ending: ``with_suffix`` would cut the name of a variant such as "rate 0.001" at its point."""
    return stem.with_name(stem.name + ending)


def _gather(study: Study, path: Path, folders: Folders, facts: dict) -> None:
    """What was watched in the runs, into one file beside the result; none if nothing was."""
    arrays, steps = {}, {"steps": {}, "frame_steps": {}}
    for variant in study.variants:
        paths = [_beside(_stem(folders, study, variant, seed), WATCHED) for seed in study.seeds]
        if not all(path.is_file() for path in paths):
            continue
        found = [files.read(path) for path in paths]
        arrays[f"counts/{variant}"] = torch.stack([tensors["counts"] for tensors, _ in found])     # (S, T, K + 1)
        arrays[f"frames/{variant}"] = found[0][0]["frames"][:, :FRAME]                             # (T', n, ...)
        for kind in steps:
            steps[kind][variant] = found[0][1][kind]
    if arrays:
        about = facts | steps | {"kind": "watched", "seeds": list(study.seeds)}
        files.write(path.with_name(f"{study.name}{WATCHED}"), arrays, about)


def _plain(arguments: Mapping) -> dict:
    return json.loads(json.dumps(dict(arguments)))
