"""Which arguments of a training cannot be meant, and which do not decide what comes out."""

import inspect
import math
from numbers import Integral, Real

import torch
from torch import Generator, Tensor

from dgmhelpers.adversarial import losses
from dgmhelpers.arguments import positive
from dgmhelpers.training import files

UNDECIDED = {"checkpoint", "resume", "progress", "device", "time_limit", "evaluate_batch_size", "watch", "carry",
             "history", "identity", "together", "advice", "extend"}  # fmt: skip


def check_loop(model, players, *, precision, ema, seed, time_limit, watch, **counts) -> None:
    """Refuse what cannot be meant by any training, before anything is touched."""
    check_counts({name: counts.pop(name) for name in ("steps", "batch_size")}, needed=True)
    check_counts(counts)
    check_between(ema=ema, time_limit=time_limit)
    check_functions(watch=watch)
    if not isinstance(seed, Integral):
        raise ValueError(f"seed must be a whole number, got {seed!r}")
    if precision not in ("no", "bf16"):
        raise ValueError(f'precision must be "no" or "bf16", got {precision!r}')
    for name in players:
        if not str(name).isidentifier():
            raise ValueError(f"a player's name must be an identifier, got {name!r}")
    if any(p.is_inference() for player in players.values() for p in player.parameters):
        raise ValueError(f"{type(model).__name__} was made in inference mode, so it has no gradient: build it outside")


def check_signature(model, name: str, wanted: str, *args, **options) -> None:
    """Refuse a method that cannot be called as it will be, before a step is taken."""
    try:
        signature = inspect.signature(getattr(model, name))
    except (TypeError, ValueError):                      # of a built-in: nothing is known of it
        return
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        raise ValueError(f"{type(model).__name__}.{name} is called as {name}({wanted}), and takes {signature}: "
                         f"{error}") from None


def takes_history(watch) -> bool:
    """Whether ``watch`` is to be given the history, too: it takes three arguments."""
    try:
        inspect.signature(watch).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True


def check_trainable(name: str, module) -> None:
    """Refuse a module with nothing to train."""
    if not any(p.requires_grad for p in module.parameters()):
        raise ValueError(f"{name} has no parameter to train")


def check_counts(counts: dict, needed: bool = False) -> None:
    """Refuse a count that is not a whole number of at least 1; None is allowed unless it is ``needed``."""
    for name, value in counts.items():
        wrong = not isinstance(value, Integral) or isinstance(value, bool) or value < 1
        if wrong and (needed or value is not None):
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")


def check_between(ema: float | None, **above_zero: float | None) -> None:
    """Refuse a decay outside (0, 1), and what is given and not positive."""
    if ema is not None and not (isinstance(ema, Real) and 0 < ema < 1):
        raise ValueError(f"ema must lie between 0 and 1, got {ema!r}")
    for name, value in above_zero.items():
        if value is not None and not (isinstance(value, Real) and value > 0):
            raise ValueError(f"{name} must be positive, got {value!r}")


def check_functions(**functions) -> None:
    """Refuse what is given and cannot be called."""
    for name, value in functions.items():
        if value is not None and not callable(value):
            hint = "; give what makes one, such as partial(torch.optim.SGD, lr=0.1)" if "optimizer" in name else ""
            raise ValueError(f"{name} must be a function, got {type(value).__name__}{hint}")


def check_two_arguments(schedule) -> None:
    """Refuse a schedule that cannot be called with a rate and a step, such as a function of the step alone."""
    try:
        inspect.signature(schedule).bind(0.1, 1)
    except TypeError:
        raise ValueError("schedule must be a function of two arguments, (lr, step), that gives the rate of the step; "
                         f"this is {getattr(schedule, '__name__', schedule)}{inspect.signature(schedule)}") from None
    except ValueError:  # a builtin that does not say what it takes
        pass


def check_rates(lr, *, steps, warmup, schedule, clip) -> None:
    """Refuse rates of an optimiser, and changes of them, that cannot be meant."""
    positive("lr", lr)
    if not isinstance(warmup, Integral) or not 0 <= int(warmup) < steps:
        raise ValueError(f"warmup must be at least 0 and less than steps = {steps}, got {warmup!r}")
    check_functions(schedule=schedule)
    if schedule is not None:
        check_two_arguments(schedule)
    if schedule is not None and warmup:
        raise ValueError("warmup is part of the schedule that comes by default: give one or the other")
    check_between(None, clip=clip)


def check_fit(*, model, train, valid, context, valid_context, steps, lr, warmup, schedule, clip, **rest) -> None:
    """Refuse what cannot be meant by ``fit``."""
    if not callable(getattr(model, "loss", None)):
        raise ValueError(f"fit minimises model.loss, which {type(model).__name__} does not have")
    check_signature(model, "loss", "x, context=None, *, generator=None", None, None, generator=None)
    if valid is not None and not callable(valid) and callable(getattr(model, "log_prob", None)):
        check_signature(model, "log_prob", "x, context=None", None, None)
    check_trainable(type(model).__name__, model)
    check_counts({"steps": steps, "evaluate_batch_size": rest["evaluate_batch_size"]}, needed=True)
    check_rates(lr, steps=steps, warmup=warmup, schedule=schedule, clip=clip)
    check_functions(transform=rest["transform"], optimizer=rest["optimizer"])
    if rest["anneal"] and not hasattr(model, "beta"):
        raise ValueError(f"anneal raises model.beta, which {type(model).__name__} does not have")
    if not isinstance(rest["anneal"], Integral) or rest["anneal"] < 0:
        raise ValueError(f"anneal must be a whole number of at least 0, got {rest['anneal']!r}")
    for name in ("weight_decay", "l1"):
        if not (rest[name] >= 0 and math.isfinite(rest[name])):
            raise ValueError(f"{name} must be 0 or more, got {rest[name]!r}")
    if rest["optimizer"] is not None and rest["weight_decay"]:
        raise ValueError("weight_decay is that of the optimiser made by default: give it to your own")
    check_examples("train", train, model, context)
    if valid is None or callable(valid):
        if valid_context is not None:
            raise ValueError("valid_context goes with a tensor of validation examples, and there is none")
        return
    check_examples("valid", valid, model, valid_context)
    if (context is None) != (valid_context is None):
        raise ValueError("context and valid_context must be given together")


def check_examples(name: str, x: Tensor, model, context: Tensor | None = None) -> None:
    """Refuse what is not one tensor of finite examples of the model's shape, with a context for each."""
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
    if context is not None and len(context) != len(x):
        raise ValueError(f"{name} holds {len(x)} examples and its context {len(context)}")


def check_adversarial(*, model, train, context, loss, lr, steps, warmup, schedule, clip, **rest) -> None:
    """Refuse what cannot be meant by ``fit_adversarial``."""
    missing = [name for name in ("generator", "discriminator", "noise", "event_shape") if not hasattr(model, name)]
    if missing:
        raise ValueError(f"fit_adversarial plays generator against discriminator: {type(model).__name__} has no "
                         f"{' and no '.join(missing)}")
    for name in ("generator", "discriminator"):
        check_trainable(f"the {name} of {type(model).__name__}", getattr(model, name))
    check_counts({"steps": steps, "batch_size": rest["batch_size"], "k": rest["k"]}, needed=True)
    check_counts({"generator_batch_size": rest["generator_batch_size"]})
    if isinstance(loss, str):
        loss = losses.get(loss)
    elif not isinstance(loss, losses.Loss):
        raise ValueError(f"loss must be the name of one ({', '.join(losses.LOSSES)}) or a Loss, got {loss!r}")
    check_rates(lr, steps=steps, warmup=warmup, schedule=schedule, clip=clip)
    check_functions(**{name: rest[name] for name in ("optimizer", "discriminator_optimizer", "opponent")})
    if rest["compiled"] and (loss.penalty is not None or rest["opponent"] is not None):
        raise ValueError("compiled networks have no second derivatives, which a penalty or an opponent may need")
    check_examples("train", train, model, context)
    _check_generator(model, train, context)


def _check_generator(model, train, context) -> None:
    """Refuse a generator whose examples have another shape or dtype than the data's."""
    training, where = model.training, next(model.parameters()).device
    given = () if context is None else (context[:1].to(where).expand(2, *context.shape[1:]),)
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng([]):
            made = model.generator(model.noise(2, generator=Generator(where).manual_seed(0)), *given)
    finally:
        model.train(training)
    if made.shape[1:] != train.shape[1:]:
        shapes = f"{tuple(made.shape[1:])} and the data {tuple(train.shape[1:])}"
        raise ValueError(f"the generator's examples have shape {shapes}")
    if made.dtype != train.dtype:
        raise ValueError(f"train is {train.dtype} and the generator makes {made.dtype}: the discriminator needs one")
