"""One loop for any objective: players that take turns, streams of examples, and nothing lost.

An objective is a function of a page. It is called once a step with the run's :class:`~dgmhelpers.training.state.State`
and yields ``(player, loss)`` for each update; the loop takes the update before it asks for more::

    def turns(state):
        x, labels = state.batch("x")                                  # the next examples of that stream
        z = torch.randn(len(x), 2, generator=state.draws)             # what is drawn, is drawn from here
        yield "critic", critic(x, labels).mean() - critic(generator(z)).mean()
        yield "generator", -critic(generator(z)).mean()               # the critic has moved

    train(model, turns, players={"critic": Adam(...), "generator": Adam(...)}, streams={"x": (x, labels)},
          steps=1000, batch_size=64)

A third entry, ``(player, loss, shown)``, is what enters the history instead of the loss. What a sampler carries from
step to step (chains, a buffer) stands in ``state.carry`` and is resumed with the rest; ``state.check(what, value)`` has
a step refused if a value is not finite. Turns are computed when they are asked for, so a generator function says them.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from dgmhelpers import devices
from dgmhelpers.numerics import gradients_on
from dgmhelpers.training import arguments
from dgmhelpers.training.guards import Interrupts, no_denormals, random_state_kept, sound_convolutions
from dgmhelpers.training.history import Record
from dgmhelpers.training.identity import describe
from dgmhelpers.training.players import Player
from dgmhelpers.training.processes import Processes
from dgmhelpers.training.run import Run, Turns
from dgmhelpers.training.state import State

ONE_AT_A_TIME = threading.RLock()   # PyTorch's random numbers belong to the process: two runs would share them


def train(
    model: nn.Module,
    turns: Turns,
    *,
    players: Mapping[str, Player | torch.optim.Optimizer],
    streams: Mapping[str, Tensor | tuple[Tensor | None, ...]],
    steps: int,
    batch_size: int,
    valid: Callable[[nn.Module], float] | None = None,
    examine: Callable[[], Mapping[str, Tensor]] | None = None,
    watch: Callable[..., object] | None = None,
    carry: Mapping[str, Tensor] | None = None,
    ema: float | None = None,
    averaged: Iterable[str] | None = None,
    evaluate_every: int | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    precision: str = "no",
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    extend: bool = False,
    progress: bool = True,
    device: str | torch.device | None = None,
    history: Record | None = None,
    identity: Mapping | None = None,
    together: bool = False,
    advice: str = "Lower the learning rates",
) -> Record:
    """Train by any objective; leave ``model`` in eval mode with its best weights, or its last if nothing chooses.

    Args:
        model: holds all that is trained.
        turns: called once a step with the :class:`State`; yields ``(player, loss)``, as this module says.
        players: by name; an optimiser alone stands for ``Player(optimizer)``.
        streams: examples by name, ``(N, ...)``, or several tensors that stay together; each stream has its own order.
        steps: in all, those before an interruption included.
        batch_size: examples in a batch, unless ``state.batch`` is asked for another number.
        valid: ``valid(model)`` gives a figure that is small for good weights; the weights kept are those of the least.
        examine: values that must be finite for weights to be kept, by name; the weights themselves by default.
        watch: ``watch(model, step)``, or ``watch(model, step, history)``, is called before the first step and at
            evaluations; what it returns, if not None, enters the history: numbers, text, tensors,
            and lists and dicts of them.
        carry: tensors by name that the turns read and replace in ``state.carry``; resumed.
        ema, averaged: decay of a moving average of the weights, which is then what is validated and kept, and the
            players whose weights are averaged: all by default.
        evaluate_every: steps between evaluations and checkpoints; a twentieth of ``steps`` by default.
        patience: stop after so many validations in a row without improvement.
        time_limit: stop at the first evaluation after so many seconds of this call.
        precision: "no" or "bf16", automatic mixed precision in the turns.
        seed: decides batches, draws and dropout. The caller's random state is not touched.
        checkpoint: file that keeps the state; if it exists the run goes on from it, unless ``resume`` is False.
        extend: whether it may be of a run with fewer ``steps``.
        history: an empty record of the kind to return.
        identity: what must be the same for a run to go on, instead of these arguments.
        together: whether several processes may train together: the mean of their losses must be the whole batch's.

    Trainings of one process wait for each other, because dropout draws from PyTorch's own random numbers, of which
    there is one stream; whatever else draws from it in another thread meanwhile changes what comes out.

    Raises:
        ValueError: for arguments that cannot be meant.
        CheckpointError: if ``checkpoint`` is damaged or belongs to another run; the file is left as it is.
        TrainingDiverged: if a loss, or what is examined, is not finite; model and checkpoint are the last good ones.
        KeyboardInterrupt: once the state is saved, if there is a ``checkpoint``.
    """
    given = dict(locals())
    playing = {name: p if isinstance(p, Player) else Player(p) for name, p in players.items()}
    arguments.check_loop(model, playing, steps=steps, batch_size=batch_size, evaluate_every=evaluate_every, ema=ema,
                         seed=seed, patience=patience, time_limit=time_limit, precision=precision, watch=watch)
    steps, batch_size, seed = int(steps), int(batch_size), int(seed)
    if identity is None:
        identity = {name: x for name, x in given.items() if name not in arguments.UNDECIDED} | {"players": playing}
    processes = Processes(devices.for_model(model, devices.device(device)))
    if processes.count > 1 and not together:
        raise ValueError("this objective runs in one process; start it without a launcher")
    with (ONE_AT_A_TIME, gradients_on(), random_state_kept(processes.device), no_denormals(),
          sound_convolutions(model, processes.device, precision), Interrupts() as asked):
        model.to(processes.device)
        state = State(
            model, {name: player.optimizer for name, player in playing.items()}, streams, batch_size=batch_size,
            seed=seed, device=processes.device, history=history or Record(), ema=ema, carry=carry,
            averaged=[p for name in averaged or playing for p in playing[name].parameters],
            rank=processes.rank, processes=processes.count,
        )  # fmt: skip
        processes.agree(model)
        run = Run(
            state, turns, playing, processes, steps=steps, valid=valid, examine=examine, watch=watch, patience=patience,
            evaluate_every=int(min(evaluate_every or max(1, steps // 20), steps)), time_limit=time_limit, asked=asked,
            checkpoint=checkpoint, identity=describe(identity) if checkpoint is not None else {}, precision=precision,
            advice=advice, extend=extend,
        )  # fmt: skip
        return run.play(resume, progress and processes.rank == 0)
