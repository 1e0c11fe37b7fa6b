"""Checks of constructor arguments that every family of models shares."""


def at_least(name: str, value: int, least: int) -> int:
    """``value`` if it is an integer of at least ``least``, else a ValueError that names it."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return value
