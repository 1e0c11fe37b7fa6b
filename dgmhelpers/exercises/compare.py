"""What a learner gave, as numbers: any container, either precision; and whether it is right.

A right answer in single precision is right. A difference of single precision is 10⁻⁷ of the value and grows with the
length of a sum; the mistakes that checkers name differ in the second digit.
"""

import math
import numbers
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

SINGLE = 1e-5
DOUBLE = 1e-9

_coarse: list[bool] = []  # of the check that runs now: a value was right to single precision and no further


class Refused(Exception):
    """An answer that is not of the kind that was asked for; its message is what the learner reads."""


def close(got, right, *, single: float = SINGLE) -> bool:
    """Whether numbers or tensors of one shape agree, relative to the right ones or to 1. NaN agrees with nothing.

    Args:
        single: what single precision may differ by, relative; less where a close mistake must be told apart.
    """
    got, right = (torch.as_tensor(value, dtype=torch.double).detach() for value in (got, right))
    if got.shape != right.shape:
        return False
    exact, apart = got == right, (got - right).abs() / right.abs().clamp(min=1)   # ∞ − ∞ and ∞ / ∞ are NaN
    if not (exact | (apart <= single)).all():
        return False
    if not (exact | (apart <= DOUBLE)).all():
        _coarse.append(True)
    return True


def named(mistakes: Mapping[str, object], got) -> str | None:
    """What is said of the first mistake, ``{what to say: the wrong value}``, that was made; None if of none."""
    return next((what for what, wrong in mistakes.items() if close(got, wrong)), None)


def number(got, what: str = "a number") -> float:
    """One number out of what holds one: int, float, numpy's, a tensor or list of one element.

    Raises:
        Refused: if it holds none, or several.
    """
    values = _tensor(got, what)
    if values.numel() != 1:
        raise Refused(f"expected {what}, got {_kind(got)}")
    return values.item()


def whole(got, what: str = "a whole number") -> int:
    """As :func:`number`; 3.0 is 3 too, and a whole number of any length stays exact."""
    if isinstance(got, int) and not isinstance(got, bool):
        return got
    value = number(got, what)
    if not math.isfinite(value) or value != round(value):
        raise Refused(f"expected {what}, got {value:g}")
    return round(value)


def plain(got):
    """Arrays as tensors, floating point as float64: what a checker need not ask about. Whatever else, as it is."""
    if isinstance(got, (tuple, list)) and type(got) in (tuple, list):
        return type(got)(map(plain, got))
    if isinstance(got, (np.ndarray, np.generic)) and got.dtype.kind in "fiub":
        got = torch.as_tensor(got)
    return got.double() if isinstance(got, Tensor) and got.is_floating_point() else got


def tensor(got, shape: Sequence[int], what: str = "a tensor") -> Tensor:
    """A float64 tensor of ``shape`` from tensors, arrays and nested lists; sizes of 1 may be missing or too many.

    Raises:
        Refused: naming the shape that was expected and the one that was given.
    """
    values = _tensor(got, what)
    plain = [size for size in shape if size != 1]
    if [size for size in values.shape if size != 1] != plain:
        size = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
        raise Refused(f"expected {what} of shape {size}, got {_kind(got)}")
    return values.reshape(tuple(shape))


def mask(got, shape: Sequence[int], what: str = "a mask") -> Tensor:
    """A boolean tensor of ``shape``, from booleans or from zeros and ones."""
    values = tensor(got, shape, what)
    if not ((values == 0) | (values == 1)).all():
        raise Refused(f"expected {what} of True and False, got other numbers")
    return values.bool()


def listed(got, what: str) -> list:
    """The entries of a list, tuple, set, range, array or tensor."""
    if isinstance(got, (Tensor, np.ndarray)) and got.ndim or isinstance(got, (list, tuple, set, range)):
        return list(got)
    raise Refused(f"expected {what}, got {_kind(got)}")


def holds_one(got) -> bool:
    """Whether it is a number, or holds a single one."""
    return isinstance(got, numbers.Real) or getattr(got, "ndim", None) is not None and math.prod(got.shape) == 1


def parts(got, count: int, what: str) -> tuple:
    """A tuple, list or stacked tensor of ``count`` parts.

    Raises:
        Refused: saying what was expected.
    """
    if isinstance(got, (Tensor, np.ndarray)) and got.ndim or isinstance(got, (tuple, list)):
        if len(got) == count:
            return tuple(got)
    raise Refused(f"expected {what}, got {_kind(got)}")


def _tensor(got, what: str) -> Tensor:
    if got is None:
        from dgmhelpers.exercises.feedback import nothing

        raise Refused(nothing())
    if isinstance(got, (tuple, list)):
        got = [_tensor(part, what) for part in got]
        if not got or len({part.shape for part in got}) > 1:
            raise Refused(f"expected {what}, got {_kind(got)}")
        return torch.stack(got)
    if isinstance(got, Tensor):
        return got.detach().cpu().resolve_conj().double()
    if isinstance(got, (numbers.Real, np.ndarray, np.generic)):
        array = np.asarray(got)
        if array.dtype.kind in "fiub":
            return torch.as_tensor(array.astype(float))
    raise Refused(f"expected {what}, got {_kind(got)}")


def _kind(got) -> str:
    """What something is, in a few words."""
    if isinstance(got, (Tensor, np.ndarray)):
        size = "(" + ", ".join(map(str, got.shape)) + ("," if got.ndim == 1 else "") + ")"
        return f"one of shape {size}" if got.ndim else "a single number"
    if isinstance(got, (tuple, list)):
        return f"a {type(got).__name__} of {len(got)}" if got else f"an empty {type(got).__name__}"
    if isinstance(got, numbers.Real):
        return f"the number {got}"
    return f"{'an' if type(got).__name__[0] in 'aeiou' else 'a'} {type(got).__name__}"
