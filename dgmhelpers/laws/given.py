"""What an audit is given, as functions by our names: methods, a distribution, conditionals, a dictionary."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, Distribution, Independent, VonMises, constraints

from dgmhelpers.arguments import closest
from dgmhelpers.laws.subject import levels_of
from dgmhelpers.likelihoods import Bernoulli, Categorical

FUNCTIONS = ("log_prob", "sample", "loss", "logits", "elbo", "log_weights", "dequantise", "log_density", "forward",
             "inverse", "energy", "log_partition", "step", "ais", "score", "velocity", "pairs")


def named(functions: Mapping[str, Any]) -> dict[str, Callable]:
    """Functions that are there, by names that an audit knows.

    Raises:
        ValueError: for a name that it does not know.
    """
    if unknown := sorted(set(functions) - set(FUNCTIONS)):
        raise ValueError(f"{', '.join(unknown)}: no function that can be audited; there are {', '.join(FUNCTIONS)}")
    return {name: function for name, function in functions.items() if function is not None}


def methods_of(thing: Any, methods: Mapping[str, str] | None) -> dict[str, Callable]:
    """The methods of an object: those that ``methods`` names, by our names, or those that are called as ours are.

    Raises:
        ValueError: if one is not there.
    """
    if methods is None:  # every module has a forward; a bijection has an inverse as well
        both = callable(getattr(thing, "inverse", None)) and callable(getattr(thing, "forward", None))
        names = [name for name in FUNCTIONS if both or name not in ("forward", "inverse")]
        return {name: getattr(thing, name) for name in names if callable(getattr(thing, name, None))}
    found = {}
    for ours, theirs in methods.items():
        if not callable(getattr(thing, theirs, None)):
            there = [n for n in dir(thing) if not n.startswith("_")]
            raise ValueError(f"{type(thing).__name__} has no method {theirs!r}: {closest(theirs, there)}")
        found[ours] = getattr(thing, theirs)
    return named(found)


def taken_apart(thing: Any, methods, told: dict) -> tuple[dict[str, Callable], dict[str, Any], str]:
    """The functions of a thing, what is known about its examples, and how a report calls it.

    A thing is a dictionary of what an audit takes, a distribution of torch, or any object with methods.

    Raises:
        ValueError: if it has no function that an audit knows, or says what it was told otherwise.
    """
    if isinstance(thing, Distribution):
        thing = of_distribution(thing) | {"name": type(thing).__name__}
    if isinstance(thing, Mapping):
        about = {key: value for key, value in thing.items() if key in told}
        functions = {key: value for key, value in thing.items() if key not in told and key != "name"}
        return named(functions), _merged(about, told), thing.get("name", "these functions")
    found = methods_of(thing, methods)
    if not found:
        raise ValueError(
            f"expected a torch module with event_shape, got {type(thing).__name__} without a method of ours: "
            'say methods={"log_prob": ..., "sample": ...}, or audit functions with log_prob=, sample='
        )
    return found, agreed(thing, told), type(thing).__name__


def agreed(model: Any, told: dict) -> dict[str, Any]:
    """What is known about a model's examples: what it says itself, else what was told.

    Raises:
        ValueError: if the two differ, or a support is told of a model that says its own shape.
    """
    about: dict[str, Any] = {}
    if getattr(model, "event_shape", None) is not None:
        about["event_shape"] = tuple(model.event_shape)
    if hasattr(model, "likelihood") or hasattr(model, "levels"):
        about["levels"] = levels_of(model)
    return _merged(about, told)


def _merged(about: dict, told: dict) -> dict[str, Any]:
    for key, value in about.items():
        mine, value = (tuple(v) if isinstance(v, list | torch.Size) else v for v in (told[key], value))
        if mine is not None and value is not None and mine != value:
            raise ValueError(f"{key} is {value} in the model, and was said to be {mine}")
    return {key: about[key] if about.get(key) is not None else value for key, value in told.items()}


class Conditionals(nn.Module):
    """Somebody else's conditionals as an ordered model of this package.

    Args:
        logits: ``(B, *event_shape) -> (B, *event_shape, levels)``, unnormalised log-probabilities of every level; of
            binary values also ``(B, *event_shape)``, the log odds of a 1.
        order: of the flat positions, first to last; raster if None.
        behind: the modules that the function refers to.
    """

    blind_spot = None

    def __init__(self, logits: Callable, event_shape, levels: int | None, order=None, behind: list | None = None):
        super().__init__()
        if levels is None:
            raise ValueError("logits= is for values that have levels: say levels=")
        self.event_shape, self.levels, self.function = torch.Size(event_shape), levels, logits
        dim = self.event_shape.numel()
        flat = torch.arange(dim) if order is None else torch.as_tensor(order).reshape(-1).long()
        if sorted(flat.tolist()) != list(range(dim)):
            raise ValueError(f"order must have each of the {dim} flat positions once, got {flat.tolist()}")
        self.register_buffer("orders", flat[None])
        self.behind = nn.ModuleList(behind or [])
        self.likelihood: Any = Bernoulli() if levels == 2 else Categorical(levels)

    def forward(self, x: Tensor, context=None) -> Tensor:
        found, shape = self.function(x), tuple(x.shape)
        if self.levels == 2 and tuple(found.shape) == shape:
            return found
        if tuple(found.shape) != (*shape, self.levels):
            twice = f" or {shape}" if self.levels == 2 else ""
            raise ValueError(f"logits of shape {tuple(found.shape)} for examples of shape {shape}: expected "
                             f"{(*shape, self.levels)}{twice}, levels last")
        if self.levels == 2:
            return found[..., 1] - found[..., 0]
        return found

    def log_prob(self, x: Tensor) -> Tensor:
        """``(B,)``, nats: the sum of the conditionals' log-probabilities."""
        return self.likelihood.log_prob(self(x), x).flatten(1).sum(1)


def _support(distribution: Distribution) -> Any:
    try:
        return distribution.support
    except NotImplementedError:     # as of many a flow: it is real, and everywhere
        return constraints.independent(constraints.real, len(distribution.event_shape))


def of_distribution(distribution: Distribution) -> dict[str, Any]:
    """What an audit takes, from a ``torch.distributions`` object: a batch of distributions is one of a vector.

    Raises:
        ValueError: if its values are neither real nor 0 … K − 1.
    """
    if distribution.batch_shape:
        distribution = Independent(distribution, len(distribution.batch_shape))
    plain: Any = _support(distribution)
    while isinstance(plain, constraints.independent):
        plain = plain.base_constraint
    levels = None
    if plain.is_discrete:
        levels = 2 if plain is constraints.boolean else getattr(plain, "upper_bound", None)
        if isinstance(plain, constraints.integer_interval):
            upper, lower = torch.as_tensor(plain.upper_bound), torch.as_tensor(plain.lower_bound)
            if (lower != 0).any() or (upper != upper.reshape(-1)[0]).any():
                raise ValueError(f"values must be 0 … K − 1 with one K for all, got {plain}")
            levels = int(upper.reshape(-1)[0]) + 1
        if not isinstance(levels, int):
            raise ValueError(f"values must be real or 0 … K − 1, got those of {plain}")
    first = distribution.sample()

    def log_prob(x: Tensor) -> Tensor:
        x = x.to(first.dtype)
        inside = _support(distribution).check(x)
        inside = inside.reshape(len(x), -1).all(1)
        where = torch.where(inside.reshape(-1, *[1] * first.ndim), x, first)       # others are not to be asked about
        return torch.where(inside, distribution.log_prob(where), -torch.inf)

    inner = distribution
    while isinstance(inner, Independent):
        inner = inner.base_dist
    support = {VonMises: "torus", Dirichlet: "simplex"}.get(type(inner)) if first.numel() < 4 else None
    return {"log_prob": log_prob, "sample": lambda n: distribution.sample((n,)), "event_shape": tuple(first.shape),
            "levels": levels, "support": support}
