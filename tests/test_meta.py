"""Any device, rehearsed without one: on ``meta`` a look at a value raises, and so does a tensor that stayed behind.

What passes here never makes the host wait for the device in a step of training or in a sampler's loop.
"""

import warnings

import pytest
import torch
from models import MODELS, given, trains

from dgmhelpers.autoregressive import MADE, NADE


def elsewhere(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)                # a small model sees little, and says so
        return make().to("meta")


def batch(model, n=4):
    shape = (n, *model.event_shape)
    if model.levels in (None, 2):
        return torch.zeros(shape, dtype=model.dtype, device="meta")
    return torch.zeros(shape, dtype=torch.uint8, device="meta")


@pytest.mark.parametrize("entry", [e for e in MODELS if trains(e)], ids=lambda entry: entry.name)
def test_a_step_of_training_never_looks(entry):
    model = elsewhere(entry.make).train()
    loss = model.loss(batch(model), **given(model, 4))
    assert loss.device.type == "meta" and loss.shape == ()
    loss.backward()
    moved = [p for p in model.parameters() if p.grad is not None]
    assert moved and all(p.grad.device.type == "meta" for p in moved)


@pytest.mark.parametrize("entry", [e for e in MODELS if hasattr(e.make(), "sample")], ids=lambda entry: entry.name)
def test_a_sampler_never_looks(entry):
    model = elsewhere(entry.make)
    for more in ({}, {"method": "naive"}) if hasattr(model, "orders") else ({},):
        drawn = model.sample(3, **given(model, 3), **more)
        assert drawn.device.type == "meta" and drawn.shape == (3, *model.event_shape)


@pytest.mark.parametrize("entry", [e for e in MODELS if hasattr(e.make(), "discriminator")], ids=lambda e: e.name)
def test_both_players_of_a_game_never_look(entry):
    model = elsewhere(entry.make).train()
    about = getattr(model, "conditioned_on", None)
    context = () if about is None else (torch.zeros(12, dtype=torch.long, device="meta"),)
    made = model.generator(model.noise(12), *context)
    model.discriminator(made, *context).sum().backward()
    assert all(p.grad is not None and p.grad.device.type == "meta" for p in model.generator.parameters())


def test_a_generator_elsewhere_is_refused():
    with pytest.raises(ValueError, match="the generator is on cpu and the model on meta"):
        NADE(dim=4).to("meta").sample(2, generator=torch.Generator())


def test_what_is_known_on_the_host_follows_what_is_loaded():
    """An order is read from the device once, and again when it was written to."""
    model, other = MADE(dim=5, order=[4, 3, 2, 1, 0]), MADE(dim=5)
    assert model.steps() == [4, 3, 2, 1, 0]
    model.load_state_dict(other.state_dict())
    assert model.steps() == [0, 1, 2, 3, 4]
    model.orders = torch.tensor([[1, 0, 2, 3, 4]])
    assert model.double().steps() == [1, 0, 2, 3, 4]
    model.orders[0, :2] = torch.tensor([0, 1])
    assert model.steps() == [0, 1, 2, 3, 4]
