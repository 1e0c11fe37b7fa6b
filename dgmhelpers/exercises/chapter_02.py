"""Checkers for chapter 02, Maximum likelihood."""

import math
from itertools import product

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, number, parts, tensor
from dgmhelpers.exercises.feedback import exercise, nothing

TO_BEAT = 17.4  # nats on the test digits in 02.6; the page's mixture reaches about 18


@exercise(
    "02.1",
    minutes=5,
    asks="a function bits_per_dim(nats, D) that returns a number",
    hints=[
        "One bit is ln 2 nats. Are there more bits or fewer than nats?",
        "A nat is 1/ln 2 = 1.44 bits, so an answer in bits is the larger number.",
        "Divide by ln 2, and then share among the D entries.",
    ],
    praise="uniform over 256 levels is 8 bits per dimension, whatever the image's size",
)
def _bits_per_dim(answer):
    """Binary digits, 8-bit colours and a single entry, so that units and sizes cannot be mistaken."""
    for nats, dim in [(64 * math.log(2), 64), (97.5, 784), (3 * 1024 * math.log(256), 3072), (0.7, 1)]:
        got = answer(nats, dim)
        if got is None:
            return nothing()
        got, right = number(got), nats / dim / math.log(2)
        if close(got, right):
            continue
        if close(got, nats / math.log(2)):
            return "that is bits for the whole example: share them among its D entries"
        if close(got, nats / dim):
            return "that is nats per dimension: a nat is not a bit"
        if close(got, nats / dim * math.log(2)):
            return "divide by ln 2, do not multiply: it takes more bits than nats to say the same"
        if close(got, nats / dim / math.log(10)) or close(got, nats / dim / math.log10(2)):
            return "a bit is a logarithm to base 2: the natural logarithm of 2 converts, not one to base 10"
        return (
            f"for {nats:.4g} nats over {dim} entries you say {got:.4g}: in bits, and shared among the entries, it "
            f"is {right:.4g}"
        )
    return None


@exercise(
    "02.2",
    minutes=15,
    asks="a function kl(p, q) that returns a number, in nats",
    hints=[
        "Σ p (log p − log q). What does your computer make of 0 · log 0, and what does the definition?",
        "Where p is 0 the term is 0, whatever q is; where q is 0 and p is not, the whole is infinite.",
        "torch.where chooses entry by entry; what it does not choose may be nan without harm.",
    ],
    praise="and the infinity is meant: a model that says never, where the data goes, cannot be forgiven by an average",
)
def _kl(answer):
    """Random tables, equal ones, and zeros in p, in q and in both, where the value is finite or must be infinite."""
    g = Generator().manual_seed(2)
    p, q = torch.randn(2, 7, generator=g, dtype=torch.double).mul(1.5).softmax(1)
    never = torch.tensor([0.0, 0.4, 0.6, 0.0], dtype=torch.double)
    always = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.double)
    rarer = torch.tensor([0.0, 0.0, 0.7, 0.3], dtype=torch.double)
    cases = [(p, q), (q, p), (p, p), (never, always), (never, never), (always, never), (rarer, never)]
    for p, q in cases:
        got = answer(p.clone(), q.clone())
        if got is None:
            return nothing()
        got, right = number(got), _divergence(p, q)
        case = f"for p = {[round(v, 3) for v in p.tolist()]} and q = {[round(v, 3) for v in q.tolist()]}"
        if got == right or math.isfinite(right) and close(got, right):
            continue
        if math.isnan(got):
            return f"{case} you give nan: a computer makes 0 · log 0 that, and the definition makes it 0"
        if math.isinf(right):
            return f"{case} the divergence is infinite: the data goes where the model says never; you give {got:.4g}"
        if close(got, _divergence(q, p)):
            return f"{case} that is KL(q ‖ p): the mean is over p, and the two are not the same"
        if close(got, right / math.log(2)):
            return f"{case} that is in bits; nats are wanted"
        if close(got, -right):
            return f"{case} the sign is wrong: a divergence is never negative"
        if close(got, right + torch.special.entr(p).sum()):
            return f"{case} that is the mean length of the code, −Σ p log q: the entropy of p is to come off"
        return f"{case} the mean over p of log p − log q is {right:.4f}, you give {got:.4f}"
    return None


@exercise(
    "02.3",
    minutes=15,
    asks="a function m_step(x, r) that returns weights (M,) and probabilities (M, D)",
    hints=[
        "If r held only zeros and ones, what would the relative frequencies be?",
        "Component z has N_z = Σ_n r[n, z] examples, a number that need not be whole.",
        "weights = N_z / N, probabilities = (rᵀ x) / N_z.",
    ],
    praise="with r all zeros and ones these are naive Bayes' weights: EM only makes the counts soft",
)
def _m_step(answer):
    """Responsibilities against the closed form, and the steps that count hard or forget to divide."""
    for seed, (n, dim, m) in enumerate([(30, 5, 3), (8, 2, 4), (50, 9, 2)]):
        g = Generator().manual_seed(seed)
        x = torch.randint(2, (n, dim), generator=g).double()
        r = (2 * torch.randn(n, m, generator=g, dtype=torch.double)).softmax(1)
        got = answer(x.clone(), r.clone())
        if got is None:
            return nothing()
        weights, table = parts(got, 2, "two tensors: the weights and the probabilities")
        weights, table = tensor(weights, (m,), "weights"), tensor(table, (m, dim), "probabilities")
        total = r.sum(0)
        if not close(weights, total / n):
            hard = torch.bincount(r.argmax(1), minlength=m).double() / n
            if close(weights, hard):
                return "you give each example to one component: that is k-means; EM's examples belong in part to all"
            if close(weights, total):
                return "the weights are counts: divide by the number of examples so that they sum to one"
            return "the weights are wrong: they are the mean responsibilities"
        if not close(table, r.T @ x / total[:, None]):
            if close(table, r.T @ x / n):
                return "divide each component's counts by its own N_z, not by all N examples"
            if close(table, (r.T @ x + 1) / (total[:, None] + 2)):
                return "that is smoothed by Laplace's rule: the maximum of the likelihood is wanted"
            if close(table, x.mean(0).expand(m, -1)):
                return "every component gets the same frequencies: weigh the examples by its responsibilities"
            return "the probabilities are wrong: they are relative frequencies of ones, weighted by responsibility"
    return None


@exercise(
    "02.4",
    minutes=25,
    asks="a function forward_log_prob(x, start, A, B) that returns a number",
    hints=[
        "Keep log α, one number a state, and update it once for each symbol.",
        "log α_t(j) = log B[j, x_t] + logsumexp over i of (log α_{t−1}(i) + log A[i, j]).",
        "Over which axis of A must the sum go? A[i, j] leaves i and arrives at j.",
    ],
    praise="two thousand symbols have 3²⁰⁰⁰ paths, and you summed them all",
)
def _forward(answer):
    """Against the recursion in logs, for sequences of one symbol to 2,000, whose probability underflows."""
    for seed, (length, states, levels) in enumerate([(1, 3, 4), (6, 3, 4), (40, 2, 3), (2000, 3, 4)]):
        g = Generator().manual_seed(10 + seed)
        shapes = [(states,), (states, states), (states, levels)]
        start, A, B = (torch.randn(s, generator=g, dtype=torch.double).mul(1.5).softmax(-1) for s in shapes)
        x = torch.randint(levels, (length,), generator=g)
        got = answer(x.clone(), start.clone(), A.clone(), B.clone())
        if got is None:
            return nothing()
        got, right = number(got), _log_p(x, start, A, B)
        if close(got, right):
            continue
        if math.isinf(got) or math.isnan(got):
            return f"{got} for {length} symbols: the probabilities underflow; stay in logs and use logsumexp"
        if close(got, math.exp(right)):
            return "that is the probability: its logarithm is wanted"
        if close(got, _log_p(x, start, A.T, B)):
            return "A is used the wrong way round: A[i, j] goes from i to j, and the sum is over i, its first axis"
        if close(got, _log_p(x, start, A, B, first=False)):
            return "the first symbol is missing: it too is emitted, by the first state"
        if close(got, _log_p(x, start, A, B, maximum=True)):
            return "that is the likeliest path alone (Viterbi): the likelihood sums over all paths"
        if close(got, -right):
            return "the sign is wrong: log p, not minus log p"
        return (
            f"log p of a sequence of {length} symbols is {right:.6g}, you say {got:.6g}: start · B first, then "
            "for each symbol sum over where the path came from"
        )
    return None


@exercise(
    "02.5",
    minutes=20,
    asks="a function leave_one_out(x, h) that returns a number",
    hints=[
        "Start from all squared distances between the examples, (N, N). Which entries must not count?",
        "Set the diagonal of the log-kernels to −∞ before the logsumexp; N − 1 kernels are left.",
        "A Gaussian kernel in D dimensions has the constant −D log(h √(2π)).",
    ],
    praise="now h has a maximum: without the exclusion it would run to zero",
)
def _leave_one_out(answer):
    """Against the definition, point by point, in one and in several dimensions."""
    for seed, (n, dim, h) in enumerate([(12, 1, 0.4), (20, 3, 0.7), (15, 2, 0.02)]):
        x = torch.randn(n, dim, generator=Generator().manual_seed(seed), dtype=torch.double)
        got = answer(x.clone(), h)
        if got is None:
            return nothing()
        got, right = number(got), _kde(x, h)
        if close(got, right):
            continue
        if math.isinf(got) or math.isnan(got):
            return f"{got} for a bandwidth of {h}: the kernels underflow; use logsumexp"
        if close(got, _kde(x, h, itself=True)):
            return "each example is among its own kernels: leave it out, or the best bandwidth is zero"
        if close(got, _kde(x, h) + math.log((n - 1) / n)):
            return "N − 1 kernels are left, so divide by N − 1"
        if dim > 1 and close(got, _kde(x, h, power=1)):
            return "the kernel's constant is that of one dimension: there is a factor h √(2π) for each of D"
        if close(got, n * right):
            return "the mean over the examples is wanted, not the sum"
        if close(got, -right):
            return "the sign is wrong: mean log-density, larger is better"
        return (
            f"for {n} examples in {dim} dimensions and h = {h} you say {got:.6g}, it is {right:.6g}: the mean, "
            "over the examples, of the log of the mean kernel of the others"
        )
    return None


@exercise(
    "02.6",
    minutes=60,
    asks="a function fit_density(train) that returns a function log_prob(x)",
    hints=[
        "One mixture of 80 components from one start reaches about 18 nats. What differs between starts?",
        "Several fitted mixtures are a mixture: average their probabilities (not their log-probabilities).",
        "Six to eight EM runs from different seeds; or another idea: trees in the place of independent bits.",
    ],
    praise="without a single gradient, and it sums to one",
)
def _fit_density(answer):
    """Sums to one over all patches of nine pixels, and needs few enough nats on the test digits."""
    from dgmhelpers import data

    digits = data.load("binary-digits8").flat()
    patch = digits.train.reshape(-1, 8, 8)[:, 2:5, 2:5].flatten(1)                     # (N, 9): small enough to list
    log_prob = answer(patch)
    if log_prob is None:
        return nothing()
    if not callable(log_prob):
        return f"expected a function log_prob(x), got {type(log_prob).__name__}"
    every = torch.tensor(list(product([0.0, 1.0], repeat=9)))
    values = tensor(log_prob(every), (512,), "one log-probability an image")
    if values.isnan().any():
        return "log_prob is nan for some of the 512 images of nine pixels"
    if not close(tensor(log_prob(every[100:107]), (7,)), values[100:107]):
        return "an image's log-probability depends on the images beside it: normalise over all images, not over a batch"
    total = values.exp().sum().item()
    if not abs(total - 1) <= 1e-4:
        kind = "a mean of log-probabilities is a bound, no density" if total < 1 else "something is counted twice"
        return f"fitted to 9-pixel patches it sums to {total:.4f} over all 512 images, not to one: {kind}"
    held_out = digits.test.reshape(-1, 8, 8)[:, 2:5, 2:5].flatten(1)
    rival = patch.mean(0).clamp(0.01, 0.99).double()
    alone = -(held_out * rival.log() + (1 - held_out) * (1 - rival).log()).sum(1).mean().item()
    if not -tensor(log_prob(held_out), (len(held_out),)).mean().item() < alone:
        return f"on patches of nine pixels yours is no better than independent bits ({alone:.2f} nats)"
    nats = -tensor(answer(digits.train)(digits.test), (len(digits.test),), "log-probabilities").mean().item()
    if not nats <= TO_BEAT:
        return f"{nats:.2f} nats on the test digits: it sums to one, but at most {TO_BEAT} is wanted"
    return None


def _divergence(p, q) -> float:
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum().item()


def _log_p(x, start, A, B, *, first=True, maximum=False) -> float:
    alpha = start.log() + (B[:, x[0]].log() if first else 0)
    for symbol in x[1:].tolist():
        moved = alpha[:, None] + A.log()
        alpha = (moved.amax(0) if maximum else moved.logsumexp(0)) + B[:, symbol].log()
    return (alpha.amax() if maximum else alpha.logsumexp(0)).item()


def _kde(x, h, *, itself=False, power=None) -> float:
    kernels = -0.5 * (x[:, None] - x[None]).square().sum(-1) / h**2
    if not itself:
        kernels.fill_diagonal_(-math.inf)
    count = len(x) - (not itself)
    constant = (power or x.shape[1]) * math.log(h * math.sqrt(2 * math.pi))
    return (kernels.logsumexp(1) - math.log(count) - constant).mean().item()
