"""01.5, samples that are copies."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import number
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "01.5",
    minutes=20,
    asks="a function (samples, train, held_out) → the share of samples that are suspiciously close to `train`",
    hints=[
        "torch.cdist(a, b).min(1).values: the distance from each row of a to its nearest row of b",
        "suspicious is what happens to honest images only one time in twenty: the 5 % quantile of held_out's distances",
        "two sets of distances, both to train: the quantile of one is the limit for the other",
    ],
    praise="honest samples score about 0.05, copies 1. Chapter 31 shows how a copier with a little noise slips past.",
)
def _copies(answer):
    """Fresh samples, copies and a mixture of both, against the 5 % quantile of honest images' distances."""
    def nearest(a: Tensor, b: Tensor) -> Tensor:
        return torch.cdist(a, b).min(1).values

    g = Generator().manual_seed(0)
    cases = []
    for dim, spread in ((6, 1.0), (20, 0.3), (6, 1.0)):
        train, held_out = (spread * torch.randn(n, dim, generator=g, dtype=torch.double) for n in (400, 200))
        fresh = spread * torch.randn(300, dim, generator=g, dtype=torch.double)
        copied = train[torch.randint(400, (300,), generator=g)] + 1e-3 * torch.randn(300, dim, generator=g)
        cases.append((fresh, copied, torch.cat([fresh[:150], copied[:150]]), train, held_out))
    for fresh, copied, mixed, train, held_out in cases:
        limits = nearest(held_out, train)
        wanted = [(nearest(x, train) < limits.quantile(0.05)).double().mean().item() for x in (fresh, copied, mixed)]
        got = [answer(x, train, held_out) for x in (fresh, copied, mixed)]
        if got[0] is None:
            return nothing("a share between 0 and 1")
        got = [number(value, "a share") for value in got]
        if any(math.isnan(value) or not 0 <= value <= 1 for value in got):
            return f"a share lies between 0 and 1, got {got}"
        if all(abs(a - b) < 0.015 for a, b in zip(got, wanted, strict=True)):
            continue
        if abs(got[1]) < 0.05 and got[0] > 0.9:
            return "copies score near 0 and fresh samples near 1: that is the share that is *far* away"
        swapped = [nearest(a, b).quantile(0.05) for a, b in ((held_out, train), (train, held_out))]
        if any(abs(got[1] - (nearest(copied, held_out) < limit).double().mean()) < 0.015 for limit in swapped):
            return "copies pass: you look for them among the held-out images, but it is the training set that is copied"
        for q, took in {0.0: "smallest distance", 0.5: "median", 0.95: "95 % one", 1.0: "largest distance"}.items():
            shares = [(nearest(x, train) < limits.quantile(q)).double().mean() for x in (fresh, copied, mixed)]
            if all(abs(a - b) < 0.015 for a, b in zip(got, shares, strict=True)):
                return f"fresh samples score {got[0]:.2f}: the limit is the 5 % quantile, you took the {took}"
        if abs(got[0] - (nearest(train, fresh) < limits.quantile(0.05)).double().mean()) < 0.015:
            return "the share is of samples: you counted training images that have a sample near, over the other axis"
        own = nearest_other(train)
        if abs(got[0] - (nearest(fresh, train) < own.quantile(0.05)).double().mean()) < 0.015:
            return "the limit must come from held-out images, not from training images among themselves"
        if got[1] < 0.9:
            return f"exact copies, all but a thousandth, score {got[1]:.2f}: they should score 1. Nearest, not mean?"
        return (
            f"fresh samples should score {wanted[0]:.2f}, and {wanted[2]:.2f} where half are copies; yours are "
            f"{got[0]:.2f} and {got[2]:.2f}. Nearest training image, against the 5 % quantile of what held-out "
            "images have"
        )
    return None


def nearest_other(x: Tensor) -> Tensor:
    """Distance of every row to the nearest other row."""
    distances = torch.cdist(x, x)
    distances.fill_diagonal_(math.inf)
    return distances.min(1).values
