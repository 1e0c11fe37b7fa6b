"""The comparison of models with and without the blind spot: what it may conclude, and that it runs."""

import json
import math

import pytest
import torch

from dgmhelpers import evaluation, laws
from dgmhelpers.data import exact
from dgmhelpers.evaluation import receptive_field
from dgmhelpers.recipes import blind_spot
from dgmhelpers.recipes.blind_spot import FULL, KINDS, OneStack, Setting

SMALL = Setting(
    "copies",
    {
        "plain": {"channels": 8, "layers": 1},
        "one stack": {"channels": 8, "layers": 2},
        "gated": {"channels": 6, "layers": 2},
    },
    {"steps": 60, "batch_size": 64, "lr": 3e-2, "evaluate_every": 30},
    {"height": 2, "width": 4, "up": 1, "right": 2, "stay": 1.0},
    600,
)


@pytest.mark.parametrize("name", FULL)
def test_models_are_of_equal_size_and_reach_the_whole_image(name):
    setting = FULL[name]
    shape = tuple(blind_spot.images(setting, 0)[0].shape[1:])
    models = [KINDS[kind](shape, **config) for kind, config in setting.models.items()]
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    assert max(sizes) / min(sizes) < 1.06
    for kind, model in zip(setting.models, models, strict=True):
        count = receptive_field.count(model)
        assert count.out_of_reach.sum() == 0
        assert (count.blind.sum() == 0) == (kind == "gated")


def test_the_source_lies_in_the_blind_spot():
    setting = FULL["copies"]
    height, width, up, right = (setting.source[name] for name in ("height", "width", "up", "right"))
    for kind, sees in ("plain", False), ("one stack", False), ("gated", True):
        seen = receptive_field.seen(KINDS[kind]((1, height, width), **setting.models[kind]))
        for row in range(up, height):
            for column in range(width - right):
                assert seen[row * width + column, (row - up) * width + column + right] == sees


def test_one_stack_obeys_every_law_but_sees_no_more_than_a_plain_stack():
    report = laws.audit(OneStack((1, 2, 4), channels=8, layers=2))
    assert [verdict.law for verdict in report.broken] == ["depends_on_exactly_its_past"]
    colours = laws.of_model(OneStack((2, 2, 2), levels=3, channels=8, layers=2))
    assert laws.cached_equals_naive(colours, torch.Generator().manual_seed(0)).held and laws.sums_to_one(colours).held
    count = receptive_field.count(OneStack((1, 6, 5), channels=2, layers=7))
    assert torch.equal(count.blind, receptive_field.triangle(6, 5))


def test_the_gated_model_alone_learns_copies_from_the_blind_spot():
    """Perfect copies: whoever sees is left with fewer coins; whoever does not cannot do better than all of them."""
    found = blind_spot.compare(SMALL, 2)
    source = exact.distant_copies(**SMALL.source)
    coins = 8 * math.log(2)
    for seed in range(2):
        assert min(found.nats("plain")[seed], found.nats("one stack")[seed]) > coins - 0.1
        assert source.entropy - 0.1 < found.nats("gated")[seed] < source.entropy + 0.4
    assert found.gain("gated", "plain").value > 0.9 and coins - source.entropy == pytest.approx(2 * math.log(2))


def test_it_writes_what_it_found(tmp_path, capsys, monkeypatch):
    brief = Setting("copies", SMALL.models, SMALL.training | {"steps": 2}, SMALL.source, 40)
    monkeypatch.setattr(blind_spot, "FULL", {"copies": brief})
    assert blind_spot.main(["--seeds", "2", "--out", str(tmp_path / "deep" / "it.json")]) == 0
    stored = json.loads((tmp_path / "deep" / "it.json").read_text())["settings"]["copies"]
    assert set(stored["nats"]) == {"plain", "one stack", "gated"} and len(stored["nats"]["gated"]) == 2
    assert set(stored["gain_of_gated_over"]) == {"plain", "one stack"}
    assert stored["fair_coins"] == pytest.approx(8 * math.log(2)) and stored["entropy"] < stored["fair_coins"]
    assert "gated is better than plain" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        blind_spot.main(["--seeds", "1"])


def test_what_is_stored_was_made_by_what_is_here():
    stored = blind_spot.stored()
    assert stored["command"] == blind_spot.COMMAND and set(stored["settings"]) == set(FULL)
    for name, setting in FULL.items():
        entry = stored["settings"][name]
        assert entry["setting"] == json.loads(json.dumps(blind_spot.asdict(setting)))
        assert all(len(values) == stored["seeds"] for values in entry["nats"].values())


def test_what_is_stored_adds_up():
    """It keeps no weights; but gains, intervals and known entropies follow from what each seed reached."""
    stored = blind_spot.stored()
    for entry in stored["settings"].values():
        for other, gain in entry["gain_of_gated_over"].items():
            each = [a - b for a, b in zip(entry["nats"][other], entry["nats"]["gated"], strict=True)]
            assert gain["of_each_seed"] == pytest.approx(each, abs=1e-4)
            again = evaluation.Gains(gain["of_each_seed"], entry["test_images"])
            assert gain["value"] == pytest.approx(again.value)
            assert gain["interval"] == pytest.approx(again.interval())
        if "entropy" in entry:
            source = exact.distant_copies(**entry["setting"]["source"])
            assert entry["entropy"] == pytest.approx(source.entropy)
            assert entry["fair_coins"] == pytest.approx(source.event_shape.numel() * math.log(2))
