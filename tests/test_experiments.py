"""Experiments: each can be carried out, in pieces too, and committed results come back from committed weights."""

import inspect
import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dgmhelpers import data, evaluation, recipes
from dgmhelpers.recipes import Experiment, Folders, Stage, draw, measures, record, train_all
from dgmhelpers.recipes import train as training
from dgmhelpers.recipes.evaluate import evaluate
from dgmhelpers.recipes.experiment import registry
from dgmhelpers.recipes.train import train, try_out
from dgmhelpers.training import checkpoints, files, fit

ROOT = Path(__file__).resolve().parents[1]
THE_RUNS_OWN = {"model", "train", "valid", "seed", "checkpoint", "resume", "device"}
RESULTS = record.names(ROOT / "results")
BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")


def quiet(line):
    pass


def tiny(**change):
    """Twenty steps of an FVBN on the smallest digits."""
    fields = dict(
        model="autoregressive.FVBN", source="binary-digits8",
        training=dict(steps=20, batch_size=32, lr=1e-2, evaluate_every=10, progress=False),
    )  # fmt: skip
    return Experiment.of("tiny", "a test", **fields | change)


def several(note=lambda call: None, **change):
    """Two variants and three seeds of an FVBN, whose figures say which run they are of; ``note`` is told of each."""

    def trainer(model, examples, *, watch, seed, l1=0.0, **rest):
        note((l1, seed))
        return fit(model, examples.train[:64], steps=2, batch_size=32, progress=False, l1=l1, seed=seed, **rest)

    def figures(model, dataset, seed):
        return {"size": sum(p.numel() for p in model.parameters()), "noise": float(seed)}

    fields = dict(
        trainer=trainer, training={}, variants={"light": {"l1": 0.0}, "l1 of 0.3": {"l1": 0.3}}, seeds=(0, 1, 2),
        keep="l1 of 0.3", measures=(measures.Figures(figures, {"size": "parameters", "noise": "seeds"}),),
    )  # fmt: skip
    return tiny(**fields | change)


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")


def carried_out(experiment, folders, **more):
    path = train(experiment, profile="full", device="cpu", folders=folders, **{"say": quiet} | more)
    return json.loads(path.read_text(encoding="utf-8"))


# --- the experiments themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("name", recipes.names())
def test_recipe_makes_sense(name, profile):
    experiment = recipes.get(name).for_profile(profile)
    for variant, candidate in itertools.product(experiment.variants.values(), experiment.candidates):
        (stage,) = experiment.changed(variant).changed(candidate).stages
        assert set(stage.config) <= set(inspect.signature(stage.kind).parameters)
        if isinstance(stage.trainer, str):
            trainer = {"gradient": fit}.get(stage.trainer) or training.em
            assert set(stage.training) <= set(inspect.signature(trainer).parameters) - THE_RUNS_OWN
        if isinstance(stage.source, str):
            assert stage.source in data.names(quick=True if profile == "quick" else None)
    assert experiment.dtype in checkpoints.STORED_AS
    assert experiment.witness is None or experiment.witness in data.names(quick=True)
    assert set(experiment.published) <= set(recipes.published())


def test_published_rows_have_names_of_their_own_a_source_and_a_status():
    sets = json.loads((ROOT / "book" / "published.json").read_text(encoding="utf-8"))["sets"]
    rows = [row for entry in sets for row in entry["rows"]]
    assert len({row["id"] for row in rows}) == len(rows) == len(recipes.published())
    for row in rows:
        assert row["cite"] is None or re.search(rf"@\w+{{{row['cite']},", BIBLIOGRAPHY), row
        assert row["status"] in ("read", "reported", "computed") and row["kind"] in ("exact", "bound", "estimate")


def test_names_are_found_or_suggested():
    assert recipes.get("nade-dna").stages[0].model == "autoregressive.NADE"
    with pytest.raises(recipes.UnknownRecipe, match="no recipe is called 'nade-dan': did you mean nade-dna"):
        recipes.get("nade-dan")
    with pytest.raises(recipes.UnknownRecipe, match="there are .*fvbn-dna"):
        recipes.get("zzzzzz")
    with pytest.raises(recipes.UnknownRecipe, match="should be an Experiment, and is float"):
        recipes.get("math:pi")
    with pytest.raises(AttributeError, match="Recipe is now Experiment.of"):
        _ = recipes.Recipe
    with pytest.raises(ValueError, match="two recipes are called tiny"):
        registry([tiny(), tiny()])


def test_changes_go_where_they_are_named():
    two = Experiment("x", "", (Stage("autoregressive.NADE", "dna", {"hidden": 5}, {"lr": 0.1}, name="a"),
                               Stage("autoregressive.NADE", "dna", name="b")), whole=torch.nn.Module)
    changed = two.changed({"hidden": 7, "l1": 0.5, "b/model": {"hidden": 9}, "b/class": torch.nn.Linear})
    assert changed.settings() == {"a/model": {"hidden": 7}, "a/lr": 0.1, "a/l1": 0.5, "b/model": {"hidden": 9}}
    assert changed.stages[1].model is torch.nn.Linear
    with pytest.raises(ValueError, match="no stage 'c', only a, b"):
        two.changed({"c/lr": 1})
    for wrong in (dict(keep="other"), dict(against="other"), dict(whole=torch.nn.Module), dict(seeds=())):
        with pytest.raises(ValueError):
            tiny(**wrong)


@pytest.mark.parametrize(("examples", "rows"), [(None, range(500)), (500, range(500)), (5, range(0, 500, 100)),
                                                (measures.PROBE, range(measures.PROBE))])  # fmt: skip
def test_a_part_of_a_split_is_spread_over_it(examples, rows):
    """Files may be sorted, by digit for one: the first few are not like the rest. 200 have a figure of their own."""
    assert measures.spread(torch.arange(500), examples, measures.PROBE).tolist() == list(rows)


# --- carrying one out -------------------------------------------------------------------------------------------------


def test_training_writes_a_result_that_comes_back(folders):
    said = []
    found = carried_out(tiny(candidates=({"l1": 0.0}, {"l1": 0.01}), published={"dna-fvbn": "why not"}), folders,
                        say=said.append)
    assert said[0].startswith("tiny: a test. 4,160 parameters, ") and "min of updates for each of 2" in said[0]
    assert found["dataset"]["sha256"] == data.load("binary-digits8").sha256
    assert found["model"] == {"class": "autoregressive.FVBN", "config": {"dim": 64, "order": None}, "parameters": 2080}
    assert [metric["split"] for metric in found["metrics"]] == ["test", "valid"]
    candidates = found["selection"]["candidates"]
    assert candidates[found["selection"]["chosen"]]["valid"] == min(c["valid"] for c in candidates)
    assert found["seconds"]["per_sample"] > 0 and found["published"] == [{"id": "dna-fvbn", "differs": "why not"}]
    assert str(ROOT) not in json.dumps(found) and str(folders.runs) not in json.dumps(found)
    # of the weights as they are stored, in half precision
    model = checkpoints.load(folders.checkpoints / "tiny.safetensors")
    assert torch.equal(model.weight, model.weight.half().float())
    digits = data.load("binary-digits8").flat()
    assert found["metrics"][0]["value"] == pytest.approx(evaluation.nats(model, digits.test).value, abs=1e-9)
    for examples in (None, measures.PROBE, 50):
        comparisons, missing = evaluate(tiny(), examples=examples, device="cpu", folders=folders)
        assert missing == [] and all(comparison.agrees for comparison in comparisons)
    # another figure is seen, and other weights are refused
    found["metrics"][0]["value"] -= 0.1
    files.write_json(folders.results / "tiny.json", found)
    comparisons, _ = evaluate(tiny(), device="cpu", folders=folders)
    assert [comparison.agrees for comparison in comparisons] == [False, True] and "DIFFERS" in str(comparisons[0])
    checkpoints.save(folders.checkpoints / "tiny.safetensors", model, {"seed": 1})
    with pytest.raises(recipes.ResultError, match="not the file that tiny.json was measured on"):
        evaluate(tiny(), device="cpu", folders=folders)
    (folders.results / "tiny.json").write_text("{")
    with pytest.raises(recipes.ResultError, match="is damaged"):
        evaluate(tiny(), device="cpu", folders=folders)
    (folders.results / "tiny.json").unlink()
    with pytest.raises(recipes.ResultError, match="there is no result tiny"):
        evaluate(tiny(), device="cpu", folders=folders)


def test_command_goes_on_where_it_stopped(folders, tmp_path):
    cut = carried_out(tiny(), folders, time_limit=1e-6)
    assert (cut["training"]["stopped"], cut["training"]["steps_taken"]) == ("time", 10)
    said = []
    whole = carried_out(tiny(), folders, say=said.append)
    assert whole["training"]["steps_taken"] == 20 and not any("parameters" in line for line in said)    # it had begun
    unbroken = carried_out(tiny(), Folders.within(tmp_path / "other"))
    assert whole["metrics"] == unbroken["metrics"]
    assert whole["checkpoint"]["sha256"] == unbroken["checkpoint"]["sha256"]


def test_what_is_announced_is_what_the_record_says(folders):
    said = []
    carried_out(tiny(), folders)
    (folders.runs / "tiny").rename(folders.runs / "moved")
    carried_out(tiny(), folders, say=said.append)
    assert re.match(r"tiny: a test. All of it took 0.0 min.* by the record", said[0])


def test_every_variant_has_every_seed_and_an_interval(folders):
    calls = []
    found = carried_out(several(calls.append), folders)
    assert sorted(calls) == [(l1, seed) for l1 in (0.0, 0.3) for seed in (0, 1, 2)]
    assert [(r["variant"], r["seed"]) for r in found["runs"]] == [
        (variant, seed) for seed in (0, 1, 2) for variant in ("light", "l1 of 0.3")]
    assert found["summary"]["light"]["noise"] == {"mean": 1.0, "standard_error": pytest.approx(1 / math.sqrt(3)),
                                                  "seeds": 3}
    assert found["command"] == "python -m dgmhelpers train tiny --profile full"
    assert checkpoints.read_metadata(folders.checkpoints / "tiny.safetensors")["variant"] == "l1 of 0.3"
    comparisons, others = evaluate(several(calls.append), device="cpu", folders=folders)
    assert [(c.name, c.agrees) for c in comparisons] == [("size", True), ("noise", True)]
    assert others == [f"5 other runs keep no weights: {found['command']} makes them again"]
    with pytest.raises(ValueError, match="keeps no weights"):
        draw.draw(several(keep=None), device="cpu")
    # nothing is done twice, unless it changed
    carried_out(several(calls.append), folders)
    assert len(calls) == 6
    carried_out(several(calls.append, training={"warmup": 1}), folders)
    assert len(calls) == 12
    one = carried_out(several(calls.append, variants={"v": {}}, keep=None), folders, seed=4)
    assert one["summary"]["v"]["size"] == {"mean": 4160.0, "standard_error": None, "seeds": 1}


def test_gains_are_differences_seed_by_seed():
    runs = [{"variant": v, "seed": s, "figures": {"modes": m}}
            for v, s, m in (("plain", 0, 1), ("plain", 1, 5), ("cure", 0, 4), ("cure", 1, 9))]
    found = recipes.gains({"runs": runs}, "modes", "cure")
    assert found.each == [3, 4] and found.value == 3.5
    low, high = found.interval()
    assert low == pytest.approx(3.5 - 12.706 * 0.5, abs=1e-2) and high == pytest.approx(3.5 + 12.706 * 0.5, abs=1e-2)


def test_what_was_asked_for_is_trained_and_in_the_command(folders):
    found = carried_out(tiny(), folders, precision="bf16", seed=1, time_limit=90.0)
    assert found["settings"]["precision"] == "bf16" and found["seeds"] == [1]
    assert found["command"].endswith("train tiny --profile full --seed 1 --minutes 1.5 --precision bf16")
    assert train_all.standing(tiny(), "full", 1, folders)[0]             # the machine's choice, not another recipe


def test_text_is_measured_and_drawn_as_text(folders, tmp_path, monkeypatch):
    small = data.load("text")
    small = replace(small, valid=small.valid[:3000], test=small.test[:3000])
    monkeypatch.setattr(data, "load", lambda name: small)
    text = recipes.get("char-rnn-shakespeare").with_fields(
        source="text", training={"steps": 4, "evaluate_every": 2, "batch_size": 4, "progress": False},
        config={"length": 32, "hidden": 8, "layers": 1, "cell": "gru", "dropout": 0.0},
    )  # fmt: skip
    metric = carried_out(text, folders)["metrics"][0]
    assert metric["unit"] == "nats per character" and 2 < metric["value"] < 5
    comparisons, _ = evaluate(text, device="cpu", examples=2000, folders=folders)
    assert all(comparison.agrees for comparison in comparisons)
    out = tmp_path / "samples.txt"
    draw.draw(text, n=2, out=out, device="cpu", folders=folders)
    assert len(out.read_text(encoding="utf-8")) == 2 * 32 + 3
    with pytest.raises(ValueError, match="are not pictures"):
        draw.draw(text, out=tmp_path / "x.png", device="cpu")


def test_samples_are_drawn_as_pictures(folders, tmp_path):
    carried_out(tiny(size=(8, 8)), folders)
    how, out = dict(device="cpu", folders=folders), tmp_path / "samples.png"
    assert "9 samples" in draw.draw(tiny(size=(8, 8)), n=9, out=out, **how)
    assert out.read_bytes().startswith(b"\x89PNG")
    again = draw.draw(tiny(size=(8, 8)), n=2, seed=1, **how)
    assert again == draw.draw(tiny(size=(8, 8)), n=2, seed=1, **how) and set(again) <= set(".#\n")
    with pytest.raises(ValueError, match="should end in .png or .txt"):
        draw.draw(tiny(), out=tmp_path / "x.gif", **how)
    with pytest.raises(ValueError, match="n must be at least 1"):
        draw.draw(tiny(), n=0, **how)
    assert "4 samples" in draw.draw("listing-gan-digits", n=4, out=out, device="cpu")
    from matplotlib import pyplot

    x = pyplot.imread(out)[..., 0]
    assert x.min() < 0.05 and x.max() > 0.95 and len(set(x.flatten().tolist())) > 50        # greys, from end to end
    with pytest.raises(ValueError, match="knows no temperature"):
        draw.draw("listing-gan-digits", temperature=0.5, device="cpu")


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(monkeypatch):
    """Two recipes that can be carried out, and between them one whose data is not there."""
    known = {name: replace(tiny(), name=name) for name in ("a", "b", "c")}
    monkeypatch.setattr(recipes, "known", lambda: known)

    def nowhere(made):
        raise data.DataUnavailable("nowhere is not on this machine")

    known["b"] = known["b"].with_fields(source=nowhere)
    return known


def everyone(folders, names=None, **more):
    said = []
    outcomes = train_all.train_all(names, profile="full", device="cpu", folders=folders, say=said.append, **more)
    return {outcome.name: outcome.state for outcome in outcomes}, said


def test_one_that_fails_stops_no_other_and_what_is_done_is_passed_over(three, folders):
    states, said = everyone(folders)
    assert states == {"a": "trained", "b": "failed", "c": "trained"}
    assert "b: failed: DataUnavailable: nowhere is not on this machine" in said and "a: has no result yet" in said
    before = (folders.results / "a.json").read_bytes()
    assert everyone(folders, ["a", "c"])[0] == {"a": "done", "c": "done"}
    assert (folders.results / "a.json").read_bytes() == before


def test_why_it_is_not_done(folders):
    def why(experiment=None, profile="full"):
        return train_all.standing(experiment or tiny(), profile, None, folders)

    assert why() == (False, "has no result yet")
    found = carried_out(tiny(), folders)
    assert why()[0] and why(profile="quick") == (False, "its result is of the full profile")
    for change, reason in [
        (dict(seeds=(1,)), "its variants or seeds"),
        (dict(training=tiny().stages[0].training | {"lr": 1e-3}), "settings lr: 0.01 then, 0.001 now"),
        (dict(candidates=({}, {"l1": 0.1})), "its candidates"),
        (dict(model="autoregressive.NADE"), "the model or its data"),
    ]:
        assert why(tiny(**change)) == (False, f"was made by another recipe: {reason}")
    stopped = {**found["training"], "stopped": "time", "steps_taken": 10}
    files.write_json(folders.results / "tiny.json", found | {"training": stopped})
    assert why() == (False, "was stopped by the clock at 10 of 20 steps")
    (folders.checkpoints / "tiny.safetensors").write_bytes(b"other weights")
    assert why() == (False, "the weights that its result was measured on are not here")
    (folders.results / "tiny.json").write_text("{")
    assert why() == (False, "its result is damaged")


def test_when_the_time_is_up_what_trains_is_put_down_and_nothing_begins(three, folders, monkeypatch, tmp_path):
    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    monkeypatch.setattr(train_all, "time", clock)                           # the loop's own clock is the real one
    states, said = everyone(folders, ["a"], hours=1e-9)
    assert states == {"a": "put down"} and "a: put down at step 10 of 20; the same call goes on" in said
    assert not folders.results.exists()
    ticks = itertools.count()
    clock.perf_counter = lambda: float(next(ticks))
    assert everyone(folders, ["a", "c"], hours=1e-9)[0] == {"a": "not begun", "c": "not begun"}
    assert everyone(folders, ["a"])[0] == {"a": "trained"}
    whole = Folders.within(tmp_path / "whole")
    everyone(whole, ["a"])
    assert files.sha256(folders.checkpoints / "a.safetensors") == files.sha256(whole.checkpoints / "a.safetensors")


# --- what is committed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RESULTS)
def test_committed_result_is_whole_and_was_made_by_the_recipe_as_it_stands(name):
    """A recipe that changes leaves its result behind: train it again, or give the new one another name."""
    text = (ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["name"] == name and found["profile"] == "full"
    assert record.difference(recipes.get(name), found) is None
    assert {row["id"] for row in found["published"]} == set(recipes.get(name).published)
    assert not re.search(r'"/(work|tmp|home|root)|[A-Z]:\\\\', text)
    assert sorted((run["variant"], run["seed"]) for run in found["runs"]) == sorted(
        itertools.product(found["variants"], found["seeds"]))
    for run in found["runs"]:
        assert re.fullmatch(r"[0-9a-f]{40}", run["commit"]) and set(run["figures"]) <= set(found["units"])
    for variant, figures in record.summary(found["runs"]).items():
        for figure, entry in figures.items():
            assert found["summary"][variant][figure]["mean"] == pytest.approx(entry["mean"])
    if found["checkpoint"]:
        stored = ROOT / "checkpoints" / f"{name}.safetensors"
        assert files.sha256(stored) == found["checkpoint"]["sha256"] and stored.stat().st_size <= 3 * 2**20
        metadata = checkpoints.read_metadata(stored)
        (run,) = (r for r in found["runs"] if (r["variant"], r["seed"]) == (found["variant"], found["seed"]))
        assert (metadata["seed"], metadata["commit"]) == (found["seed"], run["commit"])
        assert metadata["dataset"]["sha256"] == found["dataset"]["sha256"]
        assert {m["name"]: m["value"] for m in reversed(found["metrics"])
                if m["dataset"] == found["dataset"]["name"]} | run["figures"] == run["figures"]


@pytest.mark.parametrize("name", [name for name in RESULTS if record.result(name, ROOT / "results")["checkpoint"]])
def test_committed_result_comes_back(name):
    few = 10 * measures.PROBE if "char-rnn" in name else measures.PROBE
    comparisons, missing = evaluate(name, examples=few, device="cpu")
    if not comparisons:
        pytest.skip(missing[0])
    for comparison in comparisons:
        assert comparison.agrees, str(comparison)


@pytest.mark.slow
def test_the_listing_in_the_quick_profile():
    short = recipes.get("listing-gan-mnist").for_profile("quick")
    figures = try_out(replace(short, variants={"as listed": {}}), device="cpu")["summary"]["as listed"]
    assert figures["nearest"]["mean"] < 2.5                 # after one epoch of 4,000 digits: better than noise
    assert 0 <= figures["precision"]["mean"] <= 1
