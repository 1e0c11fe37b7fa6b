"""What the checkers of chapter 11 share."""

from collections.abc import Mapping

from torch import Tensor

from dgmhelpers.exercises.compare import close


def named(mistakes: Mapping[str, Tensor], got: Tensor) -> str | None:
    """What is said of the first mistake that was made, ``{what to say: the wrong value}``; None if of none."""
    return next((says for says, wrong in mistakes.items() if close(got, wrong)), None)
