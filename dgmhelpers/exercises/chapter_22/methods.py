"""The checker of a way to play that the page does not have."""

import math

import torch

from dgmhelpers.exercises.compare import Refused, tensor
from dgmhelpers.exercises.feedback import exercise

CALLS = 200     # evaluations of the field that an answer may use
NEARER = 1e-3   # how near it must come, where it started at 1


class _TooMany(Refused):
    pass


@exercise(
    "22.7",
    minutes=60,
    asks="a function arrive(field, w) that returns a point",
    hints=[
        "The field is v(w) = A (w − rest), 200 evaluations are allowed, and its size is not told: first find out.",
        "‖v(w + d) − v(w)‖ / ‖d‖ is the coupling, for any d. Extragradient with η = 0.7 / coupling gives 0.87.",
        "Or use optimistic descent with η = ½ divided by the coupling: one evaluation a step, and a factor of 0.71.",
    ],
    praise="knowing how fast the game turns is half of it. With noise in the field it is harder: try that next",
)
def _arrive(answer):
    """Couplings over three orders of magnitude, either sense of rotation, three starts; calls counted."""
    for coupling in (1.0, -3.0, 0.02, 40.0):
        for angle in (0.0, 1.0, 2.5):
            used, rest = 0, torch.tensor([2.0 - angle, 0.5], dtype=torch.double)

            def field(w, coupling=coupling, rest=rest):
                nonlocal used
                used += 1
                if used > CALLS:
                    raise _TooMany
                x, y = torch.as_tensor(w, dtype=torch.double) - rest
                return coupling * torch.stack([y, -x])

            start = rest + torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.double)
            try:
                got = answer(field, start.clone())
            except _TooMany:
                return f"more than {CALLS} evaluations of the field, at a coupling of {coupling:g}"
            if got is None:
                return "not answered yet: the function returns nothing. It is to return the point where it ends"
            got = tensor(got, (2,), "a point")
            distance = (got - rest).norm().item()
            if not math.isfinite(distance):
                return f"the path left for infinity at a coupling of {coupling:g}: the step must fit the game"
            if distance > NEARER:
                how = "further away than it began" if distance > 1.01 else f"not within {NEARER:g}"
                return f"at a coupling of {coupling:g} it ended at distance {distance:.3g}, {how}"
    return None
