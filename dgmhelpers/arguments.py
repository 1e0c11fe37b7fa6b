"""Checks of arguments that every family of models shares."""

import math
from numbers import Real


def at_least(name: str, value: int, least: int) -> int:
    """``value`` if it is an integer of at least ``least``, else a ValueError that names it."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return value


def positive(name: str, value: float) -> float:
    """``value`` if it is a finite number above zero, else a ValueError that names it."""
    if not (isinstance(value, Real) and value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive, got {value!r}")
    return value
