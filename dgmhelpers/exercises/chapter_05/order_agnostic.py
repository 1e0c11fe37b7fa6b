"""05.1, what an order-agnostic model costs, and 05.2, the weight of its loss."""

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, holds_one, named, number, parts, tensor, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "05.1",
    minutes=5,
    asks="a function passes(D, S) that returns three whole numbers",
    hints=[
        "How many of the D places does one training step look at?",
        "The input changes at every place, and every order has its own inputs.",
        "A sample of the mixture follows one order.",
    ],
    praise="one pass to train, D·S to evaluate, D to draw: the reverse of MADE, which evaluates in one",
)
def _passes(answer):
    """Several sizes, so that D · S, D + S and S alone differ."""
    for D, S in [(64, 4), (784, 128), (9, 1)]:
        got = answer(D, S)
        if got is None:
            return nothing()
        train, density, draw = map(whole, parts(got, 3, "three numbers (training, log p, sample)"))
        case = f"for D = {D} and S = {S}"
        if train != 1:
            return f"{case}, training: one place answers for the whole chain, in one pass; you say {train}"
        if density == D and S > 1:
            return f"{case}, log p: that is one order; the mixture evaluates all {S}"
        if density != D * S:
            return f"{case}, log p: every place of every order has an input of its own, {D * S}; you say {density}"
        if draw == D * S and S > 1:
            return f"{case}, a sample: it draws one of the orders and follows it; you follow all"
        if draw != D:
            return f"{case}, a sample: one pass for each variable, {D}; you say {draw}"
    return None


@exercise(
    "05.2",
    minutes=15,
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
        if len(kept) > 1 and holds_one(got) and close(number(got), right.mean()):
            return "that is the mean over the batch; return one estimate an image, shape (B,)"
        got = tensor(got, right.shape, "one estimate an image")
        if close(got, right):
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
        if mistake := named(mistakes, got):
            return f"{case}: {mistake}"
        return (
            f"{case}: the first image's estimate is {right[0]:.4f}, yours is {float(got[0]):.4f}: sum what the "
            "unknown pixels cost, times D over their number"
        )
    return None
