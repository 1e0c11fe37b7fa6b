"""01.3, a table sampled by its cumulative sums, and 01.4, the density of noise pushed through a map."""

import math

import torch
from torch import Generator

from dgmhelpers.exercises.compare import close, listed, tensor, whole
from dgmhelpers.exercises.feedback import exercise, nothing


@exercise(
    "01.3",
    minutes=20,
    asks="a function (p, u) → index: which outcome the number u in [0, 1) picks",
    hints=[
        "cumulative sums: torch.cumsum(p, 0)",
        "the smallest i whose cumulative sum is *above* u; torch.searchsorted has an argument `right`",
        "rounding may leave the last sum a hair below one, so the index can run off the end: clamp it — to what?",
    ],
    praise="zero-probability outcomes never come up, and rounding never runs off the end.",
)
def _inverse(answer):
    """Ties, outcomes of probability zero and sums that rounding leaves below one, then 50 outcomes at once."""
    if answer(torch.ones(1, dtype=torch.double), torch.zeros(1, dtype=torch.double)) is None:
        return nothing("one index for each u")

    def ask(p, u):
        got = answer(torch.tensor(p, dtype=torch.double), torch.tensor(u, dtype=torch.double))
        return [whole(index) for index in listed(got, "one index for each u")]

    plain = [0.05, 0.25, 0.45, 0.75, 0.999]
    got = ask([0.1, 0.2, 0.3, 0.4], plain)
    if not isinstance(got, list) or len(got) != len(plain):
        return f"one index for each u: {len(plain)} numbers in, {got} out"
    wanted = [0, 1, 2, 3, 3]
    if got != wanted:
        if [g - 1 for g in got] == wanted:
            return "outcomes count from 0, as tensors do: yours start at 1"
        if [3 - g for g in got] == wanted:
            return "that runs through the outcomes backwards"
        if all(g in (w, w - 1) for g, w in zip(got, wanted, strict=True)):
            return f"for p = (0.1, 0.2, 0.3, 0.4), u = 0.25 lies in the second step, 0.1 ≤ u < 0.3; you give {got[1]}"
        return (
            f"for p = (0.1, 0.2, 0.3, 0.4) and u = {plain} the smallest i with u below the i-th sum is {wanted}, "
            f"counted from 0; you give {got}"
        )
    if ask([0.0, 0.5, 0.5], [0.0]) != [1]:
        return "p = (0, ½, ½) and u = 0, which torch.rand does give: you return an outcome of probability zero"
    if ask([0.25, 0.0, 0.75], [0.25]) != [2]:
        return "p = (¼, 0, ¾) and u = ¼: you return the middle outcome, of probability zero; is ≤ or < right?"
    tenths = [0.1] * 10 + [0.0]                                # adds up to 0.9999999999999999
    last = ask(tenths, [1 - 2**-53])[0]
    if last > 10:
        return f"rounding left the sums a hair below one, and u above them: you return {last}, which does not exist"
    if last == 10:
        return "u above the last sum by rounding: you return the last outcome, whose probability here is zero"
    g = Generator().manual_seed(0)
    p = torch.rand(50, generator=g, dtype=torch.double)
    p /= p.sum()
    u = torch.rand(2000, generator=g, dtype=torch.double)
    wanted = torch.searchsorted(p.cumsum(0), u, right=True)
    if ask(p.tolist(), u.tolist()) != wanted.clamp(max=49).tolist():
        return "right for few outcomes, wrong for 50: compare with a loop over the cumulative sums"
    return None


@exercise(
    "01.4",
    minutes=15,
    asks="a function x → density of x = exp(z), z standard normal, for a tensor x",
    hints=[
        "which z gives this x? then p(x) = p(z) · |dz/dx|",
        "z = log x, and dz/dx = 1/x",
        "no z gives x ≤ 0, so the density there is 0: torch.where, and take the logarithm of something positive",
    ],
    praise="that is the log-normal distribution; your four symbols of calculus are its definition.",
)
def _pushed(answer):
    """The log-normal density, and what comes of forgetting the stretch, inverting it, or looking at x ≤ 0."""
    x = torch.tensor([0.2, 0.5, 1.0, 1.7, 3.0, 8.0], dtype=torch.double)
    normal = torch.exp(-0.5 * x.log() ** 2) / math.sqrt(2 * math.pi)
    wanted = normal / x
    got = answer(x.clone())
    if got is None:
        return nothing("one density for each x")
    got = tensor(got, x.shape, "one density for each x")
    if close(got, wanted.log()):
        return "that is the log of the density: take exp"
    for mistaken, what in (
        (normal, "the factor |dz/dx| is missing: stretching spreads the probability, so the density must fall"),
        (normal * x, "you multiplied by |dx/dz| instead of |dz/dx|: where the map stretches, the density is lower"),
        (torch.exp(-0.5 * x**2) / math.sqrt(2 * math.pi), "that is the density of z at the number x: find z first"),
        (wanted * math.sqrt(2 * math.pi), "the normal density's 1/√(2π) is missing: it would integrate to 2.5"),
    ):
        if close(got, mistaken):
            return what
    if not close(got, wanted):
        return f"at x = 3 the density is {wanted[4]:.4f}, you give {got[4]:.4f}: p(z) at z = log x, times |dz/dx|"
    edge = tensor(answer(torch.tensor([-1.0, 0.0, 1.0], dtype=torch.double)), (3,), "one density for each x")
    if edge.isnan().any():
        return "at x ≤ 0 you give nan: no z is mapped there, so the density is 0"
    if edge[:2].abs().max() > 0:
        return f"exp(z) is never negative or zero, yet your density at -1 and 0 is {edge[0]:.3g} and {edge[1]:.3g}"
    return None
