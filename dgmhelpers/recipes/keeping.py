"""What is kept of a run: its weights, what was measured on them as they lie on the disk, and where it comes from."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dgmhelpers import evaluation
from dgmhelpers.recipes import record
from dgmhelpers.recipes.experiment import Experiment, plain
from dgmhelpers.recipes.measures import TIMED_SAMPLES, measured, seconds_per_sample
from dgmhelpers.recipes.provenance import describe, versions
from dgmhelpers.training import checkpoints, files

if TYPE_CHECKING:
    from dgmhelpers.recipes.train import Job, Trained


def measure(job: "Job", variant: str, seed: int, tried: list["Trained"], chosen: int) -> dict[str, Any]:
    """Measure the chosen model, stored first if it is the one to keep; gives what is to be known of the run.

    It is written beside the training's state, so that a finished run is not measured again.
    """
    trained = tried[chosen]
    one, model, dataset, kept = trained.experiment, trained.model, trained.dataset, None
    if variant == one.keep and seed == one.seeds[0]:
        kept = _store(job, variant, seed, trained)
        model = checkpoints.load(job.weights, job.device, classes=one.classes())
    metrics = measured(model, one, dataset, seed, full=kept is not None)
    figures: dict[str, float] = {}
    for metric in metrics:
        if metric["dataset"] == dataset.name:
            figures.setdefault(metric["name"], metric["value"])
    seconds = round(sum(each.seconds for each in tried), 1)
    if kept is not None:
        how = "cached" if hasattr(model, "log_prob") else "direct"
        kept |= {
            "metrics": metrics,
            "selection": {
                "split": "valid",
                "chosen": chosen,
                "candidates": [{"change": plain(change), **each.account()}
                               for change, each in zip(job.experiment.candidates, tried, strict=True)],
            },
            "training": trained.account(),
            "seconds": {
                "train": round(trained.seconds, 1),
                "train_all_candidates": seconds,
                "per_sample": seconds_per_sample(model, seed, one.stages[-1].config.get("classes")),
                "sampling": f"{how}, {TIMED_SAMPLES} at a time",
            },
        }  # fmt: skip
    about: dict[str, Any] = {"name": dataset.name, "sha256": dataset.sha256}
    about["splits"] = {name: len(x) for name, x in dataset.splits.items()}
    if dataset.entropy is not None:
        about["entropy"] = dataset.entropy
    run = {
        "dataset": about,
        "kept": kept,
        "run": {"variant": variant, "seed": seed, "figures": figures, "seconds": seconds, "commit": job.commit,
                "parameters": evaluation.live_parameters(model)},
    }  # fmt: skip
    watched = getattr(trained.history, "watched", None)
    if watched:
        record.keep_watched(job.path(variant, seed, "watched.safetensors"), watched)
    if all(each.history.stopped != "time" for each in tried):
        files.write_json(job.path(variant, seed, "run.json"), run)
    return run


def _store(job: "Job", variant: str, seed: int, trained: "Trained") -> dict[str, Any]:
    """Write the weights; gives what the record says of the file and of the model."""
    one, dataset = trained.experiment, trained.dataset
    provenance = {
        "recipe": one.name,
        "profile": job.profile,
        "variant": variant,
        "seed": seed,
        "commit": job.commit,
        "dataset": {"name": dataset.name, "sha256": dataset.sha256},
        "command": job.command,
        "symbols": None if dataset.symbols is None else "".join(dataset.symbols),
        "validation": trained.valid,
    }
    stages = {} if one.whole is None else trained.models
    checkpoints.save(job.weights, trained.model, provenance, dtype=one.dtype, stages=stages)
    about = checkpoints.read_metadata(job.weights)
    facts = {"class": about["model"], "config": about["config"]}
    facts |= {"stages": about["stages"]} if stages else {}
    return {
        "variant": variant,
        "seed": seed,
        "model": facts | {"parameters": evaluation.live_parameters(trained.model)},
        "checkpoint": {"file": job.weights.name, "sha256": files.sha256(job.weights),
                       "bytes": job.weights.stat().st_size, "dtype": one.dtype},
    }  # fmt: skip


def conclude(job: "Job", found: list[dict[str, Any]], peak: int | None) -> None:
    """Write the record, gather what was watched, and say what there is to say."""
    experiment, runs = job.experiment, [each["run"] for each in found]
    kept: dict[str, Any] = next((each["kept"] for each in found if each["kept"]), {})
    selection = kept.get("selection")
    chosen = experiment.changed(experiment.candidates[selection["chosen"] if selection else 0])
    result = {
        "name": experiment.name,
        "description": experiment.description,
        "profile": job.profile,
        "dataset": found[0]["dataset"],
        "settings": chosen.settings(),
        "variants": plain(experiment.variants),
        "seeds": list(experiment.seeds),
        "units": {name: text for measure in experiment.measures for name, text in measure.units.items()},
        "summary": record.summary(runs),
        "gains": _gains(experiment, runs),
        "runs": runs,
        "variant": kept.get("variant"),
        "seed": kept.get("seed"),
        "model": kept.get("model"),
        "metrics": kept.get("metrics", []),
        "selection": selection,
        "training": kept.get("training"),
        "seconds": kept.get("seconds", {}) | {"all": round(sum(run["seconds"] for run in runs), 1)},
        "memory": peak,
        "published": [{"id": key, "differs": text} for key, text in experiment.published.items()],
        "checkpoint": kept.get("checkpoint"),
        "commit": job.commit,
        "command": job.command,
        "device": describe(job.device),
        "versions": versions(),
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    files.write_json(job.result, result)
    facts = {key: result[key] for key in ("name", "profile", "command", "commit", "device", "seeds")}
    parts = {variant: [job.path(variant, seed, "watched.safetensors") for seed in experiment.seeds]
             for variant in experiment.variants}  # fmt: skip
    record.gather_watched(job.result.with_name(f"{experiment.name}{record.WATCHED}"), parts, facts)
    for metric in result["metrics"]:
        error = f" ± {metric['standard_error']:.4f}" if metric["standard_error"] is not None else ""
        count = f" ({metric['examples']:,} examples)" if "examples" in metric else ""
        job.say(f"{metric['dataset']} {metric['split']}, {metric['measure']}: {metric['value']:.4f}{error} "
                f"{metric['unit']}{count}")  # fmt: skip
    for key in experiment.published:
        if row := record.published().get(key):
            job.say(f"published, {row['system']}: {row['value']} {row['unit']}")
    job.say(f"wrote {job.result.name}" + (f" and {job.weights.name}" if kept else ""))


def _gains(experiment: Experiment, runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By how much each figure of each variant is above that of ``against``, seed by seed; empty without one."""
    found: dict[str, dict[str, Any]] = {}
    base = experiment.against
    if base is None or len(experiment.seeds) < 2:
        return found
    for variant in experiment.variants:
        for figure in runs[0]["figures"] if variant != base else ():
            gain = record.gains({"runs": runs}, figure, variant, base)
            found.setdefault(variant, {})[figure] = {"value": gain.value, "interval": list(gain.interval())}
    return found
