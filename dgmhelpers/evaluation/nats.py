r"""Mean negative log-likelihood, with the error that a finite test set leaves.

.. math::  \hat L = -\frac1N \sum_{n=1}^{N} \log p(x_n), \qquad
           \mathrm{se} = \sqrt{\frac{1}{N(N-1)} \sum_n \big(-\log p(x_n) - \hat L\big)^2}.

Sums are kept in double precision, and batches only set memory: the last may be smaller, and counts no more than
it holds.
"""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from dgmhelpers.evaluation.needs import Scores, Streams
from dgmhelpers.examples import as_examples
from dgmhelpers.training.files import move


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error.

    Attributes:
        value: the mean.
        standard_error: of the mean; NaN if it was taken over one example.
        n: number of examples.
        unit: what it is counted in.
    """

    value: float
    standard_error: float
    n: int
    unit: str = "nats"

    def interval(self, errors: float = 1.96) -> tuple[float, float]:
        """``value`` ± so many standard errors; 1.96 of them cover 95 %."""
        return self.value - errors * self.standard_error, self.value + errors * self.standard_error

    def __str__(self) -> str:
        digits = 4 if self.standard_error < 0.005 else 2
        return f"{self.value:.{digits}f} ± {self.standard_error:.{digits}f} {self.unit} (n = {self.n:,})"


@torch.no_grad()
def log_probs(model: Scores, x: Tensor, context: Tensor | None = None, batch_size: int = 500) -> Tensor:
    """``log_prob`` of every example in nats, shape ``(N,)``, double precision, on the CPU.

    The model is put in eval mode meanwhile.

    Raises:
        ValueError: if there is no example, or a likelihood is NaN.
    """
    x = as_examples(x)
    if len(x) == 0:
        raise ValueError("there is no example to evaluate")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if context is not None and len(context) != len(x):
        raise ValueError(f"{len(x)} examples were given with {len(context)} contexts")
    device = next((t.device for t in (*model.parameters(), *model.buffers())), x.device)
    training, parts = model.training, []
    model.eval()
    try:
        for start in range(0, len(x), batch_size):
            some = slice(start, start + batch_size)
            about = None if context is None else context[some].to(device)
            parts.append(model.log_prob(move(x[some], device), about).detach().to("cpu").double())
    finally:
        model.train(training)
    result = torch.cat(parts)
    if result.isnan().any():
        raise ValueError(f"log_prob of example {int(result.isnan().nonzero()[0])} is NaN")
    return result


def nats(model: Scores, x: Tensor, context: Tensor | None = None, batch_size: int = 500) -> Estimate:
    """Mean negative log-likelihood of ``x`` in nats per example: the lower, the better.

    Args:
        model: a ``Density``, whose ``log_prob`` is exact.
        x: examples, ``(N, *event_shape)``.
        batch_size: examples at a time.
    """
    return mean(-log_probs(model, x, context, batch_size))


def mean(values: Tensor, unit: str = "nats") -> Estimate:
    """The mean of independent measurements, shape ``(N,)``, with its standard error."""
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(values.mean().item(), error, len(values), unit)


Figure = TypeVar("Figure", float, Estimate)


def bits_per_dim(nats: Figure | Scores, dims: int | Tensor, context: Tensor | None = None) -> Figure | Estimate:
    """Nats per example as bits per dimension: divided by ``dims`` ln 2. Takes a number, an estimate or a model.

    ``bits_per_dim(model, x)`` measures the examples ``x`` first. Of real values they depend on the unit of the data.
    """
    if not isinstance(nats, float | int | Estimate | Tensor):
        x = as_examples(dims)
        return bits_per_dim(mean(-log_probs(nats, x, context)), max(1, x[0].numel()))
    if isinstance(dims, Tensor):
        raise ValueError("a number of nats is divided by a number of dimensions, got a tensor: hand over the model")
    return _per(nats, dims * math.log(2), dims, "bits/dim")


def perplexity(model: Scores, x: Tensor, context: Tensor | None = None) -> float:
    """The exponential of the nats per symbol of sequences ``x``, ``(N, T)``: so many symbols, equally likely.

    A model that knows nothing has the number of its symbols, a perfect guess has 1.
    """
    x = as_examples(x)
    return math.exp(nats(model, x, context).value / x[0].numel())


def nats_per_symbol(nats: Figure, length: int) -> Figure:
    """Nats per sequence as nats per symbol. Takes a number or an :class:`Estimate`."""
    return _per(nats, length, length, "nats/symbol")


def _per(nats: Figure, divisor: float, count: int, unit: str) -> Figure:
    if count < 1:
        raise ValueError(f"there must be at least one to divide by, got {count}")
    if isinstance(nats, Estimate):
        return replace(nats, value=nats.value / divisor, standard_error=nats.standard_error / divisor, unit=unit)
    return nats / divisor


@torch.no_grad()
def stream(model: Streams, text: Tensor, *, chunk: int = 1000) -> Estimate:
    """Exact negative log-likelihood of one long sequence in nats per symbol, nothing of its past forgotten.

    Args:
        model: one that carries its state: ``stream(x, state) -> (params, state)`` gives the parameters of each
            symbol of ``x``, shape ``(1, t)``, from all before it; ``state`` None starts a sequence.
        text: symbols, ``(T,)``.
        chunk: symbols at a time; the standard error comes from the spread of the chunks' means, since
            neighbouring symbols are not independent.
    """
    if text.ndim != 1 or len(text) == 0:
        raise ValueError(f"expected one sequence of shape (T,), got {tuple(text.shape)}")
    device = next(model.parameters()).device
    training, state, parts = model.training, None, []
    model.eval()
    try:
        for start in range(0, len(text), chunk):
            x = text[None, start : start + chunk].to(device)                                  # (1, t)
            params, state = model.stream(x, state)                                            # (1, t, levels)
            parts.append(-model.likelihood.log_prob(params, x)[0].to("cpu").double())         # (t,)
    finally:
        model.train(training)
    values, full = torch.cat(parts), torch.stack([p.mean() for p in parts if len(p) == chunk] or [parts[0].mean()])
    error = full.std().item() / math.sqrt(len(full)) if len(full) > 1 else math.nan
    return Estimate(values.mean().item(), error, len(values), "nats/symbol")
