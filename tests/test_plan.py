"""What a training is planned to take: bytes that can be counted by hand, and a record of plan and outcome."""

import json

import pytest
import torch
from torch import nn

from dgmhelpers import recipes
from dgmhelpers.autoregressive import NADE
from dgmhelpers.recipes import plan, run
from dgmhelpers.training import memory

CPU = torch.device("cpu")


def test_views_of_one_storage_count_once():
    stream = torch.zeros(1000)
    assert memory.of_tensors(stream.unfold(0, 100, 1), stream, None) == 4000
    assert memory.of_tensors(stream, torch.zeros(10, dtype=torch.double)) == 4080


def test_state_is_weights_copy_gradient_moments_and_average():
    model = nn.Linear(9, 5)                              # 50 numbers of four bytes
    assert memory.of_state(model, gradient=False) == 2 * 200
    assert memory.of_state(model) == 5 * 200
    assert memory.of_state(model, ema=True) == 6 * 200
    model.register_buffer("mean", torch.zeros(7))        # no gradient
    assert memory.of_state(model) == 5 * 200 + 2 * 28


class Two(nn.Sequential):
    """Two layers and a squared error."""

    def loss(self, x):
        return self(x).pow(2).mean()


def test_activations_are_what_the_backward_pass_needs():
    # x for the first weight, the sigmoid's output for itself and for the second weight, the last output for the square
    model = Two(nn.Linear(30, 40), nn.Sigmoid(), nn.Linear(40, 1))
    assert memory.of_activations(model, torch.randn(100, 30)) == 4 * 100 * (30 + 40 + 1)


def test_activations_grow_with_the_batch():
    model = NADE(dim=20, hidden=10)
    generator = torch.Generator().manual_seed(0)
    small, large = (memory.of_activations(model, torch.zeros(n, 20), generator=generator) for n in (50, 500))
    assert 5 < large / small <= 10


def test_what_the_process_holds_is_seen():
    before = memory.now(CPU)
    if before is None:
        pytest.skip("this system does not say what a process holds")
    memory.forget_peak(CPU)
    block = torch.ones(30_000_000)                       # 120 MB
    assert memory.now(CPU) - before > 100e6
    del block
    assert memory.peak(CPU) - before > 100e6


@pytest.mark.parametrize(("size", "words"), [(None, "–"), (4000, "4 kB"), (31.4e6, "31.4 MB"), (1.25e9, "1.25 GB")])
def test_sizes_in_words(size, words):
    assert memory.in_words(size) == words


@pytest.mark.parametrize("name", ["fvbn-dna", "mixture-dna", "gated-pixelcnn-mnist", "vae-20-binarized-mnist"])
def test_a_plan_adds_up(name):
    recipe = recipes.get(name).for_profile("quick")
    examples = run.prepare(recipe)
    found = plan.make(recipe, examples, run.build, device="cpu")
    model = run.build(recipe.with_candidate(recipe.candidates[-1]), examples, 0)
    weights = 4 * sum(p.numel() for p in model.parameters())
    assert found.parameters == weights // 4
    assert found.data == memory.of_tensors(examples.train, examples.valid, *examples.contexts.values())
    assert found.state >= (5 if recipe.method == "gradient" else 2) * weights
    assert (found.activations > 0) == (recipe.method == "gradient")
    assert found.bytes == found.data + found.state + found.activations
    assert found.seconds > 0 and found.validation_seconds > 0
    assert "min of updates" in str(found) and memory.in_words(found.bytes) in str(found)


def test_planning_leaves_no_trace():
    """The same first weights, and the caller's random numbers, as if nobody had planned."""
    recipe = recipes.get("vae-20-binarized-mnist").for_profile("quick")
    examples = run.prepare(recipe)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    plan.make(recipe, examples, run.build, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_looks_are_counted():
    recipe = recipes.get("fvbn-dna").for_profile("quick")
    change = {"steps": 100, "evaluate_every": 30}
    assert plan._looks(recipe.with_candidate(change)) == 4       # at 30, 60, 90 and 100
    em = recipes.get("mixture-dna").for_profile("quick")
    assert plan._looks(em) == em.training["steps"]


def test_planned_and_actual_stand_side_by_side(tmp_path):
    folders = run.Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")
    said = []
    path = run.train("fvbn-dna", profile="quick", device="cpu", folders=folders, say=said.append)
    account = json.loads(path.read_text(encoding="utf-8"))["plan"]
    assert account["seconds"]["updates"] > 0 and account["seconds"]["taken"] > 0
    size = account["bytes"]
    assert size["planned"] == size["data"] + size["state"] + size["activations"]
    assert any(line.startswith("planned at most ") and "at its peak" in line for line in said)
    stored = plan.kept(folders.runs / "fvbn-dna" / "seed-0" / "plan.json")
    assert stored.bytes == size["planned"]
    assert plan.kept(tmp_path / "nowhere.json") is None and plan.account(None, 1.0, None) is None


