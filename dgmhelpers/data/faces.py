"""Faces of 16 × 16 pixels in colour, put together from eleven labelled factors; the file is part of the package."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from .arrays import Arrays
from .errors import CorruptData
from .splits import split

FILE = Path(__file__).parent / "files" / "pixel_faces_16x16.npz"
SHA256 = "23c3bbfc923e64edd1c51ee64cf87ef09f13e95da526583405c4a588a738dfad"
HELD_OUT = 1000


@cache
def pixel_faces() -> Arrays:
    """12,000 faces, RGB of 256 levels; labels: the value of each factor, in the order of :data:`FACTORS`, ``(N, 11)``.

    Factors are independent and uniform. 219 faces occur more than once, so a few of those held out are also trained on.
    """
    found = hashlib.sha256(FILE.read_bytes()).hexdigest()
    if found != SHA256:
        raise CorruptData(FILE, f"sha256 {found}, expected {SHA256}")
    with np.load(FILE) as stored:
        images, factors = stored["images"].transpose(0, 3, 1, 2), stored["factors"]  # (N, 3, 16, 16), (N, 11)
    where = split(len(images), valid=HELD_OUT, test=HELD_OUT)
    return Arrays(
        splits={part: np.ascontiguousarray(images[index]) for part, index in where.items()},
        levels=256,
        sha256=SHA256,
        event_shape=images.shape[1:],
        labels={part: factors[index] for part, index in where.items()},
    )


FACTORS = ("background", "skin", "hair", "haircolor", "clothing", "clothingcolor", "eyes", "mouth", "glasses", "beard",
           "hat")  # fmt: skip
