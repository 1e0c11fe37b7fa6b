"""What the classical models share: an exact density whose parameters have a closed form, or EM, instead of a gradient.

Every model here is a module like any other of the book, so that gradient descent on ``loss`` finds the same maximum
that ``fit`` writes down: parameters are unconstrained (logits, logs, a triangular factor), in float64. ``fit`` sets
them from data and returns the model. What the laws ask of a density holds for these as for a deep one.
"""

import abc
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import single

SUM_WITHIN = 1e-6  # how far from one the sum of given probabilities may be; float32 input rounds by less


class Classical(Model):
    """An exact density that is fitted rather than trained, in float64 unless it is converted.

    A model in bfloat16 or half keeps its parameters and gives its draws so, and computes in float32.

    Args:
        event_shape: shape of one example.
        levels: number of values of one entry, 2 for binary; None if entries are real.
        config: the keyword arguments that make this model again.
    """

    def extra_repr(self) -> str:
        """The config: these models have no layers to print."""
        return ", ".join(f"{name}={value!r}" for name, value in self.config.items())

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
        self._refuse_context(context)
        return -self._log_prob(self._prepare(x)).mean()

    def check(self, x: Tensor, *, look: bool = True) -> Tensor:
        """As every model's; in float32 at least, being what is computed in."""
        return single(super().check(x, look=look))

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, *event_shape)``: exact, without a chain."""
        self._check_draw(n, generator)
        return self._sample(n, generator)

    @torch.no_grad()
    def _set(self, **values: Tensor) -> None:
        """Overwrite parameters in place, by name."""
        for name, value in values.items():
            getattr(self, name).copy_(value)


def parameter(*shape: int, spread: float = 0.0) -> nn.Parameter:
    """A float64 parameter of zeros, or of normal draws with standard deviation ``spread``."""
    made = torch.randn(shape, dtype=torch.double) * spread if spread else torch.zeros(shape, dtype=torch.double)
    return nn.Parameter(made)


def some(x: Tensor) -> Tensor:
    """``x`` if there is at least one example in it."""
    if not len(x):
        raise ValueError("there is nothing to fit: x holds no example")
    return x


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
    p = single(p)
    u = torch.empty(p.shape[:-1], dtype=p.dtype, device=p.device).uniform_(generator=generator)
    return cumulative_draw(p, u)


def log_bits(x: Tensor, log_odds: Tensor) -> Tensor:
    """``log p(x | k)`` of independent bits for each row k of log-odds: ``(B, D)`` and ``(K, D)`` give ``(B, K)``.

    Log-odds may be infinite (a bit that never, or always, is 1): what contradicts one has log-probability −∞.
    """
    log_odds = single(log_odds)
    on, off = F.logsigmoid(log_odds), F.logsigmoid(-log_odds)                          # (K, D)
    looks = log_odds.device.type == "cpu" and not torch.compiler.is_compiling()        # elsewhere: no wait for a look
    if looks and log_odds.isfinite().all():
        return x @ (on - off).T + off.sum(-1)
    never, always = on == -math.inf, off == -math.inf                                  # 0 · (−∞) would be NaN
    against = x @ never.to(x).T + (1 - x) @ always.to(x).T                             # (B, K) bits that contradict
    total = x @ on.masked_fill(never, 0.0).T + (1 - x) @ off.masked_fill(always, 0.0).T
    return total.masked_fill(against > 0, -math.inf)


def refuse_impossible(log_p: Tensor, what: str, under: str) -> Tensor:
    """``log_p``, ``(B,)``, if nothing in it is −∞: where no cause is possible there is no posterior over causes.

    Raises:
        ValueError: naming the first.
    """
    impossible = log_p == -math.inf
    if impossible.any():
        raise ValueError(f"{what} {impossible.nonzero()[0].item()} has probability zero under {under}")
    return log_p
