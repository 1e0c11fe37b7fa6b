"""``train --all``: what is done is passed over, what fails is told and stops nothing, and the time may run out."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dgmhelpers import cli, data, recipes
from dgmhelpers.recipes import everything, run, study
from dgmhelpers.recipes.base import Recipe
from dgmhelpers.training import files, fit

COMMITTED = sorted((Path(__file__).resolve().parents[1] / "results").glob("*.json"))
TINY = dict(steps=20, batch_size=32, lr=1e-2, evaluate_every=10)


def recipe(name, **change):
    fields = dict(name=name, description="a test", model="autoregressive.FVBN", dataset="binary-digits8", training=TINY)
    return Recipe(**fields | change)


@pytest.fixture
def three(monkeypatch):
    """Two recipes that can be carried out, and between them one whose data is not there."""
    known = {name: recipe(name) for name in ("a", "b", "c")}
    monkeypatch.setattr(recipes, "RECIPES", known)
    monkeypatch.setattr(recipes, "studies", dict)
    load = data.load

    def not_b(name, *rest):
        if name == "nowhere":
            raise data.DataUnavailable("nowhere is not on this machine")
        return load(name, *rest)

    monkeypatch.setattr(data, "load", not_b)
    known["b"] = recipe("b", dataset="nowhere")
    return known


@pytest.fixture
def folders(tmp_path):
    return run.Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")


def go(folders, **more):
    said = []
    outcomes = everything.train_all(profile="full", device="cpu", folders=folders, say=said.append, **more)
    return {outcome.name: outcome for outcome in outcomes}, said


def states(outcomes):
    return {name: outcome.state for name, outcome in outcomes.items()}


def test_one_that_fails_does_not_stop_the_others(three, folders):
    outcomes, said = go(folders)
    assert states(outcomes) == {"a": "trained", "b": "failed", "c": "trained"}
    assert outcomes["b"].why == "DataUnavailable: nowhere is not on this machine"
    assert "a: has no result yet" in said
    assert said[-1] == "2 trained, 1 failed"


def test_what_is_done_is_passed_over(three, folders):
    go(folders)
    before = (folders.results / "a.json").read_bytes()
    outcomes, said = go(folders, names=["a", "c"])
    assert states(outcomes) == {"a": "done", "c": "done"}
    assert "nats, binary-digits8 test" in outcomes["a"].why
    assert (folders.results / "a.json").read_bytes() == before


def rewrite(folders, **change):
    path = folders.results / "a.json"
    files.write_json(path, json.loads(path.read_text(encoding="utf-8")) | change)


def test_why_it_is_not_done(three, folders, monkeypatch):
    def why(seed=0, profile="full"):
        return everything.standing("a", profile, seed, folders)

    go(folders, names=["a"])
    assert why()[0]
    assert why(seed=1) == (False, "its result is of the full profile and seed 0")
    for change, reason in [
        (dict(training=TINY | {"lr": 1e-3}), "was made by another recipe: training lr: 0.01 then, 0.001 now"),
        (dict(candidates=({}, {"l1": 0.1})), "was made by another recipe: its candidates"),
        (dict(model="autoregressive.NADE"), "was made by another recipe: the model or its data"),
    ]:
        monkeypatch.setitem(recipes.RECIPES, "a", recipe("a", **change))
        assert why() == (False, reason)
    monkeypatch.setitem(recipes.RECIPES, "a", recipe("a"))
    training = json.loads((folders.results / "a.json").read_text())["training"]
    rewrite(folders, training=training | {"stopped": "time", "steps_taken": 10})
    assert why() == (False, "was stopped by the clock at 10 of 20 steps")
    (folders.checkpoints / "a.safetensors").write_bytes(b"other weights")
    assert why() == (False, "the weights that its result was measured on are not here")
    (folders.results / "a.json").write_text("{")
    assert why() == (False, "its result is damaged")
    assert everything.standing("c", "full", 0, folders) == (False, "has no result yet")


def test_when_the_time_is_up_what_trains_is_put_down_and_nothing_begins(three, folders, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(everything, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    outcomes, said = go(folders, hours=1e-9, names=["a"])                   # the loop's own clock is the real one
    assert states(outcomes) == {"a": "put down"}
    assert not (folders.results / "a.json").exists()
    ticks = itertools.count()
    monkeypatch.setattr(everything, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    outcomes, said = go(folders, hours=1e-9, names=["a", "c"])
    assert states(outcomes) == {"a": "not begun", "c": "not begun"}
    assert said[-1] == "2 not begun"


def test_what_was_put_down_goes_on_and_ends_as_if_nothing_had_been(three, folders, tmp_path):
    said = []
    assert run.train("a", profile="full", device="cpu", folders=folders, budget=1e-6, say=said.append) is None
    assert said[-1] == "a: put down at step 10 of 20; the same call goes on"
    assert not folders.results.exists()
    outcomes, _ = go(folders, names=["a"])
    assert states(outcomes) == {"a": "trained"}
    whole = run.Folders(tmp_path / "r", tmp_path / "c", tmp_path / "results2")
    go(whole, names=["a"])
    ours, theirs = (files.read(f.checkpoints / "a.safetensors")[0] for f in (folders, whole))
    assert all(torch.equal(x, theirs[key]) for key, x in ours.items())


def test_a_budget_is_for_all_candidates_together(three, folders, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "a", recipe("a", candidates=({"l1": 0.0}, {"l1": 0.1})))
    seen = []

    def watched(*args, **keywords):
        seen.append(keywords.get("time_limit"))
        return fit(*args, **keywords)

    monkeypatch.setitem(run.TRAINERS, "gradient", watched)
    run.train("a", profile="full", device="cpu", folders=folders, budget=1000.0, say=lambda line: None)
    first, second = (limit for limit in seen if limit is not None)
    assert 0 < second < first < 1000


def test_studies_are_part_of_it(three, folders, monkeypatch):
    which = study.Study(
        name="s", description="", dataset="digits8", variants={"v": {}}, seeds=(0, 1), units={"figure": ""},
        train=lambda *rest: torch.nn.Linear(1, 1), measure=lambda model, dataset, seed: {"figure": float(seed)},
    )  # fmt: skip
    monkeypatch.setattr(recipes, "studies", lambda: {"s": which})
    outcomes, said = go(folders, names=["s"])
    assert states(outcomes) == {"s": "trained"}
    outcomes, said = go(folders, names=["s"])
    assert states(outcomes) == {"s": "done"} and outcomes["s"].why.startswith("2 runs")
    monkeypatch.setattr(recipes, "studies", lambda: {"s": study.replace(which, settings={"epochs": 2})})
    assert everything.of_study(recipes.studies()["s"], "full", folders)[1].startswith("was made by another study")


def test_the_command_line_takes_all(three, tmp_path, monkeypatch, capsys):
    for name in ("RUN", "CHECKPOINT", "RESULT"):
        monkeypatch.setenv(f"DGM_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("DGM_DEVICE", "cpu")
    assert cli.main(["train", "--all", "--profile", "quick"]) == 1          # b has failed
    assert "b: failed: DataUnavailable" in capsys.readouterr().err
    for argv, reason in [
        (["train"], "name a recipe, or say --all"),
        (["train", "a", "--all"], "neither a NAME nor --minutes"),
        (["train", "--all", "--hours", "0"], "--hours must be positive"),
        (["train", "a", "--hours", "1"], "--hours goes with --all"),
    ]:
        assert cli.main(argv) == 2
        assert reason in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["train", "--all", "--hours", "1"]) == 2
    assert "several would not agree" in capsys.readouterr().err


def test_precision_is_asked_for_and_recorded(three, folders):
    path = run.train("a", profile="full", device="cpu", precision="bf16", folders=folders, say=lambda line: None)
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["training"]["precision"] == "bf16"
    assert result["command"].endswith("--seed 0 --precision bf16")
    assert everything.standing("a", "full", 0, folders)[0]                  # the machine's choice, not another recipe


def test_what_was_asked_for_is_in_the_command():
    asked = {"precision": "no", "compiled": True, "steps": 9}
    said = run.command("a", "full", 1, 90.0, asked)
    assert said == "python -m dgmhelpers train a --profile full --seed 1 --minutes 1.5 --precision no --compile"
    parsed = cli.parser().parse_args(said.split()[3:])
    assert (parsed.name, parsed.seed, parsed.minutes, parsed.precision, parsed.compile) == ("a", 1, 1.5, "no", True)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_results_were_made_by_the_recipes_as_they_stand(path):
    """A recipe that changes leaves its result behind: train it again, or give the new one another name."""
    assert everything.changed(recipes.get(path.stem), json.loads(path.read_text(encoding="utf-8"))) is None
