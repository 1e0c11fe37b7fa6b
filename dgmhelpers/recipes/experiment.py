"""One result in words and numbers: which models, taught what, in which variants, from which seeds, and how measured.

An experiment of somebody's own needs no place in this package::

    EXPERIMENT = Experiment(
        name="mine", description="my model on the small digits", measures=(Nats(),),
        stages=(Stage(MyModel, "digits8", training={"steps": 1000, "batch_size": 64}),),
    )

``python -m dgmhelpers train mine_module:EXPERIMENT`` trains it, stores the weights, measures what was stored and writes
``results/mine.json``; ``evaluate`` and ``sample`` take the same name.
"""

import difflib
import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers import data
from dgmhelpers.recipes.measures import Measure, Nats, at_even_distances
from dgmhelpers.training.checkpoints import model_class

ONLY = "only"       # the variant of an experiment that has one


class UnknownRecipe(ValueError):
    """A name that no experiment has."""


@dataclass(frozen=True)
class Made:
    """What a stage is given to make its data of.

    Attributes:
        seed: of the run. device: that it trains on.
        models: of earlier stages, trained, by name.
        dataset: the first stage's; None before it.
    """

    seed: int
    device: torch.device
    models: Mapping[str, nn.Module] = field(default_factory=dict)
    dataset: data.Dataset | None = None


@dataclass(frozen=True)
class Stage:
    """One model, what it learns from, and how.

    Attributes:
        model: its class, or where to find it: ``"autoregressive.NADE"``, ``"my_module:MyModel"``.
        source: name of a data set, or a function of :class:`Made` that gives a :class:`~dgmhelpers.data.Dataset`, such
            as the codes of an earlier stage.
        config: the class's keyword arguments, without those that follow from the data (``dim``, ``event_shape``,
            ``levels``).
        training: keyword arguments of the trainer, of numbers and words.
        trainer: ``"gradient"`` for :func:`~dgmhelpers.training.fit`, ``"em"``, ``"game"`` for ``fit_adversarial``, or a
            function ``(model, examples, *, seed, checkpoint, time_limit, device, watch, **training)`` that trains the
            model, goes on from ``checkpoint`` if there is one, and gives a history with ``steps``, ``seconds``,
            ``stopped``, and ``best_valid`` if there are candidates to choose among. ``examples`` is an
            :class:`~dgmhelpers.recipes.train.Examples`.
        name: what the weights' names begin with in the checkpoint, where there is more than one stage.
    """

    model: str | type[nn.Module]
    source: str | Callable[[Made], data.Dataset]
    config: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    trainer: str | Callable = "gradient"
    name: str = ""

    @property
    def kind(self) -> type[nn.Module]:
        """The class."""
        return model_class(self.model)

    def dataset(self, made: Made) -> data.Dataset:
        """What it learns from."""
        return data.load(self.source) if isinstance(self.source, str) else self.source(made)

    def changed(self, key: str, value: Any) -> "Stage":
        """This stage with one thing changed: see :meth:`Experiment.changed`."""
        if key == "class":
            return replace(self, model=value)
        if key == "model":
            return replace(self, config={**self.config, **value})
        if key in self.config:
            return replace(self, config={**self.config, key: value})
        return replace(self, training={**self.training, key: value})


OF_A_STAGE = frozenset(each.name for each in fields(Stage)) - {"name"}


@dataclass(frozen=True)
class Experiment:
    """Everything that makes a result.

    Attributes:
        stages: trained one after the other; each may use what those before it made.
        whole: where there are several, a class that takes their models as keyword arguments, by name, and offers what
            is measured and sampled; or where to find it.
        variants: what is changed, by the name of the variant (:meth:`changed`). One of each is a plain recipe.
        seeds: each decides first weights, batches and noise of a run of every variant; all runs are reported.
        candidates: changes of which the validation split chooses, in every run.
        measures: see :mod:`dgmhelpers.recipes.measures`.
        published: ids in ``book/published.json`` of what to stand beside, and how ours is not the same experiment.
        keep: the variant whose weights of the first seed are stored; None for none.
        against: a variant that the others are compared with seed by seed, in the record.
        finish: what is done to the trained model before it is stored, such as ``methodcaller("with_orders", 16)``.
        watch: ``(model, dataset, seed) → {"counts": [...], "samples": [...]}``, looked at while training (by a trainer
            that takes ``watch``) and kept as :class:`~dgmhelpers.recipes.results.OverTime`; samples may be left out.
        protocol: facts of the measuring that are written beside the settings.
        dtype: how the weights are stored.
        size: shape of one example as a picture, if that is what it is.
        witness: an embedded data set on which the stored weights are measured too, so that whoever has no network can
            see that these are the weights. Says nothing of generalisation.
        part: at most so many examples of a split are evaluated, where a likelihood takes many passes: see :meth:`some`.
        quick: the fields that differ in the quick profile; those of a stage are the first's.
    """

    name: str
    description: str
    stages: tuple[Stage, ...]
    whole: str | type[nn.Module] | None = None
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {ONLY: {}})
    seeds: tuple[int, ...] = (0,)
    candidates: tuple[Mapping[str, Any], ...] = ({},)
    measures: tuple[Measure, ...] = (Nats(),)
    published: Mapping[str, str] = field(default_factory=dict)
    keep: str | None = ONLY
    against: str | None = None
    finish: Callable[[nn.Module], nn.Module] | None = None
    watch: Callable[[nn.Module, data.Dataset, int], dict] | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float16"
    size: tuple[int, int] | None = None
    witness: str | None = None
    part: int | None = None
    quick: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names) or (len(names) > 1 and not all(map(str.isidentifier, names))):
            raise ValueError(f"the stages of {self.name} need names of their own, got {names}")
        if (len(names) > 1) != (self.whole is not None):
            raise ValueError(f"{self.name} has {len(names)} stages: several need a whole, and one is one")
        for what in ("keep", "against"):
            if getattr(self, what) not in (None, *self.variants):
                raise ValueError(f"{what} must be a variant of {self.name} ({', '.join(self.variants)}) or None, got "
                                 f"{getattr(self, what)!r}")
        if not (self.variants and self.seeds and self.candidates and self.measures):
            raise ValueError(f"{self.name} needs a variant, a seed, a candidate and a measure at least")

    @classmethod
    def of(cls, name: str, description: str, **given) -> "Experiment":
        """An experiment of one stage, its fields and the stage's given together."""
        stage = Stage(**{key: value for key, value in given.items() if key in OF_A_STAGE})
        rest = {key: value for key, value in given.items() if key not in OF_A_STAGE}
        return cls(name, description, (stage,), **rest)

    def with_fields(self, **given) -> "Experiment":
        """This experiment with other fields; those of a stage are the first's."""
        first = replace(self.stages[0], **{key: value for key, value in given.items() if key in OF_A_STAGE})
        rest = {key: value for key, value in given.items() if key not in OF_A_STAGE}
        return replace(self, **{"stages": (first, *self.stages[1:])} | rest)

    def for_profile(self, profile: str) -> "Experiment":
        """This experiment in the ``"quick"`` or the ``"full"`` profile."""
        return self.with_fields(**self.quick) if profile == "quick" else self

    def changed(self, change: Mapping[str, Any]) -> "Experiment":
        """This experiment with a variant's or a candidate's change made.

        ``"class"`` is another class, ``"model"`` holds entries of its config; any other key changes the config if it
        stands there, else the training. ``"prior/lr"`` is the ``lr`` of the stage ``prior``, ``"lr"`` the first's.
        """
        stages = list(self.stages)
        for key, value in change.items():
            name, _, inner = key.rpartition("/")
            found = [i for i, stage in enumerate(stages) if name in ("", stage.name)]
            if not found:
                raise ValueError(f"{self.name} has no stage {name!r}, only {', '.join(s.name for s in stages)}")
            stages[found[0]] = stages[found[0]].changed(inner, value)
        return replace(self, stages=tuple(stages))

    def classes(self) -> list[type[nn.Module]]:
        """Every class that its checkpoint may name."""
        models = [stage.model for stage in self.stages] + ([] if self.whole is None else [self.whole])
        return [model_class(model) for model in models]

    def settings(self) -> dict[str, Any]:
        """Config and training of every stage and the protocol, as JSON holds them."""
        found: dict[str, Any] = {}
        for stage in self.stages:
            before = f"{stage.name}/" if stage.name else ""
            found |= {f"{before}{key}": value for key, value in {"model": stage.config, **stage.training}.items()}
        return plain({**found, **self.protocol})

    def some(self, examples: Tensor) -> Tensor:
        """The examples that are evaluated: all, or ``part`` of them at even distances.

        Not the first: files may be sorted. Static binarised MNIST's test part is, by digit, and begins with 200 zeros,
        which cost 14 nats more than its mean.
        """
        return examples if self.part is None else at_even_distances(examples, self.part)


def plain(value: Any) -> Any:
    """``value`` as JSON gives it back; classes and functions as where they are found."""
    return json.loads(json.dumps(value, default=lambda each: f"{each.__module__}:{each.__qualname__}"))


def registry(experiments: Iterable[Experiment]) -> dict[str, Experiment]:
    """Experiments by name, which must not repeat."""
    found: dict[str, Experiment] = {}
    for experiment in experiments:
        if experiment.name in found:
            raise ValueError(f"two recipes are called {experiment.name}")
        found[experiment.name] = experiment
    return found


def lookup(experiments: Mapping[str, Experiment], name: str) -> Experiment:
    """The experiment of that name; or, for ``"module:NAME"``, the one that a module has under that name.

    Raises:
        UnknownRecipe: with the names that are close, or what was found instead.
    """
    if name in experiments:
        return experiments[name]
    module, _, attribute = str(name).partition(":")
    if attribute:
        try:
            found = getattr(importlib.import_module(module), attribute, None)
        except ModuleNotFoundError as error:
            raise UnknownRecipe(f"{name!r}: {error}") from None
        if isinstance(found, Experiment):
            return found
        raise UnknownRecipe(f"{name!r} should be an Experiment, and is {type(found).__name__}")
    close = difflib.get_close_matches(str(name), experiments, 3, 0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(experiments)}"
    raise UnknownRecipe(f"no recipe is called {name!r}: {hint}")
