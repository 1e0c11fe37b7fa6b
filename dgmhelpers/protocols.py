"""What a generative model can promise, one protocol per promise, and the laws that each promise must keep.

A model offers as many of these as are true of it, and no more: an exact density and a lower bound have
different names, so no table can put one in the other's column. Throughout, ``B`` is the batch, ``n`` a number
of draws, and every likelihood is in nats.

``LAWS`` says which laws (:mod:`dgmhelpers.laws`) a promise must keep; :func:`promised` says what a model promises.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Generator, Size, Tensor, nn

Method = Literal["cached", "naive"]


class Trained(nn.Module):
    """The type of a model that was loaded: for editors and type checkers. What it offers depends on the model."""

    event_shape: Size
    config: dict
    sample: Callable[..., Tensor]
    log_prob: Callable[..., Tensor]
    loss: Callable[..., Tensor]
    elbo: Callable[..., Tensor]
    generate: Callable[..., Any]


@runtime_checkable
class Implicit(Protocol):
    """Draws new examples, and promises nothing else."""

    event_shape: Size  # shape of one example, without the batch

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, *event_shape)``."""
        ...


@runtime_checkable
class FromNoise(Implicit, Protocol):
    """Makes each draw from noise by a network."""

    generator: Any  # (n, latent) → (n, *event_shape)

    def noise(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """``n`` draws of the noise, ``(n, latent)``."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """Draws new examples, if asked in part given: conditioned, inpainted, cooled."""

    event_shape: Size

    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        given: Tensor | None = None,
        known: Tensor | None = None,
        temperature: float = 1.0,
        method: Method = "cached",
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, *event_shape)``.

        Args:
            context: what a conditional model is conditioned on, one row an example.
            given: values to keep, where ``known`` is true.
            known: boolean mask, which entries of ``given`` to keep.
            temperature: 1 samples the model; less, down to but not 0, makes likely values likelier.
            method: ``"naive"`` is the definition, ``"cached"`` the same draws faster.
            generator: source of randomness, on the model's device.
        """
        ...


@runtime_checkable
class Density(Implicit, Protocol):
    """Evaluates its own likelihood exactly."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-likelihood in nats, shape ``(B,)``, of ``x`` with shape ``(B, *event_shape)``.

        Of one declared order; or, for a mixture over orders, the log of the mean of the probabilities, never
        a mean of log-probabilities.
        """
        ...

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """What training minimises, a scalar in nats per example.

        Minus the mean ``log_prob``, or an estimator whose expectation the model's docstring states.
        """
        ...


@runtime_checkable
class Ordered(Protocol):
    """Says what each of its conditionals is, all at once."""

    orders: Tensor  # (M, D), each a permutation of the flat positions
    likelihood: Any

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional, ``(B, *event_shape, *parameter_shape)``."""
        ...


@runtime_checkable
class Bound(Implicit, Protocol):
    """Evaluates a lower bound on its likelihood, and never calls it one."""

    def elbo(self, x: Tensor, k: int = 1, *, generator: Generator | None = None) -> Tensor:
        """Stochastic lower bound on ``log p(x)`` in nats, shape ``(B,)``.

        For ``k > 1`` the importance-weighted bound: the log of the mean of ``k`` importance weights. A bound that has
        no such form takes no ``k``, or refuses one above 1.
        """
        ...


@runtime_checkable
class ImportanceWeighted(Bound, Protocol):
    """A bound made of importance weights, which can be had one by one."""

    def log_weights(self, x: Tensor, k: int, *, generator: Generator | None = None) -> Tensor:
        """``log p(x, z) − log q(z | x)`` for ``k`` draws of z, shape ``(k, B)``."""
        ...


@runtime_checkable
class Dequantised(ImportanceWeighted, Protocol):
    """Levels under a density over real numbers: noise spreads each over its cell [x, x + 1)."""

    def dequantise(self, x: Tensor, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A point of each example's cell, ``(B, *event_shape)``, and the log-density of the noise in it, ``(B,)``."""
        ...

    def log_density(self, points: Tensor) -> Tensor:
        """Log-density in nats, ``(B,)``, of real points: its integral over a cell is the probability of the level."""
        ...


@runtime_checkable
class Reconstruction(Protocol):
    """Says what its reconstruction of an example lacks; not a likelihood."""

    event_shape: Size

    def errors(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """An error of each example, ``(B,)``."""
        ...


@runtime_checkable
class Unnormalised(Protocol):
    """Knows its likelihood up to a constant: ``p(x) = exp(−energy(x)) / Z``."""

    event_shape: Size

    def energy(self, x: Tensor) -> Tensor:
        """The energy of each example, ``(B,)``, in nats."""
        ...


@runtime_checkable
class Partition(Unnormalised, Protocol):
    """Can be normalised exactly, if it is small."""

    def log_partition(self) -> Tensor:
        """``log Z``, a scalar: the log of the sum, or integral, of ``exp(−energy)``."""
        ...


@runtime_checkable
class Chain(Unnormalised, Protocol):
    """Has a Markov chain of which its distribution is a fixed point."""

    def step(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """One transition from each of ``(B, *event_shape)``, the same shape."""
        ...


@runtime_checkable
class Annealed(Unnormalised, Protocol):
    """Estimates its constant by annealed importance sampling."""

    def ais(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """``n`` independent log weights, ``(n,)``, the mean of whose exponentials is Z."""
        ...


@runtime_checkable
class Bijection(Protocol):
    """An invertible map that knows how it changes volume."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``z`` of the shape of ``x``, and ``log |det dz/dx|`` of shape ``(B,)``."""
        ...

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` of the shape of ``z``, and ``log |det dx/dz|`` of shape ``(B,)``."""
        ...


@runtime_checkable
class Score(Protocol):
    """Knows the gradient of the log-density of its data with noise: a score that is stated, not one that is learnt."""

    event_shape: Size

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """``∇ log p_t(x)`` of the shape of ``x``, at times ``t``, ``(B,)``; at t = 0 of the density itself."""
        ...


@runtime_checkable
class Field(Protocol):
    """Knows the mean velocity of pairs that are joined by straight lines: of a coupling that is stated."""

    event_shape: Size

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """``E[x₁ − x₀ | (1 − t) x₀ + t x₁ = x]``, of the shape of ``x``, at times ``t``, ``(B,)``."""
        ...

    def pairs(self, n: int, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """``n`` draws of x₀ and x₁ together, ``(n, *event_shape)`` each."""
        ...


@dataclass(frozen=True)
class Context:
    """What a conditional model is conditioned on: one row an example.

    Args:
        shape: of one row; ``()`` for a class.
        levels: number of classes; None for real numbers.
    """

    shape: tuple[int, ...] = ()
    levels: int | None = None

    def row(self, which: int) -> Tensor:
        """One row that is allowed; another ``which`` gives another, in turn."""
        if self.levels is not None:
            return torch.full(self.shape, (which * max(self.levels - 1, 1)) % self.levels)
        return torch.randn(self.shape, generator=Generator().manual_seed(which))

    def wrong(self, n: int) -> dict[str, Tensor | None]:
        """Contexts that ``n`` examples cannot have, by what is wrong with them."""
        right = torch.stack([self.row(i) for i in range(n)])                       # (n, *shape)
        found = {"none at all": None, "one row too many": torch.cat([right, right[:1]]),
                 "a dimension too many": right.unsqueeze(-1)}
        if self.levels is not None:
            return found | {"real numbers for classes": right.double() + 0.5, "a class too many": right + self.levels,
                            "a class below 0": right - self.levels}
        spoilt = right.clone()
        spoilt.reshape(-1)[0] = torch.nan
        return found | {"a value that is not finite": spoilt, "a row too short": right[..., :-1]}


@runtime_checkable
class Conditional(Protocol):
    """Is another distribution for each context, and says what a context is."""

    conditioned_on: Context  # None for a model that is not conditional


# what must hold of each; one that needs a method which is not offered is not asked for (real values are not summed)
LAWS: dict[type, tuple[str, ...]] = {
    Implicit: ("draws_are_sound",),
    FromNoise: (),
    Sampler: ("cached_equals_naive",),
    Density: ("sums_to_one", "integrates_to_one", "sampler_matches_density", "loss_matches_target"),
    Ordered: ("depends_on_exactly_its_past", "conditionals_multiply_to_log_prob"),
    Bound: ("bound_is_below", "bound_rises_with_draws", "weights_average_to_p", "gradient_matches_differences",
            "loss_matches_target"),
    ImportanceWeighted: ("bound_matches_its_weights",),
    Dequantised: ("dequantisation_is_a_bound",),
    Reconstruction: (),
    Unnormalised: (),
    Partition: ("partition_is_the_sum", "gradient_is_data_minus_model"),
    Chain: ("chain_is_stationary",),
    Annealed: ("annealing_finds_the_partition",),
    Bijection: ("inverts", "logdet_matches_jacobian"),
    Score: ("score_is_the_gradient",),
    Field: ("velocity_is_the_conditional_mean",),
    Conditional: ("refuses_wrong_contexts",),
}
ALWAYS = ("forward_changes_nothing", "gives_one_number_each", "ignores_the_batch")   # of whatever can be evaluated
LEARNING = ("starts_sane", "learns_a_constant", "never_beats_entropy")  # of what can be made afresh

# what each protocol adds, and arguments that tell a method from another of the same name
_METHODS: dict[Any, dict[str, tuple[str, ...]]] = {
    Implicit: {"sample": ()}, Sampler: {"sample": ("method",)}, Density: {"log_prob": ()}, Bound: {"elbo": ()},
    ImportanceWeighted: {"log_weights": ("k",)},
    Dequantised: {"dequantise": (), "log_density": ()}, Reconstruction: {"errors": ()}, Unnormalised: {"energy": ()},
    Partition: {"log_partition": ()}, Chain: {"step": ()}, Annealed: {"ais": ()},
    Bijection: {"forward": (), "inverse": ()}, Score: {"score": ("x", "t")},
    Field: {"velocity": ("x", "t"), "pairs": ()}, FromNoise: {"noise": ()}, Ordered: {"forward": ()}, Conditional: {},
}  # fmt: skip


def promised(model: Any) -> tuple[type, ...]:
    """The protocols that a model offers, by its methods and what these take."""
    return tuple(protocol for protocol in LAWS if isinstance(model, protocol) and _means_it(model, protocol))


def methods(model: Any) -> dict[str, Any]:
    """The methods by which a model keeps its promises, by name: what there is to audit."""
    found = {name: getattr(model, name) for protocol in promised(model) for name in _METHODS[protocol]}
    for name in ("log_prob", "sample", "loss"):  # a part of a promise can be looked at, too
        if callable(getattr(model, name, None)):
            found[name] = getattr(model, name)
    return found


def takes(function: Any, *names: str) -> bool:
    """Whether a function has arguments of these names."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return all(name in parameters for name in names)


def _means_it(model: Any, protocol: type) -> bool:
    if protocol is Conditional:
        return model.conditioned_on is not None
    return all(takes(getattr(model, name), *names) for name, names in _METHODS[protocol].items() if names)
