"""What stands beside the tables of results: gaps, and what was run from several seeds."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import dgm_results as results  # noqa: E402
import dgm_tables as tables  # noqa: E402

PUBLISHED = json.loads((ROOT / "book" / "published.json").read_text(encoding="utf-8"))
RECORDS = tables.load_results(ROOT / "results", PUBLISHED)
SEVERAL = [record for record in RECORDS if len(record["runs"]) > 1]


def record(value=90.0, error=0.2, kind="exact", **change):
    metric = {"kind": kind, "dataset": "dna", "split": "test", "value": value, "standard_error": error, "unit": "nats",
              "examples": 100}  # fmt: skip
    return {
        "name": "nade-dna",
        "dataset": {"name": "dna", "splits": {"test": 100}},
        "metrics": [metric],
        "published": [{"system": "NADE", "value": 88.0, "cite": "key", "differs": "", "kind": "exact"},
                      {"system": "VAE", "value": 89.0, "cite": "key", "note": "50 latents", "differs": "",
                       "kind": "estimate"}],
        "training": {"epochs": 3.2, "stopped": None, "steps_taken": 5, "steps_planned": 9},
        "selection": {"candidates": [{}]},
        "seconds": {"train": 30.0},
        "device": {"type": "cpu", "threads": 1},
    } | change  # fmt: skip


def rows(markdown):
    return [line for line in markdown.splitlines() if line.startswith("| nade-dna")]


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [(90.0, 0.2, "**short by 2.00**"), (88.3, 0.2, "level (+0.30)"), (87.7, 0.2, "level (\N{MINUS SIGN}0.30)"),
     (86.0, 0.2, "better by 2.00")],
)  # fmt: skip
def test_a_gap_is_better_level_or_short(value, error, words):
    (row,) = rows(results.gaps([record(value, error)]))
    assert f"| {words} |" in row
    assert "NADE {cite:p}`key`: 88.00" in row and "30 s, CPU, 1 thread" in row


def test_a_figure_stands_beside_figures_of_its_kind_alone():
    (exact,) = rows(results.gaps([record()]))
    assert "VAE" not in exact
    both = results.gaps([record(), record(kind="estimate"), record(kind="bound")])
    exact, estimates = both.split("**Estimates of the likelihood**")
    assert "VAE" not in exact and "NADE {" not in estimates and "Bounds" not in both
    assert both.count("1 pair, 1 of them short") == 2


def test_why_says_what_is_known():
    training = {"epochs": 1.0, "stopped": "time", "steps_taken": 5_000, "steps_planned": 9_000}
    full = record(training=training, selection={"candidates": [{}, {}]},
                  dataset={"name": "dna", "splits": {"test": 1000}})  # fmt: skip
    assert results.why(full, full["metrics"][0], "a note") == (
        "a note; on 100 of 1,000 test examples; stopped by the clock at 5,000 of 9,000 steps; 1 epoch; "
        "the best of 2 on validation")  # fmt: skip


def test_every_published_row_of_a_measured_recipe_is_in_the_table():
    markdown = results.gaps(tables.with_likelihoods(RECORDS))
    for each in RECORDS:
        kinds = {metric["kind"] for metric in each["metrics"]}
        for row in each["published"]:
            if row["kind"] in kinds:
                assert f"| {each['name']} | {row['system']} {{cite:p}}`{row['cite']}`" in markdown


def test_nothing_measured_says_so():
    assert "Nothing is measured" in results.gaps([])


def test_several_runs_have_a_line_each_that_leads_to_their_chapter():
    chapters = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    lines = results.over_seeds(SEVERAL, chapters).splitlines()[2:]
    assert len(lines) == len(SEVERAL)
    for line, stored in zip(lines, SEVERAL, strict=True):
        assert stored["description"] in line and "](../notebooks/" in line, stored["name"]
        assert f"| {len(stored['variants'])} × {len(stored['seeds'])} |" in line
        assert stored["command"] in results.provenance(stored)
    hasty = {**SEVERAL[0], "name": "hasty"}
    told = results.over_seeds([hasty], {"22-x.ipynb": "hasty-ring", "23-y.ipynb": "train hasty --profile"})
    assert results.place("appendix-x.ipynb") == "appendix"
    assert "22-x" not in told and "[23](../notebooks/23-y.ipynb)" in told


def test_the_best_of_each_data_set_is_in_one_table():
    published = [{"data": "dna", "title": "DNA", "rows": [
        {"kind": "exact", "system": "NADE", "value": 88.0}, {"kind": "exact", "system": "MADE", "value": 89.0},
        {"kind": "estimate", "system": "RBM", "value": 10.0}]}]  # fmt: skip
    ours = [record(90.0), record(91.0, name="made-dna"), record(1.0, kind="bound", name="vae-dna")]
    assert results.in_short(published, ours).splitlines()[2] == (
        "| [DNA](#results-dna) | 90.00\u00a0±\u00a00.20 nats (nade-dna) | 88.00 (NADE) | **short by 2.00** |")
    assert "Nothing is measured" in results.in_short(published, [])
