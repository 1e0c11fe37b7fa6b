"""04.3, masks with a bug, and 04.4, which outputs are blind."""

import torch

from dgmhelpers.exercises.compare import listed, mask, parts, whole
from dgmhelpers.exercises.feedback import exercise, nothing
from dgmhelpers.masks import past


@exercise(
    "04.3",
    minutes=20,
    asks="a function repaired_masks(degrees, D) that returns two boolean masks",
    hints=[
        "Multiply the two masks of your colleague: which entries of the diagonal are not zero?",
        "A unit of degree m knows the pixels at places 1 … m. Which outputs may it feed?",
        "Along a path: place of the pixel ≤ degree, and degree < place of the output. One of the two is strict.",
    ],
    praise="the strict inequality stands at the output, and nowhere else",
)
def _repair_masks(answer):
    """By the paths that the product of the two masks allows: no output peeks and none is blind."""
    for D, degrees in [(5, [1, 2, 3, 4]), (6, [3, 1, 5, 2, 4, 1, 3]), (4, [1, 1, 3, 2])]:
        m = torch.tensor(degrees)
        got = answer(m.clone(), D)
        if got is None:
            return nothing()
        H = len(degrees)
        first, last = parts(got, 2, "two masks: first layer (H, D), output (D, H)")
        first, last = mask(first, (H, D), "a first mask (H, D)"), mask(last, (D, H), "a second mask (D, H)")
        reached = last.double() @ first.double() > 0
        allowed = past(torch.arange(D))
        own = (reached & torch.eye(D).bool()).any(1)
        if own.any():
            return f"an output still peeks: the one at place {int(own.nonzero()[0]) + 1} sees its own pixel"
        if (reached & ~allowed).any():
            i, j = (reached & ~allowed).nonzero()[0].tolist()
            return f"the output at place {i + 1} sees place {j + 1}, which is in its future"
        lost = allowed & ~reached
        if lost.any():
            i, j = lost.nonzero()[-1].tolist()
            why = "two strict inequalities are one too many" if lost[1, 0] else "the wrong one is strict"
            return f"no output peeks, but the one at place {i + 1} is blind to place {j + 1}: {why}"
        if not torch.equal(first, m[:, None] >= torch.arange(1, D + 1)[None, :]):
            return "the paths are right, but a unit of degree m should know exactly the places 1 … m"
    return None


@exercise(
    "04.4",
    minutes=15,
    asks="a function blind_places(degrees, D) that returns a list of places between 1 and D",
    hints=[
        "The output at place k uses the units of degree below k. What is the furthest place they know together?",
        "It sees the places up to the largest degree below k. It should see up to k − 1.",
        "Which degree has to occur for nothing to be lost at k? And what could the first output lose?",
    ],
    praise="so D − 1 units, one of each degree, suffice, and no fewer do without direct connections",
)
def _blind_places(answer):
    """Lists of degrees with gaps at the start, in the middle and at the end, and none at all."""
    cases = [([1, 2, 3, 4], 5), ([1, 4, 4], 6), ([3], 4), ([], 3), ([2, 2, 5, 6], 8), ([1], 1)]
    for degrees, D in cases:
        got = answer(list(degrees), D)
        if got is None:
            return nothing()
        got = [whole(place) for place in listed(got, "a list of places")]
        right = [d for d in range(2, D + 1) if d - 1 not in degrees]
        if got == right:
            continue
        case = f"degrees {degrees}, D = {D}"
        if got == [d for d in range(1, D + 1) if d - 1 not in degrees]:
            return f"{case}: the first output has no past, so there is nothing for it to miss"
        missing = [m for m in range(1, D) if m not in degrees]
        if got in (missing, [*missing, D]):
            return f"{case}: these are the missing degrees; the output that misses degree m stands at place m + 1"
        if got == [d for d in range(2, D + 1) if not any(m < d for m in degrees)]:
            return f"{case}: those see nothing at all; an output that sees only part of its past is blind too"
        if sorted(got) == right:
            return f"{case}: the right places, but not in order"
        return f"{case}: you say {got}; which degree must be there for the output at place d to see place d − 1?"
    return None
