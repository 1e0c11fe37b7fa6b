"""Exercises 13.4, 13.6 and 13.7: a gradient with a baseline, the best diagonal posterior, and a better autoencoder."""

import torch
import torch.nn.functional as F
from torch import Generator

from dgmhelpers.exercises.chapter_13.bound import rate
from dgmhelpers.exercises.compare import close, number, parts, tensor
from dgmhelpers.exercises.feedback import exercise, nothing

TO_REACH = 18.9  # nats, minus the mean ELBO on the test digits; the page's two latents reach about 20


@exercise(
    "13.4",
    minutes=25,
    asks="a function score_gradient(f, noise, s) that returns (n,)",
    hints=[
        "Without a baseline, draw i contributes f_i · noise_i / s, because ∂ log q / ∂µ = (z − µ) / s².",
        "A baseline may not depend on draw i itself.",
        "The mean of the n − 1 others: the sum of all, less f_i, shared among them.",
    ],
    praise="still unbiased, and a constant added to f now changes nothing at all",
)
def _score_gradient(answer):
    """Against the leave-one-out baseline, with values far from zero."""
    for seed, (n, s, level) in enumerate([(6, 0.5, 0.0), (2, 2.0, 10.0), (40, 0.1, -300.0)]):
        f, noise = torch.randn(2, n, generator=Generator().manual_seed(seed), dtype=torch.double)
        f = f + level
        got = answer(f.clone(), noise.clone(), s)
        if got is None:
            return nothing()
        got = tensor(got, (n,), "one estimate a draw")
        others = (f.sum() - f) / (n - 1)
        right = (f - others) * noise / s
        if close(got, right):
            continue
        if close(got, (f - f.mean()) * noise / s):
            return "your baseline contains the draw's own value: that biases the gradient, to (n − 1)/n of itself"
        if close(got, f * noise / s):
            return "right on average, but the baseline is missing: subtract the mean of the other draws"
        if close(got, (f - others) * noise):
            return "divide by s: ∂ log q / ∂µ = (z − µ) / s², and z − µ is s times the noise"
        if close(got, (f - others) * noise / s**2):
            return "z − µ is s times the noise, so only one s is left in the denominator"
        if close(got, -right):
            return "the sign is wrong: a draw with noise above zero and f above the others must push the mean up"
        return f"wrong for {n} draws and s = {s}: what does each draw get without a baseline, and what is subtracted?"
    return None


@exercise(
    "13.6",
    minutes=40,
    asks="a function best_diagonal(W, v) that returns the stds (Z,) and the gap, a number",
    hints=[
        "The posterior is N(·, v M⁻¹) with M = WᵀW + v I. Write KL(N(m, diag s²) ‖ posterior) as a function of s.",
        "The terms with s are ½ Σ_j (s_j² M_jj / v − log s_j²): set the derivative to zero, one j at a time.",
        "s_j² = v / M_jj, and what is left of the divergence is ½(Σ log M_jj − log det M).",
    ],
    praise="always narrower than the posterior's own marginals, unless the columns of W are orthogonal: then no gap",
)
def _best_diagonal(answer):
    """Against the closed form for linear Gaussian models of several sizes."""
    for seed, (dim, latent, v) in enumerate([(5, 2, 0.5), (8, 4, 0.1), (3, 1, 2.0)]):
        W = torch.randn(dim, latent, generator=Generator().manual_seed(seed), dtype=torch.double)
        got = answer(W.clone(), v)
        if got is None:
            return nothing()
        s, gap = parts(got, 2, "two things: the standard deviations and the gap")
        s, gap = tensor(s, (latent,), "standard deviations"), number(gap, "a gap")
        M = W.T @ W + v * torch.eye(latent, dtype=torch.double)
        right = (v / M.diagonal()).sqrt()
        if not close(s, right):
            if close(s, right**2):
                return "those are the variances: their square roots are wanted"
            if close(s, (v * M.inverse().diagonal()).sqrt()):
                return "those are the posterior's marginal widths: the best q in KL(q ‖ posterior) is narrower"
            if close(s, M.diagonal().rsqrt()):
                return "v is missing: the posterior's precision is M / v"
            return "the widths are wrong: set the derivative of KL(q ‖ posterior) by one s_j to zero"
        least = 0.5 * (M.diagonal().log().sum() - M.logdet())
        if not close(gap, least):
            if close(gap, -least):
                return "the gap's sign is wrong: a divergence is never negative"
            if close(gap, 2 * least):
                return "the gap is twice too large: the half is missing"
            return (
                f"the widths are right, but the gap is {least.item():.6g} nats and you say {gap:.6g}: "
                "insert the widths into KL(q ‖ posterior), and most of it cancels"
            )
    return None


@exercise(
    "13.7",
    minutes=60,
    asks="a function fit_vae(train) that returns encode and decode",
    hints=[
        "Two numbers are too few for a digit. What does the rate of each dimension say if you allow eight, or twenty?",
        "And the network: two hidden layers in place of one, and a rate of a few thousandths.",
        "Eight latents, a thousand steps; choose by the validation digits.",
    ],
    praise="your decoder has independent pixels given z, like the page's: all that you gained is in the codes",
)
def _fit_vae(answer):
    """Encodes and decodes the test digits, and holds the resulting bound to what is asked."""
    from dgmhelpers import data

    digits = data.load("binary-digits8").flat()
    made = answer(digits.train.clone())
    if made is None:
        return nothing()
    if not isinstance(made, (tuple, list)) or len(made) != 2 or not all(callable(part) for part in made):
        return "expected two functions: encode(x) → (mean, log_std), and decode(z) → logits"
    encode, decode = made
    x, g, total = digits.test, Generator().manual_seed(0), 0.0
    with torch.no_grad():
        mean, log_std = encode(x.clone())
        if mean.shape != log_std.shape or len(mean) != len(x):
            return f"mean and log_std must be (B, Z) each, got {tuple(mean.shape)} and {tuple(log_std.shape)}"
        for _ in range(30):
            logits = decode(mean + log_std.exp() * torch.randn(mean.shape, generator=g).to(mean))
            if logits.shape != x.shape:
                return f"decode must give a logit for each pixel, {tuple(x.shape)}, got {tuple(logits.shape)}"
            each = F.binary_cross_entropy_with_logits(logits, x.to(logits), reduction="none").sum(1)
            total += (each + rate(mean, log_std)).mean().item() / 30
    if not total <= TO_REACH:
        return f"minus the mean ELBO on the test digits is {total:.2f} nats: at most {TO_REACH} is wanted"
    return None
