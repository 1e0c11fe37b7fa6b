"""The comparison of models with and without the blind spot: what it may conclude, and that it runs."""

import math
from functools import partial

import pytest
import torch

import dgmhelpers
from dgmhelpers import data, evaluation, laws, recipes
from dgmhelpers.autoregressive import GatedPixelCNN
from dgmhelpers.data import exact
from dgmhelpers.evaluation import receptive_field
from dgmhelpers.recipes import Made, blind_spot
from dgmhelpers.recipes.blind_spot import BlindTwoStacks, OneStack
from dgmhelpers.recipes.lead import Lead
from dgmhelpers.recipes.train import build, prepare, try_out

COPIES, DIGITS = (recipes.get(f"blind-spot-{name}") for name in ("copies", "digits"))


def made(experiment, seed=0):
    """The model of each variant, and the images it learns from."""
    for change in experiment.variants.values():
        (stage,) = experiment.changed(change).stages
        dataset = stage.dataset(Made(seed, torch.device("cpu")))
        yield build(stage, prepare(experiment, stage, dataset), seed), dataset


@pytest.mark.parametrize("experiment", [COPIES, DIGITS], ids=lambda experiment: experiment.name)
def test_models_are_of_comparable_size_and_reach_the_whole_image(experiment):
    models = [model for model, _ in made(experiment)]
    sizes = [evaluation.live_parameters(model) for model in models]
    assert max(sizes) / min(sizes) < 1.35
    for kind, model in zip(experiment.variants, models, strict=True):
        count = receptive_field.count(model)
        assert count.out_of_reach.sum() == 0
        assert (count.blind.sum() == 0) == (kind == "gated")


def test_the_source_lies_in_the_blind_spot():
    height, width, up, right = (blind_spot.COPIES[name] for name in ("height", "width", "up", "right"))
    for kind, (model, _) in zip(COPIES.variants, made(COPIES), strict=True):
        seen = receptive_field.seen(model)
        for row in range(up, height):
            for column in range(width - right):
                assert seen[row * width + column, (row - up) * width + column + right] == (kind == "gated")


def test_runs_of_one_seed_share_their_images_and_others_have_their_own():
    (a, b, _), (c, *_) = ([dataset for _, dataset in made(COPIES, seed)] for seed in (0, 1))
    assert torch.equal(a.train, b.train) and not torch.equal(a.train, c.train)
    assert [len(x) for x in a.splits.values()] == [4000, 2000, 2000]


def test_one_stack_obeys_every_law_but_sees_no_more_than_a_plain_stack():
    report = laws.audit(OneStack((1, 2, 4), channels=8, layers=2))
    assert [verdict.law for verdict in report.broken] == ["depends_on_exactly_its_past"]
    colours = laws.of_model(OneStack((2, 2, 2), levels=3, channels=8, layers=2))
    assert laws.cached_equals_naive(colours, torch.Generator().manual_seed(0)).held and laws.sums_to_one(colours).held
    count = receptive_field.count(OneStack((1, 6, 5), channels=2, layers=7))
    assert torch.equal(count.blind, receptive_field.triangle(6, 5))


def test_two_blind_stacks_see_what_one_sees_and_hold_to_it():
    """The same field as a plain stack, declared, sampled and counted; nothing else is taken from the gated model."""
    count = receptive_field.count(BlindTwoStacks((1, 6, 5), channels=2, layers=7))
    assert torch.equal(count.blind, receptive_field.triangle(6, 5)) and count.out_of_reach.sum() == 0
    report = laws.audit(BlindTwoStacks((1, 3, 3), channels=6, layers=3))
    assert report.held, report
    blind, seeing = (kind((1, 8, 8), channels=12, layers=7) for kind in (BlindTwoStacks, GatedPixelCNN))
    masked = 6 * 12 * 24                                     # one tap of six, in every vertical kernel but the first
    assert evaluation.live_parameters(seeing) - evaluation.live_parameters(blind) == masked
    with pytest.raises(ValueError, match="kernel"):
        BlindTwoStacks((1, 6, 5), kernel=5)


def test_the_gated_model_alone_learns_copies_from_the_blind_spot():
    """Perfect copies: whoever sees is left with fewer coins; whoever does not cannot do better than all of them."""
    source = {"height": 2, "width": 4, "up": 1, "right": 2, "stay": 1.0}
    small = {"plain": {"channels": 8, "layers": 1}, "one stack": {"channels": 8, "layers": 2},
             "gated": {"channels": 6, "layers": 2}}  # fmt: skip
    found = try_out(COPIES.with_fields(
        source=partial(blind_spot.copies, examples=600, **source), seeds=(0, 1),
        variants={kind: change | {"model": small[kind]} for kind, change in COPIES.variants.items()},
        training={"steps": 60, "batch_size": 64, "lr": 3e-2, "evaluate_every": 30, "progress": False},
    ), device="cpu")  # fmt: skip
    coins, entropy = 8 * math.log(2), found["dataset"]["entropy"]
    nats = {kind: [run["figures"]["nll"] for run in found["runs"] if run["variant"] == kind] for kind in small}
    assert min(nats["plain"] + nats["one stack"]) > coins - 0.1
    assert all(entropy - 0.1 < value < entropy + 0.4 for value in nats["gated"])
    assert coins - entropy == pytest.approx(2 * math.log(2))
    assert found["gains"]["plain"]["nll"]["value"] > 0.9 and set(found["gains"]) == {"plain", "one stack"}


def test_what_is_stored_adds_up():
    """It keeps no weights; but gains, intervals and known entropies follow from what each seed reached."""
    for name in ("copies", "digits"):
        stored = recipes.result(f"blind-spot-{name}")
        for other, gain in stored["gains"].items():
            again = recipes.gains(stored, "nll", other, "gated")
            assert gain["nll"]["value"] == pytest.approx(again.value, abs=1e-4)
            assert gain["nll"]["interval"] == pytest.approx(again.interval(), abs=1e-4)
    source = exact.distant_copies(**blind_spot.COPIES)
    assert recipes.result("blind-spot-copies")["dataset"]["entropy"] == pytest.approx(source.entropy)


def test_a_lead_is_that_of_a_paired_comparison_and_has_no_witness():
    """With the error of the difference; of the record's own data alone."""
    experiment = recipes.get("gated-pixelcnn-binarized-mnist")
    (lead,) = (measure for measure in experiment.measures if isinstance(measure, Lead))
    digits = data.load("binary-digits28")
    x, names = digits.test[:20], ("gated-pixelcnn-binarized-mnist", lead.over)
    gated, plain = (evaluation.log_probs(dgmhelpers.load(name, "cpu"), x) for name in names)
    found = lead.estimate(dgmhelpers.load(names[0], "cpu"), x, None)
    assert found.value == pytest.approx((gated - plain).mean().item(), abs=1e-5)
    assert found.standard_error == pytest.approx((gated - plain).std().item() / 20**0.5, rel=1e-4)
    assert lead.entries(None, experiment, digits, 0, "test") == []
