"""Recipes, data and files of your own at the command line."""

import textwrap

import pytest
import torch

from dgmhelpers import cli, data, recipes
from dgmhelpers.autoregressive import NADE, CharRNN
from dgmhelpers.recipes import Experiment
from dgmhelpers.training import checkpoints

MODULE = '''
    import numpy
    from dgmhelpers import data, recipes
    from dgmhelpers.recipes import Experiment

    data.register("stripes", lambda: data.from_arrays(numpy.tile([[0, 1, 0, 1]], (40, 1)), levels=2))
    recipes.register(Experiment.of("nade-stripes", "NADE on stripes", model="autoregressive.NADE", source="stripes",
                                   config={"hidden": 3}, training={"steps": 6, "batch_size": 8}))
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "OWN", {})
    known = dict(recipes.known())
    for name in ("RUN", "CHECKPOINT", "RESULT"):
        monkeypatch.setenv(f"DGM_{name}_DIR", str(tmp_path / name.lower()))
    yield tmp_path
    recipes.known().clear()
    recipes.known().update(known)


def test_a_module_registers_what_is_its_own(place, capsys):
    (place / "my_recipes.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    told = ["--module", "my_recipes"]
    assert cli.main(["list", *told]) == 0
    assert "nade-stripes" in (out := capsys.readouterr().out) and "stripes" in out
    assert cli.main(["train", "nade-stripes", *told, "--profile", "full", "--device", "cpu"]) == 0
    assert cli.main(["evaluate", "nade-stripes", *told, "--device", "cpu"]) == 0
    assert "agrees" in capsys.readouterr().out
    assert cli.main(["list", "--module", "no_such_module"]) == 2
    assert "no_such_module" in capsys.readouterr().err


def test_an_installed_package_brings_its_own_without_being_asked_for(place, capsys, monkeypatch):
    """A package names its module under an entry point; one that is broken does not stop the command."""
    for name, text in (("brings", textwrap.dedent(MODULE)), ("breaks", "raise OSError('no such file')")):
        (place / f"{name}.py").write_text(text, encoding="utf-8")
        about = place / f"{name}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")
        (about / "entry_points.txt").write_text(f"[dgmhelpers]\nmine = {name}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(place)
    assert cli.main(["list"]) == 0
    said = capsys.readouterr()
    assert "nade-stripes" in said.out and "passed over: breaks, which breaks brings: no such file" in said.err


def test_two_recipes_of_one_name_are_refused(place):
    mine = Experiment.of("mine", "mine", model="autoregressive.NADE", source="digits8")
    assert recipes.register(mine) is mine and recipes.get("mine") is recipes.register(mine)
    with pytest.raises(ValueError, match="two recipes are called mine"):
        recipes.register(mine.with_fields(config={"hidden": 3}))
    with pytest.raises(ValueError, match="register takes an Experiment"):
        recipes.register(3)


def test_a_file_is_drawn_from_and_measured(place, capsys):
    torch.manual_seed(0)
    checkpoints.save("nade.safetensors", NADE(dim=64, hidden=3))
    assert cli.main(["sample", "nade.safetensors", "-n", "2", "--device", "cpu"]) == 0
    assert [len(line) for line in capsys.readouterr().out.split()] == [64, 64]
    assert cli.main(["evaluate", "nade.safetensors", "--device", "cpu"]) == 2
    assert "--data NAME" in capsys.readouterr().err
    assert cli.main(["evaluate", "nade.safetensors", "--data", "binary-digits8", "--examples", "50",
                     "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "binary-digits8 test: " in out and "(n = 50)" in out and "bits/dim" in out
    found = data.from_text("to be or not to be\n" * 30)
    data.register("poem", lambda: found)
    checkpoints.save("poem.safetensors", CharRNN(length=9, levels=found.levels, hidden=4), {"symbols": found.symbols})
    assert cli.main(["sample", "poem.safetensors", "-n", "1", "--device", "cpu"]) == 0
    assert len(capsys.readouterr().out) == 10
    assert cli.main(["evaluate", "poem.safetensors", "--data", "poem", "--device", "cpu"]) == 0
    assert cli.main(["sample", "nowhere.safetensors"]) == 2
