"""Chapter 06's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import pytest
import torch
from exercise_cases import ExerciseCases

from dgmhelpers.autoregressive import RowLSTM
from dgmhelpers.autoregressive.diagonal_bilstm import skew
from dgmhelpers.exercises.chapter_06 import excess


def steps(height, width, layers):
    return layers, layers * height, layers * (height + width - 1)


def colour_mask(receivers, senders, kernel, kind, *, own=None, all_colours=False, full=False, left=True):
    receivers, senders = torch.tensor(receivers), torch.tensor(senders)
    m = torch.zeros(len(receivers), len(senders), kernel, kernel, dtype=torch.bool)
    m[:, :, : kernel // 2] = True
    m[:, :, kernel // 2, : kernel // 2] = left
    earlier, same = senders[None] < receivers[:, None], senders[None] == receivers[:, None]
    own = kind == "B" if own is None else own(kind)
    m[:, :, kernel // 2, kernel // 2] = (kind == "B") if all_colours else earlier | same if own else earlier
    return m | full


def skew_left(x):
    return skew(x.flip(1)).flip(1)


def row_blind(row, column, width):
    return sum(max(0, width - 1 - column - u) for u in range(1, row + 1))


def power(p, tau):
    return p ** (1 / tau) / (p ** (1 / tau)).sum(-1, keepdim=True)


def cooled(p, tau, *, cool_first=True, joint_tau=None):
    first = p.sum(1)
    given = power(p / first[:, None], tau)
    joint = power(p.flatten(), joint_tau(tau) if joint_tau else tau).reshape(2, 2)
    return (power(first, tau) if cool_first else first)[:, None] * given, joint


def hurtful(bits, far=True):
    x = torch.zeros(2**bits, 1, 3, 6)
    for n in range(len(x)):
        for k in range(bits):
            x[n, 0, k, 5 if far else 0] = x[n, 0, k + 1, 0] = n >> k & 1
    return x


MISTAKES = [
    ("06.1", lambda h, w, n: (n * h * w, n * h, n * (h + w - 1)), "sampling"),
    ("06.1", lambda h, w, n: (n, h, n * (h + w - 1)), "multiply by the layers"),
    ("06.1", lambda h, w, n: (n, n * w, n * (h + w - 1)), "the height"),
    ("06.1", lambda h, w, n: (n, n * h, n * (h + w)), "once more"),
    ("06.1", lambda h, w, n: (n, n * h, 2 * n * (h + w - 1)), "side by side"),
    ("06.1", lambda h, w, n: (n, n * h, n * h * w), "one diagonal"),
    ("06.1", lambda h, w, n: n, "three numbers"),
    ("06.2", lambda *a: colour_mask(*a, own=lambda kind: kind == "A"), "exchanged"),
    ("06.2", lambda *a: colour_mask(*a, all_colours=True), "G may still see R"),
    ("06.2", lambda *a: colour_mask(*a, full=True), "the future"),
    ("06.2", lambda *a: colour_mask(*a, left=False), "before the centre"),
    ("06.2", lambda *a: colour_mask(*a)[:, :, 0], "expected a mask"),
    ("06.3", skew, "to the right"),
    ("06.3", lambda x: skew(x.flip(1)), "mirrored"),
    ("06.3", lambda x: skew(x.flip(0)).flip(1), "upside down"),
    ("06.3", lambda x: skew(x.flip(0)), "upside down"),
    ("06.3", lambda x: skew(x).flip(1), "values mirrored"),
    ("06.3", lambda x: skew_left(x).roll(-1, 1), "too far left"),
    ("06.3", lambda x: x, "of shape (3, 6)"),
    ("06.4", lambda r, c, w: sum(w - 1 - c - u for u in range(1, r + 1)), "negative"),
    ("06.4", lambda r, c, w: row_blind(r, c, w + 1), "last column"),
    ("06.4", lambda r, c, w: sum(max(0, w - 1 - c - u) for u in range(r)), "u = 1"),
    ("06.4", lambda r, c, w: row_blind(r, c, w) + sum(max(0, c - u) for u in range(1, r + 1)), "on the left"),
    ("06.5", lambda p, tau: cooled(p, tau)[::-1], "exchanged"),
    ("06.5", lambda p, tau: cooled(p, tau, joint_tau=lambda t: 1 / t), "not to τ"),
    ("06.5", lambda p, tau: (cooled(p, tau)[1],) * 2, "by itself"),
    ("06.5", lambda p, tau: cooled(p, tau, cool_first=False), "as well"),
    ("06.5", lambda p, tau: (cooled(p.T, tau)[0].T, cooled(p, tau)[1]), "drawn first"),
    ("06.5", lambda p, tau: (cooled(p, tau)[0], p ** (1 / tau)), "normalise"),
    ("06.6", hurtful(1), "are asked for"),
    ("06.6", hurtful(2, far=False), "it can see"),
    ("06.6", torch.zeros(2, 1, 3, 6), "must be different"),
    ("06.6", hurtful(2) / 2, "binary"),
    ("06.6", torch.zeros(9, 1, 3, 6), "between 1 and 8"),
    ("06.6", torch.zeros(3, 6), "expected images"),
]


class TestExercises(ExerciseCases):
    chapter = "06"
    wrong = MISTAKES


def test_the_sum_of_exercise_4_is_what_the_model_declares():
    model = RowLSTM(event_shape=(1, 4, 7), hidden=3, layers=6)
    counted = model.blind_spot.sum(1).reshape(4, 7).tolist()
    assert counted == [[row_blind(r, c, 7) for c in range(7)] for r in range(4)]


def test_the_price_of_exercise_6_is_not_beaten_by_training():
    """One hidden bit costs log 2: a network with that blind spot comes near to the entropy plus it, and not below."""
    x = hurtful(1)
    assert excess(x.long().flatten(1), 3, 6) == pytest.approx(math.log(2), abs=1e-12)
    torch.manual_seed(0)
    model = RowLSTM(event_shape=(1, 3, 6), hidden=6, layers=5).double()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        optimiser.zero_grad()
        loss = model.loss(x)
        loss.backward()
        optimiser.step()
    assert 2 * math.log(2) - 1e-9 < loss.item() < 2 * math.log(2) + 0.2
