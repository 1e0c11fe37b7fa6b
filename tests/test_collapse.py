"""The studies of mode collapse: what is counted, what a variant means, and what was kept."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dgmhelpers import recipes
from dgmhelpers.adversarial import losses, matching
from dgmhelpers.data import toys
from dgmhelpers.evaluation import coverage
from dgmhelpers.evaluation.coverage import cells
from dgmhelpers.recipes import Folders, collapse, record, stacked
from dgmhelpers.recipes.train import train, try_out

ROOT = Path(__file__).resolve().parents[1]
SETS = {"collapse-ring": ("ring_of_8", 8), "collapse-grid": ("grid_of_25", 25)}
SETS |= {name.replace("collapse", "hasty"): known for name, known in SETS.items()}
WATCHED = [name for name in SETS if (ROOT / "results" / f"{name}{record.WATCHED}").is_file()]
GAMES = [*SETS, "balance-ring", "sensitivity-ring", "hacks-ring", "hacks-hasty-ring", "critics-hasty-ring",
         "frozen-ring"]


def figures(x, toy):
    return collapse.figures(coverage(x, toy), cells(toy))


# --- the figures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "modes"), SETS.values())
def test_the_mixture_itself_scores_full_marks(name, modes):
    toy = toys.get(name)
    found = figures(toy.sample(2500, torch.Generator().manual_seed(1)), toy)
    assert found["modes"] == found["held"] == modes
    inside = 1 - math.exp(-4.5)                             # of a round normal within three widths
    assert found["high_quality"] == pytest.approx(inside, abs=5 * math.sqrt(inside * (1 - inside) / 2500))
    # twice n times a divergence from the truth is about chi-squared with K degrees of freedom: mean K, variance 2 K
    most = (modes + 5 * math.sqrt(2 * modes)) / (2 * 2500)
    assert 0 <= found["reverse"] < most and 0 <= found["forward"] < most + (modes + 1) / 2500


def test_a_point_on_a_mode_is_one_of_25_and_of_full_quality():
    toy = toys.grid_of_25()
    found = figures(toy.modes[3].expand(2500, 2), toy)
    share = (1 - math.exp(-4.5)) / 25
    assert (found["modes"], found["held"], found["high_quality"]) == (1, 1, 1.0)
    assert found["reverse"] == pytest.approx(-math.log(share), rel=1e-9)
    q = torch.ones(26, dtype=torch.double)
    q[3] += 2500
    p = torch.tensor([share] * 25 + [math.exp(-4.5)], dtype=torch.double)
    assert found["forward"] == pytest.approx((p * (p / (q / q.sum())).log()).sum().item(), rel=1e-9)


def test_a_mode_hit_by_chance_is_found_but_not_held():
    toy = toys.ring_of_8()
    x = torch.cat([toy.modes[:1].expand(2422, 2), toy.modes[1:2].expand(78, 2)])    # a quarter of a fair share is 78.1
    assert (figures(x, toy)["modes"], figures(x, toy)["held"]) == (2, 1)
    x = torch.cat([toy.modes[:1].expand(2421, 2), toy.modes[1:2].expand(79, 2)])
    assert figures(x, toy)["held"] == 2


# --- the variants -----------------------------------------------------------------------------------------------------


def test_losses_by_name():
    made = collapse.loss_of("wasserstein", penalty_weight=0.5)
    assert (made.discriminator, made.penalty, made.penalty_weight) == (
        losses.wasserstein_discriminator_loss, losses.gradient_penalty, 0.5)
    made = collapse.loss_of("nonsaturating", label=0.8)
    a, b = torch.randn(5), torch.randn(5)
    assert made.discriminator(a, b) == losses.smoothed_discriminator_loss(a, b, 0.8)
    assert collapse.loss_of("nonsaturating", penalty=0.1).penalty is losses.slope_penalty
    assert collapse.loss_of("nonsaturating", matching=True).generator is matching.distance


def test_the_hasty_game_differs_from_the_sharp_one_in_sight_rates_and_length():
    sharp, hasty = (recipes.get(f"{game}-ring").settings() for game in ("collapse", "hasty"))
    assert {k for k in hasty if hasty[k] != sharp.get(k)} == {"model", "steps", "lr", "discriminator_lr"}
    assert hasty["model"] == sharp["model"] | {"waves": 0}
    for name, arguments in collapse.REMEDIES.items():        # none was tuned again
        assert collapse.VARIANTS[name] == collapse.HASTY_VARIANTS[name] == arguments


@pytest.mark.parametrize("name", GAMES)
def test_every_variant_and_hack_takes_a_step(name):
    known = recipes.get(name)
    few = {v: {k: x for k, x in given.items() if k != "steps"} for v, given in known.variants.items()}
    small = replace(known, seeds=(0,), watch=None, variants=few)
    found = try_out(small.changed({"steps": 2, "batch_size": 12, "model": {"hidden": 6}}), device="cpu")
    assert all(0 <= entry["high_quality"]["mean"] <= 1 for entry in found["summary"].values())
    assert len(found["runs"]) == len(known.variants)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_was_watched_is_kept_beside_the_result(tmp_path):
    folders = Folders.within(tmp_path)
    known = recipes.get("collapse-ring").changed({"steps": 40})
    short = replace(known, variants={"plain": {}, "packing": known.variants["packing"]}, seeds=(0, 1))
    for _ in range(2):                                      # the second time from what is kept of the runs
        path = train(short, profile="full", folders=folders, device="cpu", say=lambda line: None)
    watched = recipes.over_time("collapse-ring", folders.results)
    assert watched.steps == {variant: list(range(0, 41, 2)) for variant in short.variants}
    assert watched.frame_steps["plain"] == list(range(0, 41, 4))
    assert watched.counts["packing"].shape == (2, 21, 9) and watched.frames["plain"].shape == (11, 250, 2)
    assert (watched.counts["plain"].sum(-1) == 2500).all()
    result = json.loads(path.read_text(encoding="utf-8"))
    last = {(r["variant"], r["seed"]): r["figures"] for r in result["runs"]}
    for variant, counts in watched.counts.items():          # the last look is at the weights that were measured
        for i, seed in enumerate(watched.seeds):
            assert last[variant, seed]["high_quality"] == pytest.approx(1 - counts[i, -1, -1].item() / 2500)
    again = coverage(watched.frames["plain"][-1], toys.ring_of_8()).counts
    assert sum(again) == 250


@pytest.mark.parametrize("name", WATCHED)
def test_stored_counts_agree_with_the_stored_result(name):
    watched = recipes.over_time(name, ROOT / "results")
    result = recipes.result(name, ROOT / "results")
    assert watched.metadata["commit"] == result["commit"]
    toy = toys.get(SETS[name][0])
    assert list(watched.counts) == list(watched.frames) == list(result["variants"])     # in the experiment's order
    for r in result["runs"]:
        counts = watched.counts[r["variant"]][watched.seeds.index(r["seed"])]       # (T, K + 1)
        assert (counts.sum(-1) == 2500).all()
        assert r["figures"]["modes"] == int((counts[-1, :-1] > 0).sum())
        assert r["figures"]["high_quality"] == pytest.approx(1 - counts[-1, -1].item() / 2500)
    for variant, frames in watched.frames.items():          # the frames are the first of the samples that were counted
        for step, points in zip(watched.frame_steps[variant], frames, strict=True):
            every = watched.counts[variant][0, watched.steps[variant].index(step)]
            some = torch.tensor(coverage(points, toy).counts)
            assert (some[:-1] <= every[:-1] + 2).all()      # half precision moves a point across the edge now and then


# --- stacked digits ---------------------------------------------------------------------------------------------------


def test_a_thousand_modes_are_there_and_can_be_read():
    stacks = stacked.stack("stacked-digits8")
    assert stacks.train.shape == (50_000, 192) and stacks.train.min() == -1 and stacks.train.max() == 1
    assert len(stacks.labels["train"].unique()) == 1000
    triples, sure = stacked.read("digits8", stacks.train[:3000])
    assert (triples == stacks.labels["train"][:3000]).double().mean() > 0.95
    assert stacked.reader("digits8")[1] > 0.95 and (sure > 0.9).double().mean() > 0.8


def test_stacks_are_the_digits_their_labels_say():
    from dgmhelpers import data

    single, stacks = data.load("digits8"), stacked.stack("stacked-digits8")
    for i in range(5):
        label = int(stacks.labels["train"][i])
        for channel, digit in zip(stacks.train[i].reshape(3, 64), map(int, f"{label:03d}"), strict=True):
            same = (stacked.scaled(single, "train") == channel).all(1)
            assert digit in single.labels["train"][same]


def test_stacked_digits_in_a_few_steps():
    known = recipes.get("stacked-digits8")
    small = replace(known, seeds=(0,), watch=None, variants={"packing": known.variants["packing"]})
    (run,) = try_out(small.changed({"steps": 2, "model": {"hidden": 8}}), device="cpu")["runs"]
    assert set(run["figures"]) == set(stacked.UNITS) and 1 <= run["figures"]["modes"] <= 1000
    assert 0 <= run["figures"]["reverse"] <= math.log(1000) + 1e-9


def test_real_stacks_score_full_marks_in_both_counts():
    stacks = stacked.stack("stacked-digits8").train[: stacked.SAMPLES]
    found = stacked.figures("digits8", stacks)
    assert found["modes"] == found["sure_modes"] == 1000
    # of what n draws of 1,000 equal modes miss of the entropy: about 999 / 2n nats, and a little for unequal digits
    assert 0.5 * 999 / (2 * 25_600) < found["reverse"] <= found["sure_reverse"] < 0.05


def test_blots_are_found_by_the_usual_count_and_not_by_the_strict_one():
    blots = torch.rand(4000, 192, generator=torch.Generator().manual_seed(0)) - 0.5
    found = stacked.figures("digits8", blots)
    assert found["modes"] > 20 and found["sure"] < 0.1 and found["sure_modes"] < found["modes"]
    nothing = stacked.counted(torch.tensor([3, 3, 4]), torch.tensor([0.5, 0.9, 0.1]))
    assert nothing.found == 0 and nothing.high_quality == 0
    one = stacked.counted(torch.tensor([3, 3, 4]), torch.tensor([0.95, 0.91, 0.1]))
    assert one.found == 1 and one.counts[3] == 2 and one.counts[1000] == 1


def test_stored_stacks_are_those_that_were_counted():
    watched = recipes.over_time("stacked-digits8", ROOT / "results")
    result = recipes.result("stacked-digits8", ROOT / "results")
    for r in result["runs"]:
        counts = watched.counts[r["variant"]][watched.seeds.index(r["seed"]), -1]           # (1001,)
        assert counts.sum() == stacked.SAMPLES
        assert r["figures"]["sure"] == pytest.approx(1 - counts[-1].item() / stacked.SAMPLES)
        assert r["figures"]["sure_modes"] == int((counts[:-1] > 0).sum())
    for variant, frames in watched.frames.items():
        assert frames.shape[1:] == (stacked.SHOWN, 192) and frames.abs().max() <= 1
        assert watched.steps[variant][-1] == result["settings"]["steps"]


@pytest.mark.slow
def test_the_large_recipe_in_its_quick_profile():
    known = recipes.get("stacked-mnist").for_profile("quick")
    found = try_out(replace(known, variants={"packing": known.variants["packing"]}), device="cpu")
    assert found["summary"]["packing"]["reader"]["mean"] > 0.85


def test_what_the_chapter_says_of_the_grid_is_on_record():
    """From every run that was made: plain loses modes in both games, and without its cause each finds all 25."""
    for name, cure in ("collapse-grid", "signs, no waves"), ("hasty-grid", "signs, equal rates"):
        runs = recipes.result(name, ROOT / "results")["runs"]
        lost = [r["figures"]["held"] < 25 for r in runs if r["variant"] == "plain"]
        assert len(lost) >= 5 and sum(lost) > len(lost) / 2
        cured = [r["figures"]["modes"] == 25 and r["figures"]["high_quality"] >= 0.95
                 for r in runs if r["variant"] == cure]
        assert len(cured) >= 5 and sum(cured) > len(cured) / 2
