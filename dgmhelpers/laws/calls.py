"""How laws call what they were given, and leave it: one generator for all that draws, and everything as it was."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import protocols
from dgmhelpers.laws.clock import tick


@contextmanager
def untouched(modules: list[nn.Module]) -> Iterator[None]:
    """Give every module its parameters, buffers, gradients and mode back at the end, whatever happens inside."""
    kept = [
        (module, {k: v.detach().clone() for k, v in module.state_dict().items()}, module.training) for module in modules
    ]
    gradients = [(p, None if p.grad is None else p.grad.clone()) for module in modules for p in module.parameters()]
    rng = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(rng)
        for module, state, training in kept:
            module.load_state_dict(state)
            module.train(training)
        for parameter, gradient in gradients:
            parameter.grad = gradient


def split(found) -> tuple[Tensor, Tensor | None]:
    """What a map returned: its value, and its log-determinant if there was one."""
    return (found[0], found[1]) if isinstance(found, tuple | list) else (found, None)


def positional(function: Callable) -> list[str]:
    """The names of the arguments that a function takes by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def seeded(function: Callable, generator: Generator) -> Callable:
    """A function that draws, drawing from ``generator``: handed over if it takes one, else the global one is set."""
    tick()
    if protocols.takes(function, "generator"):
        return partial(function, generator=generator)

    def call(*arguments, **more):
        if _takes_anything(function):
            try:
                return function(*arguments, generator=generator, **more)
            except TypeError:
                pass
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return function(*arguments, **more)

    return call


def _takes_anything(function: Callable) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.kind is p.VAR_KEYWORD for p in parameters)
