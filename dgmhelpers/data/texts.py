"""Text as a stream of symbols: Shakespeare, and the manual that comes with every Python."""

from functools import cache
from hashlib import sha256

import numpy as np

from .arrays import Arrays, content_digest
from .fetch import fetch
from .registry import FILES, set_digest

ASCII = "\n" + "".join(map(chr, range(32, 127)))                       # 96 symbols, whatever the text
PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "--", "…": "...", "\t": "    "})


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


@cache
def text() -> Arrays:
    """The topics of the language reference that ``help()`` shows, in the running Python's version.

    Topics, not characters, are split, so no sentence straddles two splits: in the order of the sha256 of
    their names they fill test, then valid, to a tenth of the characters each, then train, where the few
    longest go in any case. The text differs from one Python version to the next, and so does the digest;
    the 96 symbols do not.
    """
    from pydoc_data.topics import topics

    order = sorted(topics, key=lambda topic: sha256(topic.encode()).digest())
    plain = [topics[topic].translate(PLAIN).encode("ascii", "ignore") for topic in order]
    total = sum(map(len, plain))
    parts: dict[str, list[bytes]] = {"train": [], "valid": [], "test": []}
    room = {"test": total / 10, "valid": total / 10, "train": float("inf")}
    for content in plain:
        part = "train" if len(content) > total / 50 else next(part for part in room if room[part] > 0)
        parts[part].append(content)
        room[part] -= len(content)
    level = np.full(128, 255, dtype=np.uint8)
    level[[ord(symbol) for symbol in ASCII]] = np.arange(len(ASCII))
    splits = {}
    for part, of in parts.items():
        stream = level[np.frombuffer(b"\n".join(of), dtype=np.uint8)]
        splits[part] = stream[stream != 255]                           # control characters have no symbol
    return Arrays(splits, len(ASCII), content_digest(splits), (), symbols=tuple(ASCII))
