"""Recipes: each can be carried out, and each committed result comes back from its committed weights."""

import inspect
import json
import re
from pathlib import Path

import pytest
import torch

from dgmhelpers import data, evaluation, recipes
from dgmhelpers.recipes import check, draw, measure, run
from dgmhelpers.recipes.base import PUBLISHED_STATUS, Recipe, registry
from dgmhelpers.training import checkpoints, files

ROOT = Path(__file__).resolve().parents[1]
THE_RUNS_OWN = {"model", "train", "valid", "seed", "checkpoint", "resume", "device"}
RESULTS = sorted(path.stem for path in (ROOT / "results").glob("*.json"))


@pytest.fixture
def folders(tmp_path):
    return run.Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")


@pytest.fixture
def quick_fvbn(folders):
    said = []
    path = run.train("fvbn-dna", profile="quick", device="cpu", folders=folders, say=said.append)
    return path, said


# --- the recipes themselves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("name", recipes.names())
def test_recipe_makes_sense(name, profile):
    recipe = recipes.get(name).for_profile(profile)
    kind = checkpoints.model_class(recipe.model)
    assert recipe.dataset in data.names(quick=True if profile == "quick" else None)
    assert recipe.candidates
    for change in recipe.candidates:
        one = recipe.with_candidate(change)
        assert set(one.config) <= set(inspect.signature(kind).parameters)
        assert set(one.training) <= set(inspect.signature(run.TRAINERS[one.method]).parameters) - THE_RUNS_OWN
        assert ({"steps"} if one.method == "em" else {"steps", "batch_size"}) <= set(one.training)
        assert set(change) <= set(one.config) | set(one.training)
    assert recipe.dtype in checkpoints.STORED_AS
    assert recipe.witness is None or recipe.witness in data.names(quick=True)


@pytest.mark.parametrize("name", recipes.names())
def test_published_rows_have_a_source(name):
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for row in recipes.get(name).published:
        assert re.search(rf"@\w+{{{row.source},", bibliography), f"{row.source} is not in book/references.bib"
        assert row.status in PUBLISHED_STATUS
        assert row.value > 0


def test_names_are_found_or_suggested():
    assert recipes.get("nade-dna").model == "autoregressive.NADE"
    with pytest.raises(recipes.UnknownRecipe, match="no recipe is called 'nade-dan': did you mean nade-dna"):
        recipes.get("nade-dan")
    with pytest.raises(recipes.UnknownRecipe, match="there are .*fvbn-dna"):
        recipes.get("zzzzzz")


def test_candidates_change_what_they_name():
    recipe = Recipe("x", "", "autoregressive.NADE", "dna", {"hidden": 5}, {"steps": 10, "lr": 0.1})
    changed = recipe.with_candidate({"hidden": 7, "l1": 0.5})
    assert changed.config == {"hidden": 7}
    assert changed.training == {"steps": 10, "lr": 0.1, "l1": 0.5}
    with pytest.raises(ValueError, match="two recipes are called x"):
        registry([recipe, recipe])


# --- carrying one out -------------------------------------------------------------------------------------------------


def test_training_writes_a_result_that_comes_back(quick_fvbn, folders):
    path, said = quick_fvbn
    result = json.loads(path.read_text(encoding="utf-8"))
    assert said[0].startswith("fvbn-dna: ")
    assert "min of updates" in said[0]
    assert result["profile"] == "quick"
    assert result["dataset"]["sha256"] == data.load("binary-digits8").sha256
    assert result["model"]["parameters"] == 64 * 64 + 64
    assert {metric["split"] for metric in result["metrics"]} == {"test", "valid"}
    candidates = result["selection"]["candidates"]
    assert candidates[result["selection"]["chosen"]]["valid"] == min(c["valid"] for c in candidates)
    assert result["seconds"]["per_sample"] > 0
    assert str(ROOT) not in path.read_text(encoding="utf-8")
    assert str(folders.runs) not in path.read_text(encoding="utf-8")
    comparisons, missing = check.evaluate("fvbn-dna", profile="quick", device="cpu", folders=folders)
    assert missing == []
    assert all(comparison.agrees for comparison in comparisons)
    assert abs(comparisons[0].measured - result["metrics"][0]["value"]) < 1e-9
    for examples in (measure.PROBE, 50):
        part, _ = check.evaluate("fvbn-dna", profile="quick", device="cpu", folders=folders, examples=examples)
        assert all(comparison.agrees and comparison.examples == examples for comparison in part)


def test_metric_is_of_the_weights_as_stored(quick_fvbn, folders):
    path, _ = quick_fvbn
    metric = json.loads(path.read_text(encoding="utf-8"))["metrics"][0]
    model = checkpoints.load(folders.checkpoints / "fvbn-dna.safetensors")
    assert torch.equal(model.weight, model.weight.half().float())
    digits = data.load("binary-digits8").flat()
    assert metric["value"] == pytest.approx(evaluation.nats(model, digits.test).value, abs=1e-9)


def test_command_goes_on_where_it_stopped(folders):
    def go(**more):
        said = []
        path = run.train("fvbn-dna", profile="quick", device="cpu", folders=folders, say=said.append, **more)
        return json.loads(path.read_text(encoding="utf-8")), said

    cut, _ = go(time_limit=1e-6)
    assert cut["training"]["stopped"] == "time"
    assert cut["training"]["steps_taken"] == 60 < cut["training"]["steps_planned"]
    whole, said = go()
    assert whole["training"]["steps_taken"] == 300
    assert not any("min of updates" in line for line in said)       # no plan: it had begun
    again, _ = go()
    for result in (whole, again):
        for name in ("finished", "seconds"):
            del result[name]
        assert result["plan"]["bytes"].pop("peak") is None or result["plan"]["bytes"]["planned"] > 0
    assert again == whole


@pytest.mark.parametrize(("examples", "rows"), [(None, range(500)), (500, range(500)), (5, range(0, 500, 100)),
                                                (measure.PROBE, range(measure.PROBE))])  # fmt: skip
def test_a_part_of_a_split_is_spread_over_it(examples, rows):
    """Files may be sorted, by digit for one: the first few are not like the rest. 200 have a figure of their own."""
    assert measure.spread(torch.arange(500), examples, measure.PROBE).tolist() == list(rows)


def test_text_recipe_runs_and_writes_text(folders, tmp_path, monkeypatch):
    tiny = dict(recipes.get("char-rnn-shakespeare").quick)
    tiny["training"] = tiny["training"] | {"steps": 4, "evaluate_every": 2, "batch_size": 4}
    tiny["config"] = tiny["config"] | {"hidden": 8, "length": 32}
    monkeypatch.setitem(recipes.RECIPES, "char-rnn-shakespeare",
                        Recipe("char-rnn-shakespeare", "", "autoregressive.CharRNN", "text", quick=tiny))
    monkeypatch.setattr(run.Folders, "standard", classmethod(lambda cls, profile: folders))
    small = data.load("text")
    object.__setattr__(small, "valid", small.valid[:3000])
    object.__setattr__(small, "test", small.test[:3000])
    monkeypatch.setattr(data, "load", lambda name: small)
    path = run.train("char-rnn-shakespeare", profile="quick", device="cpu", say=lambda line: None)
    metric = json.loads(path.read_text(encoding="utf-8"))["metrics"][0]
    assert metric["unit"] == "nats per character"
    assert 2 < metric["value"] < 5
    comparisons, _ = check.evaluate("char-rnn-shakespeare", profile="quick", device="cpu", examples=2000)
    assert all(comparison.agrees for comparison in comparisons)
    out = tmp_path / "samples.txt"
    draw.draw("char-rnn-shakespeare", n=2, out=out, profile="quick", device="cpu")
    assert len(out.read_text(encoding="utf-8")) == 2 * 32 + 3
    with pytest.raises(ValueError, match="are not pictures"):
        draw.draw("char-rnn-shakespeare", out=tmp_path / "x.png", profile="quick", device="cpu")


def test_samples_are_drawn_as_pictures(quick_fvbn, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(run.Folders, "standard", classmethod(lambda cls, profile: folders))
    out = tmp_path / "samples.png"
    assert "9 samples" in draw.draw("fvbn-dna", n=9, out=out, profile="quick", device="cpu")
    assert out.read_bytes().startswith(b"\x89PNG")
    again = draw.draw("fvbn-dna", n=2, profile="quick", device="cpu", seed=1)
    assert again == draw.draw("fvbn-dna", n=2, profile="quick", device="cpu", seed=1)
    assert set(again) <= set(".#\n")
    with pytest.raises(ValueError, match="should end in .png or .txt"):
        draw.draw("fvbn-dna", out=tmp_path / "x.gif", profile="quick", device="cpu")
    with pytest.raises(ValueError, match="n must be at least 1"):
        draw.draw("fvbn-dna", n=0, profile="quick", device="cpu")


def test_samples_of_a_study_come_from_the_weights_it_keeps(tmp_path):
    out = tmp_path / "samples.png"
    assert "4 samples" in draw.draw("listing-gan-digits", n=4, out=out, device="cpu")
    from matplotlib import pyplot

    x = pyplot.imread(out)[..., 0]
    assert x.min() < 0.05 and x.max() > 0.95 and len(set(x.flatten().tolist())) > 50        # greys, from end to end
    with pytest.raises(ValueError, match="temperature is for models with a density"):
        draw.draw("listing-gan-digits", temperature=0.5, device="cpu")
    with pytest.raises(ValueError, match="collapse-ring is a study that keeps no weights"):
        draw.draw("collapse-ring", device="cpu")


def test_result_of_other_weights_is_refused(quick_fvbn, folders):
    path, _ = quick_fvbn
    stored = folders.checkpoints / "fvbn-dna.safetensors"
    model = checkpoints.load(stored)
    checkpoints.save(stored, model, {"seed": 1})
    with pytest.raises(check.ResultError, match="not the file that fvbn-dna.json was measured on"):
        check.evaluate("fvbn-dna", profile="quick", device="cpu", folders=folders)
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(check.ResultError, match="is damaged"):
        check.evaluate("fvbn-dna", profile="quick", device="cpu", folders=folders)
    path.unlink()
    with pytest.raises(check.ResultError, match="there is no result fvbn-dna"):
        check.evaluate("fvbn-dna", profile="quick", device="cpu", folders=folders)


def test_figure_that_does_not_come_back_is_seen(quick_fvbn, folders):
    path, _ = quick_fvbn
    result = json.loads(path.read_text(encoding="utf-8"))
    result["metrics"][0]["value"] -= 0.1
    files.write_json(path, result)
    comparisons, _ = check.evaluate("fvbn-dna", profile="quick", device="cpu", folders=folders)
    assert [comparison.agrees for comparison in comparisons] == [False, True]
    assert "DIFFERS" in str(comparisons[0])


# --- what is committed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RESULTS)
def test_committed_result_belongs_to_its_checkpoint(name):
    text = (ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")
    result, stored = json.loads(text), ROOT / "checkpoints" / f"{name}.safetensors"
    assert result["name"] == name
    assert result["profile"] == "full"
    assert files.sha256(stored) == result["checkpoint"]["sha256"]
    assert stored.stat().st_size <= 3 * 2**20
    assert re.fullmatch(r"[0-9a-f]{40}", result["commit"])
    assert not re.search(r'"/(work|tmp|home|root)|[A-Z]:\\\\', text)
    assert [candidate["valid"] for candidate in result["selection"]["candidates"]]
    metadata = checkpoints.read_metadata(stored)
    assert (metadata["seed"], metadata["commit"]) == (result["seed"], result["commit"])
    assert metadata["dataset"]["sha256"] == result["dataset"]["sha256"]


@pytest.mark.parametrize("name", RESULTS)
def test_committed_result_comes_back(name):
    few = 10 * measure.PROBE if "rnn" in name else measure.PROBE
    comparisons, missing = check.evaluate(name, examples=few, device="cpu")
    if not comparisons:
        pytest.skip(missing[0])
    for comparison in comparisons:
        assert comparison.agrees, str(comparison)
