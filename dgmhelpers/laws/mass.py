r"""The sum, or the integral, of a density by importance sampling around what its sampler draws.

:math:`E_q[p(x) / q(x)] = \int p`, for any q that is positive wherever p is: half of q is one broad t-distribution that
is fitted to the draws, half a narrow one around each of some of them. If a few weights carry the sum, or draws of the
sampler have larger weights than all of q's, nothing is said, except that it is above one where :func:`bet` shows it.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.subject import Subject

PROPOSALS, OF_BOUND, CENTRES, FREEDOM = 8_000, 2_000, 400, 5
FEWEST = 300        # effective draws below which the error of the mean is not to be trusted
MISSED = 0.005      # share of the sampler's draws that may have larger weights than all proposals
ROUGHEST = 0.05
STAKES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
SURE = math.log(1e6)    # what a bet must win, in nats
UNLIKELY = "1; so much has a chance of 1e-06 at most"


@dataclass(frozen=True)
class Mass:
    """An estimate of a sum or an integral, and its standard error; None where nothing can be said, and why.

    ``excess`` is the mean of weights that show it to be above one, where they are too uneven to say by how much.
    ``tried`` is False if what it takes was not offered.
    """

    value: float | None
    error: float = 0.0
    why: str = ""
    excess: float | None = None
    tried: bool = True


def bet(values: Tensor) -> Tensor:
    """The log of what somebody wins who bets on the mean of positive values, ``(R, n)``, being above one: ``(n,)``.

    Of a capital of 1 a share is staked on each of R independent values w, and becomes its w-fold. If the mean of w is
    one at most, so is that of the capital, whatever the variance, and by Markov's inequality it reaches a million with
    a probability of 10⁻⁶ at most. The capital is the mean over some fixed shares.

    Source
        I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", 2024, who bet on
        bounded values; below one no bound is needed.
    """
    stake = torch.tensor(STAKES, dtype=torch.double)[:, None, None]                # (S, 1, 1)
    won = torch.log1p(stake * (values.double() - 1)).sum(1)                        # (S, n)
    return won.logsumexp(0) - math.log(len(STAKES))


@torch.no_grad()
def estimate(
    subject: Subject, generator: Generator, draws: Tensor, log_value: Any = None, proposals: int = PROPOSALS
) -> Mass:
    """The integral (or sum) of ``exp(log_value)``, or of the density, near the draws, flat, ``(n, D)``.

    ``log_value`` may be random, if the mean of its exponential is what is integrated.
    """
    function = log_value or subject.log_prob
    draws = draws.long() if subject.levels else draws.double()
    q = _Levels(draws, subject.levels) if subject.levels else _Real(draws)
    if isinstance(q, _Real) and not (draws.isfinite().all() and q.flat == 0):
        return Mass(None, why="the draws spread over too many orders of magnitude")
    x = q.sample(proposals, generator)
    log_weight = subject.log_probs(x, of=function) - q.log_prob(x)
    if not (log_weight < torch.inf).all():
        return Mass(None, why="log p is not a number, or infinite, near the draws")
    most = log_weight.max()
    if most == -torch.inf:
        return Mass(None, why="no mass was found near the draws")
    weight = (log_weight - most).exp()
    effective = (weight.sum().square() / weight.square().sum()).item()
    mine = subject.log_probs(draws[:1000], of=function) - q.log_prob(draws[:1000])
    missed = (mine > most).double().mean().item()
    value = (weight.mean().log() + most).exp().item()
    error = value * (weight.std() / weight.mean()).item() / math.sqrt(len(weight))
    if effective < FEWEST or missed > MISSED or not error <= ROUGHEST * value:
        each = log_weight.exp().reshape(-1, 2).mean(1, keepdim=True)               # one of either half
        excess = value if value > 1 + ROUGHEST and bet(each).item() > SURE else None
        return Mass(None, why=f"importance weights are too uneven: {effective:.0f} of {proposals} count", excess=excess)
    return Mass(value, error)


def of_bound(subject: Subject, generator: Generator, log_value: Any) -> Mass:
    """The same of a bound, around draws of the sampler, or in the plane without one around a broad normal."""
    if subject.sample is not None:
        draws = subject.draw(10 * CENTRES, generator).double().flatten(1)
        if draws.shape[1] != subject.dim or not draws.isfinite().all():
            return Mass(None, why="the sampler breaks down")
    elif subject.levels is None and subject.dim <= 2:
        draws = 2 * torch.randn(10 * CENTRES, subject.dim, generator=generator, dtype=torch.double)
    else:
        return Mass(None, why="there is no sampler to say where the examples are", tried=False)
    return estimate(subject, generator, draws, log_value, proposals=OF_BOUND)


class _Real:
    """Half one t-distribution with the draws' mean and covariance, half a narrower one around each of 400 draws."""

    def __init__(self, draws: Tensor):
        n, self.dim = draws.shape
        self.centres = draws[:CENTRES]
        self.mean = draws.mean(0)
        spread = torch.cov(draws.T).reshape(self.dim, self.dim)
        spread = spread + 1e-9 * (spread.diagonal().mean() + 1e-12) * torch.eye(self.dim, dtype=draws.dtype)
        self.root, self.flat = torch.linalg.cholesky_ex(spread)     # ``flat``: not 0 if they lie on a line, or nearly
        self.narrow = CENTRES ** (-1 / (self.dim + 4))
        self.half_log_det = self.root.diagonal().log().sum()

    def sample(self, n: int, generator: Generator) -> Tensor:
        normal = torch.randn(n, self.dim, generator=generator, dtype=torch.double)
        chi = torch.randn(n, FREEDOM, generator=generator, dtype=torch.double).square().mean(1).sqrt()
        moved = (normal / chi[:, None]) @ self.root.T
        which = torch.randint(len(self.centres), (n,), generator=generator)
        broad = (torch.arange(n) % 2 == 0)[:, None]
        return torch.where(broad, self.mean + moved, self.centres[which] + self.narrow * moved)

    def log_prob(self, x: Tensor) -> Tensor:
        broad = self._t(x - self.mean, 1.0)
        each = torch.cat([self._t(part[:, None] - self.centres, self.narrow).logsumexp(1) for part in x.split(1000)])
        return torch.logaddexp(broad, each - math.log(len(self.centres))) - math.log(2)

    def _t(self, away: Tensor, width: float) -> Tensor:
        flat = away.reshape(-1, self.dim)
        z = torch.linalg.solve_triangular(self.root, flat.T, upper=False).T / width
        nu, d = FREEDOM, self.dim
        constant = (math.lgamma((nu + d) / 2) - math.lgamma(nu / 2) - d / 2 * math.log(nu * math.pi)
                    - self.half_log_det - d * math.log(width))
        return (constant - (nu + d) / 2 * torch.log1p(z.square().sum(1) / nu)).reshape(away.shape[:-1])


class _Levels:
    """Half uniform, half each variable from its share among the draws (each level seen once more than it was)."""

    def __init__(self, draws: Tensor, levels: int):
        counts = torch.nn.functional.one_hot(draws, levels).double().sum(0) + 1     # (D, K)
        self.shares, self.levels = counts / counts.sum(1, keepdim=True), levels

    def sample(self, n: int, generator: Generator) -> Tensor:
        own = torch.stack([torch.multinomial(row, n, True, generator=generator) for row in self.shares], 1)
        even = torch.randint(self.levels, own.shape, generator=generator)
        return torch.where((torch.arange(n) % 2 == 0)[:, None], own, even)

    def log_prob(self, x: Tensor) -> Tensor:
        own = self.shares.log().gather(1, x.T).sum(0)
        return torch.logaddexp(own, torch.full_like(own, -x.shape[1] * math.log(self.levels))) - math.log(2)
