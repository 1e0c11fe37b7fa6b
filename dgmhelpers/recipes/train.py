"""From an experiment to a result: train every run, store the weights, load what was stored, and measure that.

Each stage of each candidate trains in a file of its own under ``runs/``, so that whatever stops the work costs at most
the steps since the last evaluation: the same command goes on, and passes over what is finished. Among the candidates
the validation split alone chooses; the test split is looked at once, by the weights as they lie on the disk.
"""

import contextlib
import hashlib
import inspect
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers import console, data, devices
from dgmhelpers.recipes import get, keeping, record
from dgmhelpers.recipes.experiment import Experiment, Made, Stage, plain
from dgmhelpers.recipes.provenance import command, commit
from dgmhelpers.recipes.record import Folders
from dgmhelpers.training import checkpoints, em, files, fit, fit_adversarial, memory
from dgmhelpers.training.identity import describe

FEW = 5             # steps that are timed where nothing is on record
NOT_TIMED = ("warmup", "patience", "evaluate_every", "compiled", "anneal")    # meant for more than a few steps
Say = Callable[[str], object]


@dataclass(frozen=True)
class Examples:
    """The data as a stage's model takes it.

    Attributes:
        train, valid: the splits; valid is None where there is none.
        dataset: all there is to know of it.
        facts: the model's arguments that follow from the data.
        contexts: for a model that is conditional on the class, the labels of the two splits, as ``fit`` calls them.
    """

    train: Tensor
    valid: Tensor | None
    dataset: data.Dataset
    facts: dict[str, Any] = field(default_factory=dict)
    contexts: dict[str, Any] = field(default_factory=dict)


def gradient(model: nn.Module, examples: Examples, *, watch=None, **rest):
    """:func:`~dgmhelpers.training.fit`; it calls nobody who watches."""
    return fit(model, examples.train, valid=examples.valid, **examples.contexts, **rest)


def expectation_maximisation(model: nn.Module, examples: Examples, *, watch=None, **rest):
    """:func:`~dgmhelpers.training.em`; it calls nobody who watches."""
    return em(model, examples.train, valid=examples.valid, **rest)


def game(model: nn.Module, examples: Examples, **rest):
    """:func:`~dgmhelpers.training.fit_adversarial`."""
    return fit_adversarial(model, examples.train, **rest)


TRAINERS: dict[str, Callable] = {"gradient": gradient, "em": expectation_maximisation, "game": game}


def prepare(experiment: Experiment, stage: Stage, dataset: data.Dataset) -> Examples:
    """Bring a stage's data into the shape of its model's examples."""
    config, wanted = stage.config, inspect.signature(stage.kind).parameters
    if dataset.symbols is not None and "length" in config:   # overlapping windows to train on, disjoint to choose by
        length = config["length"]
        valid = dataset.windows(length, "valid")[::length]
        return Examples(dataset.windows(length), valid, dataset, _missing({"levels": dataset.levels}, wanted, config))
    if "event_shape" in wanted:
        facts = {"event_shape": list(dataset.event_shape), "levels": dataset.levels}
    else:
        dataset = dataset.flat() if "dim" in wanted else dataset
        facts = {"dim": dataset.dim} if "dim" in wanted else {}
    some = {} if dataset.valid is None else {"valid": experiment.some(dataset.valid)}
    contexts = {}
    if config.get("classes"):
        contexts = {"context": dataset.labels["train"], "valid_context": experiment.some(dataset.labels["valid"])}
    return Examples(dataset.train, some.get("valid"), dataset, _missing(facts, wanted, config), contexts)


def _missing(facts: dict, wanted, config: Mapping) -> dict:
    return {key: value for key, value in facts.items() if key in wanted and key not in config}


def build(stage: Stage, examples: Examples, seed: int) -> nn.Module:
    """A fresh model; its first weights are decided by ``seed`` alone."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = stage.kind(**stage.config, **examples.facts)
    if not hasattr(model, "config"):                     # what makes it again, for the checkpoint
        model.config = plain({**stage.config, **examples.facts})
    return model


@dataclass
class Trained:
    """What training all stages of one candidate gave: ``models`` by stage, ``model`` what is measured and stored."""

    experiment: Experiment
    models: Mapping[str, nn.Module]
    model: nn.Module
    history: Any                # of the last stage, as is examples
    examples: Examples
    dataset: data.Dataset
    seconds: float

    @property
    def valid(self) -> Any:
        """The figure on validation that candidates are chosen by; None if the training gives none."""
        return getattr(self.history, "best_valid", None)

    def account(self) -> dict[str, Any]:
        """How far the last stage was trained, and what its validation figure is (of the weights before storing)."""
        training, taken = self.experiment.stages[-1].training, len(self.history.steps)
        examples = len(self.examples.train)
        epochs = round(taken * training.get("batch_size", examples) / examples, 2) if "steps" in training else None
        return {
            "valid": self.valid,
            "best_step": getattr(self.history, "best_step", None),
            "steps_taken": taken,
            "steps_planned": training.get("steps"),
            "epochs": epochs,
            "stopped": self.history.stopped,
            "seconds": round(self.history.seconds, 1),
        }


def train(
    which: str | Experiment,
    *,
    profile: str | None = None,
    seed: int | None = None,
    device: str | torch.device | None = None,
    precision: str | None = None,
    compiled: bool = False,
    time_limit: float | None = None,
    budget: float | None = None,
    folders: Folders | None = None,
    say: Say = console.say,
) -> Path | None:
    """Carry out an experiment; gives the file of its result. What is finished already is not done again.

    Args:
        which: an experiment, or its name.
        seed: this one alone, instead of the experiment's own.
        precision: "bf16" or "no" where the recipe's own is not wanted. It and ``compiled`` are for what trains by
            gradient.
        compiled: whether the loss is compiled in training.
        time_limit: seconds of training for each stage of each candidate in this call; what there is by then is
            measured, and the result says so.
        budget: seconds in this call, all runs together; by then it is put down, no result is written, None is
            returned, and the same call goes on.
        say: called with each line of news.
    """
    profile, until = devices.profile(profile), None if budget is None else time.perf_counter() + budget
    experiment = (get(which) if isinstance(which, str) else which).for_profile(profile)
    experiment = experiment if seed is None else replace(experiment, seeds=(seed,))
    asked: dict[str, Any] = ({} if precision is None else {"precision": precision})
    asked |= {"compiled": True} if compiled else {}
    stages = [replace(s, training={**s.training, **asked}) if s.trainer == "gradient" else s for s in experiment.stages]
    experiment = replace(experiment, stages=tuple(stages))
    words = command(which if isinstance(which, str) else experiment.name, profile, seed, time_limit, asked)
    main = os.environ.get("RANK", "0") == "0"            # accelerate launch gives each process its number
    job = Job(experiment, folders or Folders.standard(profile), devices.device(device), profile, commit(), words,
              time_limit, until, say if main else lambda line: None)  # fmt: skip
    memory.forget_peak(job.device)
    before, runs = memory.now(job.device), []
    for seed in experiment.seeds:
        for variant in experiment.variants:
            run = job.finished(variant, seed)
            if run is None:
                chosen, tried = job.tried(variant, seed)
                if len(tried) < len(experiment.candidates):
                    return None
                run = keeping.measure(job, variant, seed, tried, chosen) if main else {}
            runs.append(run)
            if main and len(experiment.seeds) * len(experiment.variants) > 1:
                say(f"{variant}, seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in run["run"]["figures"].items()))
    if main:
        peak = memory.peak(job.device)
        keeping.conclude(job, runs, None if peak is None or before is None else peak - before)
    return job.result


@dataclass(frozen=True)
class Job:
    """One call of :func:`train`."""

    experiment: Experiment
    folders: Folders
    device: torch.device
    profile: str
    commit: str | None
    command: str
    time_limit: float | None
    until: float | None
    say: Say

    @property
    def result(self) -> Path:
        """The file of its result."""
        return self.folders.results / f"{self.experiment.name}.json"

    @property
    def weights(self) -> Path:
        """The file of its weights."""
        return self.folders.checkpoints / f"{self.experiment.name}.safetensors"

    def path(self, variant: str, seed: int, name: str) -> Path:
        """A file of one run, in a folder of its own: another run if anything is changed that decides it."""
        one = self.experiment.changed(self.experiment.variants[variant])
        decides = (one.stages, one.candidates, one.measures, one.whole, one.finish, one.watch, one.part, one.protocol)
        digest = hashlib.sha256(json.dumps(describe(decides), sort_keys=True).encode()).hexdigest()[:8]
        folder = f"{re.sub('[ /]', '-', variant)}-seed-{seed}-{digest}"
        return self.folders.runs / self.experiment.name / folder / name

    def finished(self, variant: str, seed: int) -> dict[str, Any] | None:
        """What a run wrote when it was finished, if its weights are still there."""
        path = self.path(variant, seed, "run.json")
        if not path.is_file():
            return None
        run = json.loads(path.read_text(encoding="utf-8"))
        stored = run["kept"] and run["kept"]["checkpoint"]
        there = not stored or (self.weights.is_file() and files.sha256(self.weights) == stored["sha256"])
        return run if there else None

    def tried(self, variant: str, seed: int) -> tuple[int, list[Trained]]:
        """All candidates of one variant, trained from one seed, and which one validation chooses.

        Fewer, if the time was up.
        """
        one, tried = self.experiment.changed(self.experiment.variants[variant]), []
        count = len(one.candidates)
        for i, change in enumerate(one.candidates):
            afresh = i == 0 and not (self.folders.runs / one.name).exists()
            trained = self.trained(one.changed(change), seed, self.path(variant, seed, f"candidate-{i}"), afresh)
            if trained is None:
                break
            if count > 1:
                if trained.valid is None:
                    raise ValueError(f"{one.name} has candidates, but its training gives no figure on validation")
                self.say(f"candidate {i + 1} of {count}, {dict(change)}: validation {trained.valid:.4f}")
            tried.append(trained)
        figures = [trained.valid for trained in tried if trained.valid is not None]
        return figures.index(min(figures)) if count > 1 and tried else 0, tried

    def trained(self, one: Experiment, seed: int, state: Path, announce: bool) -> Trained | None:
        """One candidate, stage after stage, announced or not; None if it was put down."""
        made, seconds = Made(seed, self.device), 0.0
        for stage in one.stages:
            dataset = stage.dataset(made)
            examples = prepare(one, stage, dataset)
            model, trainer = build(stage, examples, seed), trainer_of(stage)
            path = state.with_name(f"{state.name}{'-' * bool(stage.name)}{stage.name}.safetensors")
            if announce:
                self.say(f"{one.name}{'/' * bool(stage.name)}{stage.name}: {one.description}. "
                         f"{self.forecast(one, stage, examples, seed)}")  # fmt: skip
            left = None if self.until is None else max(1e-9, self.until - time.perf_counter())
            limit = min((t for t in (self.time_limit, left) if t is not None), default=None)
            watch = None if one.watch is None else partial(_look, one.watch, dataset, seed)
            history = trainer(model, examples, seed=seed, checkpoint=path, time_limit=limit, device=self.device,
                              watch=watch, **stage.training)  # fmt: skip
            if history.stopped == "time" and limit != self.time_limit:
                planned = f" of {stage.training['steps']:,}" if "steps" in stage.training else ""
                self.say(f"{one.name}: put down at step {len(history.steps):,}{planned}; the same call goes on")
                return None
            seconds += history.seconds
            made = Made(seed, self.device, {**made.models, stage.name: model}, made.dataset or dataset)
        model = model if one.whole is None else checkpoints.model_class(one.whole)(**made.models).to(self.device)
        model = (model if one.finish is None else one.finish(model)).eval()
        return Trained(one, made.models, model, history, examples, made.dataset or dataset, seconds)

    def forecast(self, one: Experiment, stage: Stage, examples: Examples, seed: int) -> str:
        """What training will take: what it took, by the record, or what a few steps take, which are thrown away."""
        with contextlib.suppress(record.ResultError):
            last = record.result(one.name, self.folders.results)
            if record.difference(self.experiment, last) is None:
                size = f" and {memory.in_words(last['memory'])}" if last.get("memory") else ""
                device = last["device"].get("name", last["device"]["type"])
                return f"All of it took {last['seconds']['all'] / 60:.1f} min{size} on {device}, by the record"
        model = build(stage, examples, seed)
        size = f"{sum(p.numel() for p in model.parameters()):,} parameters"
        if not isinstance(stage.trainer, str) or stage.training.get("steps", 0) < 4 * FEW:
            return size
        training = {k: v for k, v in stage.training.items() if k not in NOT_TIMED}
        labels = {k: v for k, v in examples.contexts.items() if k == "context"}
        before = memory.now(self.device)
        _, more = (                                      # the first call pays for what is made but once
            trainer_of(stage)(model, replace(examples, valid=None, contexts=labels), seed=seed, device=self.device,
                              **training | {"steps": steps, "progress": False}).seconds for steps in (1, FEW)
        )  # fmt: skip
        minutes, peak = more / FEW * stage.training["steps"] / 60, memory.peak(self.device)
        size += "" if peak is None or before is None else f", {memory.in_words(peak - before)}"
        runs = len(one.candidates) * len(self.experiment.variants) * len(self.experiment.seeds)
        return f"{size}; by {FEW} steps, at most {minutes:.1f} min of updates for each of {runs} on {self.device}"


def trainer_of(stage: Stage) -> Callable:
    """The function that trains a stage."""
    return TRAINERS[stage.trainer] if isinstance(stage.trainer, str) else stage.trainer


def _look(watch, dataset, seed, model, step):
    return watch(model, dataset, seed)


def try_out(experiment: Experiment, *, device: str | torch.device | None = None) -> dict[str, Any]:
    """The result of an experiment that is carried out as it stands, in silence, and of which no file is kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = train(experiment, profile="full", device=device, folders=Folders.within(Path(folder)),
                     say=lambda line: None)  # fmt: skip
        return json.loads(path.read_text(encoding="utf-8")) if path else {}
