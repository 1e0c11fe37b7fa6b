"""Examples of any kind as one tensor: what every door of the package lets in.

numpy arrays, pandas tables, scipy's sparse matrices, lists of numbers, a ``Dataset`` or ``DataLoader`` of PyTorch, and
anything else with ``__len__`` and ``__getitem__``. All of them are held in memory whole.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_examples(x: Any, name: str = "examples") -> Tensor:
    """``x`` as one dense tensor ``(N, ...)``; a tensor that is one already is returned as it is.

    Types stay: bool, bytes, whole and real numbers are brought into a model's own type by the model, which refuses what
    it has no probability for. Of pairs (example, label), as PyTorch's data sets give, only the examples are taken.

    Args:
        name: what to call it in an error.

    Raises:
        ValueError: for what holds something else than numbers, naming the columns; for examples of different shapes.
    """
    if isinstance(x, Tensor):
        return x.to_dense() if x.layout != torch.strided else x
    if hasattr(x, "toarray"):                            # scipy's sparse matrices
        x = x.toarray()
    if hasattr(x, "dtypes") and hasattr(x, "columns"):   # a table of pandas
        words = [str(column) for column, kind in zip(x.columns, x.dtypes, strict=True) if _kind(kind) not in "biuf"]
        if words:
            raise ValueError(f"{name} must hold numbers: {_some(words)} hold something else")
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold numbers, got an array of {x.dtype}")
        x = x.astype(x.dtype.newbyteorder("=")) if not x.dtype.isnative else x
        x = x.astype(np.int64) if x.dtype.kind == "u" and x.dtype.itemsize > 1 else x
        return torch.from_numpy(np.array(x))             # a copy: nobody else writes to it
    if isinstance(x, torch.utils.data.DataLoader):
        x = x.dataset
    if not (hasattr(x, "__len__") and hasattr(x, "__getitem__")) or isinstance(x, str | bytes | dict):
        raise ValueError(f"{name} must be numbers in a tensor, an array, a table or a data set, got {type(x).__name__}")
    if not len(x):
        raise ValueError(f"{name} holds no example")
    pairs = isinstance(x, torch.utils.data.Dataset) and isinstance(x[0], tuple | list)
    try:
        rows = [torch.as_tensor(np.asarray(x[i][0] if pairs else x[i])) for i in range(len(x))]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}") from None
    odd = next((i for i, row in enumerate(rows) if row.shape != rows[0].shape), None)
    if odd is not None:
        raise ValueError(f"{name} must have one shape: the first has {tuple(rows[0].shape)} and number {odd} "
                         f"{tuple(rows[odd].shape)}")
    return torch.stack(rows)


def _kind(dtype) -> str:
    """numpy's letter for a column's type; pandas has types of its own."""
    return getattr(dtype, "kind", "O")


def _some(words: list[str], most: int = 5) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
