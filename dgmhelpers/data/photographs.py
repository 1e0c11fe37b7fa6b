"""Patches of the two photographs that ship inside scikit-learn."""

from functools import cache

import numpy as np

from .arrays import Arrays, content_digest
from .splits import split

SIZE = 16


@cache
def photographs() -> Arrays:
    """Every 16 × 16 patch of a grid over the two, RGB; labels: 0 the temple, 1 the flower.

    Patches of one photograph are not independent: what is held out has the same lighting and, often, the same
    leaf. Good for learning how colour channels depend on each other, not for claims of generalisation.
    """
    from sklearn.datasets import load_sample_image

    pieces = []
    for name in ("china.jpg", "flower.jpg"):
        photograph = np.asarray(load_sample_image(name), dtype=np.uint8)               # (H, W, 3)
        rows, columns = photograph.shape[0] // SIZE, photograph.shape[1] // SIZE
        grid = photograph[: rows * SIZE, : columns * SIZE].reshape(rows, SIZE, columns, SIZE, 3)
        pieces.append(grid.transpose(0, 2, 4, 1, 3).reshape(-1, 3, SIZE, SIZE))    # (N, 3, S, S)
    patches = np.concatenate(pieces)
    labels = np.repeat([0, 1], [len(piece) for piece in pieces])
    where = split(len(patches), valid=len(patches) // 10, test=len(patches) // 10)
    splits = {part: patches[index] for part, index in where.items()}
    return Arrays(
        splits=splits,
        levels=256,
        sha256=content_digest(splits),
        event_shape=(3, SIZE, SIZE),
        labels={part: labels[index] for part, index in where.items()},
    )
