"""Four models that somebody might bring, a page each in tests/throwaway: nothing but public interface carries them.

Each is trained, interrupted at every evaluation of every stage and resumed bit for bit, measured, measured again,
loaded, and drawn from by the command line.
"""

import importlib
import json
from pathlib import Path

import pytest
import torch

import dgmhelpers
from dgmhelpers import cli
from dgmhelpers.recipes import Folders
from dgmhelpers.recipes.train import train
from dgmhelpers.training import files

MODELS = ("rbm", "diffusion", "two_stages", "four_networks")
SAYS = {  # what a run that works must show; untrained it is far from it
    "rbm": lambda f: f["exact"] < 27 and abs(f["ais"] - f["exact"]) < 0.2,            # 44.4: fair coins
    "diffusion": lambda f: f["modes"] == 8 and f["elbo"] < 3.4,                       # 3.5: one normal
    "two_stages": lambda f: f["elbo"] < 38,
    "four_networks": lambda f: f["cycle"] < 0.4 and f["place"] < 1,
}


@pytest.fixture(params=MODELS)
def name(request, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent))
    for kind in ("RUN", "CHECKPOINT", "RESULT"):
        monkeypatch.setenv(f"DGM_{kind}_DIR", str(tmp_path / kind.lower()))
    monkeypatch.setenv("DGM_DEVICE", "cpu")
    return request.param


def test_a_model_of_somebodys_own_is_carried_all_the_way(name, tmp_path, capsys):
    experiment = importlib.import_module(f"throwaway.{name}").EXPERIMENT
    whole, asked = Folders.within(tmp_path / "whole"), f"throwaway.{name}:EXPERIMENT"
    assert train(experiment, profile="full", folders=whole, say=lambda line: None)
    calls = 1
    while train(experiment, profile="full", budget=1e-6, say=lambda line: None) is None:     # put down again and again
        calls += 1
    stages = [stage.training["steps"] // stage.training.get("evaluate_every", 3) for stage in experiment.stages]
    assert calls == 1 + len(experiment.candidates) * sum(evaluations - 1 for evaluations in stages)
    assert cli.main(["train", asked, "--profile", "full"]) == 0
    found = json.loads((tmp_path / "result" / f"{experiment.name}.json").read_text(encoding="utf-8"))
    unbroken = json.loads((whole.results / f"{experiment.name}.json").read_text(encoding="utf-8"))
    assert found["metrics"] == unbroken["metrics"] and SAYS[name](found["runs"][0]["figures"])
    (ours, _), (theirs, _) = (files.read(folder / f"{experiment.name}.safetensors")
                              for folder in (tmp_path / "checkpoint", whole.checkpoints))
    assert ours.keys() == theirs.keys() and all(torch.equal(x, theirs[key]) for key, x in ours.items())
    assert {key.partition(".")[0] for key in ours} >= {stage.name for stage in experiment.stages if stage.name}
    assert cli.main(["evaluate", asked]) == 0
    drawn = dgmhelpers.load(experiment.name).sample(3, generator=torch.Generator().manual_seed(0))
    assert len(drawn) == 3 and drawn.isfinite().all()
    capsys.readouterr()
    assert cli.main(["sample", asked, "-n", "2"]) == 0 and capsys.readouterr().out.strip()
    if experiment.size:
        assert cli.main(["sample", asked, "-n", "4", "--out", str(tmp_path / "drawn.png")]) == 0
