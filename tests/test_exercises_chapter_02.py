"""Chapter 02's exercises: solutions, and plausible mistakes with the words that name them."""

import math

import torch
from exercise_cases import ExerciseCases

from dgmhelpers import classical


def bits_per_dim(nats, D):
    return nats / D / math.log(2)


def kl(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum()


def deaf_kl(p, q):
    """Leaves out what the model says never happens."""
    both = (p > 0) & (q > 0)
    return torch.where(both, p * (p.log() - q.log()), 0.0).sum()


def m_step(x, r):
    return r.mean(0), r.T @ x / r.sum(0)[:, None]


def forward(x, start, A, B, *, first=True, total=torch.logsumexp, last=lambda v: v):
    alpha = start.log() + (B[:, x[0]].log() if first else 0)
    for symbol in x[1:].tolist():
        alpha = total(alpha[:, None] + A.log(), 0) + B[:, symbol].log()
    return last(total(alpha, 0))


def underflowing(x, start, A, B):
    alpha = start * B[:, x[0]]
    for symbol in x[1:].tolist():
        alpha = (alpha @ A) * B[:, symbol]
    return alpha.sum().log()


def leave_one_out(x, h, *, itself=False, less=1, power=None):
    n, D = x.shape
    kernels = -((x[:, None] - x[None]) ** 2).sum(-1) / (2 * h**2)
    if not itself:
        kernels = kernels.masked_fill(torch.eye(n, dtype=torch.bool), -math.inf)
    constant = (power or D) * math.log(h * math.sqrt(2 * math.pi))
    return (kernels.logsumexp(1) - math.log(n - less) - constant).mean()


def fit_density(train, runs=6, average=lambda each: each.logsumexp(0) - math.log(len(each))):
    mixtures = [
        classical.BernoulliMixture(dim=train.shape[1], components=80, smoothing=0.1).fit(
            train, steps=40, generator=torch.Generator().manual_seed(seed)
        )
        for seed in range(runs)
    ]
    return lambda x: average(torch.stack([m.log_prob(x) for m in mixtures]))


WRONG = [
    ("02.1", lambda nats, D: nats / math.log(2), "share them among"),
    ("02.1", lambda nats, D: nats / D, "a nat is not a bit"),
    ("02.1", lambda nats, D: nats / D * math.log(2), "do not multiply"),
    ("02.1", lambda nats, D: nats / D / math.log10(2), "base 10"),
    ("02.1", lambda nats, D: 1.0, "shared among the entries"),
    ("02.2", lambda p, q: kl(q, p), "mean is over p"),
    ("02.2", lambda p, q: (p * (p / q).log()).sum(), "nan"),
    ("02.2", deaf_kl, "is infinite"),
    ("02.2", lambda p, q: kl(p, q) / math.log(2), "in bits"),
    ("02.2", lambda p, q: -kl(p, q), "sign"),
    ("02.2", lambda p, q: -(p * q.log()).sum(), "entropy of p"),
    ("02.2", lambda p, q: (p - q).abs().sum(), "you give"),
    ("02.3", lambda x, r: (r.sum(0), m_step(x, r)[1]), "weights are counts"),
    ("02.3", lambda x, r: m_step(x, torch.nn.functional.one_hot(r.argmax(1), r.shape[1]).double()), "k-means"),
    ("02.3", lambda x, r: (r.mean(0), r.T @ x / len(x)), "own N_z"),
    ("02.3", lambda x, r: (r.mean(0), x.mean(0).expand(r.shape[1], -1)), "same frequencies"),
    ("02.3", lambda x, r: (r.mean(0), (r.T @ x + 1) / (r.sum(0)[:, None] + 2)), "Laplace"),
    ("02.3", lambda x, r: (r.mean(0), m_step(x, r)[1].T), "expected probabilities of shape"),
    ("02.3", lambda x, r: r, "expected two tensors"),
    ("02.4", underflowing, "underflow"),
    ("02.4", lambda x, s, A, B: forward(x, s, A.T, B), "wrong way round"),
    ("02.4", lambda *a: forward(*a, first=False), "first symbol is missing"),
    ("02.4", lambda *a: forward(*a, total=torch.amax), "Viterbi"),
    ("02.4", lambda *a: forward(*a, last=torch.exp), "its logarithm"),
    ("02.4", lambda *a: -forward(*a), "sign"),
    ("02.5", lambda x, h: leave_one_out(x, h, itself=True, less=0), "among its own kernels"),
    ("02.5", lambda x, h: leave_one_out(x, h, less=0), "divide by N − 1"),
    ("02.5", lambda x, h: leave_one_out(x, h, power=1), "for each of D"),
    ("02.5", lambda x, h: leave_one_out(x, h) * len(x), "not the sum"),
    ("02.5", lambda x, h: -leave_one_out(x, h), "sign"),
    ("02.6", lambda train: fit_density(train, average=lambda each: each.mean(0)), "no density"),
    ("02.6", lambda train: fit_density(train, runs=1), "at most 17.4 is wanted"),
    ("02.6", lambda train: 3.0, "expected a function"),
    ("02.6", lambda train: lambda x: (x @ torch.ones(x.shape[1])).double().log_softmax(0), "images beside it"),
    ("02.6", lambda train: lambda x: torch.full((len(x),), -train.shape[1] * math.log(2)), "independent bits"),
    ("02.6", lambda train: lambda x: torch.full((len(x),), math.nan), "is nan for"),
]


class TestExercises(ExerciseCases):
    chapter = "02"
    wrong = WRONG
    asked_once = ("02.6",)
