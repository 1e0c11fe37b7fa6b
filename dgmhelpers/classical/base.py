"""What the classical models share: an exact density whose parameters have a closed form, or EM, instead of a gradient.

Every model here is a module like any other of the book, so that gradient descent on ``loss`` finds the same maximum
that ``fit`` writes down: parameters are unconstrained (logits, logs, a triangular factor), in float64. ``fit`` sets
them from data and returns the model. What the laws ask of a density holds for these as for a deep one.
"""

import abc
import math

import torch
import torch.nn.functional as F
from torch import Generator, Size, Tensor, nn

from dgmhelpers.placement import Placed

SUM_WITHIN = 1e-6  # how far from one the sum of given probabilities may be; float32 input rounds by less
IMPOSSIBLE = -1e30  # stands for log 0 inside products, where 0 · (−∞) would be NaN


class Classical(Placed, nn.Module, abc.ABC):
    """An exact density that is fitted rather than trained, in float64 unless it is converted.

    Args:
        event_shape: shape of one example.
        levels: number of values of one entry, 2 for binary; None if entries are real.
        config: the keyword arguments that make this model again.
    """

    def __init__(self, event_shape, levels: int | None, config: dict):
        super().__init__()
        self.event_shape = Size(event_shape)
        self.levels = levels
        self.config = config

    @abc.abstractmethod
    def _log_prob(self, x: Tensor) -> Tensor:
        """Log-density of checked examples, ``(B,)``."""

    @abc.abstractmethod
    def _sample(self, n: int, generator: Generator | None) -> Tensor:
        """``n`` draws, ``(n, *event_shape)``."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-likelihood in nats, shape ``(B,)``.

        Raises:
            ValueError: if ``x`` is not ``(B, *event_shape)`` or holds a value the model has no probability for.
        """
        self._refuse_context(context)
        return self._log_prob(self.check(x))

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean ``log_prob`` over the batch, in nats per example: the same maximum, found by gradient."""
        return -self.log_prob(x, context).mean()

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, *event_shape)``: exact, without a chain."""
        self._check_draw(n, generator)
        return self._sample(n, generator)

    def check(self, x: Tensor) -> Tensor:
        """``x`` of shape ``(B, *event_shape)``, validated: 0/1 and real values in the model's dtype, levels ``long``.

        Raises:
            ValueError: saying which shape, or which value, was not expected.
        """
        if x.shape[1:] != self.event_shape or x.ndim != len(self.event_shape) + 1:
            expected = ", ".join(["B", *map(str, self.event_shape)])
            raise ValueError(f"expected x of shape ({expected}), got {tuple(x.shape)}")
        return check_values(x, self.levels, self.dtype)

    def _refuse_context(self, context):
        if context is not None:
            raise ValueError(f"{type(self).__name__} is not conditional: context must be None")

    @torch.no_grad()
    def _set(self, **values: Tensor) -> None:
        """Overwrite parameters in place, by name."""
        for name, value in values.items():
            getattr(self, name).copy_(value)


def parameter(*shape: int, spread: float = 0.0) -> nn.Parameter:
    """A float64 parameter of zeros, or of normal draws with standard deviation ``spread``."""
    made = torch.randn(shape, dtype=torch.double) * spread if spread else torch.zeros(shape, dtype=torch.double)
    return nn.Parameter(made)


def not_negative(name: str, value: float) -> float:
    """``value`` if it is 0 or more and finite, else a ValueError that names it."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be 0 or more and finite, got {value}")
    return float(value)


def some(x: Tensor) -> Tensor:
    """``x`` if there is at least one example in it."""
    if not len(x):
        raise ValueError("there is nothing to fit: x holds no example")
    return x


def check_values(x: Tensor, levels: int | None, dtype: torch.dtype) -> Tensor:
    """Values that a density over ``levels`` values (real, if None) can score, in the type it wants.

    Raises:
        ValueError: with an example of a value that does not belong.
    """
    if levels is None:
        if not x.isfinite().all():
            raise ValueError(f"real values must be finite, got {x[~x.isfinite()].flatten()[0].item()}")
        return x.to(dtype)
    whole = x == x.floor() if x.is_floating_point() else torch.ones_like(x, dtype=torch.bool)
    if levels > 2 and (x.is_floating_point() or x.dtype == torch.bool):
        raise ValueError(f"levels must be integers 0 … {levels - 1}, got dtype {x.dtype}")
    outside = (x < 0) | (x >= levels) | ~whole
    if outside.any():
        wrong = x[outside].flatten()[0].item()
        hint = "binary values must be 0 or 1" if levels == 2 else f"levels must be within 0 … {levels - 1}"
        raise ValueError(f"{hint}, got {wrong:g}")
    return x.to(dtype) if levels == 2 else x.long()


def probabilities(p, name: str = "probabilities") -> Tensor:
    """``p`` as float64 probabilities over its last axis.

    Raises:
        ValueError: if one is negative or not finite, or they do not sum to one within 1e-6.
    """
    p = torch.as_tensor(p, dtype=torch.double)
    if not p.isfinite().all() or (p < 0).any():
        wrong = p[~(p.isfinite() & (p >= 0))].flatten()[0].item()
        raise ValueError(f"{name} must be finite and not negative, got {wrong:g}")
    total = p.sum(-1)
    off = (total - 1).abs() > SUM_WITHIN
    if off.any():
        wrong = total[off].flatten()[0].item()
        raise ValueError(f"{name} must sum to one, but sum to {wrong:.6g}: if they are weights, divide by their sum")
    return p / total.unsqueeze(-1)


def cumulative_draw(p: Tensor, u: Tensor) -> Tensor:
    """The smallest index whose cumulative probability exceeds ``u`` in [0, 1): the inverse CDF, ``(..., )``.

    *Exceeds*, not *reaches*: with ``u = 0`` the latter would return the first value even if its probability is 0.

    Args:
        p: probabilities over the last axis, ``(..., K)``; need not be normalised.
        u: uniform draws, ``(...,)``.
    """
    cdf = p.cumsum(-1)                                                                 # (..., K)
    index = torch.searchsorted(cdf, (u * cdf[..., -1]).unsqueeze(-1), right=True).squeeze(-1)
    last = p.shape[-1] - 1 - (p.flip(-1) > 0).to(torch.uint8).argmax(-1)               # rounding must not reach a 0
    return torch.minimum(index, last)


def draw(p: Tensor, generator: Generator | None) -> Tensor:
    """One draw from each row of probabilities ``(..., K)``, long ``(...,)``, by inverse CDF."""
    u = torch.empty(p.shape[:-1], dtype=p.dtype, device=p.device).uniform_(generator=generator)
    return cumulative_draw(p, u)


def log_bits(x: Tensor, log_odds: Tensor) -> Tensor:
    """``log p(x | k)`` of independent bits for each row k of log-odds: ``(B, D)`` and ``(K, D)`` give ``(B, K)``.

    Log-odds may be infinite (a bit that never, or always, is 1): what contradicts one has log-probability −∞.
    """
    on = F.logsigmoid(log_odds).clamp(min=IMPOSSIBLE)                                  # (K, D)
    off = F.logsigmoid(-log_odds).clamp(min=IMPOSSIBLE)
    total = x @ (on - off).T + off.sum(-1) if log_odds.isfinite().all() else x @ on.T + (1 - x) @ off.T
    return total.masked_fill(total < IMPOSSIBLE / 2, -math.inf)
