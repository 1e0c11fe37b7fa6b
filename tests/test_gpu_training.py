"""Training on CUDA: the CPU's curve, no waiting for the device between looks, memory as planned, and resumed runs.

Skipped with a reason where there is no CUDA.
"""

import json

import pytest
import torch
from training_cases import bits

from dgmhelpers import recipes
from dgmhelpers.adversarial import GAN
from dgmhelpers.autoregressive import FVBN, MADE
from dgmhelpers.recipes import plan, run
from dgmhelpers.training import fit, fit_adversarial, memory

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
ALL = dict(steps=90, batch_size=8, lr=1e-2, ema=0.9, clip=1.0, l1=1e-3, evaluate_every=90, progress=False)
TOLERANCE = 1e-3    # nats: single precision, and sums in another order, over 90 steps


def made():
    torch.manual_seed(0)
    return MADE(dim=6, hidden=16)


def between(counter, first, last):
    """Called once a step: an operation that waits for the device is an error from step ``first`` until ``last``."""
    counter.append(None)
    if len(counter) == first:
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    if len(counter) == last:
        torch.cuda.set_sync_debug_mode("default")


def test_the_loop_does_not_wait_for_the_device():
    calls = []

    def transform(x, generator):
        between(calls, 3, 80)
        return x

    try:                                                 # one epoch: a new permutation comes from the host
        fit(made(), bits(2000), transform=transform, device="cuda", **ALL)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(calls) >= 90


def test_the_game_does_not_wait_for_the_device():
    model, calls = GAN(dim=2, latent=3, hidden=8).cuda(), []
    noise = model.noise

    def watched(n, *, generator=None):
        if model.training:
            between(calls, 5, 170)                       # two draws a step
        return noise(n, generator=generator)

    model.noise = watched
    x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    try:
        fit_adversarial(model, x, steps=90, batch_size=8, evaluate_every=90, progress=False, device="cuda")
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(calls) >= 180


def test_the_curve_is_that_of_the_cpu():
    curves = []
    for device in ("cpu", "cuda"):
        history = fit(made(), bits(500), valid=bits(100, seed=1), device=device, **ALL)
        curves.append(history)
    here, there = curves
    assert there.train_loss == pytest.approx(here.train_loss, abs=TOLERANCE)
    assert there.best_valid == pytest.approx(here.best_valid, abs=TOLERANCE)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_run_that_was_put_down_goes_on_here_or_on_the_cpu(tmp_path, device):
    path, some = tmp_path / "run.safetensors", ALL | {"evaluate_every": 30}
    valid = bits(100, seed=1)
    cut = fit(made(), bits(500), valid=valid, checkpoint=path, time_limit=1e-6, device="cuda", **some)
    assert (cut.stopped, cut.steps[-1]) == ("time", 30)
    history = fit(made(), bits(500), valid=valid, checkpoint=path, device=device, **some)
    whole = fit(made(), bits(500), valid=valid, device="cuda", **some)
    assert history.train_loss == pytest.approx(whole.train_loss, abs=TOLERANCE)


def test_activations_are_measured_alike_on_both():
    sizes = []
    for device in ("cpu", "cuda"):
        model, x = FVBN(dim=6).to(device), bits(500).to(device)
        sizes.append(memory.of_activations(model, x, generator=torch.Generator(device).manual_seed(0)))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.2)


@pytest.mark.parametrize("name", ["fvbn-dna", "nade-dna", "gated-pixelcnn-mnist", "vae-20-binarized-mnist"])
def test_memory_is_as_planned(name, tmp_path):
    """What is counted is there; what is not (results that live for a moment, workspaces) is at most twice as much."""
    folders = run.Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")
    path = run.train(name, profile="quick", device="cuda", folders=folders, say=lambda line: None)
    size = json.loads(path.read_text(encoding="utf-8"))["plan"]["bytes"]
    assert size["data"] + size["state"] <= 1.1 * size["peak"]
    assert size["peak"] <= 3 * size["planned"] + 100e6
    recipe = recipes.get(name).for_profile("quick")
    again = plan.make(recipe, run.prepare(recipe), run.build, device="cuda")
    assert again.bytes == pytest.approx(size["planned"], rel=0.1)
