r"""Two models on the same examples: the error of a difference is smaller than the difference of two errors.

Hard images are hard for both models. The mean of :math:`d_n = \log p_A(x_n) - \log p_B(x_n)` varies only by what the
models disagree on, so a margin far below either model's own standard error can be certain.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from dgmhelpers.evaluation.nats import log_probs, mean


@dataclass(frozen=True)
class Difference:
    """How much lower A's negative log-likelihood is than B's, in nats per example; above 0, A is better.

    Attributes:
        value: mean advantage of A.
        standard_error: of that mean.
        n: number of examples.
        wins: share of the examples to which A gives more probability.
    """

    value: float
    standard_error: float
    n: int
    wins: float

    def interval(self, errors: float = 1.96) -> tuple[float, float]:
        """``value`` ± so many standard errors; 1.96 of them cover 95 %."""
        return self.value - errors * self.standard_error, self.value + errors * self.standard_error

    @property
    def sure(self) -> bool:
        """Whether the 99.9 % interval leaves out zero."""
        low, high = self.interval(3.29)
        return not math.isnan(low) and (low > 0 or high < 0)

    def __str__(self) -> str:
        low, high = self.interval()
        return (f"A is better by {self.value:.3f} nats, 95 % interval {low:.3f} to {high:.3f}, and on {self.wins:.0%} "
                f"of {self.n:,} examples")


def paired(a: nn.Module, b: nn.Module, x: Tensor, context: Tensor | None = None, batch_size: int = 500) -> Difference:
    """Compare two densities on the same examples ``x``, ``(N, *event_shape)``."""
    gain = log_probs(a, x, context, batch_size) - log_probs(b, x, context, batch_size)        # (N,)
    estimate = mean(gain)
    return Difference(estimate.value, estimate.standard_error, estimate.n, (gain > 0).double().mean().item())
