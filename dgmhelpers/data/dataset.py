"""One data set in memory: its splits as tensors, and what one needs to know to use them honestly."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Size, Tensor

UNKNOWN = "\N{REPLACEMENT CHARACTER}"   # the symbol of every character that has none
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Splits of shape ``(N, *event_shape)`` and their description.

    Binary data is float 0/1, real data float, other data ``long`` levels, unless ``load(..., dtype=...)`` said
    otherwise.
    A *stream* (text, recordings of different lengths) has ``event_shape == ()``: a split is one long
    vector, and ``windows`` or ``recording`` cuts examples out of it.

    Attributes:
        train, valid, test: the splits; None where the set has none.
        labels: split -> long ``(N,)``; empty where there are none.
        levels: number of values that one entry can take; 2 for binary data, None for real numbers.
        sha256: one digest for the whole set (:mod:`dgmhelpers.data` says over what).
        quick: the set ships inside dependencies and needs no download.
        entropy: in nats, where it is known.
        symbols: for text, the character of each level.
        sample_rate: for sound, samples per second; the levels are mu-law codes.
        offsets: for recordings, split -> long ``(N + 1,)``: recording i is ``[offsets[i], offsets[i + 1])``.
    """

    name: str
    train: Tensor
    valid: Tensor | None
    test: Tensor | None
    event_shape: Size
    levels: int | None
    sha256: str
    licence: str
    attribution: str
    source: str
    quick: bool
    labels: dict[str, Tensor] = field(default_factory=dict)
    entropy: float | None = None
    symbols: tuple[str, ...] | None = None
    sample_rate: int | None = None
    offsets: dict[str, Tensor] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Number of entries in one example."""
        return self.event_shape.numel()

    @property
    def splits(self) -> dict[str, Tensor]:
        """The splits that there are, by name."""
        return {name: x for name in SPLITS if (x := getattr(self, name)) is not None}

    def split(self, name: str) -> Tensor:
        """The split of that name, or a ValueError that lists those there are."""
        if name not in self.splits:
            raise ValueError(f"{self.name} has no split {name!r}, only {', '.join(self.splits)}")
        return self.splits[name]

    def to(self, device=None, dtype=None) -> "Dataset":
        """The same set with every split as one tensor on ``device``; ``dtype`` is the splits' alone."""

        def moved(tensors):
            return {name: x.to(device) for name, x in tensors.items()}

        splits: dict[str, Any] = {name: x.to(device=device, dtype=dtype) for name, x in self.splits.items()}
        return replace(self, labels=moved(self.labels), offsets=moved(self.offsets), **splits)

    def flat(self) -> "Dataset":
        """The same set as vectors: ``event_shape == (dim,)``. No copy is made."""
        if not self.event_shape:
            raise ValueError(f"{self.name} is a stream, which has no examples to flatten: see windows()")
        splits: dict[str, Any] = {name: x.reshape(len(x), self.dim) for name, x in self.splits.items()}
        return replace(self, event_shape=Size([self.dim]), **splits)

    def windows(self, length: int, split: str = "train") -> Tensor:
        """Every window of a stream, ``(N - length + 1, length)``, without copying: see :func:`windows`."""
        return windows(self.split(split), length)

    def recording(self, i: int, split: str = "train") -> Tensor:
        """Recording ``i`` of a set of recordings, ``(T_i,)``, without copying."""
        x = self.split(split)
        if split not in self.offsets:
            raise ValueError(f"{self.name} is not a set of recordings of different lengths")
        start, stop = self.offsets[split][i % (len(self.offsets[split]) - 1) :][:2].tolist()
        return x[start:stop]

    def encode(self, text: str) -> Tensor:
        """Levels of the characters of ``text``, long ``(len(text),)``.

        Raises:
            ValueError: for a character without a symbol, unless the set has one for all of these (see ``from_text``).
        """
        level = {symbol: i for i, symbol in enumerate(self._table())}
        if UNKNOWN in level:
            return torch.tensor([level.get(c, level[UNKNOWN]) for c in text], dtype=torch.long)
        unknown = sorted(set(text) - set(level))
        if unknown:
            raise ValueError(f"{self.name} has no symbol for {unknown[0]!r}")
        return torch.tensor([level[c] for c in text], dtype=torch.long)

    def decode(self, levels: Tensor) -> str:
        """The text that levels ``(T,)`` stand for."""
        table = self._table()
        return "".join(table[i] for i in levels.tolist())

    def _table(self) -> tuple[str, ...]:
        if self.symbols is None:
            raise ValueError(f"{self.name} is not text")
        return self.symbols

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(x):,}" for name, x in self.splits.items())
        values = "real" if self.levels is None else f"{self.levels} levels"
        return f"Dataset({self.name}: {sizes}; event_shape {tuple(self.event_shape)}, {values})"


class Own(Dataset):
    """A set of your own, which has all three splits."""

    valid: Tensor
    test: Tensor


class Text(Own):
    """A text of your own."""

    levels: int
    symbols: tuple[str, ...]


def windows(text: Tensor, length: int) -> Tensor:
    """Every window of ``length`` neighbours in a vector of N, as a view ``(N - length + 1, length)``.

    The view shares the vector's memory, so it costs nothing whatever the length; index it to get a batch.
    """
    if text.ndim != 1:
        raise ValueError(f"expected a vector, got shape {tuple(text.shape)}")
    if not 1 <= length <= len(text):
        raise ValueError(f"length must be between 1 and {len(text)}, got {length}")
    return text.unfold(0, length, 1)
