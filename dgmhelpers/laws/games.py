r"""The law of ways to play: one step on :math:`\min_x \max_y xy` is the matrix that its formula says.

On that game every method is linear, so a step is a matrix, and the size of its largest eigenvalue is the factor by
which the distance to the rest point changes in the long run. A path that looks like a spiral is no test: inwards and
outwards differ in the third decimal. The factor is.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dgmhelpers.laws.verdict import Verdict

TOLERANCE = 1e-7        # a double eigenvalue is known to the square root of rounding
RATES = (0.05, 0.1, 0.3, 0.45, 0.7, 1.0, 1.4, 2.5)


def growth_matches_closed_form(step: Callable[[Tensor, float], Tensor], growth: Callable[[float], float]) -> Verdict:
    """A way to play min over x, max over y of xy approaches its rest point, or leaves it, as fast as its formula says.

    Args:
        step: ``(state, rate) → state``, where a state holds points of the plane, ``(memory, 2)``: the present one, and
            those before it that the method remembers. It must be differentiable.
        growth: ``rate → factor`` of the distance in the long run.
    """
    law, worst, at = "growth_matches_closed_form", 0.0, RATES[0]
    memory = next((m for m in (1, 2, 3) if _fits(step, m)), None)
    if memory is None:
        return Verdict(law, False, "no state of one to three points keeps its shape", "a step keeps the state's shape",
                       "This is no step: what it returns is not another state.")
    origin = torch.zeros(memory, 2, dtype=torch.double)
    for rate in RATES:
        matrix = torch.autograd.functional.jacobian(lambda s, rate=rate: step(s, rate), origin)
        found = torch.linalg.eigvals(matrix.reshape(2 * memory, 2 * memory)).abs().max().item()
        gap = found - growth(rate)
        if not abs(gap) <= abs(worst):
            worst, at = gap, rate
    held = abs(worst) <= TOLERANCE
    meaning = "A step does what its name says." if held else (
        f"This is another method: at rate {at:g} its distance grows by {worst:+.2g} a step more than the formula. A "
        f"sign is flipped, a gradient is taken at the wrong point, or the second player does not see what it should."
    )
    return Verdict(law, held, f"factor of a step off by {worst:.1g} at rate {at:g}", f"± {TOLERANCE:g}", meaning)


def _fits(step, memory: int) -> bool:
    """Whether a state of so many points gives another one, finite."""
    state = torch.ones(memory, 2, dtype=torch.double)
    try:
        after = step(state, 0.1)
    except (ValueError, IndexError, RuntimeError):
        return False
    return isinstance(after, Tensor) and after.shape == state.shape and math.isfinite(after.sum().item())
