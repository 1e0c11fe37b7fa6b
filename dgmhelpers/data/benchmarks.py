"""The sets on which papers report likelihoods: MNIST, its static binarisation, DNA, Mushrooms, NIPS, and a part of
CIFAR-10."""

from pathlib import Path

import numpy as np

from . import formats, matlab
from .arrays import Arrays
from .errors import CorruptData
from .fetch import fetch
from .registry import FILES, set_digest

SPLITS = "train", "valid", "test"


def _files(name: str) -> dict[str, Path]:
    return {path.name: path for path in map(fetch, FILES[name])}


def mnist(name: str = "mnist") -> Arrays:
    """The last 10,000 of the 60,000 official training digits validate."""
    files = _files(name)
    images, labels = {}, {}
    for part in ("train", "t10k"):
        images[part] = formats.idx(files[f"{part}-images-idx3-ubyte.gz"])[:, None]     # (N, 1, 28, 28)
        path = files[f"{part}-labels-idx1-ubyte.gz"]
        labels[part] = formats.idx(path)                                               # (N,)
        if len(labels[part]) != len(images[part]):
            raise CorruptData(path, f"{len(labels[part])} labels for {len(images[part])} images")
    cut = len(images["train"]) * 5 // 6

    def splits(of):
        return {"train": of["train"][:cut], "valid": of["train"][cut:], "test": of["t10k"]}

    return Arrays(splits(images), 256, set_digest(name), images["train"].shape[1:], splits(labels))


def binarized_mnist(name: str = "binarized-mnist") -> Arrays:
    """MATLAB files in spite of their ending; each row of ``X`` is an image, row after row."""
    files = _files(name)
    splits = {}
    for part in SPLITS:
        path = files[f"binarized_mnist_{part}.amat"]
        rows = matlab.matrix(path, "X")                                                # (N, 784)
        if rows.ndim != 2 or rows.shape[1] != 784 or rows.size == 0 or rows.max() > 1:
            raise CorruptData(path, f"expected (N, 784) bits, got shape {rows.shape}")
        splits[part] = np.ascontiguousarray(rows, dtype=np.uint8).reshape(-1, 1, 28, 28)
    return Arrays(splits, 2, set_digest(name), (1, 28, 28))


def density(name: str) -> Arrays:
    """One of the three sets of bits, a row an example."""
    files = _files(name)
    splits = {part: formats.bits(files[f"{name}.{part}.data"]) for part in SPLITS}     # (N, D)
    dim = splits["train"].shape[1]
    for part, rows in splits.items():
        if rows.shape[1] != dim:
            raise CorruptData(files[f"{name}.{part}.data"], f"{rows.shape[1]} columns, expected {dim}")
    return Arrays(splits, 2, set_digest(name), (dim,))


def cifar10_part(name: str = "cifar10-part") -> Arrays:
    """Mosaics, an image a row, its pixels in raster order. The last 400 of the 4,000 training images validate."""
    from PIL import Image

    images = {}
    for file, path in _files(name).items():
        mosaic = np.asarray(Image.open(path))                                          # (1000, 1024, 3)
        if mosaic.shape != (1000, 1024, 3):
            raise CorruptData(path, f"expected a mosaic of (1000, 1024, 3), got {mosaic.shape}")
        images[file] = mosaic.reshape(1000, 32, 32, 3).transpose(0, 3, 1, 2)
    whole = np.concatenate([images[f"cifar10_batch_{i}.png"] for i in range(4)])
    splits = {"train": whole[:3600], "valid": whole[3600:], "test": images["cifar10_batch_50.png"]}
    return Arrays({part: np.ascontiguousarray(x) for part, x in splits.items()}, 256, set_digest(name), (3, 32, 32))
