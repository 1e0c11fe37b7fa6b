"""Objectives of a page each, that no wrapper says: what a loop for any objective must carry, interrupt and resume.

A restricted Boltzmann machine by persistent contrastive divergence, whose chains go on from step to step; a game of two
generators and two discriminators that translate there and back; examples with labels beside examples without.
"""

import math
import os
import signal

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from training_cases import QUIET, bits, same, weights

from dgmhelpers.training import CheckpointError, Player, TrainingDiverged, checkpoints, train

RUN = dict(steps=30, batch_size=10, evaluate_every=8, **QUIET)


def seeded(make):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return make()


# --- a restricted Boltzmann machine, by chains that go on -------------------------------------------------------------


class RBM(nn.Module):
    def __init__(self, dim=6, hidden=4):
        super().__init__()
        self.W = nn.Parameter(0.01 * torch.randn(dim, hidden))
        self.b, self.c = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(hidden))

    def energy(self, v):
        """Free energy, ``(B,)``: hidden units are summed over."""
        return -v @ self.b - F.softplus(v @ self.W + self.c).sum(1)

    @torch.no_grad()
    def gibbs(self, v, generator):
        h = torch.bernoulli((v @ self.W + self.c).sigmoid(), generator=generator)
        return torch.bernoulli((h @ self.W.T + self.b).sigmoid(), generator=generator)

    def nll(self, x):
        """Exact, in nats: the partition function by enumeration."""
        states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 6)
        return (self.energy(x).mean() + (-self.energy(states)).logsumexp(0)).item()


def contrastive_divergence(model, run, steps=RUN["steps"], valid=None):
    def turns(state):
        chains = state.carry["chains"] = model.gibbs(state.carry["chains"], state.draws)
        yield "model", model.energy(state.batch()).mean() - model.energy(chains).mean()

    return train(
        model, turns, players={"model": torch.optim.SGD(model.parameters(), lr=0.1)}, streams={"x": bits()},
        carry={"chains": torch.zeros(20, 6)}, valid=valid, **RUN | {"steps": steps} | run,
    )  # fmt: skip


def test_an_rbm_learns_by_chains_that_go_on():
    model = seeded(RBM)
    before = model.nll(bits())
    history = contrastive_divergence(model, {}, steps=400, valid=lambda m: m.nll(bits(500, seed=1)))
    assert before > 4.1 and model.nll(bits(500, seed=1)) == history.best_valid < 3.8   # uniform: 4.16
    assert len(history.valid_loss) == 50


def test_an_rbm_resumes_bit_for_bit_chains_included(tmp_path):
    """The surrogate loss says nothing about the fit, so the last weights are kept where nothing is to choose by."""
    path, whole, cut = tmp_path / "rbm.safetensors", seeded(RBM), seeded(RBM)
    unbroken = contrastive_divergence(whole, {})
    contrastive_divergence(cut, {"checkpoint": path, "time_limit": 1e-6})
    at_8 = checkpoints.files.read(path)[0]["carry/chains"]
    assert set(at_8.flatten().tolist()) == {0.0, 1.0}
    history = contrastive_divergence(model := seeded(RBM), {"checkpoint": path})
    assert same(weights(model), weights(whole)) and history.curves == unbroken.curves
    tensors, metadata = checkpoints.files.read(path)
    checkpoints.files.write(path, tensors | {"carry/chains": 1 - tensors["carry/chains"]}, metadata | {"step": 24})
    contrastive_divergence(other := seeded(RBM), {"checkpoint": path})
    assert not same(weights(other), weights(whole))      # the chains decide


# --- two generators and two discriminators ----------------------------------------------------------------------------


class Translators(nn.Module):
    """There and back between two sets of points, and a judge at each end."""

    def __init__(self):
        super().__init__()
        for name, out in {"there": 2, "back": 2, "judge_of_x": 1, "judge_of_y": 1}.items():
            setattr(self, name, nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.1), nn.Tanh(), nn.Linear(8, out)))


def cycle_consistent(model, **run):
    def judged(judge, real, fake):
        return F.softplus(-judge(real)).mean() + F.softplus(judge(fake.detach())).mean()

    def turns(state):
        x, y = state.batch("x"), state.batch("other")
        fake_y, fake_x = model.there(x), model.back(y)
        cycle = (model.back(fake_y) - x).abs().mean() + (model.there(fake_x) - y).abs().mean()
        fooled = F.softplus(-model.judge_of_y(fake_y)).mean() + F.softplus(-model.judge_of_x(fake_x)).mean()
        state.check("cycle", cycle)
        yield "translators", fooled + 10 * cycle, fooled
        yield "judge_of_x", judged(model.judge_of_x, x, fake_x)
        yield "judge_of_y", judged(model.judge_of_y, y, fake_y)

    def adam(*modules):
        return Player(torch.optim.Adam([p for m in modules for p in m.parameters()], lr=5e-3), clip=1.0)

    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    players = {"translators": adam(model.there, model.back)}
    players |= {name: adam(getattr(model, name)) for name in ("judge_of_x", "judge_of_y")}
    return train(model, turns, players=players, streams={"x": x, "other": 3 + 0.5 * x[:45]}, ema=0.9,
                 averaged=["translators"], **RUN | run)  # fmt: skip


def test_a_game_of_four_networks_is_interrupted_and_resumes_bit_for_bit(tmp_path):
    path, whole, cut = tmp_path / "game.safetensors", seeded(Translators), seeded(Translators)
    unbroken, calls = cycle_consistent(whole), []
    assert list(unbroken.curves) == ["translators", "judge_of_x", "judge_of_y"]

    def ctrl_c(module, inputs):
        calls.append(None)
        if len(calls) == 3 * 12 - 1:                      # in the twelfth step, after three turns of which it waits
            os.kill(os.getpid(), signal.SIGINT)

    handle = cut.judge_of_y.register_forward_pre_hook(ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        cycle_consistent(cut, checkpoint=path)
    assert checkpoints.read_metadata(path)["step"] == 12
    handle.remove()
    history = cycle_consistent(model := seeded(Translators), checkpoint=path)
    assert same(weights(model), weights(whole)) and history.curves == unbroken.curves
    assert all(not torch.equal(a, b) for a, b in zip(model.parameters(), seeded(Translators).parameters(), strict=True))


def test_the_game_learns_to_go_there_and_back():
    model = seeded(Translators)
    cycle_consistent(model, steps=600)
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(3))
    assert (model.back(model.there(x)) - x).abs().mean() < 0.4       # as far as dropout lets it
    assert (model.there(x).mean(0) - 3).abs().max() < 1.0


# --- labels for a few -------------------------------------------------------------------------------------------------


def test_streams_run_in_orders_of_their_own():
    seen = {"x": [], "unlabelled": []}
    model = nn.Linear(1, 1)

    def turns(state):
        x, labels = state.batch("x", 4)
        assert torch.equal(labels, 10 * x)
        for name, part in ("x", x), ("unlabelled", state.batch("unlabelled", 5)):
            seen[name] += part[:, 0].tolist()
        yield "model", (model(x) - labels).square().mean()

    x = torch.arange(20.0)[:, None]
    train(model, turns, players={"model": torch.optim.SGD(model.parameters(), lr=1e-3)}, **RUN | {"steps": 20},
          streams={"x": (x, 10 * x), "unlabelled": x})  # fmt: skip
    for part in seen.values():
        assert sorted(part[:20]) == sorted(part[20:40]) == x[:, 0].tolist()
    assert seen["x"][:20] != seen["unlabelled"][:20]


# --- what an objective gets wrong -------------------------------------------------------------------------------------


def straight(turns, model=None, **run):
    model = model or seeded(lambda: nn.Linear(6, 1))
    return train(model, turns, players={"model": torch.optim.SGD(model.parameters(), lr=0.1)}, streams={"x": bits()},
                 **RUN | run)  # fmt: skip


def test_a_turn_that_cannot_be_meant_is_named():
    model = nn.Linear(6, 1)

    def moody(state):
        yield "model", model(state.batch()).mean()
        if state.now == 3:
            yield "other", model(state.batch()).mean()

    with pytest.raises(ValueError, match="a turn of 'other': the players are model"):
        straight(moody, model)
    with pytest.raises(ValueError, match=r"one number, the mean over its batch, got shape \(10, 1\)"):
        straight(lambda state: [("model", model(state.batch()))], model)
    with pytest.raises(ValueError, match="model's loss does not depend on any parameter"):
        straight(lambda state: [("model", state.batch().mean())], model)
    with pytest.raises(ValueError, match="identifier"):
        train(model, moody, players={"a/b": torch.optim.SGD(model.parameters(), lr=1)}, streams={"x": bits()}, **RUN)


def test_steps_must_have_the_same_turns():
    model = seeded(Translators)

    def turns(state):
        for name in ("there", "back") if state.now == 2 else ("there",):
            yield name, getattr(model, name)(state.batch()[:, :2]).square().mean()

    players = {name: torch.optim.SGD(getattr(model, name).parameters(), lr=0.1) for name in ("there", "back")}
    with pytest.raises(ValueError, match="step 2 yields there, back, and those before it there"):
        train(model, turns, players=players, streams={"x": bits()}, **RUN)


def test_a_model_that_fails_because_it_is_nan_is_told_as_diverged():
    """As on a GPU, where losses are looked at every hundred steps and the model may complain before."""
    model = seeded(lambda: nn.Linear(6, 1))

    def turns(state):
        yield "model", model(state.batch()).mean() * (math.nan if state.now == 5 else 1.0)
        if state.now == 5:
            raise ValueError("expected the parameter to satisfy a constraint")

    with pytest.raises(TrainingDiverged, match="step 5 .*the loss is nan.*weights of step 0"):
        straight(turns, model)


def test_what_is_checked_is_told_by_its_name():
    model = seeded(lambda: nn.Linear(6, 1))

    def turns(state):
        state.check("spread", torch.tensor(math.inf if state.now == 11 else 1.0))
        yield "model", model(state.batch()).mean()

    with pytest.raises(TrainingDiverged, match="step 11 .*the spread is inf.*weights of step 8"):
        straight(turns, model)


def test_another_objective_is_another_run(tmp_path):
    def objective(power):
        model = seeded(lambda: nn.Linear(6, 1))
        return straight(lambda state: [("model", (model(state.batch()) ** power).mean())], model,
                        checkpoint=tmp_path / "run.safetensors")  # fmt: skip

    objective(2)
    assert len(objective(2).steps) == 30
    with pytest.raises(CheckpointError, match="another run: turns closure power was 2 and is 4"):
        objective(4)
