"""03.6, a model that minds the order, and 03.7, a temperature that does not commute with the chain rule."""

import torch.nn.functional as F

from dgmhelpers.exercises.compare import parts, tensor
from dgmhelpers.exercises.feedback import exercise


@exercise(
    "03.6",
    asks="a pair (W, b) of a 4 × 4 tensor and a vector of four",
    hints=[
        (
            "p(x_3 | x_0, x_1) and p(x_2 | x_0, x_1, x_3) are what is asked in the new order. Which one is "
            "in danger?"
        ),
        (
            "The log-odds of x_2 contain log(1 + e^a) − log(1 + e^(a + w)), where a depends on x_0 and x_1 "
            "and w = W[3, 2]."
        ),
        (
            "Let W[3, 0], W[3, 1] and W[3, 2] be all different from zero; if the curve happens to be "
            "symmetric there, change b[3]."
        ),
    ],
    praise="with three bits it cannot be done: a function of one bit is always a weighted sum",
)
def check_order_matters(answer):
    """The weight of a product of two bits in the log-odds of a third: none in an FVBN of the new order."""
    W, b = parts(answer, 2, "a pair (W, b)")
    W, b = tensor(W, (4, 4), "a matrix W"), tensor(b, (4,), "a vector b")
    if not (W.isfinite().all() and b.isfinite().all()) or max(W.abs().max(), b.abs().max()) > 6:
        return (
            "weights and biases should be finite and at most 6 in size: beyond that it is rounding that "
            "decides"
        )
    if (W.triu() != 0).any():
        return (
            "in raster order W[i, j] may only be different from zero for j < i: clear the diagonal and what "
            "is above it"
        )
    bend = _bend(W, b)
    if bend < 0.05:
        zero = [f"W[3, {j}]" for j in range(3) if W[3, j] == 0]
        if zero:
            return (
                f"this one is an FVBN in the order 0, 1, 3, 2 as well: with {' and '.join(zero)} = 0 the "
                "last bit "
                "cannot carry a product of x_0 and x_1 into the log-odds of x_2"
            )
        return (
            f"the log-odds of x_2 contain x_0·x_1 with a weight of only {bend:.2g}, where at least 0.05 is "
            "wanted: "
            "the curve log(1 + e^a) − log(1 + e^(a + w)) is nearly straight or symmetric where you use it. "
            "Change b[3]"
        )
    return None


@exercise(
    "03.7",
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


def _bend(W, b) -> float:
    """The weight of x_0·x_1 in the log-odds of x_2 given the others: zero for an FVBN in the order 0, 1, 3, 2."""

    def g(x_0, x_1):
        a = b[3] + W[3, 0] * x_0 + W[3, 1] * x_1
        return F.softplus(a) - F.softplus(a + W[3, 2])

    return abs(g(1, 1) - g(1, 0) - g(0, 1) + g(0, 0)).item()


def _tempered(table, temperature):
    """The joint to the power 1/τ; and the first bit's marginal and the second's conditional, each to that power."""
    sharp = table ** (1 / temperature)
    first = table.sum(1) ** (1 / temperature)
    return sharp / sharp.sum(), (first / first.sum())[:, None] * sharp / sharp.sum(1, keepdim=True)
