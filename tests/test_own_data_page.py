"""The programs of the page "With your own data" run as they are printed, and none is longer than it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "api" / "own-data.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```\{code-block\} python\n:caption: (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the files that the page reads."""
    from PIL import Image

    rng = np.random.RandomState(0)
    rows = [f"{w:.2f},{1e5 * w + 1e4 * e:.0f},{'rose' if w > 2 else 'aster'}" for w, e in
            zip(rng.uniform(1, 3, 200), rng.randn(200), strict=True)]  # fmt: skip
    (tmp_path / "flowers.csv").write_text("\n".join(["width,pressure,kind", *rows, "1.5,,rose"]), encoding="utf-8")
    answers = (rng.rand(300, 1) < 0.5) ^ (rng.rand(300, 8) < 0.2)
    np.save(tmp_path / "answers.npy", answers.astype(int))
    np.savetxt(tmp_path / "answers.csv", answers, "%d", ",", header=",".join("abcdefgh"), comments="")
    for kind in ("bars", "dots"):
        (tmp_path / "shapes" / kind).mkdir(parents=True)
        for i in range(20):
            pixels = np.zeros((10, 10), np.uint8)
            pixels[:, i % 8 : i % 8 + 2 if kind == "bars" else i % 8 + 1] = 255
            Image.fromarray(pixels).save(tmp_path / "shapes" / kind / f"{i}.png")
    (tmp_path / "notes.txt").write_text("to be or not to be, that is the question\n" * 60, encoding="utf-8")
    for name in ("RUN", "CHECKPOINT", "RESULT"):
        monkeypatch.setenv(f"DGM_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("DGM_DEVICE", "cpu")
    return tmp_path


def run(place, *command):
    said = {"capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([sys.executable, *command], cwd=place, check=False, **said)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_six_programs_of_at_most_twenty_lines():
    assert len(PROGRAMS) == 6
    lines = {name: len([line for line in text.split("\n") if line.strip()]) for name, text in PROGRAMS.items()}
    assert max(lines.values()) <= 20, lines


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "my_recipes.py"])
def test_a_program_runs(place, name):
    (place / name).write_text(PROGRAMS[name], encoding="utf-8")
    printed = run(place, name)
    made = {"table.py": "flowers.safetensors", "images.py": "drawn.png", "text.py": "notes.safetensors",
            "points.py": "losses.csv"}.get(name)  # fmt: skip
    assert made is None or (place / made).stat().st_size > 20
    assert {"table.py": "nats", "bits.py": "bits/dim", "images.py": "nats"}.get(name, "") in printed


def test_the_commands_run(place):
    (place / "my_recipes.py").write_text(PROGRAMS["my_recipes.py"], encoding="utf-8")
    commands = re.search(r"```console\n(\$ python -m dgmhelpers audit my_recipes.*?)```", PAGE, re.DOTALL)[1]
    printed = [run(place, *line[len("$ python ") :].split()) for line in commands.strip().split("\n")]
    assert "agrees" in printed[-1] and len(printed) == 4


def test_the_programs_are_typed_if_pyright_is_installed(place):
    """Numbers for seeds and classes, splits that are there, and what a model offers that was loaded."""
    if not (tool := shutil.which("pyright")):
        pytest.skip("pyright is not installed")
    for name, text in PROGRAMS.items():
        (place / name).write_text(text, encoding="utf-8")
    (place / "drawn.py").write_text("import dgmhelpers\nreveal_type(dgmhelpers.load('nade-dna').sample(4))\n")
    done = subprocess.run([tool, "--pythonpath", sys.executable, "."], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0 and 'is "Tensor"' in done.stdout, done.stdout
