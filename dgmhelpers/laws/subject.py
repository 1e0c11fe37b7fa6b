"""What is being audited: a model, or bare functions, behind one face.

An audit must not change what it looks at. A model is copied, and the copy put on the CPU in float64. Of functions,
those that are methods of a module are bound to a copy of it; the modules that others refer to are put back as they
were.
"""

import copy
import inspect
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import torch
from torch import Generator, Size, Tensor, nn

MOST_STATES = 2**16  # more than this is not enumerated


@dataclass
class Subject:
    """What is to be audited: a density, or a model with a bound in its place.

    ``model`` is there if it is one of ours in form: a module with ``forward`` and orders.

    Args:
        name: how the report calls it.
        log_prob: ``(B, *event_shape) -> (B,)`` in nats.
        sample: ``n -> (n, *event_shape)``.
        event_shape: shape of one example.
        levels: number of values of one variable; None if it is real.
        modules: what can be put in training mode and changes with it.
        model: the copy of an autoregressive model, with ``forward`` and ``orders``; None for bare functions.
        factory: makes a fresh model, for laws about training.
        elbo: ``(x, k, generator=...) -> (B,)``, a stochastic lower bound on log p in nats.
        marginal: an exact log p where there is one: ``log_prob``, or the integral over one or two latents.
        errors: ``(x, generator=...) -> (B,)``, what a model without either is judged by: its reconstruction errors.
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
    elbo: object = None
    marginal: object = None
    errors: object = None

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
    def log_probs(self, states: Tensor, batch: int = 4096, of=None) -> Tensor:
        """``log_prob`` (or another function, ``of``) of flat states in batches, float64, shape ``(B,)``."""
        function = of or self.log_prob
        return torch.cat([function(self.encode(part)).double().reshape(-1) for part in states.split(batch)])

    @property
    def scores(self) -> object:
        """A number for each example, ``x -> (B,)``: log p, else a bound on it, else minus an error; None if nothing.

        What is drawn on the way is drawn from the same seed at every call.
        """
        if self.log_prob is not None:
            return self.log_prob
        if self.elbo is not None:
            return lambda x: self.elbo(x, 1, generator=Generator().manual_seed(0))
        if self.errors is not None:
            return lambda x: -self.errors(x, generator=Generator().manual_seed(0))
        return None

    @torch.no_grad()
    def bounds(self, states: Tensor, k: int, repeats: int, generator: Generator) -> Tensor:
        """``repeats`` independent values of the bound at each of the flat states, float64, ``(repeats, B)``."""
        many = states.repeat(repeats, 1)
        parts = [self.elbo(self.encode(part), k, generator=generator).double() for part in many.split(65536 // k)]
        return torch.cat(parts).reshape(repeats, -1)

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
        elbo=getattr(twin, "elbo", None),
        marginal=_marginal(twin),
        errors=getattr(twin, "errors", None),
    )


def _marginal(model: nn.Module):
    """An exact log p: the model's own, or by quadrature over its latents if there are one or two, else None."""
    if hasattr(model, "log_prob"):
        return model.log_prob
    needed = all(hasattr(model, name) for name in ("elbo", "decode", "likelihood"))
    if not needed or getattr(model, "latent", None) not in (1, 2):
        return None
    from dgmhelpers.evaluation import quadrature

    return partial(quadrature, model, points=(401, 101)[model.latent - 1], batch_size=2**18)


def of_functions(log_prob, sample, event_shape, levels, elbo=None) -> Subject:
    """A subject from bare functions; methods of one module are bound to one copy of it."""
    copies: dict[int, nn.Module] = {}

    def rebind(function):
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, nn.Module):
            return function
        if id(owner) not in copies:
            copies[id(owner)] = copy.deepcopy(owner).to("cpu", torch.double)
        return getattr(copies[id(owner)], function.__name__)

    log_prob, sample, elbo = (None if f is None else rebind(f) for f in (log_prob, sample, elbo))
    found = list(copies.values())
    for function in (log_prob, sample, elbo):
        found += [m for m in modules_behind(function) if not any(m is other for other in found)]
    subject = Subject("these functions", log_prob, sample, Size(event_shape), levels, modules=found)
    subject.marginal, subject.elbo = log_prob, None if elbo is None else with_generator(elbo)
    if subject.scores is not None:
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
        subject.scores(subject.encode(probe))
    except (RuntimeError, TypeError, ValueError):
        subject.dtype = torch.float32
        subject.scores(subject.encode(probe))  # if this fails too, the error is the caller's to see


def with_generator(elbo):
    """Somebody else's bound may take no generator: then the global one is set from ours."""

    def call(x, k, *, generator):
        try:
            return elbo(x, k, generator=generator)
        except TypeError:
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            return elbo(x, k)

    return call
