r"""Two models on the same examples: the error of a difference is smaller than the difference of two errors.

Hard images are hard for both models. The mean of :math:`d_n = \log p_A(x_n) - \log p_B(x_n)` varies only by what the
models disagree on, so a margin far below either model's own standard error can be certain.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dgmhelpers.evaluation.nats import log_probs, mean
from dgmhelpers.evaluation.needs import Scores


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
        if self.value < 0:
            return (f"A is worse by {-self.value:.3f} nats, 95 % interval {-high:.3f} to {-low:.3f}, and better on "
                    f"{self.wins:.0%} of {self.n:,} examples")
        return (f"A is better by {self.value:.3f} nats, 95 % interval {low:.3f} to {high:.3f}, and on {self.wins:.0%} "
                f"of {self.n:,} examples")


def paired(a: Scores, b: Scores, x: Tensor, context: Tensor | None = None, batch_size: int = 500) -> Difference:
    """Compare two densities on the same examples ``x``, ``(N, *event_shape)``."""
    gain = log_probs(a, x, context, batch_size) - log_probs(b, x, context, batch_size)        # (N,)
    estimate = mean(gain)
    return Difference(estimate.value, estimate.standard_error, estimate.n, (gain > 0).double().mean().item())


@dataclass(frozen=True)
class Gains:
    """By how much a kind of model is better than another, over several pairs that were trained alike.

    Attributes:
        each: mean gain of each pair over its test examples, nats.
        n: test examples of each pair.
    """

    each: list[float]
    n: int

    @property
    def value(self) -> float:
        """Mean over the pairs."""
        return sum(self.each) / len(self.each)

    @property
    def standard_error(self) -> float:
        """Of that mean, from the spread between the pairs: it holds what differs by seed and, in part, by example."""
        return torch.tensor(self.each, dtype=torch.double).std().item() / math.sqrt(len(self.each))

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean by Student's t, with one degree of freedom less than there are pairs."""
        reach = student(len(self.each) - 1) * self.standard_error
        return self.value - reach, self.value + reach

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.value:.3f} nats, 95 % interval {low:.3f} to {high:.3f} over {len(self.each)} pairs"


def over_seeds(gains: Tensor) -> Gains:
    """What ``S`` pairs gave on ``N`` test examples each, from the gain on every example, ``(S, N)``."""
    if gains.ndim != 2 or len(gains) < 2 or gains.shape[1] == 0:
        raise ValueError(f"expected gains of at least two pairs, (S, N), got {tuple(gains.shape)}")
    return Gains(gains.double().mean(1).tolist(), gains.shape[1])


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by bisection on its distribution function."""
    if freedom < 1:
        raise ValueError(f"freedom must be at least 1, got {freedom}")
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)

    def upper_half(t: float) -> float:
        """P(0 < T < t): with T = √ν tan φ the density becomes cosᵛ⁻¹ φ on a bounded interval."""
        angle = torch.linspace(0, math.atan(t / math.sqrt(freedom)), 4001, dtype=torch.double)
        return scale * math.sqrt(freedom) * torch.trapezoid(angle.cos() ** (freedom - 1), angle).item()

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if upper_half(middle) < 0.475 else (low, middle)
    return low
