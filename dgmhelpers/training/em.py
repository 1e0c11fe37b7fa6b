"""Expectation maximisation behind the face of :func:`dgmhelpers.training.fit`: same splits, same history.

A step looks at all of the training split and has no rate, so there is nothing to schedule; the validation split still
says when to stop and which parameters to keep, because EM's own objective only ever rises.

Cost
    That of the model's ``em_step``. A run is decided by its seed and takes seconds to minutes, so no state is kept on
    the disk: the same call takes the same steps again.
"""

import math
import os
import time
import warnings
from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers import devices
from dgmhelpers.examples import as_examples
from dgmhelpers.training.files import move
from dgmhelpers.training.history import History
from dgmhelpers.training.progress import Bar


@torch.no_grad()
def em(
    model: Any,
    train: Tensor,
    *,
    valid: Tensor | None = None,
    steps: int,
    tolerance: float = 1e-5,
    patience: int | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    start: str | None = None,
    starts: int = 1,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
    device: str | torch.device | None = None,
) -> History:
    """EM from a random start; leave the model in eval mode with its best parameters.

    A step that breaks down, such as a component that collapses on one example, ends the run with a warning, and the
    best parameters before it are kept; ``history.stopped`` is then "collapse".

    Args:
        model: with ``start(x, generator)`` and ``em_step(x)``, which returns the objective before the step.
        train: all examples, ``(N, *event_shape)``.
        valid: examples to choose the best parameters by; without them the last are kept.
        steps: at most so many.
        tolerance: stop when a step gains less, in nats per example.
        patience: stop after so many validations in a row (there is one a step) without improvement.
        time_limit: stop after so many seconds.
        seed: decides the start.
        start: how the model starts, of the ways that it knows: ``"k-means++"`` for a mixture, for instance.
        starts: how many starts, from seeds ``seed``, ``seed + 1``, …; the one that ends best is kept, by ``valid`` if
            there is one, and its history returned.
        checkpoint: not used; here so that a recipe can call this as it calls ``fit``.

    Raises:
        ValueError: if ``steps`` or ``starts`` is not a positive integer, the model has no EM, or the first step of
            every start breaks down.
    """
    if not isinstance(starts, int) or starts < 1:
        raise ValueError(f"starts must be an integer of at least 1, got {starts!r}")
    if starts > 1:
        given: dict[str, Any] = {
                 "valid": valid, "steps": steps, "tolerance": tolerance, "patience": patience, "start": start,
                 "time_limit": None if time_limit is None else time_limit / starts, "progress": progress}  # fmt: skip
        runs, error = [], None
        for each in range(seed, seed + starts):
            try:
                history = em(model, train, seed=each, device=device, **given)
            except ValueError as broken:
                error = broken
                continue
            figure = history.train_loss[-1] if history.best_valid is None else history.best_valid
            runs.append((figure, history, {k: v.clone() for k, v in model.state_dict().items()}))
        if not runs and error is not None:
            raise error
        _, history, best = min(runs, key=lambda run: run[0])
        model.load_state_dict(best)
        return history
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be an integer of at least 1, got {steps!r}")
    if not (hasattr(model, "em_step") and hasattr(model, "start")):
        raise ValueError(f"{type(model).__name__} has no EM: it lacks start(x, generator) or em_step(x)")
    where = devices.for_model(model, devices.device(device))
    model.to(where).eval()
    train = model.check(move(as_examples(train, "train"), where))
    valid = None if valid is None else model.check(move(as_examples(valid, "valid"), where))
    history, begun = History(), time.perf_counter()
    bar = Bar(steps, 0, progress)
    model.start(train, Generator().manual_seed(seed), *([] if start is None else [start]))
    kept, worse = None, 0
    for step in range(1, steps + 1):
        try:
            objective = model.em_step(train)             # which leaves the parameters as they are if it breaks down
        except ValueError as error:
            if step == 1:
                raise
            warnings.warn(f"EM stopped before step {step}: {error}", stacklevel=3)
            history.stopped = "collapse"
            break
        history.steps.append(step)
        history.train_loss.append(-objective)
        if not math.isfinite(objective):
            raise ValueError(f"EM broke down at step {step}: its objective is {objective}")
        if valid is not None:
            sums = [model.log_prob(part).sum() for part in valid.split(1000)]
            figure = -sum(sums[1:], sums[0]).item() / len(valid)
            history.valid_loss.append((step, figure))
            if history.best_valid is None or figure < history.best_valid:
                history.best_step, history.best_valid, worse = step, figure, 0
                kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            else:
                worse += 1
        bar.note(f"{-objective:.4g}" if valid is None else f"{-objective:.4g}, validation {figure:.4g}")
        bar.update()
        history.seconds = time.perf_counter() - begun
        gained = history.train_loss[-2] - history.train_loss[-1] if step > 1 else math.inf
        if gained < tolerance:
            break
        if patience is not None and worse >= patience:
            history.stopped = "patience"
        elif time_limit is not None and history.seconds >= time_limit and step < steps:
            history.stopped = "time"
        if history.stopped:
            break
    if kept is not None:
        model.load_state_dict(kept)
    bar.finish(str(history))
    return history
