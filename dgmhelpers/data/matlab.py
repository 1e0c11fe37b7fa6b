"""Reads one numeric matrix, or a cell array of them, out of a MATLAB version 5 file, with numpy alone.

The format: a header of 128 bytes, then *elements*: a type, a length, that many bytes, padded to a multiple
of eight. A matrix is an element made of elements: flags, shape, name, values (column after column). It may
be wrapped in an element that zlib compressed. An element of at most four bytes may be packed into eight:
its length then stands in the upper half of its type's word.

Source
    MathWorks, "MAT-File Format", level 5.
Differs
    Little-endian files, real full matrices and cell arrays of these only; anything else is refused.
"""

import math
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
    return _named(path, name, "matrix", _matrix)


def cells(path: Path, name: str) -> list[np.ndarray]:
    """The matrices in the cell array called ``name``, in order.

    Raises:
        CorruptData: as :func:`matrix`.
    """
    return _named(path, name, "cell array", _cells)


def _named(path: Path, name: str, what: str, read):
    content = Path(path).read_bytes()
    if len(content) < 128 or content[126:128] != b"IM":
        raise CorruptData(path, "not a little-endian MATLAB 5 file")
    try:
        for kind, body in _elements(content[128:]):
            if kind == COMPRESSED:
                kind, body = next(_elements(zlib.decompress(body)))
            if kind == MATRIX:
                found, *_ = _head(body)
                if found == name:
                    return read(body)
    except (struct.error, zlib.error, ValueError, KeyError, StopIteration) as error:
        raise CorruptData(path, f"not a whole MATLAB 5 file: {error}") from None
    raise CorruptData(path, f"no {what} called {name!r} in it")


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


def _head(body: bytes) -> tuple[str, tuple[int, bool], list[int], list[tuple[int, bytes]]]:
    """Name, kind (and whether complex), shape and what follows, of a matrix or a cell array."""
    (_, flags), (_, shape), (_, name), *rest = _elements(body)
    return name.decode("ascii"), (flags[0], bool(flags[1] & 8)), np.frombuffer(shape, "<i4").tolist(), rest


def _matrix(body: bytes) -> np.ndarray:
    _, (family, is_complex), shape, rest = _head(body)
    if not 6 <= family <= 15 or is_complex or len(rest) != 1:
        raise ValueError("not a real full matrix")
    ((kind, values),) = rest
    return np.frombuffer(values, dtype=NUMBERS[kind]).reshape(shape, order="F")


def _cells(body: bytes) -> list[np.ndarray]:
    _, (family, _), shape, rest = _head(body)
    if family != 1 or len(rest) != math.prod(shape):
        raise ValueError("not a cell array")
    return [_matrix(inner) for _, inner in rest]
