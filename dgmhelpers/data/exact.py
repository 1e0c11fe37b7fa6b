"""Binary sources whose probabilities and entropy are known exactly: what a model is measured against.

No model's mean negative log-likelihood under a source can be below the source's entropy, and it equals the
entropy only where the model is the source. Everything here is float64, on the CPU, and in nats.
"""

import abc
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Size, Tensor

LOG_2 = math.log(2)


def _binary(x: Tensor, event_shape: Size) -> Tensor:
    """``x`` as ``(B, D)`` booleans, or a ValueError that says what is wrong with it."""
    if x.shape[1:] != event_shape:
        raise ValueError(f"expected x of shape (B, {', '.join(map(str, event_shape))}), got {tuple(x.shape)}")
    if not ((x == 0) | (x == 1)).all():
        raise ValueError("expected binary x: it must hold only 0 and 1")
    return x.reshape(len(x), event_shape.numel()).bool().cpu()


def every_image(event_shape: Size | tuple[int, ...]) -> Tensor:
    """All 2^D binary arrays of that shape, float64 ``(2^D, *event_shape)``, the last entry fastest."""
    shape = Size(event_shape)
    if shape.numel() > 20:
        raise ValueError(f"2^{shape.numel()} images are too many to list")
    codes = torch.arange(2 ** shape.numel())[:, None]
    return (codes >> torch.arange(shape.numel() - 1, -1, -1) & 1).double().reshape(-1, *shape)


class Source(abc.ABC):
    """A distribution over binary arrays. Subclasses say how to draw, and how probable a drawing is.

    Attributes:
        event_shape: of one example.
        entropy: in nats.
    """

    levels: ClassVar[int] = 2

    @property
    @abc.abstractmethod
    def event_shape(self) -> Size: ...

    @property
    @abc.abstractmethod
    def entropy(self) -> float: ...

    @abc.abstractmethod
    def _log_prob(self, x: Tensor) -> Tensor: ...

    @abc.abstractmethod
    def _sample(self, n: int, generator: Generator | None) -> Tensor: ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log-probability in nats, float64 ``(B,)``; minus infinity where the source never goes."""
        return self._log_prob(_binary(x, self.event_shape))

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """``n`` independent examples, float64 zeros and ones ``(n, *event_shape)``."""
        if n < 0:
            raise ValueError(f"n must be 0 or more, got {n}")
        return self._sample(n, generator).double().reshape(n, *self.event_shape)


@dataclass(frozen=True, eq=False)
class Joint(Source):
    """Any joint distribution, as the table it is.

    Args:
        table: probability of every array, float64 ``(2,) * D``: ``table[x_1, ..., x_D]``.
    """

    table: Tensor

    def __post_init__(self):
        table = self.table
        if table.shape != (2,) * table.ndim or table.ndim == 0:
            raise ValueError(f"expected a table of shape (2, ..., 2), got {tuple(table.shape)}")
        if not (table >= 0).all() or abs(table.sum() - 1) > 1e-9:
            raise ValueError("expected probabilities that sum to one")

    @property
    def event_shape(self) -> Size:
        return Size([self.table.ndim])

    @property
    def entropy(self) -> float:
        return torch.special.entr(self.table.double()).sum().item()

    def _log_prob(self, x):
        return self.table.double()[tuple(x.long().T)].log()

    def _sample(self, n, generator):
        cdf = self.table.flatten().double().cumsum(0)
        u = torch.rand(n, dtype=torch.double, generator=generator) * cdf[-1]
        codes = torch.searchsorted(cdf, u, right=True)                                 # inverse CDF
        return codes[:, None] >> torch.arange(self.table.ndim - 1, -1, -1) & 1         # (n, D)


@dataclass(frozen=True, eq=False)
class Independent(Source):
    """Every entry by itself: x_i is 1 with probability ``probabilities[i]``."""

    probabilities: Tensor

    @property
    def event_shape(self) -> Size:
        return Size(self.probabilities.shape)

    @property
    def entropy(self) -> float:
        p = self.probabilities.double()
        return (torch.special.entr(p) + torch.special.entr(1 - p)).sum().item()

    def _log_prob(self, x):
        p = self.probabilities.double().flatten()
        return torch.where(x, p, 1 - p).log().sum(-1)

    def _sample(self, n, generator):
        p = self.probabilities.double().flatten()
        return torch.bernoulli(p.expand(n, -1), generator=generator)


@dataclass(frozen=True)
class MarkovChain(Source):
    """A fair first bit, then each bit equals the one before with probability ``stay``."""

    length: int
    stay: float

    @property
    def event_shape(self) -> Size:
        return Size([self.length])

    @property
    def entropy(self) -> float:
        per_step = sum(-p * math.log(p) for p in (self.stay, 1 - self.stay) if p > 0)
        return LOG_2 + (self.length - 1) * per_step

    def _log_prob(self, x):
        same = (x[:, 1:] == x[:, :-1]).double()
        stays = torch.special.xlogy(same, self.stay) + torch.special.xlogy(1 - same, 1 - self.stay)
        return stays.sum(-1) - LOG_2

    def _sample(self, n, generator):
        change = torch.full((n, self.length), 1 - self.stay, dtype=torch.double)
        change[:, 0] = 0.5
        return torch.bernoulli(change, generator=generator).cumsum(-1) % 2


@dataclass(frozen=True)
class Parity(Source):
    """Uniform over the arrays with an even number of ones: any D - 1 of them are independent."""

    dim: int

    @property
    def event_shape(self) -> Size:
        return Size([self.dim])

    @property
    def entropy(self) -> float:
        return (self.dim - 1) * LOG_2

    def _log_prob(self, x):
        even = x.sum(-1) % 2 == 0
        return even.double().log() - self.entropy

    def _sample(self, n, generator):
        free = torch.randint(2, (n, self.dim - 1), generator=generator)
        return torch.cat([free, free.sum(-1, keepdim=True) % 2], -1)


@dataclass(frozen=True)
class BarsAndStripes(Source):
    """An n × n image whose rows are each black or white, or, as often, whose columns are.

    There are 2·2^n - 2 such images: all black and all white can come about in both ways, so each has
    probability 2^-n and every other half of that.
    """

    n: int

    @property
    def event_shape(self) -> Size:
        return Size([1, self.n, self.n])

    @property
    def entropy(self) -> float:
        plain = 2 * 2.0**-self.n                           # probability of all black or all white
        return (plain * self.n + (1 - plain) * (self.n + 1)) * LOG_2

    def _log_prob(self, x):
        x = x.reshape(-1, self.n, self.n)
        bars = (x == x[:, :1]).all(-1).all(-1)             # every row like the first
        stripes = (x == x[:, :, :1]).all(-1).all(-1)
        ways = bars.double() + stripes.double()            # (B,) 0, 1 or 2
        return ways.log() - (self.n + 1) * LOG_2

    def _sample(self, n, generator):
        lines = torch.randint(2, (n, 1, self.n), generator=generator).expand(n, self.n, self.n)
        turned = torch.randint(2, (n, 1, 1), generator=generator).bool()
        return torch.where(turned, lines.transpose(1, 2), lines)


@dataclass(frozen=True)
class DistantCopies(Source):
    """An image in which a pixel repeats the one ``up`` rows above it and ``right`` columns to its right.

    With probability ``stay`` it equals that pixel, else it is its opposite; where there is none, it is a fair coin. So
    one pixel of the past says all there is to know of the next, and a model that cannot see that one is left with fair
    coins: with both numbers positive, all that does not come through it is independent of the pixel.
    """

    height: int
    width: int
    up: int
    right: int
    stay: float

    @property
    def event_shape(self) -> Size:
        return Size([1, self.height, self.width])

    @property
    def copies(self) -> int:
        """How many pixels have one to repeat."""
        return (self.height - self.up) * (self.width - self.right)

    @property
    def noise(self) -> float:
        """Entropy in nats of whether a pixel repeats its source."""
        return sum(-p * math.log(p) for p in (self.stay, 1 - self.stay) if p > 0)

    @property
    def entropy(self) -> float:
        return (self.height * self.width - self.copies) * LOG_2 + self.copies * self.noise

    def _log_prob(self, x):
        x = x.reshape(-1, self.height, self.width)
        below, above = x[:, self.up :, : self.width - self.right], x[:, : self.height - self.up, self.right :]
        same = (below == above).double()
        stays = torch.special.xlogy(same, self.stay) + torch.special.xlogy(1 - same, 1 - self.stay)
        return stays.sum((1, 2)) - (self.height * self.width - self.copies) * LOG_2

    def _sample(self, n, generator):
        x = torch.randint(2, (n, self.height, self.width), generator=generator)
        change = torch.rand(n, self.height, self.width, generator=generator, dtype=torch.double) >= self.stay
        kept = self.width - self.right
        for row in range(self.up, self.height):            # the row that it repeats is finished
            x[:, row, :kept] = x[:, row - self.up, self.right :] ^ change[:, row, :kept].long()
        return x


def random_joint(dim: int, generator: Generator | None = None) -> Joint:
    """A joint distribution of ``dim`` bits drawn uniformly from all there are (a flat Dirichlet)."""
    if not 1 <= dim <= 20:
        raise ValueError(f"dim must be between 1 and 20, got {dim}")
    weights = -torch.rand((2,) * dim, dtype=torch.double, generator=generator).neg().log1p()
    return Joint(weights / weights.sum())


def independent(probabilities: Tensor) -> Independent:
    """Independent bits; see :class:`Independent`."""
    probabilities = torch.as_tensor(probabilities, dtype=torch.double)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("expected probabilities between 0 and 1")
    return Independent(probabilities)


def markov_chain(length: int, stay: float) -> MarkovChain:
    """Bits that tend to repeat (``stay`` above a half) or to alternate; see :class:`MarkovChain`."""
    if length < 1 or not 0 <= stay <= 1:
        raise ValueError(f"expected length at least 1 and stay between 0 and 1, got {length} and {stay}")
    return MarkovChain(length, stay)


def parity(dim: int) -> Parity:
    """Bits with an even sum; see :class:`Parity`."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    return Parity(dim)


def bars_and_stripes(n: int) -> BarsAndStripes:
    """Images of rows or of columns; see :class:`BarsAndStripes`."""
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")
    return BarsAndStripes(n)


def distant_copies(height: int, width: int, up: int, right: int, stay: float) -> DistantCopies:
    """Images whose pixels repeat others up and to the right of them; see :class:`DistantCopies`."""
    if not (1 <= up < height and 1 <= right < width and 0 <= stay <= 1):
        raise ValueError(
            f"expected up and right of at least 1 and within the image of {height} × {width}, and stay between 0 and "
            f"1; got up {up}, right {right}, stay {stay}"
        )
    return DistantCopies(height, width, up, right, stay)
