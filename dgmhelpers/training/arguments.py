"""Which arguments of a training cannot be meant, and which make a run this run and no other."""

import json
import math
import os
from functools import partial
from numbers import Real

import torch
from torch import Generator, Tensor

from dgmhelpers.adversarial import losses
from dgmhelpers.arguments import positive
from dgmhelpers.training import files

HYPERPARAMETERS = (
    "steps", "batch_size", "lr", "betas", "weight_decay", "l1", "warmup", "decay", "ema", "clip", "anneal",
    "evaluate_every", "patience", "precision", "seed",
)  # fmt: skip


def check(*, model, train, valid, context, valid_context, steps, batch_size, lr, precision, **rest) -> None:
    """Refuse what cannot be meant, before anything is touched."""
    if not callable(getattr(model, "loss", None)):
        raise ValueError(f"fit minimises model.loss, which {type(model).__name__} does not have")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(f"{type(model).__name__} has no parameter to train")
    counts = {"steps": steps, "batch_size": batch_size, "evaluate_batch_size": rest["evaluate_batch_size"]}
    check_counts(counts, needed=True)
    check_counts({name: rest[name] for name in ("evaluate_every", "patience")})
    if not 0 <= rest["warmup"] < steps:
        raise ValueError(f"warmup must be at least 0 and less than steps = {steps}, got {rest['warmup']!r}")
    if rest["anneal"] and not hasattr(model, "beta"):
        raise ValueError(f"anneal raises model.beta, which {type(model).__name__} does not have")
    if not isinstance(rest["anneal"], int) or rest["anneal"] < 0:
        raise ValueError(f"anneal must be a whole number of at least 0, got {rest['anneal']!r}")
    positive("lr", lr)
    for name in ("weight_decay", "l1"):
        if not (rest[name] >= 0 and math.isfinite(rest[name])):
            raise ValueError(f"{name} must be 0 or more, got {rest[name]!r}")
    check_between(ema=rest["ema"], clip=rest["clip"], time_limit=rest["time_limit"])
    if precision not in ("no", "bf16"):
        raise ValueError(f'precision must be "no" or "bf16", got {precision!r}')
    for name, x, about in (("train", train, context), ("valid", valid, valid_context)):
        if x is None and name == "valid":
            continue
        check_examples(name, x, model)
        if about is not None and len(about) != len(x):
            raise ValueError(f"{name} holds {len(x)} examples and its context {len(about)}")
    if valid is not None and (context is None) != (valid_context is None):
        raise ValueError("context and valid_context must be given together")


def check_counts(counts: dict, needed: bool = False) -> None:
    """Refuse a count that is not a whole number of at least 1; None is allowed unless it is ``needed``."""
    for name, value in counts.items():
        wrong = not isinstance(value, int) or isinstance(value, bool) or value < 1
        if wrong and (needed or value is not None):
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")


def check_between(ema: float | None, **above_zero: float | None) -> None:
    """Refuse a decay outside (0, 1), and what is given and not positive."""
    if ema is not None and not (isinstance(ema, Real) and 0 < ema < 1):
        raise ValueError(f"ema must lie between 0 and 1, got {ema!r}")
    for name, value in above_zero.items():
        if value is not None and not (isinstance(value, Real) and value > 0):
            raise ValueError(f"{name} must be positive, got {value!r}")


def check_examples(name: str, x: Tensor, model) -> None:
    """Refuse what is not one tensor of finite examples of the model's shape."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be one tensor, got {type(x).__name__}")
    event_shape = tuple(getattr(model, "event_shape", x.shape[1:]))
    if x.ndim < 1 or tuple(x.shape[1:]) != event_shape:
        wanted = ", ".join(["N", *map(str, event_shape)])
        raise ValueError(f"{name} must have shape ({wanted}) for this model, got {tuple(x.shape)}")
    if len(x) == 0:
        raise ValueError(f"{name} holds no example")
    values = files.whole(x) if files.overlaps(x) else x
    if values.is_floating_point() and not values.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinite values")


def check_adversarial(*, model, train, loss, lr, ema, time_limit, **rest) -> None:
    """Refuse what cannot be meant by ``fit_adversarial``, before anything is touched."""
    missing = [name for name in ("generator", "discriminator", "noise", "event_shape") if not hasattr(model, name)]
    if missing:
        raise ValueError(f"fit_adversarial plays generator against discriminator: {type(model).__name__} has no "
                         f"{' and no '.join(missing)}")
    for player in (model.generator, model.discriminator):
        if not any(p.requires_grad for p in player.parameters()):
            raise ValueError(f"the {'generator' if player is model.generator else 'discriminator'} of "
                             f"{type(model).__name__} has no parameter to train")
    check_counts({name: rest[name] for name in ("steps", "batch_size", "k")}, needed=True)
    check_counts({name: rest[name] for name in ("generator_batch_size", "evaluate_every")})
    if isinstance(loss, str):
        losses.get(loss)
    elif not isinstance(loss, losses.Loss):
        raise ValueError(f"loss must be the name of one ({', '.join(losses.LOSSES)}) or a Loss, got {loss!r}")
    positive("lr", lr)
    check_between(ema=ema, time_limit=time_limit)
    for name in ("optimizer", "discriminator_optimizer", "opponent", "watch"):
        if rest[name] is not None and not callable(rest[name]):
            hint = "; give what makes one, such as partial(torch.optim.SGD, lr=0.1)" if "optimizer" in name else ""
            raise ValueError(f"{name} must be a function, got {type(rest[name]).__name__}{hint}")
    check_examples("train", train, model)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("fit_adversarial runs in one process; start it without a launcher")
    _check_generator(model, train)


def _check_generator(model, train) -> None:
    """Refuse a generator whose examples have another shape or dtype than the data's."""
    training, where = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng([]):
            made = model.generator(model.noise(2, generator=Generator(where).manual_seed(0)))
    finally:
        model.train(training)
    if made.shape[1:] != train.shape[1:]:
        shapes = f"{tuple(made.shape[1:])} and the data {tuple(train.shape[1:])}"
        raise ValueError(f"the generator's examples have shape {shapes}")
    if made.dtype != train.dtype:
        raise ValueError(f"train is {train.dtype} and the generator makes {made.dtype}: the discriminator needs one")


def identify_adversarial(*, model, train, loss, optimizers, opponent, **arguments) -> dict:
    """What makes a game this game and no other, in a form that JSON can hold."""
    settings = ("steps", "batch_size", "generator_batch_size", "k", "ema", "evaluate_every", "seed")
    of_loss = {name: named(getattr(loss, name)) for name in ("discriminator", "generator", "penalty")}
    return _of_model(model) | {
        "train": files.fingerprint(train),
        "loss": of_loss | {"name": loss.name, "penalty_weight": loss.penalty_weight},
        "optimizers": {
            name: json.loads(json.dumps({"kind": type(o).__name__} | o.defaults, default=_plain))
            for name, o in optimizers.items()
        },
        "opponent": named(opponent),
    } | {name: arguments[name] for name in settings}


def named(function) -> str | None:
    """A function in words that stay the same from run to run; arguments bound to it are part of it."""
    if function is None:
        return None
    if isinstance(function, partial):
        bound = [*map(repr, function.args), *(f"{k}={v!r}" for k, v in function.keywords.items())]
        return f"{named(function.func)}({', '.join(bound)})"
    return getattr(function, "__qualname__", type(function).__name__)


def identify(**arguments) -> dict:
    """What makes a run this run and no other, in a form that JSON can hold."""
    model, transform = arguments["model"], arguments["transform"]
    identity = _of_model(model) | {
        "transform": None if transform is None else getattr(transform, "__qualname__", type(transform).__name__),
    }
    for name in ("train", "valid", "context", "valid_context"):
        x = arguments[name]
        identity[name] = None if x is None else files.fingerprint(x)
    return identity | {name: arguments[name] for name in HYPERPARAMETERS}


def _of_model(model) -> dict:
    return {
        "model": f"{type(model).__module__}.{type(model).__qualname__}",
        "config": json.loads(json.dumps(getattr(model, "config", {}), default=_plain)),
        "shapes": {name: list(p.shape) for name, p in model.state_dict().items()},
    }


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else repr(value)
