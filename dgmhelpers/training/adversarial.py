r"""Algorithm 1: two networks that learn from each other, k steps of the discriminator to one of the generator.

One iteration is

.. math::  \theta_d \leftarrow \theta_d - \mathrm{opt}_d\big(\nabla_{\theta_d} L_d(D(x), D(G(z)))\big) \quad
           \text{($k$ times, each with fresh $x$ and $z$)}, \\
           \theta_g \leftarrow \theta_g - \mathrm{opt}_g\big(\nabla_{\theta_g} L_g(D(G(z)))\big) \quad
           \text{(with fresh $z$)},

with any pair of losses :math:`L_d, L_g` from :mod:`dgmhelpers.adversarial.losses`; ``loss="minimax"`` is the algorithm
as it was published.

Source
    I. Goodfellow et al., "Generative adversarial nets", NIPS 2014, algorithm 1.
Differs
    Minibatches of examples run through one permutation of the data after another, not drawn with replacement. Adam by
    default, at a constant rate (momentum in the paper: ``optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.5)``).
Cost
    An iteration: 2k + 1 passes of the discriminator and k + 1 of the generator forward, 2k + 1 and 1 backward. On CUDA
    the loop waits for the device at evaluations and every hundred iterations, not at each. One process.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.adversarial import losses
from dgmhelpers.examples import as_examples
from dgmhelpers.training import arguments, loop
from dgmhelpers.training.fit import Optimizer
from dgmhelpers.training.history import GameHistory
from dgmhelpers.training.players import Player
from dgmhelpers.training.schedules import Cosine, Schedule


def fit_adversarial(
    model: Any,
    train: Any,
    *,
    steps: int,
    batch_size: int,
    k: int = 1,
    loss: str | losses.Loss = "nonsaturating",
    lr: float = 2e-4,
    betas: tuple[float, float] = (0.5, 0.999),
    optimizer: Optimizer | None = None,
    discriminator_optimizer: Optimizer | None = None,
    generator_batch_size: int | None = None,
    warmup: int = 0,
    decay: bool = False,
    schedule: Schedule | None = None,
    clip: float | None = None,
    ema: float | None = None,
    opponent: Callable[[nn.Module, Tensor, Tensor], Callable[[Tensor], Tensor]] | None = None,
    watch: Callable[..., object] | None = None,
    valid: Callable[[nn.Module], float] | None = None,
    evaluate_every: int | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    context: Tensor | None = None,
    precision: str = "no",
    compiled: bool = False,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    extend: bool = False,
    progress: bool = True,
    device: str | torch.device | None = None,
) -> GameHistory:
    """Play the game; leave the model in eval mode with its last weights, or the best by ``valid``.

    Args:
        model: with ``generator`` (z to examples), ``discriminator`` (examples to logits; it may look at a whole batch),
            ``noise(n, generator=...)`` and ``event_shape``, such as :class:`dgmhelpers.adversarial.GAN`.
        train: all examples, ``(N, *event_shape)``.
        steps: generator updates in all, those before an interruption included.
        batch_size: real examples, and as many fake ones, in a discriminator step.
        k: discriminator steps to each step of the generator.
        loss: a name in ``losses.LOSSES``, or a :class:`~dgmhelpers.adversarial.losses.Loss`.
        lr, betas: Adam's, of both players, unless ``optimizer`` is given.
        optimizer, discriminator_optimizer: make the optimiser of given parameters, such as
            ``partial(torch.optim.SGD, lr=0.1)``; the first serves both players if it is alone.
        generator_batch_size: fake examples in a generator step; ``batch_size`` by default.
        warmup, decay, schedule, clip: of the rates and gradients of both players, as in
            :func:`~dgmhelpers.training.fit`.
        ema: decay of an exponential moving average of the generator's weights, which is then what is kept.
        opponent: ``opponent(model, real, fake)`` gives what the generator's step is scored by, examples to logits,
            instead of the discriminator as it is: one unrolled by some steps, for instance.
        watch: ``watch(model, step)`` is called before the first step and at every evaluation, the model in eval mode,
            the random state put back; what it returns, if not None, is entered in the history: numbers, text, tensors,
            or lists and dicts of them.
        valid, patience: any figure of the model that is small for good weights, and how many in a row may bring no
            improvement.
        evaluate_every: steps between looks at the weights, calls of ``watch`` and checkpoints; a twentieth of
            ``steps`` by default.
        time_limit: stop at the first evaluation after so many seconds of this call.
        context: what the examples are conditioned on, along the same first axis: the players are called as
            ``generator(z, context)`` and ``discriminator(x, context)``; fake examples of a discriminator's step have
            those of the real ones, a generator's step draws its own.
        precision: "no" or "bf16", automatic mixed precision in the losses.
        compiled: whether the networks go through ``torch.compile``.
        seed: decides batches, noise and dropout. The caller's random state is not touched.
        checkpoint: file that keeps the state; if it exists the run goes on from it, unless ``resume`` is False.
        extend: whether it may be of a run with fewer ``steps``: see :func:`~dgmhelpers.training.fit`.

    Raises:
        ValueError: for arguments that cannot be meant, and for logits that do not match.
        CheckpointError: if ``checkpoint`` is damaged or belongs to another run; the file is left as it is.
        TrainingDiverged: if a loss, or what the generator makes, is not finite: it says which. Model and checkpoint
            are the last good ones.
        KeyboardInterrupt: once the state is saved, if there is a ``checkpoint``.
    """
    train = as_examples(train, "train")
    given = dict(locals())
    arguments.check_adversarial(**given)
    given["evaluate_every"] = min(evaluate_every or max(1, steps // 20), steps)
    loss = given["loss"] = losses.get(loss) if isinstance(loss, str) else loss
    make = optimizer or partial(torch.optim.Adam, lr=float(lr), betas=betas)
    schedule = schedule or (Cosine(steps, warmup, decay) if warmup or decay else None)
    makers = {"discriminator": discriminator_optimizer or make, "generator": make}
    players = {
        name: Player(maker([p for p in getattr(model, name).parameters() if p.requires_grad]), clip=clip,
                     schedule=schedule)
        for name, maker in makers.items()
    }
    compiling = torch.compile if compiled else lambda network: network
    generator, discriminator = compiling(model.generator), compiling(model.discriminator)

    def turns(state):
        largest = torch.zeros((), device=state.device)
        for _ in range(k):
            z = model.noise(batch_size, generator=state.draws)
            real, about = state.batch()
            make_it, judge = _given(about, generator), _given(about, discriminator)
            with torch.no_grad():
                fake = make_it(z).to(real.dtype)            # shorter in mixed precision
            d = total = loss.discriminator(judge(real), judge(fake))
            if loss.penalty is not None:
                penalty = loss.penalty(judge, real, fake, generator=state.draws)
                total = d + loss.penalty_weight * penalty
            largest = torch.maximum(largest, fake.abs().amax())      # NaN and infinity stay what they are
            state.check("generator's output", largest)
            yield "discriminator", total, d
        z = model.noise(generator_batch_size or batch_size, generator=state.draws)
        if context is not None:
            about = state.batch("context", generator_batch_size)
        judge = _given(about, discriminator) if opponent is None else opponent(model, real, fake)
        yield "generator", loss.generator(judge(_given(about, generator)(z)))

    def examine():
        return works(model, batch_size, context)

    return cast(GameHistory, loop.train(
        model, turns, players=players,
        streams={"x": (train, context)} | ({} if context is None else {"context": context}), steps=steps,
        batch_size=batch_size, valid=valid, examine=examine, watch=watch, ema=ema, averaged=["generator"],
        evaluate_every=evaluate_every, patience=patience, time_limit=time_limit, precision=precision, seed=seed,
        checkpoint=checkpoint, resume=resume, extend=extend, progress=progress, device=device, history=GameHistory(),
        identity={name: x for name, x in given.items() if name not in arguments.UNDECIDED},
        advice="Lower the learning rates, or change the loss or k",
    ))  # fmt: skip


def _given(context: Tensor | None, network: Callable) -> Callable:
    """The network with its context, if there is one."""
    return network if context is None else lambda x: network(x, context)


@torch.no_grad()
def works(model: Any, n: int, context: Tensor | None = None) -> dict[str, Tensor]:
    """The sum of the sizes of what each player makes of ``n`` draws: finite if all of it is."""
    where = next(model.parameters()).device
    about = None if context is None else context[torch.arange(n) % len(context)].to(where)
    fake = _given(about, model.generator)(model.noise(n, generator=Generator(where).manual_seed(0)))
    return {"generator's output": fake.abs().sum(),
            "discriminator's output": _given(about, model.discriminator)(fake).abs().sum()}
