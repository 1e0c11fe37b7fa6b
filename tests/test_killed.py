"""A run that is killed, as the power goes, and started again ends where an unbroken one does: bit for bit on a CPU.

Three trainings, each slowed in a process of its own until it is killed: a recipe by gradient, one by EM (which keeps no
state and takes the same steps again), and a game of two players.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_fit_adversarial import RUN, data, noisy

from dgmhelpers import recipes
from dgmhelpers.recipes import Folders
from dgmhelpers.recipes.train import train
from dgmhelpers.training import checkpoints, files, fit_adversarial

ROOT = Path(__file__).resolve().parents[1]
SLOWLY = """
import pathlib, sys, time
sys.path.insert(0, {tests!r})
calls = []
def slowly(owner, name, after):
    original = getattr(owner, name)
    def wrapped(*args, **keywords):
        calls.append(None)
        if len(calls) == after:
            pathlib.Path({marker!r}).touch()
        if len(calls) >= after:
            time.sleep(0.05)
        return original(*args, **keywords)
    setattr(owner, name, wrapped)
"""
RECIPE = """
from dgmhelpers.recipes import Folders
from dgmhelpers.recipes.train import train
from dgmhelpers.training import checkpoints
slowly(checkpoints.model_class({model!r}), {method!r}, {after})
folders = Folders(*map(pathlib.Path, {folders!r}))
train({name!r}, profile="quick", device="cpu", folders=folders)
"""
GAME = """
from test_fit_adversarial import RUN, data, fit_adversarial, noisy
model = noisy()
slowly(model, "noise", 30)
fit_adversarial(model, data(), checkpoint={path!r}, **RUN)
"""


def kill(script, tmp_path, more=0.12):
    """Run a script until it says that it is under way, and kill it a little later, wherever it may be."""
    marker = tmp_path / "under-way"
    code = SLOWLY.format(tests=str(ROOT / "tests"), marker=str(marker)) + script
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not marker.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(more)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def folders(where):
    return Folders(where / "runs", where / "checkpoints", where / "results")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method", "after"), [("fvbn-dna", "loss", 120), ("mixture-dna", "em_step", 30)], ids=["gradient", "EM"]
)
def test_a_killed_recipe_ends_as_an_unbroken_one(tmp_path, name, method, after):
    broken, whole = folders(tmp_path / "broken"), folders(tmp_path / "whole")
    places = [str(place) for place in (broken.runs, broken.checkpoints, broken.results)]
    model = recipes.get(name).stages[0].model
    script = RECIPE.format(name=name, model=model, method=method, after=after, folders=places)
    kill(script, tmp_path)
    assert not broken.results.exists()
    said = []
    for where in (broken, whole):
        train(name, profile="quick", device="cpu", folders=where, say=said.append)
    ours, theirs = (files.read(where.checkpoints / f"{name}.safetensors") for where in (broken, whole))
    assert ours[0].keys() == theirs[0].keys()
    assert all(torch.equal(x, theirs[0][key]) for key, x in ours[0].items())
    assert ours[1]["validation"] == theirs[1]["validation"]


def test_a_killed_game_ends_as_an_unbroken_one(tmp_path):
    path, model, whole = tmp_path / "game.safetensors", noisy(), noisy()
    kill(GAME.format(path=str(path)), tmp_path)
    assert 7 <= checkpoints.read_metadata(path)["step"] < 40
    history = fit_adversarial(model, data(), checkpoint=path, **RUN)
    unbroken = fit_adversarial(whole, data(), **RUN)
    assert all(torch.equal(p, q) for p, q in zip(model.state_dict().values(), whole.state_dict().values(), strict=True))
    assert history.discriminator_loss == unbroken.discriminator_loss
    assert history.generator_loss == unbroken.generator_loss
