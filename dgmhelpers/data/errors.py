"""What can go wrong with data, one class each; every message is one line that says what to do."""

from pathlib import Path


class DataError(Exception):
    """Any failure of :mod:`dgmhelpers.data`."""


class UnknownDataset(DataError, ValueError):
    """No data set has this name."""


class DataUnavailable(DataError, RuntimeError):
    """The data is neither on this machine nor could it be fetched."""


class CorruptData(DataError, RuntimeError):
    """A file is not what it should be.

    Attributes:
        path: the file.
        expected: its sha256 in the registry, where that is what failed.
        found: the sha256 of the bytes that are there.
    """

    def __init__(
        self, path: Path | str, reason: str = "", *, expected: str | None = None, found: str | None = None
    ):
        self.path, self.expected, self.found = Path(path), expected, found
        what = f"{path} is corrupt or truncated"
        if expected:
            what += f": expected sha256 {expected}, found {found}"
        super().__init__(f"{what}; {reason}" if reason else what)
