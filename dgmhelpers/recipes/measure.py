"""What is measured on a trained model: its likelihood, or a bound on it and an estimate of it, each under its name.

Names of figures: ``nll``, an exact negative log-likelihood; ``elbo``, minus the evidence lower bound, which the
negative log-likelihood does not exceed; ``importance_k5000``, the importance-weighted estimate of the latter.
"""

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import data, evaluation
from dgmhelpers.recipes.base import Recipe, at_even_distances

PROBE = 200         # examples whose own mean is stored, so that a part of a split can be compared exactly
DRAWS = 5000        # of the importance-weighted estimate
BOUND_DRAWS = 10    # independent values of the bound for each example
SLOWER = 10         # the estimate takes this many times fewer examples than were asked for
WITNESS_PART = 50   # examples of the embedded data that get all the draws


def has_bound(model) -> bool:
    """Whether a model, or a class of models, offers a bound in the place of a likelihood."""
    return hasattr(model, "elbo") and not hasattr(model, "log_prob")


def every(model: nn.Module, recipe: Recipe, dataset: data.Dataset) -> list[dict]:
    """Every figure of a trained model: on test, on validation, and on the recipe's embedded witness.

    The importance-weighted estimate is left out on validation, where nothing rests on it.
    """
    witness = [] if recipe.witness is None else [(data.load(recipe.witness), "test")]
    places = [(dataset, split) for split in ("test", "valid") if split in dataset.splits] + witness
    names = ("elbo", f"importance_k{DRAWS}") if has_bound(model) else ("nll",)
    return [
        measure(model, recipe, where, split, None, name)
        for where, split in places
        for name in names
        if not (name.startswith("importance") and split == "valid")
    ]


def measure(
    model: nn.Module, recipe: Recipe, dataset: data.Dataset, split: str, examples: int | None = None, name: str = "nll"
) -> dict:
    """One figure of a split (of ``examples`` of it: :func:`spread`), in the unit its rows have; ``name`` as above.

    Vectors and images: nats per example, or bits per dimension where the recipe counts in them; of more than the
    recipe's ``part`` only those that it names (:meth:`Recipe.some`). Text: nats per character of the whole part read
    in one piece, or with ``examples`` given of its first so many characters. The importance-weighted estimate takes a
    tenth of the ``examples`` asked for, each with all its draws; of the whole split, all the examples with ``weighted``
    of them given all the draws (:func:`dgmhelpers.evaluation.log_likelihood_by_part`).
    """
    figure = {"measure": "negative log-likelihood", "kind": "exact"}
    if dataset.symbols is not None:
        text = dataset.split(split)
        estimate = evaluation.stream(model, text[:examples])
        probe = evaluation.stream(model, text[: 10 * PROBE]).value
        count, unit = 10 * PROBE, "nats per character"
    elif name == "nll":
        x = spread(recipe.some(dataset.split(split)), examples, PROBE)
        about = spread(recipe.some(dataset.labels[split]), examples, PROBE) if recipe.config.get("classes") else None
        logs = -evaluation.log_probs(model, x.reshape(len(x), *model.event_shape), about)
        if recipe.unit == "bits/dim":
            logs = evaluation.bits_per_dim(logs, model.event_shape.numel())
        estimate = evaluation.mean(logs, recipe.unit)
        probe, count, unit = logs[:PROBE].mean().item(), min(PROBE, len(logs)), recipe.unit
    else:
        x = dataset.split(split)
        x, unit, value = x.reshape(len(x), *model.event_shape), "nats", _bound if name == "elbo" else _estimate
        if name == "elbo":
            figure = {"name": name, "measure": "negative evidence lower bound", "kind": "bound"}
            first = PROBE
        else:
            part = min(recipe.weighted or len(x), len(x), WITNESS_PART if dataset.name == recipe.witness else len(x))
            examples = None if examples is None else max(2, examples // SLOWER)
            figure = {"name": name, "kind": "estimate", "draws": DRAWS, "part": part,
                      "measure": f"importance-weighted estimate of the negative log-likelihood, k = {DRAWS:,}"}
            first = PROBE // SLOWER
        some = spread(x, examples, first)
        count = min(first, len(some))
        probe = value(model, some[:count]).value
        estimate = value(model, some) if name == "elbo" or examples is not None else (
            evaluation.log_likelihood_by_part(model, x, part, DRAWS, draws=BOUND_DRAWS, generator=_draws(model)))
    return figure | {
        "dataset": dataset.name,
        "split": split,
        "value": estimate.value,
        "standard_error": estimate.standard_error,
        "unit": unit,
        "examples": estimate.n,
        "first": {"examples": count, "value": probe},
    }


def spread(x: Tensor, examples: int | None, probe: int) -> Tensor:
    """So many examples at even distances, since files may be sorted; all of them for None.

    The first, if as many are asked for as have their own figure in the record: these are compared exactly.
    """
    if examples is None or examples >= len(x):
        return x
    return x[:probe] if examples == probe else at_even_distances(x, examples)


def _bound(model, x):
    return evaluation.elbo(model, x, draws=BOUND_DRAWS, generator=_draws(model))


def _estimate(model, x):
    return evaluation.log_likelihood(model, x, DRAWS, generator=_draws(model))


def _draws(model) -> Generator:
    """The same noise whenever a figure is measured."""
    device = next(model.parameters()).device
    return torch.Generator(device).manual_seed(0)
