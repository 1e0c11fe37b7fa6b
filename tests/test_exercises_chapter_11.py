"""Chapter 11's exercises: plausible mistakes with the words that name them."""

import math

import torch
from exercise_cases import ExerciseCases

from dgmhelpers.exercises.chapter_11.maps import ENOUGH, amari


def log_density(x, A, b, det=-1.0, constant=1.0):
    z = torch.linalg.solve(A, (x - b).T).T
    constants = constant * 0.5 * x.shape[1] * math.log(2 * math.pi)
    return -0.5 * z.square().sum(1) - constants + det * torch.linalg.slogdet(A)[1]


def undo(z, keep, s, t):
    x, a = z.clone(), z[:, keep]
    x[:, ~keep] = (z[:, ~keep] - t(a)) * torch.exp(-s(a))
    return x


def moved(z, keep, change):
    x = z.clone()
    x[:, ~keep] = change(z[:, ~keep], z[:, keep])
    return x


def bits(log_p_z, log_det, D, K):
    return (D * math.log(K) - log_p_z - log_det) / (D * math.log(2))


def logit_layer(y, alpha):
    w = alpha + (1 - 2 * alpha) * y
    return w.log() - (1 - w).log(), -(w * (1 - w)).log().sum(1) + y.shape[1] * math.log(1 - 2 * alpha)


def with_logdet(change):
    """The right result, and a log-determinant from (w, y, alpha, right)."""
    def answer(y, alpha):
        z, right = logit_layer(y, alpha)
        return z, change(alpha + (1 - 2 * alpha) * y, y, alpha, right)
    return answer


def least_slope(gap, bridge):
    return gap / (2 * torch.special.ndtri(torch.tensor((1 + bridge) / 2, dtype=torch.double)))


def whitened(x):
    centred = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    return centred, vectors.T / values.sqrt()[:, None]


def unmix(x, contrast=lambda k: k.square()):
    centred, whiten = whitened(x)
    angle = torch.linspace(0, math.pi / 2, 181, dtype=x.dtype)
    R = torch.stack([torch.stack([angle.cos(), angle.sin()], 1), torch.stack([-angle.sin(), angle.cos()], 1)], 1)
    y = torch.einsum("aij,nj->ani", R, centred @ whiten.T)
    return R[contrast((y**4).mean(1) - 3).sum(1).argmax()] @ whiten


WRONG = [
    ("11.1", lambda x, A, b: log_density(x, A, b, det=1.0), "wrong sign"),
    ("11.1", lambda x, A, b: log_density(x, A, b, det=0.0), "determinant is missing"),
    ("11.1", lambda x, A, b: log_density(x, A, b, constant=0.0), "constant"),
    ("11.1", lambda x, A, b: log_density(x, A, b, constant=1 / x.shape[1]), "each of the D dimensions"),
    ("11.1", lambda x, A, b: log_density(x, torch.linalg.inv(A), b, det=1.0), "multiplied by M"),
    ("11.1", lambda x, A, b: log_density(x, A, 0 * b), "take it off"),
    ("11.1", lambda x, A, b: log_density(x, A, b).exp(), "not its logarithm"),
    ("11.1", lambda x, A, b: log_density(x, A, b).mean(), "one log-density for each"),
    ("11.1", lambda x, A, b: torch.zeros(6), "the first point has"),
    ("11.2", lambda z, keep, s, t: z, "z itself"),
    ("11.2", lambda z, keep, s, t: moved(z, keep, lambda b, a: b * s(a).exp() + t(a)), "once more"),
    ("11.2", lambda z, keep, s, t: moved(z, keep, lambda b, a: b * (-s(a)).exp() - t(a)), "other order"),
    ("11.2", lambda z, keep, s, t: moved(z, keep, lambda b, a: (b - t(a)) * s(a).exp()), "multiplied"),
    ("11.2", lambda z, keep, s, t: moved(z, keep, lambda b, a: (b - t(a)) / s(a)), "not by s"),
    ("11.2", lambda z, keep, s, t: undo(z, ~keep, s, t), "kept entries"),
    ("11.2", lambda z, keep, s, t: moved(z, keep, lambda b, a: b - t(a)), "still there"),
    ("11.3", lambda p, d, D, K: bits(p, d, D, 1), "scale is missing"),
    ("11.3", lambda p, d, D, K: bits(p, d, D, 1 / K), "scale has the wrong sign"),
    ("11.3", lambda p, d, D, K: bits(p, d, D, K ** (1 / D)), "once for each"),
    ("11.3", lambda p, d, D, K: bits(p, -d, D, K), "log_det has the wrong sign"),
    ("11.3", lambda p, d, D, K: bits(p, d, D, K) * math.log(2), "nats"),
    ("11.3", lambda p, d, D, K: bits(p, d, D, K) * D, "whole image"),
    ("11.3", lambda p, d, D, K: 2.085, "yours is"),
    ("11.4", with_logdet(lambda w, y, a, right: right - 3 * math.log(1 - 2 * a)), "stretch by 1 − 2α is missing"),
    ("11.4", with_logdet(lambda w, y, a, right: right - 2 * math.log(1 - 2 * a)), "each of the D directions"),
    ("11.4", with_logdet(lambda w, y, a, right: -right), "way back"),
    ("11.4", with_logdet(lambda w, y, a, right: right / 3), "mean over the dimensions"),
    ("11.4", with_logdet(lambda w, y, a, right: -w.log().sum(1) + 3 * math.log(1 - 2 * a)), "two factors"),
    ("11.4", with_logdet(lambda w, y, a, right: right.sum()), "one log |det| for each"),
    ("11.4", lambda y, a: (y.logit(), logit_layer(y, a)[1]), "first squeeze"),
    ("11.4", lambda y, a: logit_layer(y, a)[0], "expected a pair"),
    ("11.5", lambda gap, bridge: 2 * least_slope(gap, bridge), "half of the gap"),
    ("11.5", lambda gap, bridge: gap / (2 * torch.special.ndtri(torch.tensor(0.5 + bridge))), "factor of two"),
    ("11.5", lambda gap, bridge: 1 / least_slope(gap, bridge), "inverse"),
    ("11.5", lambda gap, bridge: gap / (bridge * math.sqrt(2 * math.pi)), "thin bridges"),
    ("11.5", lambda gap, bridge: gap / (2 * abs(torch.special.ndtri(torch.tensor(bridge)))), "two tails"),
    ("11.6", lambda x: torch.eye(2), "still mixed"),
    ("11.6", lambda x: torch.tensor([[1.0, 2.0], [0.0, 1.0]]), "still correlated"),
    ("11.6", lambda x: whitened(x)[1], "leaves a rotation free"),
    ("11.6", lambda x: unmix(x, contrast=lambda k: k), "still mixed"),
    ("11.6", lambda x: unmix(x, contrast=lambda k: -k), "still mixed"),
    ("11.6", lambda x: torch.ones(2, 2), "invertible"),
]


class TestExercises(ExerciseCases):
    chapter = "11"
    wrong = WRONG


def test_a_random_rotation_is_seldom_good_enough():
    """The chance that a matrix that only whitens has an Amari index below the bar, to the power of the four cases."""
    angle = torch.rand(4000, generator=torch.Generator().manual_seed(1)) * math.pi
    R = torch.stack([torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1)
    chance = sum(amari(each) < ENOUGH for each in R) / len(R)
    assert chance**4 < 1e-3
