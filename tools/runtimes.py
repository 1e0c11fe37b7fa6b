"""What each chapter took when it was last run from top to bottom: ``book/runtimes.json``, which a page shows.

Written by ``tools/notebooks.py execute`` and ``measure``, and by the suite when it runs the chapters under
``DGM_RECORD_RUNTIMES=1`` (``make runtimes``). Times are of the processor; on a busy machine they come out too long, and
are marked.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "book" / "runtimes.json"
CEILING = 60  # seconds of one core, in the quick profile

# Asked of the kernel after the last cell: seconds of the processor, and the most memory held at any time.
QUESTION = (
    "(lambda r, s: ["
    "sum(u.ru_utime + u.ru_stime for u in map(r.getrusage, (r.RUSAGE_SELF, r.RUSAGE_CHILDREN))),"
    "r.getrusage(r.RUSAGE_SELF).ru_maxrss / (2**20 if s.platform == 'darwin' else 2**10)"
    "])(__import__('resource'), __import__('sys'))"
)


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    cpu_seconds: float
    peak_mib: float
    wall_seconds: float


def answer(reply: dict, wall: float) -> Cost | None:
    """The cost in a kernel's reply to :data:`QUESTION`; None where the system cannot say (Windows)."""
    said = reply["content"].get("user_expressions", {}).get("cost", {})
    if said.get("status") != "ok":
        return None
    cpu, peak = ast.literal_eval(said["data"]["text/plain"])
    return Cost(round(cpu, 1), round(peak), round(wall, 1))


def code_digest(notebook: dict) -> str:
    """A digest of a notebook's code: tells whether it has changed since it was run."""
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\n\0".join(code).encode()).hexdigest()[:16]


def was_busy(entry: dict) -> bool:
    """Did a run have to share its core? Then its seconds are too many, by up to a factor of two."""
    return entry["wall_seconds"] > 2 * entry["cpu_seconds"]


def load(file: Path = FILE) -> dict:
    """What is recorded; nothing yet if there is no file."""
    if not file.exists():
        return {"ceiling_seconds": CEILING, "chapters": {}}
    return json.loads(file.read_text(encoding="utf-8"))


def record(name: str, notebook: dict, cost: Cost | None, by: str, file: Path = FILE) -> None:
    """Write down what a run of the chapter called ``name`` took, beside what is known of the others.

    Args:
        notebook: as it was run.
        by: what ran it, in a word or two.
    """
    if cost is None:
        return
    entry = {
        "cpu_seconds": cost.cpu_seconds,
        "wall_seconds": cost.wall_seconds,
        "peak_mib": cost.peak_mib,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "by": by,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch").split("+")[0],
        "code": code_digest(notebook),
    }
    with _alone(file):
        known = load(file)
        known["chapters"] = dict(sorted({**known["chapters"], name: entry}.items()))
        partial = file.with_suffix(".json.partial")
        partial.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        partial.replace(file)


def _commit() -> str | None:
    try:
        found = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() or None


@contextlib.contextmanager
def _alone(file: Path):
    """Two workers of one suite may finish at the same time; a lock that was left behind is broken after a minute."""
    lock = file.with_suffix(".json.lock")
    deadline = time.monotonic() + 60
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                lock.unlink(missing_ok=True)
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
