"""What is measured on a trained model: objects, each with a name, a unit and a kind that no other kind is mixed with.

Kinds: ``"exact"`` negative log-likelihoods; ``"bound"``, which these do not exceed; ``"estimate"`` of them; and
``"figure"``, anything else, such as what share of the modes the samples reach.

A measure of your own is a subclass with :meth:`Measure.estimate`, or a :class:`Figures` around a function.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import data, evaluation
from dgmhelpers.evaluation import Estimate

if TYPE_CHECKING:
    from dgmhelpers.recipes.experiment import Experiment

PROBE = 200         # examples whose own mean is stored, so that a part of a split can be compared exactly
BOUND_DRAWS = 10    # independent values of the bound for each example
SLOWER = 10         # an importance-weighted estimate takes this many times fewer examples than were asked for
WITNESS_PART = 50   # examples of the embedded data that get all the draws
TIMED_SAMPLES = 100


@dataclass(frozen=True)
class Measure:
    """A mean over the examples of a split, with its standard error.

    Attributes:
        name, words: in the record, and on the page.
        kind: see the top of this module.
        unit: what it is counted in.
        splits: that it is taken of, where the data has them; the witness's test split beside them.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    kind: ClassVar[str] = "exact"
    probe: ClassVar[int] = PROBE
    splits: ClassVar[tuple[str, ...]] = ("test", "valid")

    unit: str = "nats"

    @property
    def units(self) -> dict[str, str]:
        """What each figure is, in words."""
        return {self.name: f"{self.words}, {self.unit}"}

    def estimate(self, model: Any, x: Tensor, context: Tensor | None) -> Estimate:
        """The figure of the examples ``x``, with the same draws at every call."""
        raise NotImplementedError

    def entries(
        self, model: Any, experiment: "Experiment", dataset: data.Dataset, seed: int, split: str,
        examples: int | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """What the record says of one split: of all of it, or of ``examples`` of them (:func:`spread`).

        ``first`` is the figure of the first examples alone, so that a part can be compared exactly.
        """
        x = self.spread(experiment.some(dataset.split(split)), examples)
        shape: Any = model.event_shape
        x = x.reshape(len(x), *shape)
        about = None
        if experiment.stages[-1].config.get("classes"):
            about = self.spread(experiment.some(dataset.labels[split]), examples)
        count = min(self.probe, len(x))
        found, facts = self.whole(model, experiment, dataset, x, about, examples)
        first = found
        if examples is None or count < len(x):
            first = self.estimate(model, x[:count], None if about is None else about[:count])
        return [self.entry(dataset, split, found, {"examples": count, "value": first.value}, **facts)]

    def whole(self, model, experiment, dataset, x, about, examples) -> tuple[Estimate, dict[str, Any]]:
        """The figure of all that is to be measured, and what is to be said of it beside the usual."""
        return self.estimate(model, x, about), {}

    def spread(self, x: Tensor, examples: int | None) -> Tensor:
        """See :func:`spread`."""
        return spread(x, examples, self.probe)

    def entry(self, dataset, split: str, found: Estimate, first: dict, **facts) -> dict[str, Any]:
        """One figure, as it stands in the record."""
        return {
            "name": self.name, "measure": self.words, "kind": self.kind, **facts, "dataset": dataset.name,
            "split": split, "value": found.value, "standard_error": found.standard_error, "unit": self.unit,
            "examples": found.n, "first": first,
        }  # fmt: skip


class Nats(Measure):
    """Exact negative log-likelihood of a model with ``log_prob``, in nats an example or, if so asked, bits/dim."""

    name = "nll"
    words = "negative log-likelihood"

    def estimate(self, model, x, context):
        """Of the mean ``−log p(x)``."""
        nats = -evaluation.log_probs(model, x, context)
        if self.unit == "bits/dim":
            nats = evaluation.bits_per_dim(nats, model.event_shape.numel())
        return evaluation.mean(nats, self.unit)


@dataclass(frozen=True)
class NatsOfText(Nats):
    """The same of one long text, read in one piece, by a model with ``stream``. The first characters are the part."""

    probe: ClassVar[int] = 10 * PROBE
    unit: str = "nats per character"

    def entries(self, model, experiment, dataset, seed, split, examples=None):
        """As for any measure, of a text."""
        text = dataset.split(split)
        first = {"examples": self.probe, "value": evaluation.stream(model, text[: self.probe]).value}
        return [self.entry(dataset, split, evaluation.stream(model, text[:examples]), first)]


class Elbo(Measure):
    """Minus the evidence lower bound of a model with ``elbo``, in nats an example or, if so asked, bits/dim."""

    name = "elbo"
    words = "negative evidence lower bound"
    kind = "bound"

    def estimate(self, model, x, context):
        """Of ten draws an example."""
        nats = -evaluation.elbos(model, x, context=context, draws=BOUND_DRAWS, generator=draws_of(model))
        if self.unit == "bits/dim":
            nats = evaluation.bits_per_dim(nats, model.event_shape.numel())
        return evaluation.mean(nats, self.unit)


@dataclass(frozen=True)
class ImportanceWeighted(Measure):
    """Importance-weighted estimate of the negative log-likelihood, of a model with ``log_weights``.

    It takes a tenth of the examples asked for, each with all its draws; of the whole split, all the examples with
    ``part`` of them given all the draws (:func:`dgmhelpers.evaluation.log_likelihood_by_part`). It is left out on
    validation, where nothing rests on it.

    Attributes:
        draws: for an example.
        part: how many examples get them all; None for all of them.
    """

    kind: ClassVar[str] = "estimate"
    probe: ClassVar[int] = PROBE // SLOWER
    splits: ClassVar[tuple[str, ...]] = ("test",)
    draws: int = 5000
    part: int | None = None

    def __post_init__(self):
        words = f"importance-weighted estimate of the negative log-likelihood, k = {self.draws:,}"
        object.__setattr__(self, "name", f"importance_k{self.draws}")
        object.__setattr__(self, "words", words)

    def spread(self, x, examples):
        """A tenth of the examples asked for."""
        return spread(x, None if examples is None else max(2, examples // SLOWER), self.probe)

    def estimate(self, model, x, context):
        """With all the draws for each example."""
        return evaluation.log_likelihood(model, x, self.draws, context=context, generator=draws_of(model))

    def whole(self, model, experiment, dataset, x, about, examples):
        """Of a whole split by part."""
        part = min(self.part or len(x), len(x), WITNESS_PART if dataset.name == experiment.witness else len(x))
        if examples is not None:
            found = self.estimate(model, x, about)
        else:
            found = evaluation.log_likelihood_by_part(
                model, x, part, self.draws, draws=BOUND_DRAWS, generator=draws_of(model))
        return found, {"draws": self.draws, "part": part}


@dataclass(frozen=True)
class Annealed(Measure):
    """Estimate of the negative log-likelihood of an unnormalised model, its constant by annealed importance sampling.

    For a model with ``energy(x) → (B,)`` and ``ais(chains, *, generator) → (chains,)``, the logarithms of weights
    whose mean estimates the partition function. The standard error holds what the chains leave unsure of its logarithm
    (first order), beside the examples' spread; the logarithm of a mean is low on average, and the figure too good.

    Attributes:
        chains: of the annealing.
    """

    name: ClassVar[str] = "ais"
    words: ClassVar[str] = "negative log-likelihood, the constant by annealed importance sampling"
    kind: ClassVar[str] = "estimate"
    chains: int = 100

    @torch.no_grad()
    def estimate(self, model, x, context):
        """Mean energy plus log Z."""
        draws = draws_of(model)
        log_weights = model.ais(self.chains, generator=draws).double()                             # (chains,)
        energies = torch.cat([model.energy(some.to(draws.device)).double().cpu() for some in x.split(500)])
        log_z = (log_weights.logsumexp(0) - math.log(self.chains)).item()
        weights = (log_weights - log_weights.max()).exp()
        of_log_z = (weights.std() / weights.mean() / math.sqrt(self.chains)).item()
        found = evaluation.mean(energies + log_z, self.unit)
        return Estimate(found.value, math.hypot(found.standard_error, of_log_z), found.n, self.unit)


@dataclass(frozen=True)
class Figures:
    """Any figures of a trained model: what a protocol counts, such as coverage, an accuracy, a distance.

    Attributes:
        function: ``(model, dataset, seed) → figures by name``, decided by these.
        units: what each is, in words.
    """

    function: Callable[[nn.Module, data.Dataset, int], Mapping[str, float]]
    units: Mapping[str, str] = field(default_factory=dict)
    splits: ClassVar[tuple[str, ...]] = ("samples",)

    def entries(self, model, experiment, dataset, seed, split, examples=None) -> list[dict[str, Any]]:
        """An entry for each figure."""
        found = self.function(model, dataset, seed)
        return [
            {"name": name, "measure": self.units.get(name, name), "kind": "figure", "dataset": dataset.name,
             "split": split, "value": value, "standard_error": None, "unit": ""}
            for name, value in found.items()
        ]  # fmt: skip


def measured(
    model: nn.Module, experiment: "Experiment", dataset: data.Dataset, seed: int, full: bool = True
) -> list[dict[str, Any]]:
    """Every figure of a model, on the data's own splits and, if ``full``, on the experiment's embedded witness.

    Not ``full``: on one split alone, the one that goes in the tables.
    """
    places: list[tuple[data.Dataset, str]] = [(dataset, s) for s in ("test", "valid") if s in dataset.splits]
    if not full:
        places = places[:1]
    elif experiment.witness is not None:
        places.append((data.load(experiment.witness), "test"))
    places.append((dataset, "samples"))
    return [
        entry
        for where, split in places
        for measure in experiment.measures
        if split in measure.splits
        for entry in measure.entries(model, experiment, where, seed, split)
    ]


def seconds_per_sample(model: Any, seed: int, classes: int | Sequence[int] | None = None) -> float | None:
    """Seconds of one draw when a hundred are drawn together; None of a model without ``sample``."""
    if not hasattr(model, "sample"):
        return None
    device = next(model.parameters()).device
    count = number_of(classes)
    context = {"context": torch.arange(TIMED_SAMPLES, device=device) % count} if count else {}
    begun = time.perf_counter()
    model.sample(TIMED_SAMPLES, **context, generator=Generator(device).manual_seed(seed))
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / TIMED_SAMPLES


def number_of(classes: int | Sequence[int] | None) -> int | None:
    """How many classes there are: of factors, such as ten digits by two speakers, their product."""
    return math.prod(classes) if isinstance(classes, Sequence) else classes


def at_even_distances(examples: Tensor, count: int) -> Tensor:
    """``count`` of the examples, the first among them; all if there are no more."""
    return examples if count >= len(examples) else examples[torch.arange(count) * len(examples) // count]


def spread(x: Tensor, examples: int | None, probe: int) -> Tensor:
    """So many examples at even distances, since files may be sorted; all of them for None.

    The first, if as many are asked for as have their own figure in the record: these are compared exactly.
    """
    if examples is None or examples >= len(x):
        return x
    return x[:probe] if examples == probe else at_even_distances(x, examples)


def draws_of(model: nn.Module) -> Generator:
    """The same noise whenever a figure is measured."""
    return Generator(next(model.parameters()).device).manual_seed(0)
