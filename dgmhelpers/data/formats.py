"""Readers of the file formats that the data sets come in: gzipped idx, comma-separated bits, wav.

Each takes a path and gives numpy integers; each raises :class:`CorruptData` where the file is not what it
claims to be.
"""

import gzip
import wave
import zlib
from pathlib import Path

import numpy as np

from .errors import CorruptData


def idx(path: Path) -> np.ndarray:
    """MNIST's format: a magic number 0, 0, 8 (bytes), rank; one big-endian length an axis; then the bytes."""
    try:
        with gzip.open(path) as stream:
            content = stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorruptData(path, f"not a whole gzip file: {error}") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise CorruptData(path, "not an idx file of bytes")
    rank = content[3]
    shape = np.frombuffer(content[4 : 4 + 4 * rank], dtype=">u4")
    body = np.frombuffer(content[4 + 4 * rank :], dtype=np.uint8)
    if len(shape) != rank or body.size != shape.prod(dtype=np.int64):
        raise CorruptData(path, f"an idx file of shape {tuple(shape.tolist())} with {body.size} bytes")
    return body.reshape(shape.tolist())


def bits(path: Path) -> np.ndarray:
    """Rows of comma-separated zeros and ones, ``(N, D)``."""
    try:
        rows = np.loadtxt(path, delimiter=",", dtype=np.uint8, ndmin=2)
    except ValueError as error:
        raise CorruptData(path, f"not rows of comma-separated bits: {error}") from None
    if rows.size == 0 or rows.max() > 1:
        raise CorruptData(path, "expected rows of zeros and ones")
    return rows


def pcm(path: Path, rate: int) -> np.ndarray:
    """Samples of a mono 16-bit wav file at ``rate`` per second, int16 ``(T,)``."""
    try:
        with wave.open(str(path)) as stream:
            claimed = stream.getnchannels(), stream.getsampwidth(), stream.getframerate()
            count, content = stream.getnframes(), stream.readframes(stream.getnframes())
    except (wave.Error, EOFError) as error:
        raise CorruptData(path, f"not a wav file: {error}") from None
    if claimed != (1, 2, rate):
        raise CorruptData(path, f"expected (channels, bytes, rate) (1, 2, {rate}), got {claimed}")
    if len(content) != 2 * count:
        raise CorruptData(path, f"{count} samples announced, {len(content) // 2} there")
    return np.frombuffer(content, dtype="<i2").astype(np.int16)
