"""04.5, a mixture over orders, and 04.6, the weight of the order-agnostic loss."""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers.exercises.chapter_04.shared import CLOSE, near, score
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "04.5",
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
        if got is None:
            return nothing()
        if not isinstance(got, Tensor) or got.shape != images.shape[:1]:
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            return f"expected one value an image, shape ({len(images)},), got {shape}"
        each = -F.binary_cross_entropy_with_logits(logits, images.expand_as(logits), reduction="none")  # (S, B, D)
        joint, S = each.sum(-1), len(logits)
        right = joint.logsumexp(0) - math.log(S)
        if torch.allclose(got, right, rtol=0, atol=1e-6):
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
        for what, value in mistakes.items():
            if torch.allclose(got, value, rtol=0, atol=1e-6):
                return what
        if S == 1:
            return "with a single order the mixture is that order, and yours is not"
        return (
            f"the first image has log p = {right[0]:.4f}, yours is {float(got[0]):.4f}: sum over the pixels of "
            "each order, then take the log of the mean over orders"
        )
    return None


@exercise(
    "04.6",
    asks="a function agnostic_loss(nats, known) that returns a tensor (B,)",
    hints=[
        "Only the unknown pixels count; with k known there are D − k of them.",
        "Their mean estimates one term of the chain. How many terms has the chain?",
        "The weight of their sum is D / (D − k), a number for each image: k may differ from row to row.",
    ],
    praise="right on average, over places and orders, and one pass of the network an image",
)
def _agnostic_loss(answer):
    """Sets of different sizes in one batch, the empty one too, so that each image needs a weight of its own."""
    g = Generator().manual_seed(8)
    for D, kept in [(4, [1, 2, 3]), (6, [0, 5, 2, 4]), (5, [0])]:
        nats = torch.rand(len(kept), D, generator=g, dtype=torch.double) + 0.1
        k = torch.tensor(kept)[:, None]                                                         # (B, 1)
        known = torch.rand(len(kept), D, generator=g).argsort(1) < k                            # (B, D)
        got = answer(nats.clone(), known.clone())
        if got is None:
            return nothing()
        unknown = nats.masked_fill(known, 0).sum(1)
        left = (D - k)[:, 0]
        right = unknown * D / left
        if not isinstance(got, Tensor) or got.shape != right.shape:
            if isinstance(got, Tensor) and got.numel() == 1 and near(float(got), right.mean()):
                return "that is the mean over the batch; return one estimate an image, shape (B,)"
            shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
            return f"expected one estimate an image, shape ({len(kept)},), got {shape}"
        if torch.allclose(got.double(), right, rtol=0, atol=CLOSE):
            continue
        case = f"for D = {D} and {kept} pixels known"
        mistakes = {
            "the weight is missing: the sum leaves out the terms of the chain that came before": unknown,
            "that is the mean over the unknown pixels, one term of the chain; the chain has D": unknown / left,
            "all pixels are counted: a known pixel has nothing left to predict": nats.sum(1) * D / left,
            "the known pixels are counted, and the unknown are not": (nats.sum(1) - unknown) * D / left,
            "the weight is off by one: k pixels known means place k + 1, so D − k are left, not D − k + 1": (
                unknown * D / (left + 1)
            ),
            "the weight belongs to the unknown pixels, D / (D − k), not to the k known": unknown * D / k[:, 0],
            "each image has a k of its own, and so a weight of its own": unknown * D / left.double().mean(),
            "the sign is wrong: nats are already minus log-probabilities": -right,
        }
        for what, value in mistakes.items():
            if torch.allclose(got.double(), value.double(), rtol=0, atol=CLOSE):
                return f"{case}: {what}"
        return (
            f"{case}: the first image's estimate is {right[0]:.4f}, yours is {float(got[0]):.4f}: sum what the "
            "unknown pixels cost, times D over their number"
        )
    return None
