"""Recipes: everything that makes a trained result, one :class:`Experiment` under one name.

``python -m dgmhelpers train NAME`` trains it, stores the weights, measures what was stored and writes
``results/NAME.json``.
"""

import functools
import importlib

from dgmhelpers.recipes.experiment import Experiment, Made, Stage, UnknownRecipe, lookup, registry
from dgmhelpers.recipes.record import Folders, ResultError, gains, over_time, published, result, results

__all__ = ["Experiment", "Folders", "Made", "ResultError", "Stage", "UnknownRecipe", "gains", "get", "names",
           "over_time", "published", "register", "result", "results"]

FAMILIES = ("small_sets", "mnist", "blind_spot", "keras_listing", "collapse", "sensitivity", "stacked", "flows",
            "autoregressive_flows", "flow_seeds", "codes", "transformers", "pixels", "music",
            "spoken")
MOVED = {"Recipe": "Experiment.of", "Published": "published", "studies": "names and get"}


@functools.cache
def known() -> dict[str, Experiment]:
    """All experiments of this package, by name."""
    modules = (importlib.import_module(f"dgmhelpers.recipes.{family}") for family in FAMILIES)
    return registry(experiment for module in modules for experiment in module.EXPERIMENTS)


def register(experiment: Experiment) -> Experiment:
    """Have the command line and :func:`get` know an experiment of your own by its name; gives it.

    Raises:
        ValueError: for a name that another experiment has.
    """
    if not isinstance(experiment, Experiment):
        raise ValueError(f"register takes an Experiment, got {type(experiment).__name__}")
    if known().get(experiment.name, experiment) != experiment:
        raise ValueError(f"two recipes are called {experiment.name}")
    known()[experiment.name] = experiment
    return experiment


def names() -> list[str]:
    """The names of all experiments."""
    return sorted(known())


def get(name: str) -> Experiment:
    """The experiment of that name, or of somebody's own as ``"module:NAME"``.

    Raises:
        UnknownRecipe: with the names that are close.
    """
    return lookup(known(), name)


def __getattr__(name: str):
    if name in MOVED:
        raise AttributeError(f"dgmhelpers.recipes.{name} is now {MOVED[name]}: see CHANGELOG.md")
    raise AttributeError(f"module 'dgmhelpers.recipes' has no attribute {name!r}")
