"""Laws of looking: what must not change by it, and what must not depend on the company."""

from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.calls import seeded, split
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law, not_offered, not_run
from dgmhelpers.protocols import takes

PACKED = 24  # draws for a discriminator: a multiple of 2, 3 and 4, should it look at several at once
DRAWN = 64


@law("evaluation", "modules", redrawn=True)
def forward_changes_nothing(subject: Subject, generator: Generator) -> Verdict:
    """Evaluating a model (or drawing from an implicit one) leaves its state as it was; masked weights get no gradient.

    Of an implicit model with a discriminator, what it draws is judged too, in evaluation mode.

    Masked weights are those a model names (``masked_weights()``) and those of submodules with a ``weight`` and a
    ``mask``.
    """
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in subject.modules]
    for training in (False,) if subject.from_noise else (False, True):
        with subject.training(training):
            for _ in range(3):
                _look(subject, generator)
    changed = [
        name
        for module, state in zip(subject.modules, before, strict=True)
        for name, value in module.state_dict().items()
        if not torch.equal(value, state[name])
    ]
    leaks, masked = _masked_gradients(subject, generator) if subject.scores is not None else (0, 0)
    held = not changed and not leaks
    if changed:
        meaning = f"Looking at the model changes it: {', '.join(changed[:3])}."
    elif leaks:
        meaning = "Weights that the mask removes still learn: the mask is not in the expression."
    else:
        meaning = "Looking does not change the model."
    measured = f"{len(changed)} tensors changed, {leaks} of {masked} masked weights have a gradient"
    return Verdict("forward_changes_nothing", held, measured, "none", meaning)


def _look(subject: Subject, generator: Generator) -> None:
    if subject.scores is not None:
        subject.log_probs(subject.random_states(8, generator), of=subject.scores)
    elif subject.from_noise:
        drawn = subject.draw(PACKED, generator)
        if callable(getattr(subject.model, "discriminator", None)):
            subject.model.discriminator(torch.as_tensor(drawn).to(subject.dtype))
    if subject.forward is not None:
        z, _ = split(subject.forward(subject.encode(subject.random_states(8, generator))))
        if subject.inverse is not None:
            subject.inverse(z)


def _masked_gradients(subject: Subject, generator: Generator) -> tuple[int, int]:
    pairs: list[tuple[Tensor, Tensor]] = []
    for top in subject.modules:
        own: Any = getattr(top, "masked_weights", None)
        pairs += own() if callable(own) else []
        for module in top.modules():
            weight, mask = getattr(module, "weight", None), getattr(module, "mask", None)
            if isinstance(weight, Tensor) and isinstance(mask, Tensor):
                pairs.append((weight, mask.expand_as(weight)))
    if not pairs or subject.scores is None:
        return 0, 0
    value = subject.scores(subject.encode(subject.random_states(8, generator))).sum()
    if not value.requires_grad:
        return 0, 0
    weights = [weight for weight, _ in pairs]
    gradients = torch.autograd.grad(value, weights, allow_unused=True)
    outside = [(g, ~mask.bool()) for g, (_, mask) in zip(gradients, pairs, strict=True) if g is not None]
    return sum(int((g[off] != 0).sum()) for g, off in outside), sum(int(off.sum()) for _, off in outside)


@law("evaluation", redrawn=True)
def ignores_the_batch(subject: Subject, generator: Generator) -> Verdict:
    """An example's log-likelihood, or its bound, does not change with the company it is evaluated in, nor in training.

    Statistics over the batch (BatchNorm in training mode) let one example see another, and itself at positions it
    must not see. Both companies have the same size and the same seed, so neither dropout nor a draw is mistaken for it.

    Of an implicit model, what its generator makes of a noise vector must not depend on the others, in evaluation mode.
    """
    name = "ignores_the_batch"
    if subject.from_noise:
        return _draws_ignore_the_batch(subject, generator)
    if subject.scores is None:
        return not_offered(name, "a map alone: logdet_matches_jacobian looks at its batch")
    ours = subject.random_states(4, generator)
    worst, allowed, where = 0.0, subject.slack, ""
    for training in (False, True) if subject.modules else (None,):
        with subject.training(bool(training)):
            values = []
            for _ in range(3):
                theirs = subject.random_states(12, generator)
                torch.manual_seed(0)
                values.append(subject.log_probs(torch.cat([ours, theirs]), of=subject.scores)[:4])
        gap = max((value - values[0]).nan_to_num(posinf=0, neginf=0).abs().max().item() for value in values)
        allowed = max(allowed, subject.slack * (1 + _finite(values[0]).abs().max().item()))
        if not gap <= worst:
            worst, where = gap, {True: " in training mode", False: " in evaluation mode", None: ""}[training]
    held = worst <= allowed
    if held and not subject.modules and subject.looked_for_modules:
        return not_offered(name, "no module was found behind these functions, so training mode could not be tried: "
                                 "name it by modules=, or say modules=[]")
    meaning = (
        "Each example is scored on its own."
        if held
        else "Examples see each other through the batch: the likelihood of one depends on its neighbours."
    )
    what = "log p" if subject.log_prob else "the bound" if subject.elbo else "the score"
    measured = f"{what} changes by {worst:.2g} nats{where}" if worst else f"{what} does not change"
    return Verdict(name, held, measured, f"{allowed:.2g} nats", meaning)


def _finite(values: Tensor) -> Tensor:
    return values.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


@torch.no_grad()
def _draws_ignore_the_batch(subject: Subject, generator: Generator) -> Verdict:
    model = subject.model
    ours = model.noise(4, generator=generator)
    made = [model.generator(torch.cat([ours, model.noise(12, generator=generator)]))[:4] for _ in range(3)]
    worst = max((each - made[0]).abs().max().item() for each in made)
    allowed = subject.slack * (1 + made[0].abs().max().item())
    held = worst <= allowed
    meaning = (
        "Each draw is made on its own."
        if held
        else "Draws see each other through the batch: they are not independent."
    )
    return Verdict("ignores_the_batch", held, f"an example changes by {worst:.2g}", f"{allowed:.2g}", meaning)


@law("sample")
def draws_are_sound(subject: Subject, generator: Generator) -> Verdict:
    """Draws are finite, of the shape, and decided by the generator alone: one seed, the same draws."""
    name, shape = "draws_are_sound", (DRAWN, *subject.event_shape)
    seed = int(torch.randint(2**31, (1,), generator=generator))
    assert subject.sample is not None
    drawn = []
    for other in (0, 1):
        torch.manual_seed(other)        # what is drawn from the global generator in secret differs
        drawn.append(torch.as_tensor(seeded(subject.sample, Generator().manual_seed(seed))(DRAWN)))
    if any(tuple(x.shape) != shape for x in drawn):
        measured, meaning = f"draws of shape {tuple(drawn[0].shape)}", f"{DRAWN} draws should have shape {shape}."
    elif not all(x.isfinite().all() for x in drawn):
        measured = f"{int((~drawn[0].isfinite()).sum())} entries that are not finite"
        meaning = "The sampler breaks down."
    elif not torch.equal(*drawn) and (takes(subject.sample, "generator") or subject.model is not None):
        changed = int((drawn[0] != drawn[1]).flatten(1).any(1).sum())
        measured = f"{changed} of {DRAWN} draws differ at one seed"
        meaning = "The generator does not decide what is drawn: something else is drawn from."
    elif subject.levels is None and all(bool((x == x.round()).all()) for x in drawn):
        return not_run(name, "every draw is a whole number, and no levels were said: say levels=, 2 for binary")
    else:
        again = "the same again" if torch.equal(*drawn) else "others at each call: it takes no generator"
        return Verdict(name, True, f"{DRAWN} draws, finite, {again}", "finite, of the shape", "The sampler works.")
    return Verdict(name, False, measured, "finite, of the shape, the same at one seed", meaning)
