"""Where things are kept: in a checkout of the book, or, for an installed package, in the working folder.

Nothing is ever written beside an installed package. ``DGM_RUN_DIR``, ``DGM_CHECKPOINT_DIR`` and ``DGM_RESULT_DIR`` name
other folders.
"""

import os
from pathlib import Path

from dgmhelpers.arguments import local_path


def checkout() -> Path | None:
    """The root of the checkout that this package is imported from; None where it is installed."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "book").is_dir() else None


def runs() -> Path:
    """Training in progress."""
    return _place("DGM_RUN_DIR", "runs")


def checkpoints() -> Path:
    """Trained weights."""
    return _place("DGM_CHECKPOINT_DIR", "checkpoints")


def results() -> Path:
    """What was measured."""
    return _place("DGM_RESULT_DIR", "results")


def _place(variable: str, name: str) -> Path:
    return local_path(os.environ.get(variable) or (checkout() or Path.cwd()) / name)
