"""What is being audited: a model, or bare functions, behind one face.

An audit must not change what it looks at. A model is copied, and the copy put on the CPU in float64. Of functions,
those that are methods of a module are bound to a copy of it; the modules that others refer to are put back as they
were.
"""

import copy
import inspect
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Generator, Size, Tensor, nn

MOST_STATES = 2**16  # more than this is not enumerated


@dataclass
class Subject:
    """A density to audit. ``model`` is there if it is one of ours in form: a module with ``forward`` and orders.

    Args:
        name: how the report calls it.
        log_prob: ``(B, *event_shape) -> (B,)`` in nats.
        sample: ``n -> (n, *event_shape)``.
        event_shape: shape of one example.
        levels: number of values of one variable; None if it is real.
        modules: what can be put in training mode and changes with it.
        model: the copy of an autoregressive model, with ``forward`` and ``orders``; None for bare functions.
        factory: makes a fresh model, for laws about training.
    """

    name: str
    log_prob: object
    sample: object
    event_shape: Size
    levels: int | None
    modules: list[nn.Module] = field(default_factory=list)
    model: nn.Module | None = None
    factory: object = None
    dtype: torch.dtype = torch.double

    @property
    def dim(self) -> int:
        return Size(self.event_shape).numel()

    @property
    def states(self) -> int | None:
        """How many examples there are altogether; None if they are real-valued."""
        return None if self.levels is None else self.levels**self.dim

    @property
    def enumerable(self) -> bool:
        return self.states is not None and self.states <= MOST_STATES and self.log_prob is not None

    @property
    def exact(self) -> float:
        """How far rounding alone may take a sum of probabilities from one."""
        return 1e-6 if self.dtype == torch.double else 1e-4

    def encode(self, x: Tensor) -> Tensor:
        """Flat levels ``(B, D)`` as the model wants them: 0/1 in its dtype, or ``long``; real values in its dtype."""
        x = x.reshape(-1, *self.event_shape)
        return x.to(self.dtype) if self.levels in (None, 2) else x.long()

    def every_state(self) -> Tensor:
        """All examples, flat, ``(levels**D, D)``; the last variable runs fastest."""
        return torch.tensor(list(product(range(self.levels), repeat=self.dim)))

    def random_states(self, n: int, generator: Generator) -> Tensor:
        """``n`` examples of uniform levels (standard normal if real), flat, ``(n, D)``."""
        if self.levels is None:
            return torch.randn(n, self.dim, generator=generator, dtype=torch.double)
        return torch.randint(self.levels, (n, self.dim), generator=generator)

    @torch.no_grad()
    def log_probs(self, states: Tensor, batch: int = 4096) -> Tensor:
        """``log_prob`` of flat states in batches, float64, shape ``(B,)``."""
        parts = [self.log_prob(self.encode(part)).double().reshape(-1) for part in states.split(batch)]
        return torch.cat(parts)

    @contextmanager
    def training(self, mode: bool):
        """The modules in training mode (or not), and back as they were afterwards."""
        before = [(m, m.training) for top in self.modules for m in top.modules()]
        for top in self.modules:
            top.train(mode)
        try:
            yield
        finally:
            for module, was in before:
                module.training = was


class AtContext(nn.Module):
    """A conditional model given one context, which by that is a density like any other.

    Args:
        model: one whose methods take a ``context``, one row an example.
        context: the row, without the batch: a number for a class, a tensor for anything else.
    """

    def __init__(self, model: nn.Module, context):
        super().__init__()
        self.model = model
        self.register_buffer("row", torch.as_tensor(context)[None], persistent=False)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def rows(self, n: int) -> Tensor:
        return self.row.expand(n, *self.row.shape[1:])

    def forward(self, x, context=None, **more):
        return self.model(x, self.rows(len(x)), **more)

    def conditionals(self, n, context=None, **more):
        return self.model.conditionals(n, self.rows(n), **more)

    def log_prob(self, x, context=None):
        return self.model.log_prob(x, self.rows(len(x)))

    def _log_prob(self, x, context, component):
        return self.model._log_prob(x, self.rows(len(x)), component)

    def loss(self, x, context=None, **more):
        return self.model.loss(x, self.rows(len(x)), **more)

    def sample(self, n, **more):
        return self.model.sample(n, context=self.rows(n), **more)


def of_model(model: nn.Module, factory=None) -> Subject:
    """A subject from a model: a deep copy, on the CPU, in float64, in evaluation mode."""
    twin = copy.deepcopy(model).to("cpu", torch.double).eval()
    likelihood = getattr(twin, "likelihood", None)
    levels = getattr(twin, "levels", None) if likelihood is None else likelihood.levels
    autoregressive = likelihood is not None and hasattr(twin, "orders")
    return Subject(
        name=type(getattr(model, "model", model) if isinstance(model, AtContext) else model).__name__,
        log_prob=getattr(twin, "log_prob", None),
        sample=getattr(twin, "sample", None),
        event_shape=Size(twin.event_shape),
        levels=levels,
        modules=[twin],
        model=twin if autoregressive else None,
        factory=factory,
    )


def of_functions(log_prob, sample, event_shape, levels) -> Subject:
    """A subject from bare functions; methods of one module are bound to one copy of it."""
    copies: dict[int, nn.Module] = {}

    def rebind(function):
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, nn.Module):
            return function
        if id(owner) not in copies:
            copies[id(owner)] = copy.deepcopy(owner).to("cpu", torch.double)
        return getattr(copies[id(owner)], function.__name__)

    log_prob, sample = (None if f is None else rebind(f) for f in (log_prob, sample))
    found = list(copies.values())
    for function in (log_prob, sample):
        found += [m for m in modules_behind(function) if not any(m is other for other in found)]
    subject = Subject("these functions", log_prob, sample, Size(event_shape), levels, modules=found)
    if log_prob is not None:
        with subject.training(False):  # even one look in training mode would move running statistics
            _settle_dtype(subject)
    return subject


def modules_behind(function) -> list[nn.Module]:
    """The modules that a function refers to: in its closure, its globals, or bound in a partial or an object."""
    if function is None:
        return []
    held = [function, getattr(function, "__self__", None), *getattr(function, "__dict__", {}).values()]
    held += list(getattr(function, "args", ())) + [getattr(function, "func", None)]
    if inspect.isfunction(function):
        scope = inspect.getclosurevars(function)
        held += [*scope.nonlocals.values(), *scope.globals.values()]
    owners = [getattr(value, "__self__", value) for value in held]
    modules = {id(value): value for value in owners if isinstance(value, nn.Module)}
    return list(modules.values())


@contextmanager
def untouched(modules: list[nn.Module]):
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


def _settle_dtype(subject: Subject) -> None:
    """float64 if the functions take it, else float32: somebody else's model may know only that."""
    probe = subject.random_states(2, Generator().manual_seed(0))
    try:
        subject.log_prob(subject.encode(probe))
    except (RuntimeError, TypeError, ValueError):
        subject.dtype = torch.float32
        subject.log_prob(subject.encode(probe))  # if this fails too, the error is the caller's to see
