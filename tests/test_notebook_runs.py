"""Chapters run on another device or in another profile, with nothing stored: the plumbing, on a CPU."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks as tool  # noqa: E402

KEPT = ("DGM_DEVICE", "DGM_PROFILE", "OMP_NUM_THREADS")


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """Makes notebooks of one cell, which are all that there is."""
    for name in KEPT:                                    # whatever the tool sets is put back
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.setattr(tool, "chapters", lambda names: sorted(tmp_path.glob("*.ipynb")))

    def make(name, *sources):
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]), path)
        return path

    return make


def test_a_chapter_runs_with_what_was_asked_for_and_is_left_alone(chapter, tmp_path, capsys):
    seen = tmp_path / "seen"
    asked = "os.environ['DGM_DEVICE'] + os.environ['DGM_PROFILE']"
    write = f"import os, pathlib; pathlib.Path({str(seen)!r}).write_text({asked})"
    path = chapter("03-good", write)
    before = path.read_bytes()
    assert tool.main(["try", "--device", "cpu", "--profile", "full"]) == 0
    assert seen.read_text() == "cpufull"
    assert path.read_bytes() == before
    said = capsys.readouterr().out
    assert said.startswith("03-good.ipynb: ") and said.endswith(" s on cpu, full profile\n")


@pytest.mark.slow
def test_one_that_fails_or_takes_too_long_is_named_and_the_next_one_runs(chapter, capsys):
    chapter("01-broken", "raise ValueError('a claim did not hold')")
    chapter("02-slow", "pass", "import time; time.sleep(100)")
    chapter("03-good", "pass")
    assert tool.main(["try", "--device", "cpu", "--profile", "quick", "--minutes", "0.3"]) == 1
    said = capsys.readouterr().out
    assert "a claim did not hold" in said
    assert "s on cpu, quick profile: not done after 0.3 min" in said
    assert "03-good.ipynb" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_cuda_it_says_so_and_runs_nothing(chapter, capsys):
    chapter("03-good", "raise SystemExit('ran')")
    assert tool.main(["try"]) == 2
    assert capsys.readouterr().out.startswith("no chapter was run: device=cuda was asked for, but")
