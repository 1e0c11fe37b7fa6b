"""A subject from bare functions of somebody else's model, and the modules that stand behind them."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Generator, Size, nn

from dgmhelpers import protocols
from dgmhelpers.laws.calls import untouched
from dgmhelpers.laws.given import Conditionals
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.support import charted

MOST_VISITED = 5000     # values that are looked through for modules
LIBRARIES = ("torch", "numpy", "scipy", "builtins")     # whose own functions are not looked through
PROMISED_BY = {  # functions that together make a promise, as a class would by its methods
    protocols.Density: ("log_prob",), protocols.Bound: ("elbo",), protocols.Bijection: ("forward", "inverse"),
}  # fmt: skip


def of_functions(
    functions: Mapping[str, Callable | None],
    event_shape,
    levels: int | None,
    dtype: torch.dtype | None = None,
    modules: list[nn.Module] | None = None,
    factory: Callable | None = None,
    *,
    support=None,
    order=None,
    name: str = "these functions",
) -> Subject:
    """A subject from bare functions; methods of one module are bound to one copy of it.

    Args:
        functions: by the names of :class:`Subject`.
        dtype: of the examples they get; by default that of the modules, else float64, else what they take.
        modules: what stands behind the functions; looked for if it is not said.
        factory: makes a subject of a fresh model.
        support: where real values lie, see :mod:`dgmhelpers.laws.support`.
        order: of ``logits``.

    Raises:
        ValueError: if shape or levels are missing or make no sense.
    """
    if event_shape is None:
        raise ValueError("event_shape is needed: the shape of one example, such as (9,) or (1, 3, 3)")
    if levels is not None and levels < 2:
        raise ValueError(f"levels must be 2 or more, or None for real values, got {levels}")
    copies: dict[int, nn.Module] = {}

    def rebind(function):
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, nn.Module):
            return function
        if id(owner) not in copies:
            copies[id(owner)] = copy.deepcopy(owner).to(device="cpu", dtype=dtype)
        return getattr(copies[id(owner)], function.__name__)

    given = {name: rebind(function) for name, function in functions.items() if function is not None}
    found = list(copies.values())
    behind = modules_behind(given.values()) if modules is None else modules
    found += [module for module in behind if not any(module is other for other in found)]
    logits, conditionals = given.pop("logits", None), None
    if logits is not None:
        conditionals = Conditionals(logits, event_shape, levels, order, found).eval()
        given["log_prob"], stated = conditionals.log_prob, given.get("log_prob")
    elif order is not None:
        raise ValueError("order= goes with logits=")
    subject = Subject(name, Size(event_shape), levels, modules=found, factory=factory, fresh=factory, **given)
    if conditionals is not None:
        subject.conditionals, subject.stated_log_prob = conditionals, stated
    subject.marginal = subject.log_prob
    subject.promises = tuple(p for p, names in PROMISED_BY.items() if all(name in given for name in names))
    subject.looked_for_modules = modules is None
    floats = [p.dtype for module in found for p in module.parameters() if p.is_floating_point()]
    wanted = [dtype] if dtype is not None else [*floats[:1], torch.double, torch.float32]
    # even one look in training mode would move running statistics
    with untouched(found), torch.random.fork_rng(devices=[]), subject.training(False):
        if support is not None:
            charted(subject, support)
        _settle_dtype(subject, wanted)
        subject.settle_support()
        with default_dtype(subject.dtype):
            subject.settle_bound()
    return subject


def modules_behind(functions: Iterable[Callable | None]) -> list[nn.Module]:
    """The modules that functions refer to, however deep.

    In closures and what they close over, in globals, bound in partials or defaults, in containers, in the attributes
    of objects.
    """
    found: dict[int, nn.Module] = {}
    waiting, visited = [f for f in functions if f is not None], set[int]()
    while waiting and len(visited) < MOST_VISITED:
        value = waiting.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        if isinstance(value, nn.Module):
            found.setdefault(id(value), value)
        else:
            waiting += _held_by(value)
    return list(found.values())


def _held_by(value: Any) -> list:
    if value is None or isinstance(value, torch.Tensor | type | ModuleType | str | bytes | int | float):
        return []
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if inspect.ismethod(value):
        return [value.__self__, value.__func__]
    if inspect.isfunction(value):
        if (value.__module__ or "").split(".")[0] in LIBRARIES:
            return []
        scope = inspect.getclosurevars(value)
        return [*scope.nonlocals.values(), *scope.globals.values(), *(value.__defaults__ or ()),
                *(value.__kwdefaults__ or {}).values(), *vars(value).values()]
    return list(vars(value).values()) if hasattr(value, "__dict__") else []


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Tensors that a sampler makes without saying of which type are of this one."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _settle_dtype(subject: Subject, wanted: list[torch.dtype]) -> None:
    """The first of some precisions that the functions take: somebody else's model may know only one."""
    elbo = subject.elbo
    plain = None if elbo is None else lambda x: elbo(x)
    function = subject.log_prob or plain or subject.scores or subject.forward
    if function is None:
        subject.dtype = wanted[0]
        return
    probe = subject.random_states(2, Generator().manual_seed(0))
    for dtype in wanted:
        subject.dtype = dtype
        try:
            with default_dtype(dtype), torch.no_grad():
                found = function(subject.encode(probe))
        except (RuntimeError, TypeError, ValueError):
            if dtype is wanted[-1]:
                subject.dtype = wanted[0]  # the law that tries says what went wrong
            continue
        value = found[0] if isinstance(found, tuple) else found
        subject.precision = value.dtype if isinstance(value, torch.Tensor) else None
        return
