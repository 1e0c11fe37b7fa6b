"""CPU and GPU give the same densities and gradients; skipped with a reason where there is no CUDA."""

import pytest
import torch
from models import MODELS, given

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

DENSITIES = [entry for entry in MODELS if hasattr(entry.make(), "log_prob")]
ORDERED = [entry for entry in MODELS if "cached_equals_naive" in entry.laws]
TRAINED = [entry for entry in MODELS if hasattr(entry.make(), "loss")]


@pytest.mark.parametrize("entry", DENSITIES, ids=lambda entry: entry.name)
def test_density_and_gradient_agree_with_the_cpu(entry):
    torch.manual_seed(0)
    here = entry.make().double().eval()
    x = here.sample(16, **given(here, 16), generator=torch.Generator().manual_seed(0))
    there = entry.make().double().eval()
    there.load_state_dict(here.state_dict())
    there.cuda()
    expected, found = here.log_prob(x, **given(here, 16)), there.log_prob(x.cuda(), **given(there, 16))
    assert (found.cpu() - expected).abs().max() < 1e-10
    expected.sum().backward()
    found.sum().backward()
    for (name, p), q in zip(here.named_parameters(), there.parameters(), strict=True):
        assert p.grad is None or (p.grad - q.grad.cpu()).abs().max() < 1e-10, name


@pytest.mark.parametrize("entry", ORDERED, ids=lambda entry: entry.name)
def test_cached_equals_naive_on_the_gpu(entry):
    model = entry.make().double().cuda().eval()
    about = given(model, 64)
    cached = model.sample(64, **about, method="cached", generator=torch.Generator("cuda").manual_seed(1))
    naive = model.sample(64, **about, method="naive", generator=torch.Generator("cuda").manual_seed(1))
    assert torch.equal(cached, naive) and cached.is_cuda


def test_a_cpu_generator_is_refused():
    with pytest.raises(ValueError, match="generator is on cpu"):
        MODELS[0].make().cuda().sample(1, generator=torch.Generator())


@pytest.mark.parametrize("entry", TRAINED, ids=lambda entry: entry.name)
def test_loss_makes_no_host_transfer(entry):
    """A look at the values on the host would stall every training step."""
    generator = torch.Generator("cuda").manual_seed(0)
    model = entry.make().cuda().train()
    about = given(model, 8)
    x = torch.zeros(8, *model.event_shape, device="cuda", dtype=torch.long if (model.levels or 0) > 2 else model.dtype)
    model.loss(x, **about, generator=generator).backward()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        model.loss(x, **about, generator=generator).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
