"""04.5, a mixture over orders."""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Generator

from dgmhelpers.exercises.chapter_04.shared import score
from dgmhelpers.exercises.compare import close, named, tensor
from dgmhelpers.exercises.feedback import exercise


@exercise(
    "04.5",
    minutes=15,
    asks="a function mixture_log_prob(logits, x) that returns a tensor (B,)",
    hints=[
        "First compute each order's log p of each image, shape (S, B): a sum over pixels.",
        "The mixture is the mean of the probabilities; stay in logs with torch.logsumexp.",
        "logsumexp over the orders gives the log of the sum; what turns a sum into a mean?",
    ],
    praise="sums over pixels first, log-mean-exp over orders after: the other way round is no density",
)
def _mixture(answer):
    """Four pixels, and 784 where probabilities underflow; seven averages that are no density are recognised."""
    x = torch.tensor(list(product([0.0, 1.0], repeat=4)), dtype=torch.double)
    g = Generator().manual_seed(5)
    small = 2 * torch.randn(3, len(x), 4, generator=g, dtype=torch.double)
    many = torch.randint(2, (5, 784), generator=g).double()
    large = 3 * torch.randn(8, 5, 784, generator=g, dtype=torch.double)
    for logits, images in [(small, x), (large, many), (small[:1], x)]:
        got = answer(logits.clone(), images.clone())
        got = tensor(got, images.shape[:1], "one value an image")
        each = -F.binary_cross_entropy_with_logits(logits, images.expand_as(logits), reduction="none")  # (S, B, D)
        joint, S = each.sum(-1), len(logits)
        right = joint.logsumexp(0) - math.log(S)
        if close(got, right):
            continue
        if not got.isfinite().all():
            return "for 784 pixels the result is not finite: exp of a log-probability underflows; use torch.logsumexp"
        mistakes = {
            "this is the mean of the log-probabilities, a lower bound: average the probabilities": joint.mean(0),
            "this averages the logits: the sum over all images is not one": score(logits.mean(0), images),
            "this averages the pixels' probabilities before multiplying them: not a density, no order is left": (
                each.logsumexp(0) - math.log(S)
            ).sum(-1),
            "this is the log of the sum over orders; the mean is smaller by log S": joint.logsumexp(0),
            "this is the best order for each image, which is above the mixture": joint.max(0).values,
            "the sign is wrong: this is the negative log-likelihood": -right,
        }
        if mistake := named(mistakes, got):
            return mistake
        if S == 1:
            return "with a single order the mixture is that order, and yours is not"
        return (
            f"the first image has log p = {right[0]:.4f}, yours is {float(got[0]):.4f}: sum over the pixels of "
            "each order, then take the log of the mean over orders"
        )
    return None
