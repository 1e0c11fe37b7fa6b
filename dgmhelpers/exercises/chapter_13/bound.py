"""Exercises 13.1 to 13.3 and 13.5: the divergence, the noise in a squared error, many draws, and two bugs."""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import close, number, tensor
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "13.1",
    minutes=5,
    asks="a function gaussian_rate(mean, log_std) that returns (B,)",
    hints=[
        "Each latent dimension adds ½(µ² + s² − 1 − log s²). What is log s² if you are given log s?",
        "log s² = 2 log s, and s² is the exponential of that.",
        "Sum over the latent dimensions, not over the batch.",
    ],
    praise="in nats, and never negative: try it at mean 0 and log_std 0",
)
def _gaussian_rate(answer):
    """Against the closed form, from one latent to twenty."""
    for seed, (batch, latent) in enumerate([(5, 3), (1, 1), (4, 20)]):
        mean, log_std = torch.randn(2, batch, latent, generator=Generator().manual_seed(seed), dtype=torch.double)
        got = answer(mean.clone(), log_std.clone())
        if got is None:
            return nothing()
        right = rate(mean, log_std)
        if getattr(got, "shape", None) == (batch, latent) and latent > 1:
            return "that is the rate of each dimension: sum over them"
        got = tensor(got, (batch,), "one rate an example")
        if close(got, right):
            continue
        if close(got, -right):
            return "the sign is wrong: a divergence is never negative, and yours is never positive"
        if close(got, rate(mean, log_std / 2)):
            return "you read log_std as a log-variance: it is log s, so that s² = exp(2 log s)"
        if close(got, right / latent):
            return "that is the mean over the latent dimensions: independent dimensions add their nats"
        if close(got, 2 * right):
            return "the half is missing"
        if close(got, right + latent / 2):
            return "the −1 is missing: at mean 0 and s = 1 the divergence must be zero"
        return f"wrong for {latent} latent dimensions: at mean 0 and s = 1 it must be zero, and positive elsewhere"
    return None


@exercise(
    "13.2",
    minutes=15,
    asks="a function implied_std(weight, D) that returns a number",
    hints=[
        "Write the loss as (weight / D) · Σ (x − x̂)² + KL and compare with Σ (x − x̂)² / (2v) + KL.",
        "The rate is the same in both, so the factors of the squared error must be the same: 1/(2v) = weight / D.",
        "Solve for v. The standard deviation is its root.",
    ],
    praise="with weight 1 and MNIST's 784 pixels it is 19.8, for pixels between 0 and 1",
)
def _implied_std(answer):
    """Weights and sizes for which the variance, its root and its inverse all differ."""
    for weight, dim in [(1.0, 784), (64.0, 64), (5.0, 3), (0.5, 1)]:
        got = answer(weight, dim)
        if got is None:
            return nothing()
        got, right = number(got), math.sqrt(dim / (2 * weight))
        if close(got, right):
            continue
        if close(got, right**2):
            return "that is the variance v: its square root is wanted"
        if close(got, math.sqrt(1 / (2 * weight))):
            return "the loss averages over the D pixels, and the bound has their sum"
        if close(got, math.sqrt(dim / weight)):
            return "a normal density has 1/(2v) in its exponent: the 2 is missing"
        return f"for weight {weight:g} and {dim} pixels you say {got:.4g}: compare the loss with −ELBO by terms"
    return None


@exercise(
    "13.3",
    minutes=10,
    asks="a function importance_bound(log_w) that returns (B,)",
    hints=[
        "The log of the mean of the weights. For 784 pixels a weight is about e⁻⁹⁰: what does float32 make of e⁻²⁰⁰?",
        "Stay in logarithms: the log of a sum of exponentials is what torch.logsumexp computes.",
        "Over the draws, which are the first axis. And what turns a sum into a mean, in logarithms?",
    ],
    praise="with k = 1 it is the ELBO's own draw, and on average it rises with k",
)
def _importance_bound(answer):
    """One draw, many draws, and weights so small that they underflow outside logs."""
    for seed, (k, batch, level) in enumerate([(7, 4, 0.0), (1, 3, -5.0), (50, 2, -900.0)]):
        log_w = level + 3 * torch.randn(k, batch, generator=Generator().manual_seed(seed), dtype=torch.double)
        got = answer(log_w.clone())
        if got is None:
            return nothing()
        right = log_w.logsumexp(0) - math.log(k)
        got = tensor(got, (batch,), "one bound an example (axis 0 holds the draws)")
        if close(got, right):
            continue
        if not got.isfinite().all():
            return f"not finite where log-weights are about {level:g}: the weights underflow, stay in logs"
        if close(got, log_w.mean(0)):
            return "that is the mean of the logs: k ordinary ELBOs, no tighter than one"
        if close(got, log_w.logsumexp(0)):
            return "log k is missing: that is the log of the sum, which grows with k without end"
        if close(got, log_w.amax(0)):
            return "that is the best draw alone: it lies above the bound, and can lie above log p(x)"
        return f"wrong for {k} draws: the log of the mean of the weights is wanted"
    return None


@exercise(
    "13.5",
    minutes=20,
    asks="a function repaired_elbo(encode, decode, x, noise) that returns (B,)",
    hints=[
        "One bug is in how z is made. encode returns log s: what does exp(0.5 · log s) draw from?",
        "The other one is in the rate: 20 independent dimensions say 20 times as much as one.",
        "Make z with log_std.exp(), and sum the rate over the latent dimensions.",
    ],
    praise="both bugs made the number look better, which is why nobody had looked",
)
def _repaired_elbo(answer):
    """Against the bound of small VAEs, with the same noise."""
    for seed in range(3):
        encode, decode, x, noise = small_vae(seed)
        got = answer(encode, decode, x.clone(), noise.clone())
        if got is None:
            return nothing()
        got = tensor(got, (len(x),), "one bound an example")
        task = encode, decode, x, noise
        found = [bugs for bugs in product((False, True), repeat=3) if close(got, _elbo(*task, *bugs))]
        if not found and close(-got, _elbo(*task)):
            return "that is minus the bound: a loss, where the ELBO was asked for"
        if not found:
            return "not the ELBO: reconstruction, summed over pixels, minus the rate, summed over latent dimensions"
        if complaint := _complaint(*found[0]):
            return complaint
    return None


def _complaint(root: bool, shrunk: bool, variance: bool) -> str | None:
    if variance:
        return "now z and the rate agree that encode returns a log-variance, but it returns log s: its q is another one"
    if root and shrunk:
        return "both bugs are still there"
    if root:
        return "z is still drawn with the root of s: the reconstruction is of one q, the rate of another"
    if shrunk:
        return "the rate is still a mean over the latent dimensions"
    return None


def _elbo(encode, decode, x, noise, root=False, shrunk=False, variance=False) -> Tensor:
    mean, log_std = encode(x)
    if variance:
        log_std = log_std / 2
    z = mean + (log_std / 2 if root else log_std).exp() * noise
    each = -F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    full = rate(mean, log_std)
    return (each - (full / mean.shape[1] if shrunk else full)).detach()


def small_vae(seed: int, latent: int = 3):
    """Linear encoder and decoder of 6 pixels with random weights, ten images, and noise: all in double precision."""
    g = Generator().manual_seed(seed)
    A, B, C = (torch.randn(shape, generator=g, dtype=torch.double) / 2 for shape in ((6, latent),) * 3)
    x = torch.randint(2, (10, 6), generator=g).double()
    noise = torch.randn(10, latent, generator=g, dtype=torch.double)
    return (lambda x: (x @ A, x @ B - 0.7)), (lambda z: 2 * z @ C.T), x, noise


def rate(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, s²) ‖ N(0, I)), ``(B,)``."""
    return (0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std).sum(1)
