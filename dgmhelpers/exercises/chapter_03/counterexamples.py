"""03.6, a model that minds the order, and 03.7, a temperature that does not commute with the chain rule."""

import torch
import torch.nn.functional as F

from dgmhelpers.exercises.compare import parts, tensor
from dgmhelpers.exercises.feedback import exercise

BENT = 0.05  # the weight of a product, in nats of log-odds, that counts as one


@exercise(
    "03.6",
    minutes=40,
    asks="a pair (W, b) of a 4 × 4 tensor and a vector of four",
    hints=[
        "The new order asks x_3 given x_0 and x_1, and x_2 given the other three. Either may be no weighted sum.",
        "A weighted sum of x_0 and x_1 has no term in the product x_0·x_1. Where does one come from?",
        "The log-odds of x_2 contain log(1 + e^a) − log(1 + e^(a + w)); a depends on x_0 and x_1, and w = W[3, 2].",
    ],
    praise="with three bits it cannot be done: a function of one bit is always a weighted sum",
)
def check_order_matters(answer):
    """The weights of products of bits in the log-odds of x_3 and of x_2, in the new order: an FVBN has none."""
    W, b = parts(answer, 2, "a pair (W, b)")
    W, b = tensor(W, (4, 4), "a matrix W"), tensor(b, (4,), "a vector b")
    if not (W.isfinite().all() and b.isfinite().all()) or max(W.abs().max(), b.abs().max()) > 6:
        return "weights and biases should be finite and at most 6 in size: beyond that rounding decides"
    if (W.triu() != 0).any():
        return (
            "in raster order W[i, j] may only be different from zero for j < i: clear the diagonal and what "
            "is above it"
        )
    of_x3, of_x2 = _bends(W, b)
    if max(of_x3, of_x2) >= BENT:
        return None
    zero = [f"W[3, {j}]" for j in range(3) if W[3, j] == 0]
    why = f" (with {' and '.join(zero)} = 0 much of it vanishes)" if zero else ""
    return (
        f"in the order 0, 1, 3, 2 the product x_0·x_1 weighs {of_x3:.2g} in the log-odds of x_3 and {of_x2:.2g} in "
        f"those of x_2: this one is an FVBN in that order too, or nearly; one of them should be {BENT:g} or more{why}"
    )


@exercise(
    "03.7",
    minutes=25,
    asks="a 2 × 2 float64 tensor of probabilities",
    hints=[
        "If x_0 and x_1 are independent, the two agree. So make x_1 depend on x_0.",
        (
            "Tempering the joint favours single cells that are large; tempering x_0 first favours rows "
            "whose *sum* is large."
        ),
        (
            "Let the first row be a little heavier and spread evenly, the second row lighter and all in one "
            "cell."
        ),
    ],
    praise="beam search and low-temperature text live in this gap",
)
def check_temperature(answer):
    """The total variation between the joint tempered at once and question by question."""
    table = tensor(answer, (2, 2), "a table")
    if not (table > 0).all():
        return "all four probabilities have to be positive"
    if abs(table.sum() - 1) > 1e-6:
        return f"the four numbers sum to {table.sum():.4g}: probabilities sum to one"
    jointly, by_question = _tempered(table, 0.5)
    distance = (jointly - by_question).abs().sum().item() / 2
    if distance < 1e-9:
        return (
            "the two distributions agree exactly: both rows have the same concentration (independent bits, "
            "for example)"
        )
    if distance < 0.15:
        return (
            f"the total variation is {distance:.3f}, and at least 0.15 is wanted: make one row spread out "
            "and the other concentrated"
        )
    return None


def _bends(W, b) -> tuple[float, float]:
    """The weight of x_0·x_1 in the log-odds of x_3 given x_0, x_1, and in those of x_2 given the other three.

    Both by enumeration. Other products have none: x_3 enters the log-odds of x_2 in a sum, with the weight W[3, 2].
    """
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.double)] * 4)                          # (16, 4)
    logits = x @ W.T + b
    table = (x * logits - F.softplus(logits)).sum(1).exp().reshape(2, 2, 2, 2)
    last = table.sum(2)                                                                             # x_0, x_1, x_3
    of_x3, of_x2 = (last[..., 1] / last[..., 0]).log(), (table[:, :, 1, 0] / table[:, :, 0, 0]).log()
    return tuple(abs(g[1, 1] - g[1, 0] - g[0, 1] + g[0, 0]).item() for g in (of_x3, of_x2))


def _tempered(table, temperature):
    """The joint to the power 1/τ; and the first bit's marginal and the second's conditional, each to that power."""
    sharp = table ** (1 / temperature)
    first = table.sum(1) ** (1 / temperature)
    return sharp / sharp.sum(), (first / first.sum())[:, None] * sharp / sharp.sum(1, keepdim=True)
