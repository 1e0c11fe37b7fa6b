"""What a training will take, said before it starts and checked against what happened.

Time: a few steps of each candidate are taken and thrown away, and a few validation examples are measured. Memory: the
data that lies on the device, the weights with their gradients and moments, and what one step keeps for its backward
pass. Intermediate results that live for a moment are not counted, nor what libraries keep for themselves: the peak is
above the plan, and by how much is recorded.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Generator

from dgmhelpers import devices
from dgmhelpers.training import em, files, fit, memory

TRAINERS = {"gradient": fit, "em": em}
SPEED_STEPS = 5
FEW, MANY = 4, 100          # validation examples to time: many where a few take no time
NOTHING = 0.1               # seconds
NOT_TIMED = ("warmup", "patience", "evaluate_every", "compiled")   # a few steps would pay for compiling, not gain


@dataclass(frozen=True)
class Plan:
    """What training all candidates of a recipe will take at most.

    Attributes:
        seconds: of updates. validation_seconds: of looking at the validation split on the way.
        data: bytes of the examples. state: bytes of weights, gradients, moments and copies, of the largest candidate.
        activations: bytes that one step keeps for its backward pass, of the most demanding candidate.
        parameters: of the largest candidate.
    """

    seconds: float
    validation_seconds: float
    data: int
    state: int
    activations: int
    parameters: int

    @property
    def bytes(self) -> int:
        """All of the memory that is planned for."""
        return self.data + self.state + self.activations

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {memory.in_words(size)}" for name, size in (
            ("data", self.data), ("weights and moments", self.state), ("activations", self.activations)))
        return (f"at most {self.seconds / 60:.1f} min of updates and {self.validation_seconds / 60:.1f} min of "
                f"validation; {memory.in_words(self.bytes)} ({parts})")


def make(recipe, examples, build, seed: int = 0, device=None) -> Plan:
    """Measure a few steps of each candidate of a recipe, and throw them away.

    Args:
        build: ``(recipe, examples, seed) → model``.
    """
    where = devices.device(device)
    seconds = validation = 0.0
    state = activations = parameters = 0
    for change in recipe.candidates:
        one = recipe.with_candidate(change)
        model = build(one, examples, seed)
        seconds += one.training["steps"] * _step_seconds(one, model, examples, seed, where)
        validation += _looks(one) * _look_seconds(model, examples, where)
        gradient = one.method == "gradient"
        state = max(state, memory.of_state(model, bool(one.training.get("ema")), gradient))
        parameters = max(parameters, sum(p.numel() for p in model.parameters()))
        if gradient:
            size = min(one.training["batch_size"], len(examples.train))
            x = examples.train[:size].to(where)
            about = examples.contexts.get("context")
            about = None if about is None else about[:size].to(where)
            draws = Generator(where).manual_seed(seed)
            with torch.random.fork_rng([where] if where.type == "cuda" else []):
                kept = memory.of_activations(model.train(), x, about, generator=draws)
            activations = max(activations, kept)
    there = [examples.train, examples.contexts.get("context")]
    if where.type == "cpu":                              # elsewhere validation examples come to the device in batches
        there += [examples.valid, examples.contexts.get("valid_context")]
    data = memory.of_tensors(*there)
    return Plan(seconds, validation, data, state, activations, parameters)


def _step_seconds(one, model, examples, seed: int, where) -> float:
    """Seconds of one update; what the first call alone pays for is taken off."""
    brief = {k: v for k, v in one.training.items() if k not in NOT_TIMED}
    brief |= {k: v for k, v in examples.contexts.items() if k == "context"}
    _, few, more = (
        TRAINERS[one.method](
            model, examples.train, **brief | {"steps": steps}, seed=seed, progress=False, device=where).seconds
        for steps in (1, 1, 1 + SPEED_STEPS)
    )  # fmt: skip
    return (more - few) / SPEED_STEPS if more > few else more / (1 + SPEED_STEPS)


def _looks(one) -> int:
    """How often the validation split is looked at, at most."""
    steps = one.training["steps"]
    every = 1 if one.method == "em" else min(one.training.get("evaluate_every") or max(1, steps // 20), steps)
    return -(-steps // every)


@torch.no_grad()
def _look_seconds(model, examples, where) -> float:
    """Seconds of one look at the whole validation split, from a part of it."""
    model.to(where).eval()
    took = count = 0
    for count in (FEW, MANY):
        x, about = examples.valid[:count].to(where), examples.contexts.get("valid_context")
        about = None if about is None else about[:count].to(where)
        began = time.perf_counter()
        if hasattr(model, "log_prob"):
            model.log_prob(x, about).sum().item()
        else:
            model.loss(x, about, generator=Generator(where).manual_seed(0)).item()
        took, count = time.perf_counter() - began, len(x)
        if took > NOTHING:
            break
    return took * len(examples.valid) / count


def keep(path: Path, plan: Plan) -> None:
    """Write a plan beside the runs it is of, for whoever finishes them."""
    files.write_json(path, asdict(plan))


def kept(path: Path) -> Plan | None:
    """The plan that was written there, if any."""
    return Plan(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def account(plan: Plan | None, seconds: float, peak: int | None) -> dict | None:
    """Planned and actual, side by side, for the record; None without a plan.

    Args:
        seconds: that training took with validation, all candidates together.
        peak: bytes in use at most while this process trained, above what it used before the data was loaded.
    """
    if plan is None:
        return None
    return {
        "seconds": {"updates": round(plan.seconds, 1), "validation": round(plan.validation_seconds, 1),
                    "taken": round(seconds, 1)},
        "bytes": {"data": plan.data, "state": plan.state, "activations": plan.activations, "planned": plan.bytes,
                  "peak": peak},
    }  # fmt: skip


def in_words(account: dict) -> str:
    """One line that sets what was planned beside what happened."""
    seconds, size = account["seconds"], account["bytes"]
    return (f"planned at most {(seconds['updates'] + seconds['validation']) / 60:.1f} min and "
            f"{memory.in_words(size['planned'])}; took {seconds['taken'] / 60:.1f} min and at its peak "
            f"{memory.in_words(size['peak'])}")
