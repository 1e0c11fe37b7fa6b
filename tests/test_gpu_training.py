"""Training on CUDA: the CPU's curve, no waiting for the device between looks, and resumed runs.

Skipped with a reason where there is no CUDA.
"""

import pytest
import torch
from training_cases import bits

from dgmhelpers.adversarial import GAN
from dgmhelpers.autoregressive import MADE
from dgmhelpers.training import fit, fit_adversarial

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
