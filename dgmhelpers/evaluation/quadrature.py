r"""The integral over the latents done exactly, where there are one or two of them.

.. math::  p(x) = \int p(z)\, p(x \mid z)\, dz \;\approx\; h^Z \sum_{g} p(g)\, p(x \mid g)

over a regular grid of spacing h from −8 to 8 in each dimension (elsewhere if the prior lies elsewhere), for the model's
prior p(z), a standard normal if it names none. For a smooth integrand that falls to nothing at both ends this rule
converges faster than any power of h: with tanh units it is exact to rounding. The number of grid points is a power of
the dimension, which is why there is a bound at all.

Cost
    ``points ** Z`` passes of the decoder, shared by all examples, and as many evaluations of the likelihood for each.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from dgmhelpers.evaluation.needs import Decodes

MOST_POINTS = 10**6
DRAWS = 2000        # of a prior with parameters, to see where it lies
MISSED = 1e-3       # of the prior's mass, beyond which the grid goes where its draws lie
HALF_WIDTH = 8.0    # the standard normal has 1e-15 of its mass beyond


@torch.no_grad()
def quadrature(
    model: Decodes, x: Tensor, points: int = 201, *, context: Tensor | None = None, batch_size: int = 4096
) -> Tensor:
    """``log p(x)`` in nats by quadrature over the latents, shape ``(B,)``.

    Args:
        model: one with ``latent``, ``decode(z)``, ``likelihood`` and a ``prior``, or a standard normal one.
        x: examples, ``(B, *event_shape)``.
        points: in each latent dimension.
        context: of a conditional model, one row, which all examples share.
        batch_size: pairs of a grid point and an example at a time.

    Raises:
        ValueError: if the grid has more than a million points, or the prior's mass on it is not 1 within 2 %.
    """
    if points < 2 or points**model.latent > MOST_POINTS:
        raise ValueError(f"a grid of {points} points in each of {model.latent} dimensions has "
                         f"{points**model.latent:.3g} points; between 2 and {MOST_POINTS:,} can be summed")
    first = next(model.parameters())
    prior = getattr(model, "prior", None)
    about = {} if context is None else {"context": context}
    of_prior = about if getattr(prior, "conditioned_on", None) is not None else {}

    def rows(row_of, n):
        return {key: row.expand(n, *row.shape) for key, row in row_of.items()}

    def laid(low, high):
        """A grid between two corners, and the log of the prior's mass at each of its points."""
        axes = [torch.linspace(a, b, points, dtype=first.dtype, device=first.device)
                for a, b in zip(low, high, strict=True)]
        grid = torch.cartesian_prod(*axes).reshape(-1, model.latent)                               # (G, Z)
        log_weight = (-0.5 * (grid.square() + math.log(2 * math.pi))).sum(1)                       # (G,)
        if prior is not None:
            log_weight = prior.log_prob(grid, **rows(of_prior, len(grid))).to(first.dtype)
        return grid, log_weight + sum(math.log((b - a) / (points - 1)) for a, b in zip(low, high, strict=True))

    grid, log_weight = laid([-HALF_WIDTH] * model.latent, [HALF_WIDTH] * model.latent)
    if prior is not None and abs(log_weight.exp().sum().item() - 1) > MISSED:
        draws = prior.sample(DRAWS, **rows(of_prior, DRAWS), generator=Generator(first.device).manual_seed(0))
        centre, reach = draws.mean(0), 1.2 * (draws - draws.mean(0)).abs().amax(0)
        grid, log_weight = laid((centre - reach).tolist(), (centre + reach).tolist())
        if abs((mass := log_weight.exp().sum().item()) - 1) > 20 * MISSED:
            raise ValueError(f"the prior has mass {mass:.3g} on a grid of {points} points in each dimension: it is "
                             f"too wide, or too narrow, to be summed; try more points")
    x = model.likelihood.check(x, first.dtype).to(first.device)
    total = torch.full((len(x),), -math.inf, dtype=first.dtype, device=first.device)
    size = max(1, batch_size // max(1, len(x)))
    for z, weight in zip(grid.split(size), log_weight.split(size), strict=True):
        params = model.decode(z, **rows(about, len(z))).unsqueeze(1)                               # (g, 1, ...)
        params = params.expand(-1, len(x), *params.shape[2:])
        each = model.likelihood.log_prob(params, x.expand(len(z), *x.shape)).flatten(2).sum(2)     # (g, B)
        total = torch.logaddexp(total, (each + weight[:, None]).logsumexp(0))
    return total


@torch.no_grad()
def over_cells(log_density: Callable[[Tensor], Tensor], x: Tensor, points: int = 256) -> Tensor:
    """``log ∫ p(x + v) dv`` over the unit cell of each example of levels, ``(B, *event_shape)``: in nats, ``(B,)``.

    By the tanh-sinh rule in each of one or two dimensions, to which a density that is infinite at an edge does no harm.

    Args:
        log_density: log p of real points, ``(N, *event_shape) → (N,)``.
        points: in each dimension.

    Raises:
        ValueError: for more than two dimensions.
    """
    shape = x.shape[1:]
    if shape.numel() > 2:
        raise ValueError(f"cells of one or two dimensions can be integrated over, these have {shape.numel()}")
    t = torch.linspace(-3.2, 3.2, points, dtype=torch.double)                                      # v = σ(π sinh t)
    axis, step = (math.pi * t.sinh()).sigmoid(), t[1] - t[0]
    weight = (step * math.pi * t.cosh() * axis * (-math.pi * t.sinh()).sigmoid()).log()
    v = torch.cartesian_prod(*[axis] * shape.numel()).reshape(-1, *shape)                          # (G, *event_shape)
    log_weight = torch.cartesian_prod(*[weight] * shape.numel()).reshape(len(v), -1).sum(1)        # (G,)
    return torch.stack([(log_density(each + v).double() + log_weight).logsumexp(0) for each in x])
