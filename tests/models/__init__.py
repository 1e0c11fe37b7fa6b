"""Every model the package exports: one file each, with small ones that are held to the laws, and faults they must name.

A file has ``CASES``, and ``MUTANTS`` where there are any; it is found by being here. A model that is exported and has
no case fails ``test_every_exported_model_is_registered``.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import torch

SHUFFLED = [3, 1, 2, 0, 5, 4, 8, 7, 6]
LOOKED_AT = ("forward_changes_nothing", "ignores_the_batch", "gives_one_number_each")
LEARNT = ("starts_sane", "learns_a_constant", "never_beats_entropy")

TABLE = (*LOOKED_AT, "draws_are_sound", "sums_to_one", "sampler_matches_density", "loss_matches_target", *LEARNT)
REAL = tuple("integrates_to_one" if law == "sums_to_one" else law for law in TABLE if law != "learns_a_constant")
ORDERED = (*TABLE, "cached_equals_naive", "depends_on_exactly_its_past")
IN_THE_PLANE = (*REAL, "cached_equals_naive", "depends_on_exactly_its_past")
BOUND = (  # with one or two latents there is an exact log p to hold the bound against
    *LOOKED_AT, "draws_are_sound", "sampler_matches_density", "loss_matches_target", "bound_is_below",
    "bound_rises_with_draws", "weights_average_to_p", "bound_matches_its_weights", "gradient_matches_differences",
    *LEARNT,
)  # fmt: skip
DEEPER = tuple(law for law in BOUND if law != "sampler_matches_density")
REAL_BOUND = tuple(law for law in BOUND if law != "learns_a_constant")
MANY_REAL = tuple(law for law in REAL_BOUND if law != "sampler_matches_density")
CODE = (*LOOKED_AT, "loss_matches_target", "learns_a_constant")
IMPLICIT = (*LOOKED_AT[:2], "draws_are_sound")  # no likelihood: only draws can be looked at
CONDITIONAL = ("refuses_wrong_contexts",)


@dataclass(frozen=True)
class Case:
    """A small model, and the laws it is held to: these run, and no others.

    Args:
        slow: whether it is one more of its class, after the first two.
    """

    name: str
    make: Callable
    laws: tuple[str, ...] = ORDERED
    slow: bool = False


@dataclass(frozen=True)
class Mutant:
    """A model with one fault, and the law that must break.

    Every mutant keeps the model's shape and would pass a test of shapes; several reach a wonderful likelihood.
    """

    name: str
    make: Callable
    law: str


def trains(entry: Case) -> bool:
    """Whether there is a loss, and something that it moves."""
    model = entry.make()
    return hasattr(model, "loss") and any(True for _ in model.parameters())


def given(model, n: int) -> dict:
    """The keyword by which ``n`` examples of a conditional model are scored, or drawn; nothing for any other model."""
    about = model.conditioned_on
    if about is None:
        return {}
    return {"context": torch.stack([about.row(i) for i in range(n)]).to(model.device)}


MODELS: list[Case] = []
MUTANTS: list[Mutant] = []
for _module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
    _found = importlib.import_module(f"{__name__}.{_module}")
    MODELS += getattr(_found, "CASES", [])
    MUTANTS += getattr(_found, "MUTANTS", [])
