"""Chapter 13's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
import torch.nn.functional as F
from exercise_cases import ExerciseCases

from dgmhelpers import training
from dgmhelpers.latent import VAE


def rates(mean, log_std):
    return (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std) / 2


def implied_std(weight, D):
    return math.sqrt(D / (2 * weight))


def importance_bound(log_w):
    return log_w.logsumexp(0) - math.log(len(log_w))


def score_gradient(f, noise, s, baseline=lambda f: (f.sum() - f) / (len(f) - 1)):
    return (f - baseline(f)) * noise / s


def repaired(encode, decode, x, noise, *, spread=lambda log_std: log_std.exp(), total=lambda rate: rate.sum(1), half=1):
    mean, log_std = encode(x)
    logits = decode(mean + spread(log_std) * noise)
    each = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return -each.sum(1) - total(rates(mean, half * log_std))


def best_diagonal(W, v):
    M = W.T @ W + v * torch.eye(W.shape[1], dtype=W.dtype)
    return (v / M.diagonal()).sqrt(), 0.5 * (M.diagonal().log().sum() - M.logdet())


def fit_vae(train, latent=8, steps=1000):
    torch.manual_seed(0)
    model = VAE(dim=64, latent=latent, hidden=(128, 64))
    training.fit(model, train, steps=steps, batch_size=128, lr=4e-3, progress=False, device="cpu")
    return model.encode, model.decode


def root(log_std):
    return (0.5 * log_std).exp()


def marginals(W, v):
    M = W.T @ W + v * torch.eye(W.shape[1], dtype=W.dtype)
    return (v * M.inverse().diagonal()).sqrt(), best_diagonal(W, v)[1]


WRONG = [
    ("13.1", rates, "sum over them"),
    ("13.1", lambda m, s: -rates(m, s).sum(1), "never negative"),
    ("13.1", lambda m, s: rates(m, s / 2).sum(1), "log-variance"),
    ("13.1", lambda m, s: rates(m, s).mean(1), "mean over the latent"),
    ("13.1", lambda m, s: 2 * rates(m, s).sum(1), "the half is missing"),
    ("13.1", lambda m, s: (rates(m, s) + 0.5).sum(1), "−1 is missing"),
    ("13.1", lambda m, s: rates(m, s).sum(), "one rate an example"),
    ("13.1", lambda m, s: m.sum(1), "at mean 0"),
    ("13.2", lambda w, D: D / (2 * w), "square root"),
    ("13.2", lambda w, D: math.sqrt(1 / (2 * w)), "averages over the D pixels"),
    ("13.2", lambda w, D: math.sqrt(D / w), "the 2 is missing"),
    ("13.2", lambda w, D: 1.0, "by terms"),
    ("13.3", lambda w: w.mean(0), "mean of the logs"),
    ("13.3", lambda w: w.logsumexp(0), "log k is missing"),
    ("13.3", lambda w: w.amax(0), "best draw alone"),
    ("13.3", lambda w: w.exp().mean(0).log(), "underflow"),
    ("13.3", lambda w: importance_bound(w.T), "axis 0 holds the draws"),
    ("13.3", lambda w: w[0], "wrong for"),
    ("13.4", lambda f, e, s: score_gradient(f, e, s, torch.mean), "own value"),
    ("13.4", lambda f, e, s: f * e / s, "baseline is missing"),
    ("13.4", lambda f, e, s: score_gradient(f, e, 1.0), "divide by s"),
    ("13.4", lambda f, e, s: score_gradient(f, e, s) / s, "only one s"),
    ("13.4", lambda f, e, s: -score_gradient(f, e, s), "sign"),
    ("13.4", lambda f, e, s: score_gradient(f, e, s).mean(), "one estimate a draw"),
    ("13.4", lambda f, e, s: e, "wrong for"),
    ("13.5", lambda *a: repaired(*a, spread=root, total=lambda rate: rate.mean(1)), "both bugs"),
    ("13.5", lambda *a: repaired(*a, spread=root), "root of s"),
    ("13.5", lambda *a: repaired(*a, total=lambda rate: rate.mean(1)), "mean over the latent"),
    ("13.5", lambda *a: repaired(*a, spread=root, half=0.5), "another one"),
    ("13.5", lambda *a: -repaired(*a), "minus the bound"),
    ("13.5", lambda *a: repaired(*a).mean(), "one bound an example"),
    ("13.5", lambda e, d, x, n: x.sum(1), "not the ELBO"),
    ("13.6", lambda W, v: (best_diagonal(W, v)[0] ** 2, best_diagonal(W, v)[1]), "the variances"),
    ("13.6", marginals, "marginal widths"),
    ("13.6", lambda W, v: (best_diagonal(W, v)[0] / v**0.5, best_diagonal(W, v)[1]), "v is missing"),
    ("13.6", lambda W, v: (best_diagonal(W, v)[0], -best_diagonal(W, v)[1]), "sign is wrong"),
    ("13.6", lambda W, v: (best_diagonal(W, v)[0], 2 * best_diagonal(W, v)[1]), "half is missing"),
    ("13.6", lambda W, v: (best_diagonal(W, v)[0], torch.zeros(())), "but the gap is"),
    ("13.6", lambda W, v: (torch.ones(W.shape[1]), 0.0), "widths are wrong"),
    ("13.6", lambda W, v: best_diagonal(W, v)[0], "expected"),
    ("13.7", lambda train: fit_vae(train, latent=2, steps=100), "at most 18.9 is wanted"),
    ("13.7", lambda train: (lambda x: (x[:, :2], x[:, :2]), lambda z: z), "a logit for each pixel"),
    ("13.7", lambda train: (lambda x: (x[:, :2], x[:, :3]), lambda z: z), "must be (B, Z) each"),
    ("13.7", lambda train: 3.0, "expected two functions"),
]


class TestExercises(ExerciseCases):
    chapter = "13"
    wrong = WRONG
    double_only = ("13.4", "13.5")
    asked_once = ("13.7",)
