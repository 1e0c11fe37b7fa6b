"""What a trained result is made from: data, model, training, and the published figure it stands beside."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

PUBLISHED_STATUS = ("read", "reported")


class UnknownRecipe(ValueError):
    """A name that no recipe has."""


@dataclass(frozen=True)
class Published:
    """A figure from the literature.

    Attributes:
        source: key in ``book/references.bib``.
        note: how ours is not the same experiment.
        kind: "exact", "bound" or "estimate".
        status: "read" if the table was opened, "reported" if the figure is as the literature repeats it.
    """

    system: str
    value: float
    source: str
    unit: str = "nats"
    note: str = ""
    status: str = "reported"
    kind: str = "exact"


@dataclass(frozen=True)
class Recipe:
    """One result that ``python -m dgmhelpers train NAME`` makes.

    Attributes:
        model: its class, such as ``"autoregressive.NADE"``.
        config: the class's keyword arguments, without those that follow from the data (``dim``, ``levels``).
        dataset: name of a data set.
        training: keyword arguments of :func:`dgmhelpers.training.fit`, or of ``em``.
        method: "gradient" or "em".
        candidates: changes to config or training; each is trained, and the validation split chooses.
        published: what to stand beside.
        dtype: how the weights are stored.
        size: shape of one example as a picture, for binary images.
        witness: an embedded data set on which the stored weights are measured too, so that whoever has no
            network can see that these are the weights. Says nothing of generalisation.
        orders: for an order-agnostic model, how many orders its stored mixture has. It is trained and chosen by the
            validation split with those of its config, usually one.
        unit: what the likelihood of an example is counted in: "nats" or "bits/dim".
        part: at most so many examples of a split are evaluated, where a likelihood takes many passes: see ``some``.
        weighted: for a model with a bound, how many examples get all the draws of its importance-weighted estimate.
        quick: the fields that differ in the quick profile.
    """

    name: str
    description: str
    model: str
    dataset: str
    config: Mapping = field(default_factory=dict)
    training: Mapping = field(default_factory=dict)
    method: str = "gradient"
    candidates: tuple[Mapping, ...] = ({},)
    published: tuple[Published, ...] = ()
    dtype: str = "float16"
    size: tuple[int, int] | None = None
    witness: str | None = None
    orders: int | None = None
    unit: str = "nats"
    part: int | None = None
    weighted: int | None = None
    quick: Mapping = field(default_factory=dict, repr=False)

    def for_profile(self, profile: str) -> "Recipe":
        """This recipe in the ``"quick"`` or the ``"full"`` profile."""
        return replace(self, **self.quick) if profile == "quick" else self

    def some(self, examples: Tensor) -> Tensor:
        """The examples that are evaluated: all, or ``part`` of them at even distances.

        Not the first: files may be sorted. Static binarised MNIST's test part is, by digit, and begins with 200 zeros,
        which cost 14 nats more than its mean.
        """
        return examples if self.part is None else at_even_distances(examples, self.part)

    def with_candidate(self, change: Mapping) -> "Recipe":
        """This recipe with one candidate's change made to its config or its training."""
        config = {k: change.get(k, v) for k, v in self.config.items()}
        training = dict(self.training) | {k: v for k, v in change.items() if k not in config}
        return replace(self, config=config, training=training, candidates=({},))


def at_even_distances(examples: Tensor, count: int) -> Tensor:
    """``count`` of the examples, the first among them; all if there are no more."""
    return examples if count >= len(examples) else examples[torch.arange(count) * len(examples) // count]


def registry(recipes) -> dict[str, Recipe]:
    """Recipes by name, which must not repeat."""
    found: dict[str, Recipe] = {}
    for recipe in recipes:
        if recipe.name in found:
            raise ValueError(f"two recipes are called {recipe.name}")
        found[recipe.name] = recipe
    return found


def lookup(recipes: Mapping[str, Recipe], name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UnknownRecipe: with the names that are close.
    """
    if name in recipes:
        return recipes[name]
    close = difflib.get_close_matches(str(name), recipes, 3, 0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(recipes)}"
    raise UnknownRecipe(f"no recipe is called {name!r}: {hint}")
