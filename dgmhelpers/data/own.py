"""Data of your own as a :class:`Dataset`, in a line each: a table, a folder of images, a text, arrays.

Every set is split by a permutation that its seed decides; a text is cut, so that no window lies in two splits.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Size, Tensor

from dgmhelpers.arguments import local_path, needs
from dgmhelpers.examples import as_examples

from .dataset import UNKNOWN, Own, Text
from .errors import DataError

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
EMPTY = ("", "na", "nan")
MISSING = ("refuse", "drop", "mean")
Parts = tuple[float, float]


def from_arrays(
    x, *, labels=None, levels: int | None = None, name: str = "own", parts: Parts = (0.1, 0.1), seed: int = 0
) -> Own:
    """Examples that are in memory: whatever :func:`dgmhelpers.examples.as_examples` takes.

    Args:
        x: ``(N, ...)``.
        labels: a class for each, ``(N,)``, whole numbers.
        levels: number of values of an entry, 2 for binary; None for real numbers.
        parts: shares of the examples that validate and test.
        seed: decides which.

    Raises:
        ValueError: for values that do not belong, or shares that leave nothing to train on.
    """
    x = as_examples(x, name)
    if levels is None and (missing := int((~x.isfinite()).sum())):
        raise ValueError(f"{missing} values of {name} are NaN or infinite")
    if levels is not None and ((x < 0) | (x >= levels) | (x != x.round() if x.is_floating_point() else False)).any():
        raise ValueError(f"{name} holds values that are not whole numbers from 0 to {levels - 1}")
    x = x.float() if levels in (None, 2) else x.long()
    digest = hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()
    rows = _split(torch.randperm(len(x), generator=Generator().manual_seed(seed)), parts)
    about = {} if labels is None else {split: as_examples(labels, "labels").long()[of] for split, of in rows.items()}
    return _dataset(name, {split: x[of] for split, of in rows.items()}, Size(x.shape[1:]), levels, digest, labels=about)


def from_table(
    source, *, columns: Sequence[str] | None = None, label: str | None = None, missing: str = "refuse",
    levels: int | None = None, name: str | None = None, parts: Parts = (0.1, 0.1), seed: int = 0,
) -> Own:  # fmt: skip
    """A CSV file with a line of names, or a table of pandas, as vectors of numbers.

    Args:
        columns: which; all but ``label`` by default.
        label: a column of classes, of any words; sorted, they are 0, 1, …
        missing: what to do with an empty cell or NaN: ``"refuse"`` it, ``"drop"`` its row, or put the ``"mean"`` of its
            column there, which makes every variance smaller than it is.

    Raises:
        ValueError: naming the columns that hold words, or lack values.
    """
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(MISSING)}, got {missing!r}")
    table, name = _columns(source), name or (Path(source).stem if isinstance(source, str | Path) else "table")
    unknown = [each for each in [*(columns or ()), *([label] if label else ())] if each not in table]
    if unknown:
        raise ValueError(f"{name} has no column {unknown[0]!r}, only {', '.join(table)}")
    kept = list(columns) if columns is not None else [each for each in table if each != label]
    words = [each for each in kept if table[each].dtype.kind not in "biuf"]
    if words:
        raise ValueError(f"columns {', '.join(words)} of {name} hold words: leave them out with columns=, or make one "
                         f"of them the label")
    x = np.stack([table[each].astype(np.float64) for each in kept], 1)
    gone = np.isnan(x)
    if gone.any() and missing == "refuse":
        counts = ", ".join(f"{each} {n}" for each, n in zip(kept, gone.sum(0).tolist(), strict=True) if n)
        raise ValueError(f"{name} lacks values ({counts}): give missing='drop' or missing='mean'")
    if missing == "mean":
        x = np.where(gone, np.nanmean(x, 0), x)
    rows = ~gone.any(1) if missing == "drop" else np.ones(len(x), bool)
    classes = None if label is None else np.unique(table[label].astype(str), return_inverse=True)[1][rows]
    return from_arrays(x[rows], labels=classes, levels=levels, name=name, parts=parts, seed=seed)


def from_images(
    folder, *, size: tuple[int, int] | None = None, colour: bool = False, levels: int = 256, parts: Parts = (0.1, 0.1),
    seed: int = 0,
) -> Own:  # fmt: skip
    """A folder of images, in folders named by their class if there are some, as levels ``(C, H, W)``.

    Args:
        size: (H, W) to scale to; the images' own, which must be one, by default.
        colour: whether to keep red, green and blue.
        levels: of 256 values, how many to keep; 2 is black and white at half.

    Raises:
        DataError: if there is no image, or two of different sizes and no ``size``.
    """
    needs("PIL", "viz")
    from PIL import Image

    folder = local_path(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    if not files:
        raise DataError(f"{folder} holds no image: none of its files ends in {', '.join(IMAGES)}")
    if not 2 <= levels <= 256:
        raise ValueError(f"levels must be from 2 to 256, got {levels}")
    rows: list[np.ndarray] = []
    for path in files:
        image = Image.open(path).convert("RGB" if colour else "L")
        image = image if size is None else image.resize((size[1], size[0]))
        rows.append(np.atleast_3d(np.asarray(image)).transpose(2, 0, 1))
        if rows[-1].shape != rows[0].shape:
            sizes = f"{files[0].name} is {rows[0].shape[1:]} and {path.name} {rows[-1].shape[1:]}"
            raise DataError(f"{sizes}: give size=(H, W)")
    x = np.stack(rows).astype(np.int64) * levels // 256
    inside = [path.parent.relative_to(folder).as_posix() for path in files]
    labels = np.unique(inside, return_inverse=True)[1] if len(set(inside)) > 1 else None
    return from_arrays(x, labels=labels, levels=levels, name=folder.name, parts=parts, seed=seed)


def from_text(source, *, symbols: int | None = None, parts: Parts = (0.1, 0.1), name: str | None = None) -> Text:
    """A text file, or a text, as one stream of its characters.

    The last symbol stands for every character that the training part does not hold: ``encode`` gives it, so that any
    text has a probability.

    Args:
        symbols: keep so many of the commonest characters; all by default.
    """
    path = source if isinstance(source, Path) else None
    if isinstance(source, str) and "\n" not in source and len(source) < 1000 and local_path(source).is_file():
        path = Path(source)
    text = local_path(path).read_text(encoding="utf-8") if path is not None else str(source)
    cut = _split(torch.arange(len(text)), parts)
    train = text[: len(cut["train"])]
    common = [symbol for symbol, _ in Counter(train).most_common(symbols)]
    table = (*sorted(set(common) - {UNKNOWN}), UNKNOWN)
    level = {symbol: i for i, symbol in enumerate(table)}
    codes = torch.tensor([level.get(c, len(table) - 1) for c in text])
    splits = {split: codes[of] for split, of in cut.items()}
    digest = hashlib.sha256(text.encode()).hexdigest()
    about = {"symbols": table, "kind": Text}
    return _dataset(name or (path.stem if path else "text"), splits, Size([]), len(table), digest, **about)


def _split(rows: Tensor, parts: Parts) -> dict[str, Tensor]:
    """Which rows train, validate and test: in this order, so that of a text the last part tests."""
    valid, test = (int(round(len(rows) * part)) for part in parts)
    if not (0 <= min(parts) and valid + test < len(rows)):
        raise ValueError(f"parts {parts} of {len(rows)} examples leave none to train on")
    sizes = (len(rows) - valid - test, valid, test)
    return {split: of for split, of in zip(("train", "valid", "test"), rows.split(sizes), strict=True) if len(of)}


def _dataset(name: str, splits: dict, shape: Size, levels: int | None, digest: str, kind: Any = Own, **more) -> Any:
    splits = {"train": None, "valid": None, "test": None} | splits
    return kind(name=name, **splits, event_shape=shape, levels=levels, sha256=digest, licence="not stated",
                   attribution="not stated", source="your own", quick=True, **more)


def _columns(source: Any) -> dict[str, np.ndarray]:
    """A table's columns by name: of numbers, where every cell is one or empty."""
    if hasattr(source, "columns"):
        return {str(each): source[each].to_numpy() for each in source.columns}
    with open(local_path(source), newline="", encoding="utf-8-sig") as file:
        names, *rows = [row for row in csv.reader(file) if row]
    odd = next((i for i, row in enumerate(rows, 2) if len(row) != len(names)), None)
    if odd is not None:
        raise ValueError(f"{source}: line {odd} has {len(rows[odd - 2])} cells and the first {len(names)}")
    columns = {}
    for i, each in enumerate(names):
        cells = [row[i].strip() for row in rows]
        try:
            columns[each] = np.array([np.nan if cell.lower() in EMPTY else float(cell) for cell in cells])
        except ValueError:
            columns[each] = np.array(cells)
    return columns
