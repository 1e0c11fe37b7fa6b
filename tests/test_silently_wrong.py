"""Doors that opened silently onto the wrong room: what is asked for happens, or a message says why not."""

import itertools
import math
import warnings

import pytest
import torch
from torch import nn
from training_cases import QUIET

from dgmhelpers import sampling
from dgmhelpers.adversarial import GAN
from dgmhelpers.autoregressive import MADE, NADE, RNADE
from dgmhelpers.training import CheckpointError, TrainingDiverged, checkpoints, fit
from dgmhelpers.training.identity import describe


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def nade(dim=9, **config):
    torch.manual_seed(3)
    model = NADE(dim=dim, hidden=6, **config)
    for p in model.parameters():
        nn.init.normal_(p, std=1.5)
    return model


# ------------------------------------------------------------------------------------------------ conditioning


def truth(model, given, known):
    """p(x | known) of every binary vector, from the definition: the joint, where it agrees, normalised."""
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(known))))
    p = model.log_prob(every).detach().double().exp() * (every[:, known] == given[known]).all(1)
    return every, p / p.sum()


def distance(x, p):
    """Total variation between draws, ``(n, D)``, and a table over all binary vectors."""
    codes = (x.long() * 2 ** torch.arange(x.shape[1] - 1, -1, -1)).sum(1)
    return 0.5 * (torch.bincount(codes, minlength=len(p)) / len(x) - p).abs().sum().item()


def test_known_entries_that_are_ignored_are_counted():
    model, given = nade(), torch.ones(9)
    late = torch.arange(9) >= 6
    with pytest.warns(UserWarning, match="3 of 3 known entries come after unknown ones"):
        model.sample(2, given=given, known=late)
    some = torch.tensor([1, 1, 0, 0, 1, 0, 0, 0, 1]).bool()
    with pytest.warns(UserWarning, match="2 of 4 known entries"):
        model.sample(2, given=given, known=some)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.sample(2, given=given, known=torch.arange(9) < 6)
        nade(order=list(range(8, -1, -1))).sample(2, given=given, known=late)


@pytest.mark.parametrize("known", [torch.arange(9) >= 6, torch.arange(9) < 3, torch.tensor([0, 1, 0] * 3).bool()])
@pytest.mark.parametrize("most", [2**16, 1])
def test_conditional_draws_are_from_the_conditional(known, most):
    model, given, n = nade(), torch.tensor([1.0, 0, 1] * 3), 4000
    _, p = truth(model, given, known)
    drawn = sampling.conditionally(model, n, given=given, known=known, most=most, proposals=20_000, generator=seeded())
    expected = "order" if known[0] and not known[-1] else "enumeration" if most > 1 else "importance resampling"
    assert drawn.how == expected and (drawn.x[:, known] == given[known]).all()
    draws = min(n, drawn.effective)                      # E|p̂ − p| ≤ √(p / draws), summed; and half a bound for luck
    assert distance(drawn.x, p) < 0.75 * (p / draws).sqrt().sum().item()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if drawn.how != "order":                         # which is what sample does
            assert distance(model.sample(n, given=given, known=known, generator=seeded()), p) > 2 * distance(drawn.x, p)


def test_mixtures_over_orders_are_conditioned_too():
    torch.manual_seed(0)
    model = MADE(dim=6, hidden=12, masks=3, order="random")
    given, known = torch.tensor([1.0, 0, 1, 0, 1, 0]), torch.tensor([0, 0, 1, 0, 1, 1]).bool()
    _, p = truth(model, given, known)
    for most in (64, 1):
        drawn = sampling.conditionally(model, 4000, given=given, known=known, most=most, proposals=20_000,
                                       generator=seeded())
        assert distance(drawn.x, p) < 0.04, drawn.how


def test_conditioning_refuses_what_cannot_be():
    model = nade(3)
    with pytest.raises(ValueError, match="proposals must be"):
        sampling.conditionally(model, 1, given=torch.ones(3), known=torch.ones(3).bool(), proposals=0)
    everything = sampling.conditionally(model, 2, given=torch.ones(3), known=torch.ones(3).bool())
    assert (everything.x == 1).all() and everything.effective == math.inf


# ------------------------------------------------------------------------------------------------ training


class Cliff(nn.Module):
    """A loss that is finite and has no finite gradient: the root of |x|, at 0."""

    event_shape = torch.Size([1])

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.ones(1))

    def loss(self, x, context=None, *, generator=None):
        return ((self.a - 1) * x).abs().sqrt().mean()


def test_a_gradient_that_is_not_finite_stops_the_run_and_large_entries_are_named():
    model, pascals = Cliff(), torch.full((8, 1), 1.01e5)
    message = r"step 1 .*the gradient is nan.*reach 1e\+05: standardise them"
    with pytest.raises(TrainingDiverged, match=message) as caught:
        fit(model, pascals, steps=3, batch_size=4, **QUIET)
    assert caught.value.good_step == 0 and model.a.item() == 1
    with pytest.raises(TrainingDiverged) as caught:
        fit(Cliff(), torch.ones(8, 1), steps=3, batch_size=4, **QUIET)
    assert "standardise" not in str(caught.value)


def test_the_callers_accelerator_is_left_alone():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState, PartialState

    shared = [kind._shared_state.copy() for kind in (AcceleratorState, GradientState, PartialState)]
    try:
        mine = Accelerator(mixed_precision="bf16", gradient_accumulation_steps=4, cpu=True)
        fit(NADE(dim=4, hidden=2), torch.ones(8, 4), steps=2, batch_size=4, **QUIET)
        assert (mine.mixed_precision, mine.gradient_accumulation_steps) == ("bf16", 4)
    finally:
        for kind, before in zip((AcceleratorState, GradientState, PartialState), shared, strict=True):
            kind._shared_state.clear()
            kind._shared_state.update(before)


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by):
        self.by = by

    def __call__(self, x, generator):
        return x * self.by


def test_two_functions_are_never_one_run(tmp_path):
    space = {}
    exec("one = lambda x, g: x\nother = lambda x, g: 1 - x", space)      # a namespace that names no module
    pairs = [(space["one"], space["other"]), (Slotted(1), Slotted(0)),
             (torch.ones(4).mul, torch.zeros(4).mul)]  # fmt: skip
    for a, b in pairs:
        assert describe(a) != describe(b)
    run = dict(steps=4, batch_size=4, checkpoint=tmp_path / "run", **QUIET)
    fit(NADE(dim=4, hidden=2), torch.ones(8, 4), transform=space["one"], **run)
    with pytest.raises(CheckpointError, match="the code of transform is not the same"):
        fit(NADE(dim=4, hidden=2), torch.ones(8, 4), transform=space["other"], **run)


def test_what_a_class_holds_decides_too(monkeypatch):
    class Scaled:
        by = 1

        @staticmethod
        def inner(x):
            return x + 1

        def __call__(self, x, generator):
            return self.inner(x) * self.by

    before = describe(Scaled())
    monkeypatch.setattr(Scaled, "by", 2)
    between = describe(Scaled())
    monkeypatch.setattr(Scaled, "inner", staticmethod(lambda x: x + 2))
    assert before != between != describe(Scaled())


# ------------------------------------------------------------------------------------------------ files


def test_an_order_that_is_loaded_is_the_configs_too(tmp_path):
    model, other = nade(4), nade(4, order=[3, 1, 2, 0])
    model.load_state_dict(other.state_dict())
    assert model.config == other.config
    checkpoints.save(tmp_path / "a.safetensors", model)
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    assert torch.equal(checkpoints.load(tmp_path / "a.safetensors").log_prob(x), other.log_prob(x))
    same = nade(4)
    same.load_state_dict(nade(4).state_dict())
    assert same.config["order"] is None                  # nothing changed, nothing is written


def replaced(activation):
    gan = GAN(dim=2, latent=2, hidden=8)
    layers = nn.Linear(2, 8), activation, nn.Linear(8, 8), activation, nn.Linear(8, 2), nn.Identity()
    gan.generator = nn.Sequential(*layers)
    return gan


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.LeakyReLU(0.3), nn.ELU()], ids=str)
def test_replaced_networks_are_refused_and_taken_where_they_are_given(tmp_path, activation):
    path, gan, z = tmp_path / "gan.safetensors", replaced(activation), torch.randn(4, 2)
    checkpoints.save(path, gan)
    with pytest.raises(CheckpointError, match=r"generator.1 was .* and is \"ReLU\(\)\".*replace them again"):
        checkpoints.load(path)
    again = checkpoints.load(path, model=replaced(activation))
    assert torch.equal(again.generator(z), gan.generator(z))
    if isinstance(activation, nn.LeakyReLU):
        with pytest.raises(CheckpointError, match="negative_slope=0.3"):
            checkpoints.load(path, model=replaced(nn.LeakyReLU(0.2)))


def test_a_networks_own_settings_tell_it_apart(tmp_path):
    class Layer(nn.Linear):
        def __init__(self, activation=torch.tanh):
            super().__init__(2, 2)
            self.activation = activation

        def forward(self, x):
            return self.activation(super().forward(x))

    def made(activation):
        model = RNADE(dim=2, hidden=3, components=1)
        model.extra = Layer(activation)
        return model

    checkpoints.save(tmp_path / "a.safetensors", made(torch.tanh))
    assert isinstance(checkpoints.load(tmp_path / "a.safetensors", model=made(torch.tanh)), RNADE)
    with pytest.raises(CheckpointError, match=r"extra was .*tanh.* and is .*relu"):
        checkpoints.load(tmp_path / "a.safetensors", model=made(torch.relu))
