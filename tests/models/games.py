"""Faults that ways to play a game really have, one mutant each."""

import torch

from dgmhelpers.adversarial import games

XY = games.bilinear()


def packaged(name):
    """A method of the package on xy, as the law wants it."""
    return lambda state, rate: games.METHODS[name](XY, state, rate, 1.0)


def _one(after):
    return lambda s, rate: after(s[0], rate)[None]


def _two(after):
    return lambda s, rate: torch.stack([after(s[0], s[1], rate), s[0]])


def _half_ahead(w, rate):
    return w - rate * XY.field(w)


def _both_descend(w, rate):
    return w - rate * w.flip(0)


GAME_MUTANTS = [  # what is wrong, the method it should have been, and the mutant
    ("the second player sees the first one's move", "simultaneous", packaged("alternating")),
    ("both players minimise", "simultaneous", _one(_both_descend)),
    ("the field is climbed with half the rate", "simultaneous", _one(lambda w, rate: w + rate / 2 * XY.field(w))),
    ("the second player does not look", "alternating", packaged("simultaneous")),
    ("steps from the point ahead", "extragradient", _one(lambda w, rate: _half_ahead(_half_ahead(w, rate), rate))),
    ("looks ahead with half the rate", "extragradient",
     _one(lambda w, rate: w - rate * XY.field(w - rate / 2 * XY.field(w)))),
    ("does not look ahead", "extragradient", _one(_half_ahead)),
    ("correction with the wrong sign", "optimistic",
     _two(lambda now, before, rate: now - rate * XY.field(before))),
    ("correction forgotten", "optimistic", _two(lambda now, before, rate: now - 2 * rate * XY.field(now))),
    ("a point remembered for a gradient", "optimistic",
     _two(lambda now, before, rate: now - 2 * rate * XY.field(now) + rate * before)),
    ("climbs the length of the field", "consensus", _one(lambda w, rate: w - rate * (XY.field(w) - w))),
    ("the half of the square forgotten", "consensus", _one(lambda w, rate: w - rate * (XY.field(w) + 2 * w))),
    ("a whole step down the square, whatever the rate", "consensus", _one(lambda w, rate: -rate * XY.field(w))),
]  # fmt: skip
