"""Data: real sets that are fetched and verified, small ones that ship inside dependencies, exact toy sources.

.. code-block:: python

    data.names()                        # every name
    digits = data.load("digits8")       # a Dataset: train, valid, test, labels, levels, licence, ...
    print(data.describe("mnist"))       # what it is, whose, where its files are; fetches nothing
    data.download("mnist")              # fetch now, load later
    mine = data.from_table("mine.csv")  # a Dataset of your own; from_images, from_text, from_arrays
    data.register("mine", lambda: data.from_table("mine.csv"))   # for recipes and the command line

A set's ``sha256`` identifies it in results. For a set that is one file (or one folder) it is that file's,
for one of several files what ``sha256sum FILES | sha256sum`` prints in the data folder, for an embedded one a
digest of its splits.
"""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module

import torch

from . import audio, exact, toys
from .arrays import Arrays
from .catalogue import ENTRIES, Entry
from .dataset import Dataset, windows
from .errors import CorruptData, DataError, DataUnavailable, UnknownDataset
from .own import from_arrays, from_images, from_table, from_text

__all__ = [
    "CorruptData", "DataError", "DataUnavailable", "Dataset", "UnknownDataset", "audio",
    "describe", "download", "exact", "from_arrays", "from_images", "from_table", "from_text", "load", "names",
    "register", "summary", "toys", "windows",
]  # fmt: skip
OWN: dict[str, tuple[Callable[[], Dataset], str]] = {}


def register(name: str, make: Callable[[], Dataset], summary: str = "your own") -> None:
    """Have ``load(name)``, recipes and the command line know a data set of your own.

    Args:
        make: gives it, the same each time; called when it is loaded.

    Raises:
        ValueError: for a name that a data set of this package has.
    """
    if name in ENTRIES:
        raise ValueError(f"{name} is a data set of this package: give yours another name")
    OWN[name] = (make, summary)


def names(quick: bool | None = None) -> list[str]:
    """Every data set's name; with ``quick``, only those that are (or are not) embedded."""
    own = [] if quick is False else list(OWN)
    return [name for name, entry in ENTRIES.items() if quick is None or entry.quick == quick] + own


def summary(name: str) -> str:
    """What a set is, in a line."""
    return OWN[name][1] if name in OWN else _entry(name).summary


def load(name: str, *, device=None, dtype: torch.dtype | None = None) -> Dataset:
    """The data set of that name, verified, in memory.

    Args:
        device: where its tensors live; small sets fit a GPU whole.
        dtype: of the splits; float32 for binary and real data and long for levels unless given (``torch.uint8`` holds
            any set here in an eighth of the memory of ``long``).

    Raises:
        UnknownDataset: with the names that are close.
        DataUnavailable: saying what is missing and how to get it.
        CorruptData: if a file is not what the registry says.
    """
    if name in OWN:
        return replace(OWN[name][0](), name=name).to(device, dtype)
    entry = _entry(name)
    arrays = _arrays(name, entry)
    if dtype is None:
        dtype = torch.float32 if arrays.levels in (None, 2) else torch.long

    def tensors(of, dtype):
        return {split: torch.tensor(array, device=device, dtype=dtype) for split, array in of.items()}

    return Dataset(
        name=name,
        **{"train": None, "valid": None, "test": None} | tensors(arrays.splits, dtype),
        event_shape=torch.Size(arrays.event_shape),
        levels=arrays.levels,
        sha256=arrays.sha256,
        licence=entry.licence,
        attribution=entry.attribution,
        source=entry.source,
        quick=entry.quick,
        labels=tensors(arrays.labels, torch.long),
        symbols=arrays.symbols,
        sample_rate=arrays.sample_rate,
        offsets=tensors(arrays.offsets, torch.long),
    )


def describe(name: str) -> str:
    """What a set is, whose it is, its splits and digest, its files and where they are. Fetches nothing."""
    from .fetch import locate
    from .registry import FILES, set_digest

    if name in OWN:
        own = load(name)
        return f"{name}: {OWN[name][1]}\n{own!r}\nsha256       {own.sha256}"
    entry = _entry(name)
    lines = [
        f"{name}: {entry.summary}",
        f"splits       {entry.splits}",
        f"licence      {entry.licence}",
        f"attribution  {entry.attribution}",
        f"source       {entry.source}",
    ]
    if entry.quick:
        lines.append(f"sha256       {_arrays(name, entry).sha256} (of the splits)")
        lines.append(f"found        embedded: {entry.package or 'needs no package'}")
        return "\n".join(lines)
    lines.append(f"sha256       {set_digest(name)} (of the whole set)")
    for file in FILES[name]:
        try:
            found = str(locate(file) or f"not here: data.download({name!r}) fetches it, or set DGM_DATA_DIR")
        except DataError as error:
            found = str(error)
        lines += [f"file         {file.path}", f"  sha256     {file.sha256}"]
        lines += [f"  address    {url}" for url in file.urls]
        lines += [f"  found      {found}"]
    return "\n".join(lines)


def download(name: str, *, progress: bool = True) -> list:
    """Fetch and verify the files of a set; gives their paths, none for an embedded set."""
    from .fetch import fetch
    from .registry import FILES

    if name in OWN:
        return []
    _entry(name)
    return [fetch(file, progress=progress) for file in FILES.get(name, ())]


def _entry(name: str) -> Entry:
    if name not in ENTRIES:
        close = get_close_matches(str(name), [*ENTRIES, *OWN], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(ENTRIES)}"
        raise UnknownDataset(f"no data set is called {name!r}: {hint}")
    return ENTRIES[name]


def _arrays(name: str, entry: Entry) -> Arrays:
    from .registry import FILES

    if not entry.quick and name not in FILES:
        raise DataUnavailable(f"{name} has no files in data/registry.py; if it is embedded (made here, or shipped by a "
                              "package), its entry in data/catalogue.py says quick=True")
    module, function = entry.loader.split(":")
    loader = getattr(import_module(f".{module}", __name__), function)
    try:
        return loader() if entry.quick else loader(name)
    except ModuleNotFoundError as error:
        raise DataUnavailable(f"{name} ships inside a package that is not installed: {error.name}. It comes with "
                              "pip install 'dgmhelpers[data]'") from None
