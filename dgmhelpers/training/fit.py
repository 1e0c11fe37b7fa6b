r"""The training loop of every model with a ``loss``: Adam, a schedule, validation, and nothing lost.

One step is

.. math::  \theta \leftarrow \theta - \eta_t\, \mathrm{Adam}\big(\nabla_\theta\, \mathrm{loss}(x_{b_t})\big),

where the batches :math:`b_t` run through one permutation of the examples after another, and the rate
:math:`\eta_t` rises linearly for ``warmup`` steps and then falls to zero on half a cosine.

Source
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; weight decay as in I. Loshchilov
    and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
Differs
    ``l1`` adds :math:`\lambda \sum |W|` to what is minimised (by its subgradient, so weights come near zero and
    seldom to it). Decay and ``l1`` act on parameters of two or more dimensions: weights, not biases.
Cost
    Beside the model's own: a copy of the weights at each evaluation that improves. On CUDA the loop waits for the
    device at evaluations and every hundred steps, not at each.
"""

import math
import os
import time
from collections.abc import Callable

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import Generator, Tensor, nn

from dgmhelpers import console, devices
from dgmhelpers.training import files
from dgmhelpers.training.arguments import check, identify
from dgmhelpers.training.guards import CHECK_EVERY, Interrupts, TrainingDiverged, interrupted, no_denormals
from dgmhelpers.training.progress import Bar
from dgmhelpers.training.state import History, State


def fit(
    model: nn.Module,
    train: Tensor,
    *,
    valid: Tensor | None = None,
    steps: int,
    batch_size: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
    l1: float = 0.0,
    warmup: int = 0,
    decay: bool = True,
    ema: float | None = None,
    clip: float | None = None,
    anneal: int = 0,
    evaluate_every: int | None = None,
    evaluate_batch_size: int = 500,
    patience: int | None = None,
    time_limit: float | None = None,
    transform: Callable[[Tensor, Generator], Tensor] | None = None,
    precision: str = "no",
    compiled: bool = False,
    seed: int = 0,
    context: Tensor | None = None,
    valid_context: Tensor | None = None,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    progress: bool = True,
    device: str | torch.device | None = None,
) -> History:
    """Minimise ``model.loss`` over ``train``; leave the model in eval mode with its best weights.

    Args:
        model: a module with ``loss(x, context=None, *, generator=None)`` and ``event_shape``.
        train: all examples, ``(N, *event_shape)``; a view of overlapping windows is not copied.
        valid: examples to choose the best weights by, ``(M, *event_shape)``; without them the last are kept.
        steps: updates in all, those before an interruption included.
        batch_size: examples per update, over all processes together.
        lr, betas, weight_decay, l1: Adam's, and two penalties on the weights.
        warmup, decay: steps of linear rise of the rate, and whether it then falls to zero on a cosine.
        ema: decay of an exponential moving average of the weights, which is then what is validated and kept.
        clip: largest norm of the gradient.
        anneal: steps over which ``model.beta`` rises linearly to 1, for a bound whose KL is to be warmed up.
        evaluate_every: steps between validations and checkpoints; a twentieth of ``steps`` by default.
        evaluate_batch_size: examples at a time in validation; decides time and memory, not the figure.
        patience: stop after so many validations in a row without improvement.
        time_limit: stop at the first evaluation after so many seconds of this call.
        transform: ``transform(batch, generator)`` makes what the model sees, e.g. a fresh binarisation.
        precision: "no" or "bf16", automatic mixed precision in the loss; validation is in full.
        compiled: whether the loss goes through ``torch.compile``: the same up to rounding, and paid for once (seconds
            to minutes, see ``benchmarks/compile.py``); validation does not.
        seed: decides batches, dropout and what the loss draws. The caller's random state is not touched.
        context, valid_context: what the examples are conditioned on, along the same first axis.
        checkpoint: file that keeps the state; if it exists the run goes on from it, unless ``resume`` is False.

    Raises:
        ValueError: for arguments that cannot be meant.
        CheckpointError: if ``checkpoint`` is damaged or belongs to another run; the file is left as it is.
        TrainingDiverged: if the loss is not finite; model and checkpoint are the last good ones.
        KeyboardInterrupt: once the state is saved, if there is a ``checkpoint``.
    """
    arguments = dict(locals())
    check(**arguments)
    evaluate_every = arguments["evaluate_every"] = min(evaluate_every or max(1, steps // 20), steps)
    accelerator, where = _accelerator(device, precision)
    model.to(where)
    identity = identify(**arguments) if checkpoint is not None else {}
    train, context = files.move(train, where), None if context is None else context.to(where)
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    biases = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, betas=betas)
    rank, processes = accelerator.process_index, accelerator.num_processes
    show = progress and accelerator.is_main_process
    look_every = 1 if where.type == "cpu" else min(CHECK_EVERY, evaluate_every)

    def rate(step: int) -> float:
        """Learning rate of update ``step`` = 1 ... ``steps``."""
        if step <= warmup:
            return lr * step / warmup
        return lr * (1 + math.cos(math.pi * (step - 1 - warmup) / (steps - warmup))) / 2 if decay else lr

    def look() -> None:
        """Enter the losses not looked at yet into the history; refuse one that is not finite."""
        for value in torch.stack(unseen).tolist() if unseen else []:
            step = len(history.steps) + 1
            if not math.isfinite(value):
                last = history.train_loss[-1] if history.train_loss else None
                raise TrainingDiverged(step, rate(step), value, last, state.kept_step)
            history.steps.append(step)
            history.train_loss.append(value)
        unseen.clear()

    def evaluate() -> None:
        """Measure the model, keep it if it is the best, and see whether to stop."""
        model.eval()
        with state.averaged():
            if valid is not None:
                figure, what = _mean_nll(model, valid, valid_context, evaluate_batch_size, accelerator), "validation"
            else:                                        # nothing to choose by: only see that it works
                figure, what = _loss(model, x, None if context is None else context[batch]), "loss"
            if not math.isfinite(figure):
                last = history.train_loss[-1]
                raise TrainingDiverged(state.step, rate(state.step), figure, last, state.kept_step, what)
            if valid is None or state.record(figure):
                state.keep()
        model.train()
        history.seconds = time.perf_counter() - started
        if state.step == steps:
            return
        if patience is not None and state.worse >= patience:
            history.stopped = "patience"
        elif _any(time_limit is not None and time.perf_counter() - called >= time_limit, accelerator):
            history.stopped = "time"

    def save() -> None:
        if checkpoint is not None and accelerator.is_main_process:
            state.save(checkpoint, identity)
        accelerator.wait_for_everyone()

    with torch.random.fork_rng([where] if where.type == "cuda" else []), no_denormals(), Interrupts() as asked:
        state = State(model, optimizer, len(train), seed, where, ema, rank)
        if checkpoint is not None and resume and state.restore(checkpoint, identity) and show:
            over = state.step == steps or state.history.stopped == "patience"
            word = "finished" if over else "going on"
            console.say(f"{checkpoint}: {word} at step {state.step:,} of {steps:,}")
        history, unseen, called = state.history, [], time.perf_counter()
        started = called - history.seconds
        history.stopped = "patience" if history.stopped == "patience" else None
        objective = _Objective(model)
        objective = accelerator.prepare(torch.compile(objective) if compiled else objective)
        bar = Bar(steps, state.step, show)
        model.train()
        settled = True                                   # False while an update is half done
        try:
            while state.step < steps and history.stopped is None:
                if asked.pending and processes == 1:
                    raise KeyboardInterrupt
                settled, step = False, state.step + 1
                if anneal:
                    model.beta = min(1.0, step / anneal)
                batch = state.next_batch(batch_size)[rank::processes]
                x = train[batch] if transform is None else transform(train[batch], state.draws)
                loss = objective(x, None if context is None else context[batch], state.draws)
                loss = loss * (len(batch) * processes / batch_size)   # so that the mean over processes is the batch's
                optimizer.zero_grad(set_to_none=True)
                accelerator.backward(loss)
                unseen.append(accelerator.reduce(loss.detach(), "mean"))
                due = step % evaluate_every == 0 or step == steps
                if due or step % look_every == 0:
                    look()
                    bar.note(_note(history))
                with_gradient = [p for p in weights if p.grad is not None] if l1 else []
                if with_gradient:
                    signs = torch._foreach_sign([p.detach() for p in with_gradient])
                    torch._foreach_add_([p.grad for p in with_gradient], signs, alpha=l1)
                if clip is not None:
                    accelerator.clip_grad_norm_(model.parameters(), clip)
                for group in optimizer.param_groups:
                    group["lr"] = rate(step)
                optimizer.step()
                state.updated()
                bar.update()
                if due:
                    evaluate()
                settled = True
                if due:
                    save()
                    if _any(asked.pending, accelerator):
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            history.stopped, history.seconds = "interrupted", time.perf_counter() - started
            if settled:
                look()
                save()
            bar.finish(interrupted(state, steps, checkpoint))
            raise
        except BaseException:
            bar.finish()
            raise
        finally:
            optimizer.zero_grad(set_to_none=True)
            state.leave()
            model.eval()
            if anneal:
                model.beta = 1.0
    bar.finish(str(history))
    return history


class _Objective(nn.Module):
    """The loss as a forward pass, which is where mixed precision and the averaging of gradients take hold."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None, generator: Generator) -> Tensor:
        return self.model.loss(x, context, generator=generator)


def _accelerator(device: str | torch.device | None, precision: str) -> tuple[Accelerator, torch.device]:
    """Accelerate's view of the processes there are, and the device this one computes on."""
    where = devices.device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:      # its settings are global: forget those of the last fit
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    accelerator = Accelerator(cpu=where.type == "cpu", mixed_precision=precision, device_placement=False)
    return accelerator, accelerator.device if accelerator.num_processes > 1 else where


@torch.no_grad()
def _mean_nll(model: nn.Module, x: Tensor, context: Tensor | None, batch_size: int, accelerator: Accelerator) -> float:
    """Mean of ``-log_prob`` (of ``loss``, for a model without one) over all of ``x``; each process does its part."""
    parts, where = slice(accelerator.process_index, None, accelerator.num_processes), next(model.parameters()).device
    mine, of_mine = x[parts], None if context is None else context[parts]
    total = 0.0
    for start in range(0, len(mine), batch_size):
        some = mine[start : start + batch_size].to(where)
        about = None if of_mine is None else of_mine[start : start + batch_size].to(where)
        if hasattr(model, "log_prob"):
            total -= model.log_prob(some, about).double().sum().item()
        else:
            total += _loss(model, some, about) * len(some)
    if accelerator.num_processes > 1:
        total = accelerator.reduce(torch.tensor(total, dtype=torch.double, device=accelerator.device), "sum").item()
    return total / len(x)


@torch.no_grad()
def _loss(model: nn.Module, x: Tensor, context: Tensor | None) -> float:
    """The loss, with the same draws whenever it is asked for."""
    return model.loss(x, context, generator=Generator(x.device).manual_seed(0)).item()


def _any(condition: bool, accelerator: Accelerator) -> bool:
    """Whether ``condition`` is true in any process: they must stop together."""
    if accelerator.num_processes == 1:
        return condition
    return bool(accelerator.reduce(torch.tensor(float(condition), device=accelerator.device), "sum").item())


def _note(history: History) -> str:
    text = f"loss {history.train_loss[-1]:.4g}" if history.train_loss else ""
    return text + (f", valid {history.valid_loss[-1][1]:.4f}" if history.valid_loss else "")
