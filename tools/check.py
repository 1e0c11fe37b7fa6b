"""What to run before a commit: the tests of what was changed, the laws of changed models, and the changed chapters.

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
FAMILIES = "autoregressive|classical|flows|latent|adversarial"
# What no test names, by the beginning of its path, and the tests that read it all the same.
READ_BY = {
    r"notebooks/\d\d|book/quizzes/|dgmhelpers/exercises/": ("exercises", "quizzes", "editions", "ways", "book"),
    r"book/chapters\.yml|_toc\.yml": ("ways",),
    r"results/|book/published\.json": ("results_page", "book"),
}


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


def names_in(files: list[str], pattern: str) -> set[str]:
    """What those of the files define whose path matches."""
    found = (ROOT / name for name in files if re.match(pattern, name))
    return {name for path in found if path.exists() for name in defined(path)}


def tests_of(files: list[str]) -> list[str]:
    """Test files that were changed, that name something of a changed module or tool, or are of its folder."""
    found = {name for name in files if re.fullmatch(r"tests/test_\w+\.py", name)}
    found |= {f"tests/test_{folder[1]}.py" for name in files if (folder := re.match(r"dgmhelpers/(\w+)", name))}
    for pattern, tests in READ_BY.items():
        if any(re.match(pattern, name) for name in files):
            found |= {f"tests/test_{name}.py" for name in tests}
    numbers = (re.match(r"(?:notebooks/|dgmhelpers/exercises/chapter_)(\d\d)", name) for name in files)
    found |= {f"tests/test_exercises_chapter_{number[1]}.py" for number in numbers if number}
    names = names_in(files, r"(dgmhelpers/(?!exercises/)|tools/|tests/models/).*\.py$")  # checkers have common words
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if names & set(re.findall(r"\w+", text)):
            found.add(f"tests/{path.name}")
    return sorted(name for name in found if (ROOT / name).exists())


def models_of(files: list[str]) -> list[str] | None:
    """The files of ``tests/models`` that were changed, or name something of a changed model; None if no model was."""
    here = ROOT / "tests" / "models"
    names = names_in(files, rf"dgmhelpers/({FAMILIES})/.*\.py$")
    found = {Path(name).stem for name in files if re.match(r"tests/models/[a-z]\w*\.py$", name)}
    if not found and not any(re.match(rf"dgmhelpers/({FAMILIES})/.*\.py$", name) for name in files):
        return None
    for path in here.glob("[a-z]*.py"):
        if names & set(re.findall(r"\w+", path.read_text(encoding="utf-8"))):
            found.add(path.stem)
    return sorted(name for name in found if (here / f"{name}.py").exists())


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
    commands, quick = {}, "not slow and not browser and not gpu"
    if tests := tests_of(files):
        commands["tests"] = [python, "-m", "pytest", "-q", "-n", "2", "-m", f"{quick} and not thorough", *tests]
    if (models := models_of(files)) is not None:
        holding = [f"tests/{path.name}" for path in sorted((ROOT / "tests").glob("test_*.py"))
                   if re.search(r"\b(MODELS|MUTANTS)\b", path.read_text(encoding="utf-8"))]
        only = ["--models", ",".join(models)]
        commands["laws"] = [python, "-m", "pytest", "-q", "-n", "2", "-m", quick, *only, *holding]
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
