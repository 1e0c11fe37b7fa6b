"""From a recipe to a result: train, store, load what was stored, and measure that.

Each candidate trains in a file of its own under ``runs/``, so that whatever stops the work costs at most the steps
since the last evaluation: the same command goes on, and passes over what is finished. Among the candidates the
validation split alone chooses; the test split is looked at once, by the weights as they lie on the disk.
"""

import inspect
import os
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor, nn

from dgmhelpers import data, devices
from dgmhelpers.recipes import get
from dgmhelpers.recipes import measure as measuring
from dgmhelpers.recipes import plan as planning
from dgmhelpers.recipes.base import Recipe
from dgmhelpers.recipes.plan import TRAINERS
from dgmhelpers.recipes.provenance import command, commit, describe, versions
from dgmhelpers.training import History, checkpoints, files, memory

TIMED_SAMPLES = 100


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
        """The repository's own for the full profile; beside the runs for the quick one, so as to spoil nothing."""
        root = Path(__file__).resolve().parents[2]
        runs = Path(os.environ.get("DGM_RUN_DIR") or root / "runs") / profile
        if profile == "quick":
            return cls(runs, runs / "checkpoints", runs / "results")
        return cls(runs, checkpoints.folder(), Path(os.environ.get("DGM_RESULT_DIR") or root / "results"))


@dataclass(frozen=True)
class Examples:
    """The data as the recipe's model takes it.

    Attributes:
        facts: the model's arguments that follow from the data.
        contexts: for a model that is conditional on the class, the labels of the two splits, as ``fit`` calls them.
    """

    train: Tensor
    valid: Tensor
    dataset: data.Dataset
    facts: dict
    contexts: dict = field(default_factory=dict)


def prepare(recipe: Recipe) -> Examples:
    """Load a recipe's data and bring it into the shape of its model's examples."""
    dataset = data.load(recipe.dataset)
    if dataset.symbols is not None:                      # overlapping windows to train on, disjoint ones to choose by
        length = recipe.config["length"]
        valid = dataset.windows(length, "valid")[::length]
        return Examples(dataset.windows(length), valid, dataset, {"levels": dataset.levels})
    if "event_shape" in inspect.signature(checkpoints.model_class(recipe.model)).parameters:
        facts = {"event_shape": list(dataset.event_shape), "levels": dataset.levels}
    else:
        dataset, facts = dataset.flat(), {"dim": dataset.dim}
    contexts = {}
    if recipe.config.get("classes"):
        contexts = {"context": dataset.labels["train"], "valid_context": recipe.some(dataset.labels["valid"])}
    return Examples(dataset.train, recipe.some(dataset.valid), dataset, facts, contexts)


def build(recipe: Recipe, examples: Examples, seed: int) -> nn.Module:
    """A fresh model; its first weights are decided by ``seed`` alone."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return checkpoints.model_class(recipe.model)(**recipe.config, **examples.facts)


def train(
    name: str,
    *,
    profile: str | None = None,
    seed: int = 0,
    device: str | None = None,
    precision: str | None = None,
    compiled: bool = False,
    time_limit: float | None = None,
    budget: float | None = None,
    folders: Folders | None = None,
    say=lambda line: print(line, file=sys.stderr, flush=True),
) -> Path | None:
    """Carry out a recipe; gives the file of its result. What is finished already is not done again.

    Args:
        precision: "bf16" or "no" where the recipe's own is not wanted; EM has none.
        compiled: whether the loss is compiled in training; EM has none.
        time_limit: seconds of training for each candidate in this call; what there is by then is measured, and the
            result says so.
        budget: seconds of training in this call, all candidates together; by then it is put down, nothing is measured,
            None is returned, and the same call goes on.
        say: called with each line of news.
    """
    profile, begun = devices.profile(profile), time.perf_counter()
    recipe, folders = get(name).for_profile(profile), folders or Folders.standard(profile)
    asked = {} if precision is None else {"precision": precision}
    asked |= {"compiled": True} if compiled else {}
    if asked and recipe.method == "gradient":
        recipe = replace(recipe, training=dict(recipe.training) | asked)
    main = os.environ.get("RANK", "0") == "0"            # accelerate launch gives each process its number
    say = say if main else lambda line: None
    version = commit()                                   # of the code that trains, whatever happens to it meanwhile
    where = devices.device(device)
    memory.forget_peak(where)
    before = memory.now(where)
    examples, run = prepare(recipe), folders.runs / name / f"seed-{seed}"
    states = [run / f"candidate-{i}.safetensors" for i in range(len(recipe.candidates))]
    if not any(state.exists() for state in states):
        plan = planning.make(recipe, examples, build, seed, device)
        say(f"{name}: {recipe.description}. Candidates: {len(states)}, the largest of {plan.parameters:,} parameters; "
            f"{plan} on {where}")
        if main:
            planning.keep(run / "plan.json", plan)
    tried = []
    for i, (change, state) in enumerate(zip(recipe.candidates, states, strict=True), start=1):
        one = recipe.with_candidate(change)
        model = build(one, examples, seed)
        if len(states) > 1:
            say(f"candidate {i} of {len(states)}: {dict(change)}")
        left = None if budget is None else max(1e-9, budget - (time.perf_counter() - begun))
        limit = min((t for t in (time_limit, left) if t is not None), default=None)
        history = TRAINERS[one.method](
            model, examples.train, valid=examples.valid, **examples.contexts, **one.training, seed=seed,
            checkpoint=state, time_limit=limit, device=device,
        )  # fmt: skip
        if history.stopped == "time" and limit != time_limit:
            say(f"{name}: put down at step {len(history.steps):,} of {one.training['steps']:,}; the same call goes on")
            return None
        if len(states) > 1:
            say(f"candidate {i} of {len(states)}: validation {history.best_valid:.4f}")
        tried.append((one, model, history))
    peak = memory.peak(where)
    chosen = min(range(len(tried)), key=lambda i: tried[i][2].best_valid)
    path = folders.results / f"{name}.json"
    if main:
        result = _conclude(recipe, examples, tried, chosen, seed, profile, folders, device, version, time_limit)
        result["plan"] = planning.account(
            planning.kept(run / "plan.json"), sum(h.seconds for _, _, h in tried),
            None if peak is None or before is None else peak - before,
        )  # fmt: skip
        files.write_json(path, result)
        for line in _news(result):
            say(line)
    return path


def _conclude(recipe, examples, tried, chosen, seed, profile, folders, device, version, time_limit) -> dict:
    """Store the chosen model, load it again, measure it, and say where it comes from."""
    one, model, history = tried[chosen]
    if recipe.orders is not None:
        model = model.with_orders(recipe.orders)
    dataset, where = examples.dataset, devices.device(device)
    provenance = {
        "recipe": recipe.name,
        "profile": profile,
        "seed": seed,
        "commit": version,
        "dataset": {"name": dataset.name, "sha256": dataset.sha256},
        "command": command(recipe.name, profile, seed, time_limit, one.training),
        "symbols": None if dataset.symbols is None else "".join(dataset.symbols),
        "validation": history.best_valid,
    }
    stored = folders.checkpoints / f"{recipe.name}.safetensors"
    checkpoints.save(stored, model, provenance, dtype=recipe.dtype)
    model = checkpoints.load(stored, where)
    begun = time.perf_counter()
    classes = recipe.config.get("classes")
    context = {"context": torch.arange(TIMED_SAMPLES, device=where) % classes} if classes else {}
    model.sample(TIMED_SAMPLES, **context, generator=torch.Generator(where).manual_seed(seed))
    if where.type == "cuda":
        torch.cuda.synchronize()
    per_sample = (time.perf_counter() - begun) / TIMED_SAMPLES
    return {
        "name": recipe.name,
        "description": recipe.description,
        "profile": profile,
        "model": {
            "class": recipe.model,
            "config": model.config,
            "parameters": sum(p.numel() for p in model.parameters()),
        },
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "splits": {name: len(x) for name, x in dataset.splits.items()},
        },
        "metrics": measuring.every(model, recipe, dataset),
        "selection": {
            "split": "valid",
            "chosen": chosen,
            "candidates": [
                {"change": dict(change), **_account(h, len(examples.train), r)}
                for change, (r, _, h) in zip(recipe.candidates, tried, strict=True)
            ],
        },
        "training": dict(one.training) | _account(history, len(examples.train), one),
        "seconds": {
            "train": round(history.seconds, 1),
            "train_all_candidates": round(sum(h.seconds for _, _, h in tried), 1),
            "per_sample": per_sample,
            "sampling": f"{'direct' if measuring.has_bound(model) else 'cached'}, {TIMED_SAMPLES} at a time",
        },
        "published": [asdict(row) for row in recipe.published],
        "checkpoint": {
            "file": stored.name,
            "sha256": files.sha256(stored),
            "bytes": stored.stat().st_size,
            "dtype": recipe.dtype,
        },
        "seed": seed,
        "commit": version,
        "command": provenance["command"],
        "device": describe(where),
        "versions": versions(),
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _news(result: dict):
    """What there is to say of a result, line by line."""
    for metric in result["metrics"]:
        yield (f"{metric['dataset']} {metric['split']}, {metric['measure']}: {metric['value']:.4f} ± "
               f"{metric['standard_error']:.4f} {metric['unit']} ({metric['examples']:,} examples)")
    for row in result["published"]:
        yield f"published, {row['system']}: {row['value']} {row['unit']}"
    if result["plan"]:
        yield planning.in_words(result["plan"])
    yield f"wrote {result['name']}.json and {result['checkpoint']['file']}"


def _account(history: History, examples: int, recipe: Recipe) -> dict:
    """How far a candidate was trained, and what its validation figure is (of the weights before storing)."""
    taken = len(history.steps)
    return {
        "valid": history.best_valid,
        "best_step": history.best_step,
        "steps_taken": taken,
        "steps_planned": recipe.training["steps"],
        "epochs": round(taken * recipe.training.get("batch_size", examples) / examples, 2),
        "stopped": history.stopped,
        "seconds": round(history.seconds, 1),
    }
