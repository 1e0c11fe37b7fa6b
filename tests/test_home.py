"""``~`` is the home folder wherever a path is taken, and no folder of that name ever appears."""

from pathlib import Path

import pytest
import torch

from dgmhelpers import classical, cli
from dgmhelpers.arguments import local_path
from dgmhelpers.autoregressive import NADE
from dgmhelpers.data import fetch
from dgmhelpers.training import checkpoints, fit


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder, and another one to work in, in which nothing may appear."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("RUN", "CHECKPOINT", "RESULT", "CACHE", "DATA"):
        monkeypatch.setenv(f"DGM_{name}_DIR", f"~/{name.lower()}")
    monkeypatch.setenv("DGM_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "home"
    assert list((tmp_path / "here").iterdir()) == []


def test_of_models_that_are_saved_and_loaded(home):
    model = classical.Multinomial(3)
    checkpoints.save("~/some/model.safetensors", model)
    assert (home / "some" / "model.safetensors").is_file()
    assert checkpoints.load("~/some/model.safetensors").levels == 3
    assert checkpoints.read_metadata("~/some/model.safetensors")["model"] == "classical.Multinomial"


def test_of_training_that_goes_on(home):
    x = torch.ones(8, 3)
    for steps in (1, 1):
        history = fit(NADE(3, 2), x, steps=steps, batch_size=4, progress=False, checkpoint="~/run.safetensors")
    assert (home / "run.safetensors").is_file() and len(history.steps) == 1


def test_of_every_folder_that_is_named_in_the_environment(home):
    checkpoints.save("~/checkpoint/mine.safetensors", classical.Multinomial(3))
    assert checkpoints.folder() == home / "checkpoint" and checkpoints.names() == ["mine"]
    assert checkpoints.load_named("mine", "cpu").levels == 3
    (home / "data").mkdir()
    assert fetch.data_dir() == home / "data" and fetch.cache_dir() == home / "cache"


def test_of_the_command_line(home, capsys):
    assert cli.main(["train", "fvbn-dna", "--profile", "quick"]) == 0
    assert cli.main(["sample", "fvbn-dna", "--profile", "quick", "-n", "3", "--out=~/draws/three.txt"]) == 0
    assert f"wrote {home / 'draws' / 'three.txt'}" in capsys.readouterr().out
    assert set((home / "draws" / "three.txt").read_text()) == set(".#\n")
    assert {path.name for path in home.iterdir()} >= {"draws", "run"}


def test_a_home_that_is_not_known_is_a_clear_error():
    with pytest.raises(ValueError, match="no home folder for ~nobody-of-that-name"):
        local_path("~nobody-of-that-name/x")
    with pytest.raises(ValueError, match="no home folder"):
        checkpoints.save("~nobody-of-that-name/x.safetensors", classical.Multinomial(3))


def test_other_paths_are_what_they_were():
    for path in ("a/~/b", "/x/y", ".", Path("q~")):
        assert local_path(path) == Path(path)
