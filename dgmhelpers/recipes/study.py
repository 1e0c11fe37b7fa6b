"""A study: several variants of one training, each from several seeds, with intervals instead of a best run.

``python -m dgmhelpers train NAME`` carries it out and writes ``results/studies/NAME.json``: every run, and for each
variant the mean of each figure over the seeds with its standard error. A run that is finished is kept under ``runs/``
and not done again; none is left out.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

import dgmhelpers
from dgmhelpers import data, devices, evaluation
from dgmhelpers.recipes.run import Folders, command, commit, describe
from dgmhelpers.training import checkpoints, files


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
        quick: the fields that differ in the quick profile.
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
    dtype: str = "float16"
    quick: Mapping = field(default_factory=dict)

    def for_profile(self, profile: str) -> "Study":
        """This study in the ``"quick"`` or the ``"full"`` profile."""
        return replace(self, **self.quick) if profile == "quick" else self


def conduct(
    study: Study, *, profile: str | None = None, device=None, folders: Folders | None = None,
    say=lambda line: print(line, file=sys.stderr, flush=True),
) -> Path:
    """Carry out a study; gives the file of its result. Runs that are finished are not done again."""
    profile = devices.profile(profile)
    study, folders, where = study.for_profile(profile), folders or Folders.standard(profile), devices.device(device)
    dataset, version, runs = data.load(study.dataset), commit(), []
    for seed in study.seeds:
        for variant, arguments in study.variants.items():
            stem = folders.runs / study.name / f"{variant.replace(' ', '-')}-{seed}"
            run = _finished(stem.with_suffix(".json"), study, dataset)
            if run is None:
                run = _run(study, dataset, variant, arguments, seed, stem, where, folders, version, profile)
                files.write_json(stem.with_suffix(".json"), run)
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


def _run(study, dataset, variant, arguments, seed, stem, where, folders, version, profile) -> dict:
    begun = time.perf_counter()
    model = study.train(dataset, dict(arguments), seed, dict(study.settings), stem.with_suffix(".safetensors"), where)
    seconds = time.perf_counter() - begun
    if variant == study.keep and seed == study.seeds[0]:
        stored = folders.checkpoints / f"{study.name}.safetensors"
        provenance = {"recipe": study.name, "profile": profile, "seed": seed, "commit": version,
                      "dataset": {"name": dataset.name, "sha256": dataset.sha256}, "variant": variant}
        checkpoints.save(stored, model, provenance, dtype=study.dtype)
        model = checkpoints.load(stored, where)
    figures = study.measure(model, dataset, seed)
    run = {"variant": variant, "seed": seed, "figures": figures, "seconds": round(seconds, 1), "commit": version}
    return {"identity": _identity(study, dataset), "run": run}


def _identity(study: Study, dataset) -> dict:
    variants = {name: _plain(arguments) for name, arguments in study.variants.items()}
    return {"settings": _plain(study.settings), "variants": variants, "data": dataset.sha256}


def _finished(path: Path, study: Study, dataset) -> dict | None:
    """What a run wrote, if it was a run of this very study."""
    if not path.is_file():
        return None
    run = json.loads(path.read_text(encoding="utf-8"))
    return run if run["identity"] == _identity(study, dataset) else None


def _plain(arguments: Mapping) -> dict:
    return json.loads(json.dumps(dict(arguments)))
