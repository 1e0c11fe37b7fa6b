"""Patches of the two photographs that ship inside scikit-learn: in colour, and grey as real numbers."""

from functools import cache

import numpy as np

from dgmhelpers.arguments import needs

from .arrays import Arrays, content_digest
from .splits import split

SIZE = 16
SMALL_SIZE = 8
LUMA = (299, 587, 114)  # of 1,000: what red, green and blue weigh in a grey image


@cache
def photographs() -> Arrays:
    """Every 16 × 16 patch of a grid over the two, RGB; labels: 0 the temple, 1 the flower.

    Patches of one photograph are not independent: what is held out has the same lighting and, often, the same
    leaf. Good for learning how colour channels depend on each other, not for claims of generalisation.
    """
    return _colours(SIZE)


@cache
def colour_patches() -> Arrays:
    """The same cut into 8 × 8 patches: more of them, and small enough for studies over many seeds on a CPU."""
    return _colours(SMALL_SIZE)


def _colours(size: int) -> Arrays:
    patches, labels = _grid(size)
    where = split(len(patches), valid=len(patches) // 10, test=len(patches) // 10)
    splits = {part: patches[index] for part, index in where.items()}
    return Arrays(
        splits=splits,
        levels=256,
        sha256=content_digest(splits),
        event_shape=(3, size, size),
        labels={part: labels[index] for part, index in where.items()},
    )


@cache
def grey_patches() -> Arrays:
    """Every 8 × 8 patch of a grid over the two, grey, as 63 real numbers.

    As the papers on densities of patches do it: a level and uniform noise of one level's width, over 256; less the mean
    of the patch; without the last pixel, which the others then determine. Log-densities are of these numbers.
    """
    patches, labels = _grid(SMALL_SIZE)
    grey = (patches.astype(np.int64) * np.reshape(LUMA, (1, 3, 1, 1))).sum(1) // 1000           # (N, S, S) levels
    noise = np.random.RandomState(0).random_sample(grey.shape)                                  # a frozen stream
    x = (grey + noise) / 256
    x = (x - x.mean((1, 2), keepdims=True)).reshape(len(x), -1)[:, :-1].astype(np.float32)      # (N, 63)
    where = split(len(x), valid=len(x) // 10, test=len(x) // 10)
    return Arrays(
        splits={part: x[index] for part, index in where.items()},
        levels=None,
        sha256=content_digest({part: grey[index].astype(np.uint8) for part, index in where.items()}),
        event_shape=(SMALL_SIZE**2 - 1,),
        labels={part: labels[index] for part, index in where.items()},
    )


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches ``(N, 3, size, size)`` that tile both photographs, and which of the two each is from, ``(N,)``."""
    needs("sklearn", "data")
    from sklearn.datasets import load_sample_image

    pieces = []
    for name in ("china.jpg", "flower.jpg"):
        photograph = np.asarray(load_sample_image(name), dtype=np.uint8)               # (H, W, 3)
        rows, columns = photograph.shape[0] // size, photograph.shape[1] // size
        grid = photograph[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
        pieces.append(grid.transpose(0, 2, 4, 1, 3).reshape(-1, 3, size, size))
    return np.concatenate(pieces), np.repeat([0, 1], [len(piece) for piece in pieces])
