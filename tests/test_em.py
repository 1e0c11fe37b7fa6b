"""EM behind the face of ``fit``: it repeats itself, keeps what validation chose, and stops for the reasons it gives."""

import pytest
import torch

from dgmhelpers import classical, data
from dgmhelpers.autoregressive import FVBN
from dgmhelpers.training import em


@pytest.fixture(scope="module")
def digits():
    return data.load("binary-digits8").flat()


def run(digits, components=5, **options):
    torch.manual_seed(0)
    model = classical.BernoulliMixture(dim=64, components=components, smoothing=0.1)
    return model, em(model, digits.train[:300], **{"steps": 30, "progress": False, "device": "cpu"} | options)


def test_same_seed_same_run_and_another_seed_another(digits):
    (a, first), (b, again), (_, other) = run(digits), run(digits), run(digits, seed=1)
    assert first.train_loss == again.train_loss != other.train_loss
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_the_objective_never_rises_and_a_small_gain_stops(digits):
    _, history = run(digits, steps=500, tolerance=1e-3)
    losses = torch.tensor(history.train_loss, dtype=torch.double)
    assert losses.diff().max() < 1e-10
    assert len(losses) < 500 and losses[-2] - losses[-1] < 1e-3 <= (losses[:-1].diff().neg()).min()
    assert history.stopped is None and history.best_valid is None


def test_validation_chooses(digits):
    model, history = run(digits, components=60, steps=60, valid=digits.valid, patience=5)
    assert history.stopped == "patience" and history.best_step < len(history.steps) == history.best_step + 5
    assert abs(-model.log_prob(digits.valid).mean().item() - history.best_valid) < 1e-9
    assert history.best_valid == min(figure for _, figure in history.valid_loss)


def test_the_clock_stops(digits):
    _, history = run(digits, time_limit=0.0)
    assert history.stopped == "time" and len(history.steps) == 1


def test_what_cannot_be_meant_is_refused(digits):
    with pytest.raises(ValueError, match="FVBN has no EM"):
        em(FVBN(dim=64), digits.train, steps=3)
    with pytest.raises(ValueError, match="steps must be"):
        em(classical.BernoulliMixture(dim=64), digits.train, steps=0)
