"""What a loader hands over: numpy arrays of bytes, before they become a :class:`Dataset`."""

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np


@dataclass(frozen=True, eq=False)
class Arrays:
    """Splits as uint8 levels (or real numbers), and what belongs to them; the fields are those of :class:`Dataset`."""

    splits: dict[str, np.ndarray]
    levels: int | None
    sha256: str
    event_shape: tuple[int, ...]
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    offsets: dict[str, np.ndarray] = field(default_factory=dict)
    symbols: tuple[str, ...] | None = None
    sample_rate: int | None = None


def content_digest(splits: dict[str, np.ndarray]) -> str:
    """sha256 over each split's name, shape and bytes, for sets that come from no file of their own.

    Raises:
        ValueError: if a split is not of bytes: real numbers come out a little different from machine to machine.
    """
    total = sha256()
    for name, array in splits.items():
        if array.dtype != np.uint8:
            raise ValueError(f"the digest of {name} is of uint8 levels, got {array.dtype}")
        total.update(f"{name} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
