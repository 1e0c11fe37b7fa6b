"""03.1, how many numbers a distribution takes, and 03.2, a table from its questions."""

import itertools

import torch
from torch import Generator, Tensor

from dgmhelpers.exercises.compare import close, parts, tensor, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "03.1",
    minutes=5,
    asks="a function free_parameters(D) that returns two integers",
    hints=[
        "For two bits the table has four entries. How many of them can you choose before the rest is forced?",
        "The FVBN: in any order, of each pair of pixels one comes first, and there is one weight for the pair.",
        "How many pairs do D pixels make? And what does each pixel have besides its weights?",
    ],
    praise="at D = 9 that is 511 against 45: the saving is in the function, not in the chain rule",
)
def check_count(answer):
    """Both counts up to D = 784, and the slips that are off by a bias, a diagonal or one entry."""
    for D in (9, 40, 784, 3, 2, 1):
        found = answer(D)
        if found is None:
            return nothing("two integers, for the table and for the FVBN")
        table, fvbn = map(whole, parts(found, 2, "two numbers: table, FVBN"))
        if table == 2**D:
            return f"a table of {D} bits has 2^{D} entries, but they sum to one: the last one is not free"
        if fvbn == D * D + D or fvbn == D * D and D > 1:
            return "you counted the whole matrix of weights: only pixels that come before may be looked at"
        if fvbn == D * (D - 1) // 2:
            return "the weights are right, but each pixel has a bias as well"
        if table != 2**D - 1:
            return f"the table: for D = {D} you give {table}, and it is {_short(2**D - 1)}"
        if fvbn != D * (D + 1) // 2:
            return f"the FVBN: for D = {D} you give {fvbn}, and it is {D * (D + 1) // 2}"
    return None


@exercise(
    "03.2",
    minutes=20,
    asks="a function joint_from(question, order) that returns a table",
    hints=[
        "Loop over all x (itertools.product); the probability of one x is a product over the order.",
        (
            "`past` starts empty for every x and gets one more entry at each step: past[i] = x[i], after "
            "the question."
        ),
        "question gives the probability of a 1. What is the factor if x[i] is 0?",
    ],
    praise=(
        "any function whatever between 0 and 1 would have given a table that sums to one: that is the "
        "converse theorem"
    ),
)
def check_joint(answer):
    """Random answers to every question in four orders: what was asked, with which past, and the table."""
    generator = Generator().manual_seed(3)
    for order in ([0], [0, 1, 2], [2, 0, 1], [3, 1, 0, 2]):
        D = len(order)
        seen = []
        answers = torch.rand(D, 3**D, generator=generator, dtype=torch.double)

        def question(i, past, seen=seen, answers=answers):
            code = sum((1 + int(past[j])) * 3**j for j in past)
            seen.append((i, frozenset(past)))
            return 0.05 + 0.9 * answers[i, code].item()

        got = answer(question, order)
        if got is None:
            return nothing("a table with one axis per bit")
        got = tensor(got, (2,) * D, f"for {D} bits a table")
        place = {i: k for k, i in enumerate(order)}
        for i, known in seen:
            if known != set(order[: place[i]]):
                return (
                    f"in the order {order}, question {i} was asked with the past {sorted(known)}; "
                    f"it should be {sorted(order[: place[i]])}, the bits before it in the order, each once"
                )
        right = _joint(question, order)
        if not close(got, right):
            if close(got, right.permute(*order)) and D > 1:
                return (
                    "the axes are in the order of asking: table[x_0, x_1, …] wants them by the bits' own "
                    "numbers"
                )
            if abs(got.sum() - 1) > 1e-5:
                return (
                    f"your table sums to {got.sum():.4g}. question gives the probability of a 1: "
                    "where x[i] is 0 the factor is one minus that"
                )
            return (
                f"in the order {order} some entries are wrong, though they sum to one: which x does each "
                "factor belong to?"
            )
    return None


def _short(number: int) -> str:
    return str(number) if number < 10**7 else f"{number:.4g}" if number < 10**300 else "2^D − 1"


def _joint(question, order) -> Tensor:
    table = torch.zeros([2] * len(order), dtype=torch.double)
    for x in itertools.product((0, 1), repeat=len(order)):
        probability, known = 1.0, dict[int, int]()
        for i in order:
            p_one = question(i, dict(known))
            probability *= p_one if x[i] else 1 - p_one
            known[i] = x[i]
        table[x] = probability
    return table
