"""What makes a run this run: whatever decides it is in its description, and a difference is named."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training_cases import QUIET, bits, same, weights

from dgmhelpers.adversarial import losses
from dgmhelpers.autoregressive import FVBN, MADE
from dgmhelpers.training import CheckpointError, fit
from dgmhelpers.training.identity import describe, difference

LEVEL = 0.5
ROOT = Path(__file__).resolve().parents[1]


def binarise(x, generator, p=0.5):
    return (x > p).float()


def louder(x, generator, p=0.5):
    return (2 * x > p).float()


def reading_a_global(x, generator):
    return (x > LEVEL).float()


def closing_over(p):
    return lambda x, generator: (x > p).float()


@dataclass(frozen=True)
class Noise:
    scale: float
    kind: torch.dtype = torch.float32

    def __call__(self, x, generator):
        return x + self.scale

    def method(self, x, generator):
        return x - self.scale


class Shift(nn.Module):
    def __init__(self, by=1.0):
        super().__init__()
        self.by = by
        self.layer = nn.Sequential(nn.Linear(2, 2), nn.Dropout(by / 4))


CHANGES = {  # before, after, what is said of it
    "a partial's argument": (partial(binarise, p=0.5), partial(binarise, p=0.6), "argument p was 0.5 and is 0.6"),
    "a partial's function": (partial(binarise, p=0.5), partial(louder, p=0.5), "of was .*binarise.* and is .*louder"),
    "a tensor in a partial": (partial(binarise, p=torch.zeros(2)), partial(binarise, p=torch.ones(2)),
                              "the values given as transform argument p are not the same"),
    "a cell": (closing_over(0.5), closing_over(0.6), "transform closure p was 0.5 and is 0.6"),
    "code": (lambda x, g: x + 1, lambda x, g: x + 2, "the code of transform is not the same"),
    "code within code": (lambda x, g: [i for i in x if i < 1], lambda x, g: [i for i in x if i < 2],
                         "the code of transform is not the same"),
    "a name": (binarise, louder, "transform was .*binarise.* and is .*louder"),
    "a field": (Noise(0.1), Noise(0.2), "transform scale was 0.1 and is 0.2"),
    "a dtype": (Noise(0.1), Noise(0.1, torch.float16), "transform kind is was .*float32.* and is .*float16"),
    "a method's owner": (Noise(0.1).method, Noise(0.2).method, "transform owner scale was 0.1 and is 0.2"),
    "a loss": (losses.get("hinge"), losses.Loss("hinge", *[losses.LOSSES["minimax"].discriminator] * 2),
               "transform discriminator was .*hinge_discriminator_loss"),
    "numpy": (np.arange(3), np.arange(1, 4), "the values given as transform are not the same"),
    "a list": ([1, {"a": 2}], [1, {"a": 3}], "transform was .* and is"),
    "a missing entry": ({"a": 1}, {"a": 1, "b": 2}, "transform b was null and is 2"),
    "an attribute of a model": (Shift(1.0), Shift(2.0), r"transform attribute .*by was 1.0 and is 2.0"),
    "what is trained": (Shift(), Shift().requires_grad_(False), "transform trained was"),
    "a width": (FVBN(dim=3), FVBN(dim=4), "transform config dim was 3 and is 4"),
    "an optimiser": (*(torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=lr) for lr in (0.1, 0.2)),
                     "transform group 0 lr was 0.1 and is 0.2"),
    "infinity": (float("inf"), 1.0, "transform was .*inf.* and is 1.0"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_anywhere_is_named(name):
    before, after, reason = CHANGES[name]
    old, new = ({"seed": 0, "transform": describe(value)} for value in (before, after))
    json.dumps([old, new], allow_nan=False)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(difference(old, new))
    assert difference(old, json.loads(json.dumps(old))) is None


def test_a_global_that_is_read_decides(monkeypatch):
    before = describe(reading_a_global)
    monkeypatch.setitem(globals(), "LEVEL", 0.7)
    assert difference(before, describe(reading_a_global), "transform ") == "transform global LEVEL was 0.5 and is 0.7"


def test_weights_and_what_is_logged_do_not_decide():
    assert describe(Shift()) == describe(Shift().eval())
    assert describe(binarise) == describe(binarise)
    itself = []
    itself.append(itself)
    assert describe(itself) == ["itself"]


def test_another_process_finds_the_same(tmp_path):
    code = f"import sys, json; sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom test_identity import *\n"
    code += "print(json.dumps([describe(v) for case in CHANGES.values() for v in case[:2]]))"
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=200)
    assert json.loads(said.stdout) == [describe(v) for case in CHANGES.values() for v in case[:2]]


RUN = dict(steps=6, batch_size=10, evaluate_every=3, **QUIET)
ARGUMENTS = [
    (dict(transform=partial(binarise, p=0.6)), "transform argument p was 0.5 and is 0.6"),
    (dict(optimizer=partial(torch.optim.SGD, lr=0.1)), "optimizer was null and is .*SGD"),
    (dict(schedule=lambda lr, step: lr), "schedule was null"),
    (dict(valid=lambda model: 1.0), "valid was null"),
    (dict(betas=(0.8, 0.999)), "betas was .0.9, 0.999. and is .0.8, 0.999."),
    (dict(context=torch.zeros(96)), "context was null"),
    (dict(compiled=True), "compiled was false and is true"),
    (dict(model=MADE(dim=6, hidden=4)), "model was .*FVBN.* and is .*MADE"),
]


@pytest.mark.parametrize(("change", "reason"), ARGUMENTS)
def test_every_argument_that_decides_makes_another_run(tmp_path, change, reason):
    run = dict(model=FVBN(dim=6), train=bits(), transform=partial(binarise, p=0.5), checkpoint=tmp_path / "run", **RUN)
    fit(**run)
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(CheckpointError, match=f"another run: {reason}"):
        fit(**run | change)
    assert (tmp_path / "run").read_bytes() == before


def test_what_decides_nothing_makes_no_other_run(tmp_path):
    run = dict(train=bits(), valid=bits(20), checkpoint=tmp_path / "run", **RUN)
    fit(FVBN(dim=6), time_limit=1e-9, **run)
    model, whole = FVBN(dim=6), FVBN(dim=6)
    fit(model, **run | dict(evaluate_batch_size=3, watch=lambda model, step: step, time_limit=1e6))
    fit(whole, **run | {"checkpoint": None})
    assert same(weights(model), weights(whole))
