"""The yardstick of ``tools/yardstick.py``: it sees a change of one weight, and it knows this machine's models."""

import json
import sys
from pathlib import Path

import pytest
import torch

import dgmhelpers

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import yardstick  # noqa: E402

NAME = "gaussian-patches"


def changed(name, device):
    model = dgmhelpers.load(name, device)
    with torch.no_grad():
        list(model.parameters())[-1].flatten()[0] += 0.01
    return model


def test_it_measures_the_same_twice_and_sees_one_weight_that_changed():
    once = yardstick.measure(NAME)
    assert yardstick.differences(once, yardstick.measure(NAME)) == []
    lines = yardstick.differences(once, yardstick.measure(NAME, changed))
    assert len(lines) >= 4 and any("log_prob" in line for line in lines)


def test_what_is_gone_or_new_is_a_difference():
    mark = {"sha256": "0", "numbers": [1.0]}
    assert yardstick.differences({"a": mark}, {"b": mark}) == ["a: no longer there", "b: not in the record"]


def test_inputs_are_valid_for_every_kind_of_entry():
    assert set(yardstick.made_up(8, (1, 3, 3), 2).unique().tolist()) == {0, 1}
    x = yardstick.made_up(8, (50,), 7)
    assert x.dtype == torch.long and x.min() == 0 and x.max() == 6
    assert yardstick.made_up(8, (50,), None).abs().max() <= 1


def test_this_machines_model_is_as_recorded():
    record = json.loads(yardstick.FILE.read_text())
    if record["made on"] != yardstick.made_on():
        pytest.skip("the record was made on another machine or build of torch")
    assert yardstick.differences(record["models"][NAME], yardstick.measure(NAME)) == []
