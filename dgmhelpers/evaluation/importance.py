r"""Models that offer a bound: the bound itself, and an estimate of the likelihood by importance sampling.

.. math::  \hat L_k = -\frac1N \sum_n \log \frac1k \sum_{i=1}^{k} w_{ni}, \qquad
           w_{ni} = \frac{p(x_n, z_{ni})}{q(z_{ni} \mid x_n)}, \quad z_{ni} \sim q(z \mid x_n).

The weights average to p(x), but the log of an average is on average too small (Jensen): :math:`\hat L_k` is an estimate
of the negative log-likelihood that is biased upwards, towards a worse figure, by less and less as k grows. It is never
called a likelihood. With one draw and the KL in closed form it is minus the ELBO.

Source
    Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
Cost
    N·k passes of the decoder: 5,000 draws for 10,000 images are fifty million.
"""

import math

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.evaluation.nats import Estimate, mean
from dgmhelpers.training.files import move


@torch.no_grad()
def elbos(
    model: nn.Module, x: Tensor, k: int = 1, *, context: Tensor | None = None, draws: int = 1, batch_size: int = 500,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """The bound of every example in nats, shape ``(N,)``, double precision, on the CPU.

    Args:
        model: a ``Bound``; it is put in eval mode meanwhile.
        x: examples, ``(N, *event_shape)``.
        k: draws inside the logarithm.
        context: of a conditional model, one row an example.
        draws: independent values of the bound to average for each example.
        batch_size: examples at a time; decides memory and which noise meets which example, nothing else.
        generator: source of randomness, on the model's device.

    Raises:
        ValueError: if there is no example, or a value is NaN.
    """
    for name, value in {"k": k, "draws": draws, "batch_size": batch_size}.items():
        at_least(name, value, 1)

    def one(some, **about):
        values = [model.elbo(some, k, **about, generator=generator).cpu().double() for _ in range(draws)]
        return torch.stack(values).mean(0)

    return _in_batches(model, x, batch_size, one, context)


def elbo(
    model: nn.Module, x: Tensor, k: int = 1, *, context: Tensor | None = None, draws: int = 1, batch_size: int = 500,
    generator: Generator | None = None,
) -> Estimate:  # fmt: skip
    """Minus the mean bound in nats per example, with its standard error: a bound on the negative log-likelihood.

    The arguments are those of :func:`elbos`.
    """
    return mean(-elbos(model, x, k, context=context, draws=draws, batch_size=batch_size, generator=generator))


@torch.no_grad()
def log_likelihoods(
    model: nn.Module, x: Tensor, k: int = 5000, *, context: Tensor | None = None, chunk: int = 100,
    batch_size: int = 20, generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Importance-weighted estimate of each ``log p(x)`` in nats, ``(N,)``, double precision, on the CPU.

    Biased downwards, and the less the larger k is.

    Args:
        model: one with ``log_weights(x, k) -> (k, B)``.
        k: draws for each example.
        chunk: of them at a time; decides memory and speed. About a thousand decodings at a time (``chunk`` times
            ``batch_size``) suit a processor's cache, far more a GPU.

    The other arguments are those of :func:`elbos`.
    """
    for name, value in {"k": k, "chunk": chunk, "batch_size": batch_size}.items():
        at_least(name, value, 1)

    def one(some, **about):
        total = torch.full((len(some),), -math.inf, dtype=torch.double)         # on the CPU: not every device has it
        for start in range(0, k, chunk):
            weights = model.log_weights(some, min(chunk, k - start), **about, generator=generator)  # (chunk, B)
            total = torch.logaddexp(total, weights.cpu().double().logsumexp(0))
        return total - math.log(k)

    return _in_batches(model, x, batch_size, one, context)


def log_likelihood(
    model: nn.Module, x: Tensor, k: int = 5000, *, context: Tensor | None = None, chunk: int = 100,
    batch_size: int = 20, generator: Generator | None = None,
) -> Estimate:  # fmt: skip
    """Importance-weighted estimate of the mean ``−log p(x)`` in nats per example, with its standard error.

    An estimate, biased upwards: see the top of this module. The standard error is that of the mean over examples, and
    holds what the draws add to it; it does not hold the bias. The arguments are those of :func:`log_likelihoods`.
    """
    return mean(-log_likelihoods(model, x, k, context=context, chunk=chunk, batch_size=batch_size,
                                 generator=generator))


def log_likelihood_by_part(
    model: nn.Module, x: Tensor, part: int, k: int = 5000, *, draws: int = 10, chunk: int = 100, batch_size: int = 20,
    generator: Generator | None = None,
) -> Estimate:  # fmt: skip
    r"""The estimate of :func:`log_likelihood` for all of ``x``, at the cost of k draws for ``part`` of them alone.

    The bound is cheap, and most of what makes one example harder than another is in it. So take it of all N, and add
    how far the estimate is from it on n of them, spread evenly over ``x``:

    .. math::  -\frac1N \sum_{i \le N} b_i - \frac1n \sum_{i \in \text{part}} g_i, \qquad
               \mathrm{se}^2 = \frac{\mathrm{var}(b)}{N} + \frac{\mathrm{var}(g)}{n}
               + \frac{2\,\mathrm{cov}(b, g)}{N}

    with bounds b (averaged over ``draws``) and gaps g. The other arguments are those of :func:`log_likelihoods`.
    """
    if not 2 <= part <= len(x):
        raise ValueError(f"part must be between 2 and the {len(x)} examples, got {part}")
    bounds = elbos(model, x, draws=draws, generator=generator)                              # (N,)
    chosen = torch.arange(part) * len(x) // part                                            # (n,)
    precise = log_likelihoods(model, x[chosen.to(x.device)], k, chunk=chunk, batch_size=batch_size,
                              generator=generator)
    gaps = precise - bounds[chosen]
    cov = torch.cov(torch.stack([bounds[chosen], gaps]))[0, 1]
    variance = bounds.var() / len(x) + gaps.var() / part + 2 * cov / len(x)
    return Estimate(-(bounds.mean() + gaps.mean()).item(), variance.clamp(min=0).sqrt().item(), len(x))


def _in_batches(model, x, batch_size, function, context=None) -> Tensor:
    """``function(some, context=…)`` of all examples, a batch at a time; without a context of ``some`` alone."""
    if len(x) == 0:
        raise ValueError("there is no example to evaluate")
    device = next((t.device for t in (*model.parameters(), *model.buffers())), x.device)
    training, parts = model.training, []
    model.eval()
    try:
        for start in range(0, len(x), batch_size):
            some = slice(start, start + batch_size)
            about = {} if context is None else {"context": move(context[some], device)}
            parts.append(function(move(x[some], device), **about).detach().to("cpu").double())
    finally:
        model.train(training)
    result = torch.cat(parts)
    if result.isnan().any():
        raise ValueError(f"the bound of example {int(result.isnan().nonzero()[0])} is NaN")
    return result

