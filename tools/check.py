"""What to run before a commit: the tests that name what was changed, and the chapters that were changed.

    python tools/check.py [REVISION]      compares the working tree with REVISION, HEAD if not given

Tests that are slow, or need the built book or a GPU, are left to ``make test``. A changed chapter runs again, and its
claims are broken on purpose (``tools/break_claims.py``). At the end stands a ledger: words, seconds and size of each
chapter.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
from yardstick import words as words_of  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MOST_WORDS, MOST_BYTES = 5_000, 80 * 2**20


def git(*words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def changed(revision: str) -> list[str]:
    """Files that differ from the revision, or that git does not know yet."""
    return sorted({*git("diff", "--name-only", revision), *git("ls-files", "--others", "--exclude-standard")})


def defined(path: Path) -> set[str]:
    """The public functions and classes of a module."""
    kinds = ast.ClassDef | ast.FunctionDef
    names = {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, kinds)}
    return {name for name in names if not name.startswith("_")}


def tests_of(files: list[str]) -> list[str]:
    """Test files that were changed, and those that name a changed module of the package or a tool."""
    found = {name for name in files if re.fullmatch(r"tests/test_\w+\.py", name)}
    code = [name for name in files if re.match(r"(dgmhelpers|tools|tests/models)/.*\.py$", name)]
    names = {name for path in code if (ROOT / path).exists() for name in defined(ROOT / path)}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if names & set(re.findall(r"\w+", text)):
            found.add(f"tests/{path.name}")
    return sorted(name for name in found if (ROOT / name).exists())


def ledger(files: list[str]) -> bool:
    """Print words, seconds and size of each chapter; whether those among ``files``, and all together, keep budgets."""
    seconds = json.loads((ROOT / "book" / "runtimes.json").read_text(encoding="utf-8"))["chapters"]
    kept = True
    print(f"{'chapter':40} {'words':>6} {'seconds':>8} {'MiB':>6}")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        words = words_of(path)
        kept &= words <= MOST_WORDS or f"notebooks/{path.name}" not in files
        over = "  too many words" if words > MOST_WORDS else ""
        took = seconds.get(path.stem, {}).get("wall_seconds", float("nan"))
        print(f"{path.stem:40} {words:6,} {took:8.1f} {path.stat().st_size / 2**20:6.2f}{over}")
    size = sum((ROOT / name).stat().st_size for name in git("ls-files") if (ROOT / name).is_file())
    print(f"tracked files: {size / 2**20:.1f} MiB of at most {MOST_BYTES // 2**20}")
    return kept and size <= MOST_BYTES


def main(revision: str = "HEAD") -> int:
    files = changed(revision)
    python, failed = sys.executable, []
    commands = {}
    if tests := tests_of(files):
        quick = "not slow and not thorough and not browser and not gpu"
        commands["tests"] = [python, "-m", "pytest", "-q", "-n", "2", "-m", quick, *tests]
    for name in files:
        if re.fullmatch(r"notebooks/.*\.ipynb", name) and (ROOT / name).exists():
            chapter = Path(name).name[:2]
            commands[f"chapter {chapter}"] = [python, "-m", "pytest", "-q", "--nbval", "--nbval-current-env",
                                              "--nbval-sanitize-with", "tests/nbval.cfg", name]
            commands[f"claims of chapter {chapter}"] = [python, "tools/break_claims.py", chapter]
    for name, command in commands.items():
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT).returncode:
            failed.append(name)
    if not ledger(files):
        failed.append("the budgets")
    print("all well" if not failed else f"not well: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
