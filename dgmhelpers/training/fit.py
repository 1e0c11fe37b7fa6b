r"""Training of every model with a ``loss``: Adam, a schedule, validation, and nothing lost.

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

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.examples import as_examples
from dgmhelpers.training import arguments, loop
from dgmhelpers.training.history import History
from dgmhelpers.training.players import Player
from dgmhelpers.training.processes import Processes
from dgmhelpers.training.schedules import Cosine, Schedule

INITIALISED_BY = 1000   # examples, at even distances
Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def fit(
    model: Any,
    train: Any,
    *,
    valid: Any | Callable[[nn.Module], float] | None = None,
    steps: int,
    batch_size: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
    l1: float = 0.0,
    warmup: int = 0,
    decay: bool = True,
    schedule: Schedule | None = None,
    optimizer: Optimizer | None = None,
    ema: float | None = None,
    clip: float | None = None,
    anneal: int = 0,
    evaluate_every: int | None = None,
    evaluate_batch_size: int = 500,
    patience: int | None = None,
    time_limit: float | None = None,
    transform: Callable[[Tensor, Generator], Tensor] | None = None,
    watch: Callable[..., object] | None = None,
    precision: str = "no",
    compiled: bool = False,
    seed: int = 0,
    context: Tensor | None = None,
    valid_context: Tensor | None = None,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    extend: bool = False,
    progress: bool = True,
    device: str | torch.device | None = None,
) -> History:
    """Minimise ``model.loss`` over ``train``; leave the model in eval mode with its best weights.

    Args:
        model: a module with ``loss(x, context=None, *, generator=None)`` and ``event_shape``. If it has
            ``initialise(x)``, that is called first, with a thousand of the examples, spread over all of them.
        train: all examples, ``(N, *event_shape)``, as :func:`~dgmhelpers.examples.as_examples` takes them: a tensor, an
            array, a table, a ``Dataset``; a view of overlapping windows is not copied.
        valid: what to choose the best weights by: examples, ``(M, *event_shape)``, or ``valid(model)``, any figure that
            is small for good weights (it is called in eval mode, the random state put back; where processes train
            together, in each). Without it the last weights are kept.
        steps: updates in all, those before an interruption included.
        batch_size: examples per update, over all processes together.
        lr, betas, weight_decay, l1: Adam's, and two penalties on the weights.
        warmup, decay: steps of linear rise of the rate, and whether it then falls to zero on a cosine.
        schedule: ``schedule(lr, step)``, the rate of a step, instead of these two.
        optimizer: makes the optimiser of given parameters, such as ``partial(torch.optim.SGD, lr=0.1)``, instead of
            AdamW with ``lr``, ``betas`` and ``weight_decay``; warm-up and decay act on its rate.
        ema: decay of an exponential moving average of the weights, which is then what is validated and kept.
        clip: largest norm of the gradient.
        anneal: steps over which ``model.beta`` rises linearly to 1, for a bound whose KL is to be warmed up.
        evaluate_every: steps between validations and checkpoints; a twentieth of ``steps`` by default.
        evaluate_batch_size: examples at a time in validation; decides time and memory, not the figure.
        patience: stop after so many validations in a row without improvement.
        time_limit: stop at the first evaluation after so many seconds of this call.
        transform: ``transform(batch, generator)`` makes what the model sees, e.g. a fresh binarisation.
        watch: ``watch(model, step)``, or ``watch(model, step, history)``, is called before the first step and at every
            evaluation, the model in eval mode, the random state put back; what it returns, if not None, is entered in
            ``history.watched``: numbers, text, tensors, or lists and dicts of them.
        precision: "no" or "bf16", automatic mixed precision in the loss; validation is in full.
        compiled: whether the loss goes through ``torch.compile``: the same up to rounding, and paid for once (seconds
            to minutes, see ``benchmarks/compile.py``); validation does not.
        seed: decides batches, dropout and what the loss draws. The caller's random state is not touched.
        context, valid_context: what the examples are conditioned on, along the same first axis.
        checkpoint: file that keeps the state; if it exists the run goes on from it, unless ``resume`` is False.
        extend: whether ``checkpoint`` may be of a run with fewer ``steps``, one that ran out of ``patience`` included.
            Rates are then those that a run of ``steps`` has at these steps: with ``decay`` they rise again.

    Raises:
        ValueError: for arguments that cannot be meant.
        CheckpointError: if ``checkpoint`` is damaged or belongs to another run; the file is left as it is.
        TrainingDiverged: if the loss or its gradient is not finite; model and checkpoint are the last good ones.
        KeyboardInterrupt: once the state is saved, if there is a ``checkpoint``.
    """
    train = as_examples(train, "train")
    if valid is not None and not callable(valid):
        valid = as_examples(valid, "valid")
    given = dict(locals())
    arguments.check_fit(**given)
    given["evaluate_every"] = min(evaluate_every or max(1, steps // 20), steps)
    trained = [p for p in model.parameters() if p.requires_grad]
    if optimizer is not None:
        moves = optimizer(trained)
    else:                                                # one group if it does: an optimiser takes time for each
        parts = [[p for p in trained if p.ndim >= 2], [p for p in trained if p.ndim < 2]] if weight_decay else [trained]
        decays = zip(parts, (weight_decay, 0.0), strict=False)
        groups = [{"params": part, "weight_decay": some} for part, some in decays if part]
        moves = torch.optim.AdamW(groups, lr=float(lr), betas=betas)
    schedule = schedule or (Cosine(steps, warmup, decay) if warmup or decay else None)
    loss = torch.compile(model.loss) if compiled else model.loss
    last: list[Tensor | None] = []

    def turns(state):
        if anneal:
            model.beta = min(1.0, state.now / anneal)
        x, about = state.batch()
        last[:] = x, about = x if transform is None else transform(x, state.draws), about
        yield "model", loss(x, about, generator=state.draws)

    def examine():
        return {"loss": _loss(model, *last)}

    if hasattr(model, "initialise"):
        some = train[:: max(1, len(train) // INITIALISED_BY)][:INITIALISED_BY]
        some = some if transform is None else transform(some, Generator(some.device).manual_seed(seed))
        model.initialise(some.to(_place(model)))
    if isinstance(valid, Tensor):
        valid = partial(mean_nll, x=valid, context=valid_context, batch_size=evaluate_batch_size)
    try:
        return cast(History, loop.train(
            model, turns, players={"model": Player(moves, trained, clip=clip, l1=l1, schedule=schedule)},
            streams={"x": (train, context)}, steps=steps, batch_size=batch_size, valid=valid, examine=examine,
            watch=watch, ema=ema, evaluate_every=evaluate_every, patience=patience, time_limit=time_limit,
            precision=precision, seed=seed, checkpoint=checkpoint, resume=resume, extend=extend, progress=progress,
            device=device,
            history=History(), together=True, advice="Lower lr, lengthen warmup or set clip",
            identity={name: x for name, x in given.items() if name not in arguments.UNDECIDED},
        ))  # fmt: skip
    finally:
        if anneal:
            model.beta = 1.0


def _place(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@torch.no_grad()
def mean_nll(model: Any, x: Tensor, context: Tensor | None = None, batch_size: int = 500) -> float:
    """Mean of ``-log_prob`` (of ``loss``, for a model without one) over all of ``x``; each process does its part."""
    where = _place(model)
    processes = Processes(where)
    parts = slice(processes.rank, None, processes.count)
    mine, of_mine = x[parts], None if context is None else context[parts]
    total = 0.0
    for start in range(0, len(mine), batch_size):
        some = mine[start : start + batch_size].to(where)
        about = None if of_mine is None else of_mine[start : start + batch_size].to(where)
        if hasattr(model, "log_prob"):
            total -= model.log_prob(some, about).cpu().double().sum().item()
        else:
            total += float(_loss(model, some, about)) * len(some)
    return processes.sum(total) / len(x)


@torch.no_grad()
def _loss(model: Any, x: Tensor, context: Tensor | None) -> Tensor:
    """The loss, with the same draws whenever it is asked for."""
    return model.loss(x, context, generator=Generator(x.device).manual_seed(0))
