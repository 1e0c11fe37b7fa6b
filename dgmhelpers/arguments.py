"""Checks of arguments and values that every family of models shares: each in one place."""

import difflib
import importlib
import math
import os
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def at_least(name: str, value: int, least: int) -> int:
    """``value`` as an int if it is an integer (numpy's too) of at least ``least``, else a ValueError that names it."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def positive(name: str, value: float) -> float:
    """``value`` if it is a finite number above zero, else a ValueError that names it."""
    if not (isinstance(value, Real) and value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive, got {value!r}")
    return plain(value)


def not_negative(name: str, value: float) -> float:
    """``value`` as a float if it is 0 or more and finite, else a ValueError that names it."""
    if not (isinstance(value, Real) and value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be 0 or more and finite, got {value!r}")
    return float(value)


def dropout_rate(value: float) -> float:
    """A dropout rate, checked: at least 0 and below 1."""
    if not 0 <= value < 1:
        raise ValueError(f"dropout must be within [0, 1), got {value}")
    return value


def closest(name: Any, known: Iterable[str], most: int = 2) -> str:
    """What to say to somebody who gave a ``name`` that is not ``known``: what is like it, or all there is."""
    known = list(known)
    close = difflib.get_close_matches(str(name), known, most, 0.4)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known) or 'none'}"


def local_path(path: str | os.PathLike) -> Path:
    """A path as somebody writes it, ``~`` being a home folder: everything that opens a file goes through here.

    Raises:
        ValueError: for the home of somebody whom this machine does not know.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no home folder for {Path(path).parts[0]} here") from None


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: numpy's numbers, arrays and tensors as Python's, tuples as lists.

    In dictionaries, lists and tuples too; whatever else there is stays as it is.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def check_values(x: Tensor, levels: int | None, dtype: torch.dtype) -> Tensor:
    """Values that a model of ``levels`` values (real, if None) can score, in the type it wants.

    Binary values come back as 0/1 in ``dtype``, whatever type they had; levels as ``long``; real values in ``dtype``.

    Raises:
        ValueError: with an example of a value that does not belong.
    """
    if levels is None:
        wrong, rule = ~x.isfinite(), "real values must be finite, got {}"
    elif levels == 2:
        wrong, rule = (x != 0) & (x != 1), "binary values must be 0 or 1, got {}: binarise first"
    elif x.is_floating_point() or x.dtype == torch.bool:
        raise ValueError(f"levels must be integers 0 … {levels - 1}, got dtype {x.dtype}")
    else:
        x = x.long()  # first: in a byte, 256 is 0
        wrong, rule = (x < 0) | (x >= levels), f"levels must be within 0 … {levels - 1}, got {{}}"
    if wrong.any():
        raise ValueError(rule.format(x[wrong].flatten()[0].item()))
    return cast_values(x, levels, dtype)


def cast_values(x: Tensor, levels: int | None, dtype: torch.dtype) -> Tensor:
    """What :func:`check_values` returns, without a look at the values (for which a CPU has to wait for its device)."""
    return x.to(dtype) if levels in (None, 2) else x.long()


def needs(module: str, extra: str) -> None:
    """Refuse to go on without a module that the package does not require, and say how to get it.

    Raises:
        ModuleNotFoundError: naming the extra of this package that brings it.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        advice = f"{module} is not installed: pip install 'dgmhelpers[{extra}]'"
        raise ModuleNotFoundError(advice, name=module) from None
