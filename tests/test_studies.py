"""Studies: variants times seeds, none left out, and none done twice."""

import json
import math
from pathlib import Path

import pytest
import torch

from dgmhelpers import cli, data, recipes
from dgmhelpers.adversarial import GAN
from dgmhelpers.recipes import check, run, study
from dgmhelpers.training import checkpoints, files

ROOT = Path(__file__).resolve().parents[1]
STORED = sorted((ROOT / "results" / "studies").glob("*.json"))


@pytest.fixture
def folders(tmp_path):
    return run.Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")


def tiny(calls, **change):
    def train(dataset, arguments, seed, settings, checkpoint, device):
        calls.append((arguments["hidden"], seed))
        torch.manual_seed(seed)
        return GAN(dim=2, **arguments)

    def measure(model, dataset, seed):
        return {"hidden": model.config["hidden"], "noise": float(seed)}

    fields = dict(
        name="tiny", description="a test", dataset="digits8", variants={"small": {"hidden": 3}, "large": {"hidden": 9}},
        train=train, measure=measure, units={"hidden": "units", "noise": "seeds"}, seeds=(0, 1, 2), keep="large",
    )  # fmt: skip
    return study.Study(**fields | change)


def test_every_variant_has_every_seed_and_an_interval(folders):
    calls = []
    path = study.conduct(tiny(calls), profile="full", folders=folders, device="cpu", say=lambda line: None)
    result = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(calls) == [(h, s) for h in (3, 9) for s in (0, 1, 2)]
    assert len(result["runs"]) == 6
    assert result["summary"]["small"]["noise"] == {"mean": 1.0, "standard_error": pytest.approx(1 / math.sqrt(3)),
                                                   "seeds": 3}
    assert result["command"] == "python -m dgmhelpers train tiny --profile full"
    kept = checkpoints.load(folders.checkpoints / "tiny.safetensors")
    assert kept.config["hidden"] == 9
    assert checkpoints.read_metadata(folders.checkpoints / "tiny.safetensors")["seed"] == 0


def test_finished_runs_are_kept_unless_the_study_changed(folders):
    calls = []
    for _ in range(2):
        study.conduct(tiny(calls), profile="full", folders=folders, device="cpu", say=lambda line: None)
    assert len(calls) == 6
    changed = tiny(calls, settings={"epochs": 2})
    study.conduct(changed, profile="full", folders=folders, device="cpu", say=lambda line: None)
    assert len(calls) == 12


def test_variants_whose_names_differ_after_a_point_have_runs_of_their_own(folders):
    calls = []
    many = tiny(calls, variants={"rate 0.3": {"hidden": 3}, "rate 0.9": {"hidden": 9}}, keep=None)
    for _ in range(2):
        path = study.conduct(many, profile="full", folders=folders, device="cpu", say=lambda line: None)
    assert len(calls) == 6
    figures = [(r["variant"], r["seed"], r["figures"]["noise"]) for r in json.loads(path.read_text())["runs"]]
    assert figures == [(variant, seed, float(seed)) for seed in (0, 1, 2) for variant in many.variants]
    assert len(list((folders.runs / "tiny").glob("*.json"))) == 6


def test_one_seed_has_no_standard_error(folders):
    path = study.conduct(tiny([], seeds=(4,)), profile="full", folders=folders, device="cpu", say=lambda line: None)
    entry = json.loads(path.read_text())["summary"]["large"]["hidden"]
    assert entry == {"mean": 9.0, "standard_error": None, "seeds": 1}


def test_the_command_line_knows_studies(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(study, "conduct", lambda which, **rest: asked.append(which.name))
    assert cli.main(["train", "listing-gan-digits"]) == 0
    assert asked == ["listing-gan-digits"]
    assert cli.main(["train", "listing-gan-digits", "--seed", "3"]) == 2
    assert "seeds of its own" in capsys.readouterr().err
    assert cli.main(["list", "recipes"]) == 0
    assert "listing-gan-mnist" in capsys.readouterr().out


def test_studies_and_recipes_have_names_of_their_own():
    assert not set(recipes.studies()) & set(recipes.names())


@pytest.mark.slow
def test_the_listing_in_the_quick_profile(folders):
    from dataclasses import replace

    short = replace(recipes.studies()["listing-gan-mnist"], variants={"as listed": {}})
    path = study.conduct(short, profile="quick", folders=folders, device="cpu", say=lambda line: None)
    figures = json.loads(path.read_text())["summary"]["as listed"]
    assert figures["nearest"]["mean"] < 2.5                 # after one epoch of 4,000 digits: better than noise
    assert 0 <= figures["precision"]["mean"] <= 1


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_study_comes_back_from_its_weights(path, monkeypatch):
    monkeypatch.setenv("DGM_DEVICE", "cpu")
    result = json.loads(path.read_text(encoding="utf-8"))
    if not result["checkpoint"]:
        pytest.skip("keeps no weights")
    try:
        comparisons, others = check.evaluate_study(path.stem, device="cpu")
    except data.DataUnavailable as missing:
        pytest.skip(f"not measured, {missing}")
    assert {comparison.name for comparison in comparisons} == set(result["units"])
    for comparison in comparisons:
        assert comparison.agrees, str(comparison)
    assert others == [f"{len(result['runs']) - 1} other runs keep no weights: {result['command']} makes them again"]


def test_a_studys_figure_that_does_not_come_back_is_seen(folders, monkeypatch):
    which = tiny([])
    monkeypatch.setattr(check, "studies", lambda: {"tiny": which})
    with pytest.raises(check.ResultError, match="there is no result tiny"):
        check.evaluate_study("tiny", folders=folders, device="cpu")
    path = study.conduct(which, profile="full", folders=folders, device="cpu", say=lambda line: None)
    found, _ = check.evaluate_study("tiny", folders=folders, device="cpu")
    assert [(c.name, c.agrees) for c in found] == [("hidden", True), ("noise", True)]
    assert "seed 0, the same draws" in str(found[0])
    result = json.loads(path.read_text(encoding="utf-8"))
    for each in result["runs"]:
        each["figures"]["hidden"] += 0.1
    files.write_json(path, result)
    found, _ = check.evaluate_study("tiny", folders=folders, device="cpu")
    assert [c.agrees for c in found] == [False, True]
    files.write_json(path, result | {"checkpoint": None})
    with pytest.raises(check.ResultError, match="tiny keeps no weights: python -m dgmhelpers train tiny"):
        check.evaluate_study("tiny", folders=folders, device="cpu")


def test_the_command_line_evaluates_studies(monkeypatch, capsys):
    agreed = check.Comparison("digits8", "samples", 1.0, 1.0, 0.1, "", 5, "how", "nearest")
    monkeypatch.setattr(check, "evaluate_study", lambda name, **rest: ([agreed], [f"of {name}"]))
    assert cli.main(["evaluate", "listing-gan-digits"]) == 0
    assert capsys.readouterr().out == f"{agreed}\nof listing-gan-digits\n"
    assert cli.main(["evaluate", "listing-gan-digits", "--examples", "9"]) == 2
    assert "--examples is for recipes" in capsys.readouterr().err


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_studies_are_whole(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    known = recipes.studies()[result["name"]]
    assert result["profile"] == "full"
    ran = {(r["variant"], r["seed"]) for r in result["runs"]}
    assert ran == {(variant, seed) for variant in known.variants for seed in known.seeds}
    assert set(result["units"]) == set(result["runs"][0]["figures"])
    for variant, figures in study.summary(result["runs"]).items():
        for name, entry in figures.items():
            assert result["summary"][variant][name]["mean"] == pytest.approx(entry["mean"])
    if result["checkpoint"]:
        assert (ROOT / "checkpoints" / result["checkpoint"]).is_file()
