"""Text as a stream of symbols."""

import numpy as np

from .arrays import Arrays
from .fetch import fetch
from .registry import FILES, set_digest


def tiny_shakespeare(name: str = "tiny-shakespeare") -> Arrays:
    """The first 90 % trains; the symbols are the characters that occur, in the order of their code."""
    (file,) = FILES[name]
    content = np.frombuffer(fetch(file).read_bytes(), dtype=np.uint8)
    codes, stream = np.unique(content, return_inverse=True)
    stream = stream.astype(np.uint8)
    cut = len(stream) * 9 // 10
    return Arrays(
        splits={"train": stream[:cut], "valid": stream[cut:]},
        levels=len(codes),
        sha256=set_digest(name),
        event_shape=(),
        symbols=tuple(map(chr, codes.tolist())),
    )
