"""Sound as mu-law levels: recorded digits, and tones made here, which need no network; music as frames of keys."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch

from . import audio, matlab
from .arrays import Arrays, content_digest
from .errors import CorruptData
from .fetch import fetch
from .formats import pcm
from .registry import FILES, set_digest
from .splits import split

RATE = 8000
LEVELS = 256
NOTES = 0, 2, 4, 5, 7, 9, 11, 12                # a major scale, in semitones above middle C
LENGTH = 1024
PER_NOTE = 100


def spoken_digits(name: str = "spoken-digits") -> Arrays:
    """3,000 recordings laid end to end in each split, with the offsets of their starts; labels: the digits.

    Files are named ``{digit}_{speaker}_{take}.wav``: takes 0 to 4 test, 5 to 9 validate, the rest trains.
    """
    (file,) = FILES[name]
    folder = fetch(file)
    table = audio.encode(torch.arange(-32768, 32768) / 32768, LEVELS).to(torch.uint8).numpy()
    pieces: dict[str, list] = {"train": [], "valid": [], "test": []}
    labels: dict[str, list] = {"train": [], "valid": [], "test": []}
    for path in sorted(folder.glob("*.wav")):
        digit, take = _parse(path)
        part = "test" if take < 5 else "valid" if take < 10 else "train"
        pieces[part].append(table[pcm(path, RATE).astype(np.int64) + 32768])
        labels[part].append(digit)
    return Arrays(
        splits={part: np.concatenate(of) if of else np.zeros(0, np.uint8) for part, of in pieces.items()},
        levels=LEVELS,
        sha256=set_digest(name),
        event_shape=(),
        labels={part: np.array(of, dtype=np.int64) for part, of in labels.items()},
        offsets={part: np.cumsum([0, *map(len, of)], dtype=np.int64) for part, of in pieces.items()},
        sample_rate=RATE,
    )


def _parse(path: Path) -> tuple[int, int]:
    try:
        digit, _, take = path.stem.split("_")
        return int(digit), int(take)
    except ValueError:
        raise CorruptData(path, "not named {digit}_{speaker}_{take}.wav") from None


SPEAKERS = "george", "jackson", "lucas", "nicolas", "theo", "yweweler"


def speakers(name: str = "spoken-digits") -> dict[str, np.ndarray]:
    """Who speaks, split -> numbers in ``SPEAKERS``, in the order of the recordings of :func:`spoken_digits`."""
    found: dict[str, list] = {"train": [], "valid": [], "test": []}
    (file,) = FILES[name]
    for path in sorted(fetch(file).glob("*.wav")):
        _, take = _parse(path)
        part = "test" if take < 5 else "valid" if take < 10 else "train"
        found[part].append(SPEAKERS.index(path.stem.split("_")[1]))
    return {part: np.array(of, dtype=np.int64) for part, of in found.items()}


def music(name: str) -> Arrays:
    """Pieces laid end to end in each split, frames of 88 keys, with the offsets of their starts."""
    (file,) = FILES[name]
    path = fetch(file)
    pieces = {part: matlab.cells(path, f"{part}data") for part in ("train", "valid", "test")}
    for piece in (piece for of in pieces.values() for piece in of):
        if piece.ndim != 2 or piece.shape[1] != 88 or not np.isin(piece, (0, 1)).all():
            raise CorruptData(path, f"expected frames of 88 keys, 0 or 1, got a piece of shape {piece.shape}")
    return Arrays(
        splits={part: np.concatenate(of).astype(np.uint8) for part, of in pieces.items()},
        levels=2,
        sha256=set_digest(name),
        event_shape=(88,),
        offsets={part: np.cumsum([0, *map(len, of)], dtype=np.int64) for part, of in pieces.items()},
    )


@cache
def sounds() -> Arrays:
    """800 plucked tones of 1,024 samples: eight notes of a scale (the labels), each 100 times.

    A tone is a sum of six harmonics that fade, the higher the sooner. Loudness, brightness, how fast it fades
    and every harmonic's phase are drawn anew for each, from a generator whose stream numpy promises to keep.
    """
    random = np.random.RandomState(0)
    labels = np.repeat(np.arange(len(NOTES)), PER_NOTE)                                # (N,)
    n, k = len(labels), np.arange(1, 7)                                                # harmonics 1 to 6
    pitch = 261.6256 * 2 ** (np.array(NOTES)[labels] / 12)                             # (N,) hertz
    loudness = random.uniform(0.3, 0.9, (n, 1))
    brightness = random.uniform(0.3, 0.7, (n, 1))
    fade = random.uniform(5, 20, (n, 1, 1))                                            # per second
    phase = random.uniform(0, 2 * math.pi, (n, len(k), 1))
    time = np.arange(LENGTH) / RATE                                                    # (T,) seconds
    strength = brightness**k                                                           # (N, K)
    strength = loudness * strength / strength.sum(1, keepdims=True)
    turns = 2 * math.pi * pitch[:, None, None] * k[:, None] * time                     # (N, K, T)
    waves = strength[:, :, None] * np.exp(-fade * k[:, None] * time) * np.sin(turns + phase)
    levels = audio.encode(torch.from_numpy(waves.sum(1)), LEVELS).to(torch.uint8).numpy()
    where = split(n, valid=80, test=80)
    splits = {part: levels[index] for part, index in where.items()}
    return Arrays(
        splits=splits,
        levels=LEVELS,
        sha256=content_digest(splits),
        event_shape=(LENGTH,),
        labels={part: labels[index] for part, index in where.items()},
        sample_rate=RATE,
    )
