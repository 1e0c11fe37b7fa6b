"""What several recipes say in the same words."""

from collections.abc import Mapping
from operator import methodcaller
from typing import Any

SMALL = "binary-digits8"        # stands in for the small binary sets where there is no network
DIGITS = "binary-digits28"      # the embedded digits, thresholded
LEVELS = "digits28"             # the same with their levels


def quick(source: str, *, steps: int, candidates: tuple[Mapping, ...] = ({},), more=None, **training) -> dict[str, Any]:
    """The fields of a recipe that differ in the quick profile: embedded data, few steps; ``more``, small sizes.

    What comes out says that the machinery works, and is compared with nothing but itself.
    """
    changed = dict(steps=steps, batch_size=64, lr=1e-2, evaluate_every=max(1, steps // 5)) | training
    fields = {"source": source, "training": changed, "candidates": candidates, "published": {}, "witness": None}
    return fields | ({"size": (8, 8)} if source == SMALL else {}) | (more or {})


def mixed(orders: int) -> dict[str, Any]:
    """The stored model mixes over so many orders; it is trained and chosen with one."""
    return {"finish": methodcaller("with_orders", orders), "protocol": {"orders": orders}}


def grid(**values) -> tuple[dict, ...]:
    """Candidates: every combination of the values, the last name's fastest."""
    found: list[dict] = [{}]
    for name, each in values.items():
        found = [one | {name: value} for one in found for value in each]
    return tuple(found)
