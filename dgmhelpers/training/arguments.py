"""Which arguments of ``fit`` cannot be meant, and which make a run this run and no other."""

import json
import math

from torch import Tensor

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
    counts |= {name: rest[name] for name in ("evaluate_every", "patience") if rest[name] is not None}
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    if not 0 <= rest["warmup"] < steps:
        raise ValueError(f"warmup must be at least 0 and less than steps = {steps}, got {rest['warmup']!r}")
    if rest["anneal"] and not hasattr(model, "beta"):
        raise ValueError(f"anneal raises model.beta, which {type(model).__name__} does not have")
    if not isinstance(rest["anneal"], int) or rest["anneal"] < 0:
        raise ValueError(f"anneal must be a whole number of at least 0, got {rest['anneal']!r}")
    if not (lr > 0 and math.isfinite(lr)):
        raise ValueError(f"lr must be positive, got {lr!r}")
    for name in ("weight_decay", "l1"):
        if not (rest[name] >= 0 and math.isfinite(rest[name])):
            raise ValueError(f"{name} must be 0 or more, got {rest[name]!r}")
    if rest["ema"] is not None and not 0 < rest["ema"] < 1:
        raise ValueError(f"ema must lie between 0 and 1, got {rest['ema']!r}")
    for name in ("clip", "time_limit"):
        if rest[name] is not None and not rest[name] > 0:
            raise ValueError(f"{name} must be positive, got {rest[name]!r}")
    if precision not in ("no", "bf16"):
        raise ValueError(f'precision must be "no" or "bf16", got {precision!r}')
    for name, x, about in (("train", train, context), ("valid", valid, valid_context)):
        if x is None and name == "valid":
            continue
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
        if about is not None and len(about) != len(x):
            raise ValueError(f"{name} holds {len(x)} examples and its context {len(about)}")
    if valid is not None and (context is None) != (valid_context is None):
        raise ValueError("context and valid_context must be given together")


def identify(**arguments) -> dict:
    """What makes a run this run and no other, in a form that JSON can hold."""
    model, transform = arguments["model"], arguments["transform"]
    identity = {
        "model": f"{type(model).__module__}.{type(model).__qualname__}",
        "config": json.loads(json.dumps(getattr(model, "config", {}), default=_plain)),
        "shapes": {name: list(p.shape) for name, p in model.state_dict().items()},
        "transform": None if transform is None else getattr(transform, "__qualname__", type(transform).__name__),
    }
    for name in ("train", "valid", "context", "valid_context"):
        x = arguments[name]
        identity[name] = None if x is None else files.fingerprint(x)
    return identity | {name: arguments[name] for name in HYPERPARAMETERS}


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else repr(value)
