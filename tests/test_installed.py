"""The package away from its checkout, as a wheel leaves it: it works, and writes into the working folder alone."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy of the package in a folder that is no checkout."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "dgmhelpers", site / "dgmhelpers", ignore=shutil.ignore_patterns("__pycache__"))
    return site


def command(site, folder, *words):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DGM_")}
    environment |= {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "dgmhelpers", *words], cwd=folder, env=environment,
                          capture_output=True, text=True)  # fmt: skip


def test_training_writes_into_the_working_folder_alone(installed, tmp_path):
    before = sorted(installed.rglob("*"))
    words = ["fvbn-dna", "--profile", "quick", "--minutes", "1e-6", "--device", "cpu"]
    done = command(installed, tmp_path, "train", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(installed.rglob("*")) == before
    assert (tmp_path / "runs" / "quick" / "results" / "fvbn-dna.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_weights_that_are_not_there_are_one_line_that_says_how_to_get_them(installed, tmp_path):
    done = command(installed, tmp_path, "sample", "nade-dna")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "set DGM_CHECKPOINT_DIR" in done.stderr and "train nade-dna --profile full" in done.stderr


def test_the_wheel_has_a_command_and_says_that_it_is_typed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"dgmhelpers": "dgmhelpers.cli:main"}
    assert project["tool"]["setuptools"]["package-data"] == {"dgmhelpers": ["py.typed", "data/files/*.npz"]}
    assert (ROOT / "dgmhelpers" / "py.typed").is_file()
