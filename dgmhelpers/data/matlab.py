"""Reads one numeric matrix out of a MATLAB version 5 file, with numpy alone.

The format: a header of 128 bytes, then *elements*: a type, a length, that many bytes, padded to a multiple
of eight. A matrix is an element made of elements: flags, shape, name, values (column after column). It may
be wrapped in an element that zlib compressed. An element of at most four bytes may be packed into eight:
its length then stands in the upper half of its type's word.

Source
    MathWorks, "MAT-File Format", level 5.
Differs
    Little-endian files and real full matrices only; anything else is refused.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .errors import CorruptData

NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
MATRIX, COMPRESSED = 14, 15


def matrix(path: Path, name: str) -> np.ndarray:
    """The matrix called ``name``.

    Raises:
        CorruptData: if the file is not in this format, is cut short, or has no such matrix.
    """
    content = Path(path).read_bytes()
    if len(content) < 128 or content[126:128] != b"IM":
        raise CorruptData(path, "not a little-endian MATLAB 5 file")
    try:
        for kind, body in _elements(content[128:]):
            if kind == COMPRESSED:
                kind, body = next(_elements(zlib.decompress(body)))
            if kind == MATRIX:
                found, values = _matrix(body)
                if found == name:
                    return values
    except (struct.error, zlib.error, ValueError, KeyError, StopIteration) as error:
        raise CorruptData(path, f"not a whole MATLAB 5 file: {error}") from None
    raise CorruptData(path, f"no matrix called {name!r} in it")


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each element in turn."""
    at = 0
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        if kind >> 16:                                                 # packed: both in the first word
            kind, length, at = kind & 0xFFFF, kind >> 16, at + 4
            step = 4
        else:
            at += 8
            step = length if kind == COMPRESSED else -(-length // 8) * 8
        if at + length > len(content):
            raise ValueError(f"{length} bytes announced, {len(content) - at} there")
        yield kind, content[at : at + length]
        at += step


def _matrix(body: bytes) -> tuple[str, np.ndarray]:
    (_, flags), (_, shape), (_, name), (kind, values), *more = _elements(body)
    family, is_complex = flags[0], flags[1] & 8
    if not 6 <= family <= 15 or is_complex or more:
        raise ValueError("not a real full matrix")
    array = np.frombuffer(values, dtype=NUMBERS[kind])
    return name.decode("ascii"), array.reshape(np.frombuffer(shape, "<i4").tolist(), order="F")
