"""What the laws see of a model: a few functions, the shape of an example, and what stands behind them."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Generator, Size, Tensor, nn

from dgmhelpers import protocols
from dgmhelpers.laws.calls import positional, seeded, split, untouched
from dgmhelpers.laws.clock import tick
from dgmhelpers.laws.conditional import AtContext
from dgmhelpers.protocols import Context

MOST_STATES = 2**16  # more than this is not enumerated
SQUASHES = (torch.clone, torch.abs, torch.sigmoid, torch.tanh)  # from a normal to what a density may be positive on


@dataclass
class Subject:
    """What is to be audited. A law asks by :meth:`offers` whether there is what it needs.

    Args:
        name: how the report calls it.
        event_shape: shape of one example.
        levels: number of values of one variable; None if it is real.
        dtype: of the examples that are made.
        precision: of what the functions return, which says how far rounding may take it; ``dtype`` if None.
        modules: what can be put in training mode and changes with it.
        model: the copy of a model; None for bare functions.
        factory: makes a fresh model, for laws about training; and
        fresh: a subject of it.
        conditionals: of a model with orders, itself; of bare ``logits``, a module that gives them.
        log_prob: ``(B, *event_shape) -> (B,)`` in nats.
        sample: ``n -> (n, *event_shape)``, with a keyword ``generator`` if it takes one.
        loss: ``x -> ()``, likewise: what training minimises.
        elbo: ``(x, k, generator=...) -> (B,)``, a stochastic lower bound on log p in nats.
        marginal: an exact log p where there is one: ``log_prob``, or the integral over one or two latents.
        errors: ``(x, generator=...) -> (B,)``, what a model without either is judged by: its reconstruction errors.
        conditional: a conditional model, with what a context is.

    The others are those of :mod:`dgmhelpers.protocols`: functions, or None.
    """

    name: str
    event_shape: Size
    levels: int | None
    dtype: torch.dtype = torch.double
    precision: torch.dtype | None = None
    modules: list[nn.Module] = field(default_factory=list)
    model: Any = None
    factory: Any = None
    fresh: Any = None
    conditionals: Any = None
    log_prob: Any = None
    sample: Any = None
    loss: Any = None
    elbo: Any = None
    log_weights: Any = None
    stated_log_prob: Any = None  # where log_prob is made of the conditionals, the one that was given as well
    dequantise: Any = None
    log_density: Any = None
    marginal: Any = None
    errors: Any = None
    forward: Any = None
    inverse: Any = None
    energy: Any = None
    log_partition: Any = None
    step: Any = None
    ais: Any = None
    score: Any = None
    velocity: Any = None
    pairs: Any = None
    noise: Any = None
    conditional: tuple[Any, Context] | None = None
    promises: tuple[type, ...] = ()
    ks: tuple[int, ...] = (1,)  # numbers of draws that the bound can be asked for
    redrawn: bool = False   # the parameters are random ones, and the model is not what anybody would use
    looked_for_modules: bool = False  # and nobody said that there are no others
    squash: Callable[[Tensor], Tensor] = torch.clone  # takes standard normal examples to where the density is positive
    box: Any = None  # lowest and highest values, (D,) each, if they were told
    hurried: bool = False  # no time for the many values of log p that a grid takes
    grids: dict | None = None  # quadratures that were done, while the parameters are known to stay as they are

    def offers(self, need: str) -> bool:
        """Whether a law that has this need (one of ``verdict.NEEDS``) can be asked for."""
        special = {
            "real": lambda: self.levels is None,
            "two forms": lambda: self.stated_log_prob is not None,
            "two samplers": lambda: protocols.Sampler in self.promises,
            "modules": lambda: bool(self.modules),
            "likelihood": lambda: self.log_prob is not None or self.elbo is not None,
            "several draws": lambda: len(self.ks) > 1,
            "parameters": lambda: not self.modules or any(True for m in self.modules for _ in m.parameters()),
            "context": lambda: self.conditional is not None,
            "evaluation": lambda: self.scores is not None or self.from_noise or self.forward is not None,
        }
        return special[need]() if need in special else getattr(self, need) is not None

    @property
    def from_noise(self) -> bool:
        """An implicit model whose generator can be looked at, and nothing that could be evaluated instead."""
        return self.noise is not None and self.scores is None

    @property
    def dim(self) -> int:
        return Size(self.event_shape).numel()

    @property
    def states(self) -> int | None:
        """How many examples there are altogether; None if they are real-valued."""
        return None if self.levels is None else self.levels**self.dim

    @property
    def enumerable(self) -> bool:
        return self.states is not None and self.states <= MOST_STATES

    @property
    def slack(self) -> float:
        """How far rounding may take a number of order one."""
        return {torch.double: 1e-9, torch.float32: 1e-4}.get(self.precision or self.dtype, 1e-2)

    def encode(self, x: Tensor) -> Tensor:
        """Flat levels ``(B, D)`` as the model wants them: 0/1 in its dtype, or ``long``; real values in its dtype."""
        tick()
        x = x.reshape(-1, *self.event_shape)
        return x.to(self.dtype) if self.levels in (None, 2) else x.long()

    def every_state(self) -> Tensor:
        """All examples, flat, ``(levels**D, D)``; the last variable runs fastest."""
        assert self.levels is not None
        return torch.tensor(list(product(range(self.levels), repeat=self.dim)))

    def random_states(self, n: int, generator: Generator) -> Tensor:
        """``n`` examples of uniform levels (standard normal if real, and possible), flat, ``(n, D)``."""
        if self.levels is None:
            return self.squash(torch.randn(n, self.dim, generator=generator, dtype=torch.double))
        return torch.randint(self.levels, (n, self.dim), generator=generator)

    @torch.no_grad()
    def log_probs(self, states: Tensor, batch: int = 4096, of=None) -> Tensor:
        """``log_prob`` (or another function, ``of``) of flat states in batches, float64, shape ``(B,)``."""
        function = of or self.log_prob
        return torch.cat([function(self.encode(part)).double().reshape(-1) for part in states.split(batch)])

    def settle_bound(self) -> None:
        """Make ``elbo`` take a number of draws and a generator, and find whether more than one can be asked for."""
        if (elbo := self.elbo) is None:
            return
        counts = protocols.takes(elbo, "k") or len(positional(elbo)) > 1

        def call(x, k, *, generator):
            return seeded(elbo, generator)(x, k) if counts else seeded(elbo, generator)(x)

        self.elbo = call
        if not counts:
            return
        generator = Generator().manual_seed(0)
        try:
            with torch.no_grad():
                call(self.encode(self.random_states(2, generator)), 2, generator=generator)
            self.ks = (1, 4, 16)
        except (NotImplementedError, AssertionError, ValueError, TypeError):
            pass

    def settle_support(self) -> None:
        """Where a real density is positive, or a map defined: anywhere, above 0, between 0 and 1, or between ±1."""
        if self.levels is not None or self.box is not None or (
                self.log_prob is None and self.forward is None):
            return

        def image(x):
            return split(self.forward(x))[0].flatten(1).sum(1)

        normal = torch.randn(256, self.dim, generator=Generator().manual_seed(0), dtype=torch.double)
        for squash in SQUASHES:
            try:
                values = self.log_probs(squash(normal), of=self.log_prob or image)
            except (RuntimeError, ValueError):  # a distribution that checks its arguments raises there
                continue
            if values.isfinite().all():
                self.squash = squash
                return

    def draw(self, n: int, generator: Generator) -> Tensor:
        """``n`` draws; somebody else's sampler may take no generator: then the global one is set from ours."""
        assert self.sample is not None
        return seeded(self.sample, generator)(n)

    @property
    def scores(self) -> Callable | None:
        """A number for each example, ``x -> (B,)``: log p, else a bound on it, else minus an error; None if nothing.

        What is drawn on the way is drawn from the same seed at every call.
        """
        if self.log_prob is not None:
            return self.log_prob
        if (elbo := self.elbo) is not None:
            return lambda x: elbo(x, 1, generator=Generator().manual_seed(0))
        if (errors := self.errors) is not None:
            return lambda x: -errors(x, generator=Generator().manual_seed(0))
        if (energy := self.energy) is not None:
            return lambda x: -energy(x)
        return None

    @torch.no_grad()
    def bounds(self, states: Tensor, k: int, repeats: int, generator: Generator) -> Tensor:
        """``repeats`` independent values of the bound at each of the flat states, float64, ``(repeats, B)``."""
        assert self.elbo is not None
        many = states.repeat(repeats, 1)
        parts = [self.elbo(self.encode(part), k, generator=generator).double() for part in many.split(65536 // k)]
        return torch.cat(parts).reshape(repeats, -1)

    @contextmanager
    def training(self, mode: bool) -> Iterator[None]:
        """The modules in training mode (or not), and back as they were afterwards."""
        before = [(m, m.training) for top in self.modules for m in top.modules()]
        for top in self.modules:
            top.train(mode)
        try:
            yield
        finally:
            for module, was in before:
                module.training = was


def of_model(
    model: nn.Module,
    factory: Callable | None = None,
    dtype: torch.dtype | None = torch.double,
    levels: int | None = None,
) -> Subject:
    """A subject from a model: a deep copy, on the CPU, in evaluation mode.

    Args:
        factory: makes a fresh model, for laws about training.
        dtype: the copy's precision; None for the model's own.
        levels: number of values of one variable, of a model that does not say it.
    """
    twin = copy.deepcopy(model).to("cpu").eval()
    first = next((p for p in twin.parameters() if p.is_floating_point()), None)
    dtype = dtype or (torch.double if first is None else first.dtype)
    twin = twin.to(dtype)
    promises = protocols.promised(twin)
    found = protocols.methods(twin)
    if protocols.Bijection not in promises:
        found.pop("forward", None)
    about: Any = twin.conditioned_on if protocols.Conditional in promises else None
    shape: Any = twin.event_shape
    subject = Subject(
        name=type(getattr(model, "model", model) if isinstance(model, AtContext) else model).__name__,
        event_shape=Size(shape),
        levels=levels_of(twin, levels),
        dtype=dtype,
        modules=[twin],
        model=twin,
        factory=factory,
        fresh=None if factory is None else lambda: of_model(factory(), levels=levels),
        conditionals=twin if protocols.Ordered in promises else None,
        marginal=_marginal(twin, found),
        conditional=None if about is None else (twin, about),
        promises=promises,
        **found,
    )
    with untouched(subject.modules), torch.random.fork_rng(devices=[]):
        subject.settle_support()
        subject.settle_bound()
    return subject


def levels_of(model: Any, otherwise: int | None = None) -> int | None:
    """How many values a variable of a model has, None if they are real; ``otherwise`` if the model does not say."""
    likelihood = getattr(model, "likelihood", None)
    return getattr(model, "levels", otherwise) if likelihood is None else likelihood.levels


def _marginal(model: Any, found: dict) -> Callable | None:
    """An exact log p: the model's own, or by quadrature over one or two latents or entries of a cell, else None."""
    if "log_prob" in found:
        return found["log_prob"]
    from dgmhelpers import evaluation

    if "log_density" in found and Size(model.event_shape).numel() <= 2:
        # in float64, a copy at each call: at an edge of a cell float32 has no digits left for a steep density
        return lambda x: evaluation.over_cells(copy.deepcopy(model).double().log_density, x)
    latent = getattr(model, "latent", None)
    if "elbo" not in found or not hasattr(model, "decode") or latent not in (1, 2):
        return None
    prior = getattr(model, "prior", None)            # a flow, redrawn, reaches beyond any grid
    if hasattr(prior, "inverse") or getattr(prior, "conditioned_on", None) is not None:
        return None
    return partial(evaluation.quadrature, model, points=(401, 101)[latent - 1], batch_size=2**18)
