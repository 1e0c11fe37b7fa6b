"""Ancestral sampling: one variable at a time, each from its conditional given those already drawn.

There are two ways to get the next conditional, and one loop for both.

*Naive* evaluates the whole model for every variable and keeps one conditional of it. It follows the definition,
and is the definition: whatever the cached sampler does must equal it.

*Cached* asks the model's own ``conditionals``: a coroutine that yields the parameters of the next conditional and is
sent the value that was drawn, so that the model keeps what it has computed. A model writes it as a plain loop::

    def conditionals(self, n, context=None):
        state = ...                                 # of n empty examples
        for i in self.steps():
            x_i = yield ...                         # give the parameters of variable i, receive the draw
            state = ...                             # remember what the draw changes

Every draw consumes the same randomness in both, so one generator gives one sample, bit for bit.
"""

import math
import warnings
from collections.abc import Generator as Coroutine
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least
from dgmhelpers.numerics import logsumexp
from dgmhelpers.protocols import Method


def ancestral(
    model,
    n: int,
    *,
    component: int = 0,
    context: Tensor | None = None,
    keep: Tensor | None = None,
    kept: Tensor | None = None,
    temperature: float = 1.0,
    method: Method = "cached",
    generator: Generator | None = None,
) -> Tensor:
    """Draw ``n`` examples from one order of an autoregressive model, shape ``(n, *event_shape)``.

    Args:
        component: which of the model's orders.
        keep: boolean ``(n, D)``, entries that are not drawn but take their value from ``kept``, ``(n, D)``.

    The other arguments are those of :meth:`Autoregressive.sample`.
    """
    order = model.steps(component)
    x = empty(model, n)                                                            # (n, D)
    step = _cached(model, n, context, component) if method == "cached" else _naive(model, x, context, component)
    params = next(step)
    for k, i in enumerate(order):
        value = model.likelihood.sample(params, temperature, generator)            # (n,)
        x[:, i] = value if keep is None or kept is None else torch.where(keep[:, i], kept[:, i], value)
        if k + 1 < len(order):  # nothing follows the last draw
            params = step.send(x[:, i])
    return x.reshape(n, *model.event_shape)


def empty(model, n: int) -> Tensor:
    """``n`` flat examples of zeros, of the dtype and on the device that the model's samples have, ``(n, D)``."""
    parameter = next(model.parameters())
    levels = model.likelihood.levels
    dtype = parameter.dtype if levels in (None, 2) else torch.long
    return torch.zeros(n, model.event_shape.numel(), dtype=dtype, device=parameter.device)


def parameters_of(model, x: Tensor, context: Tensor | None = None, component: int = 0) -> Tensor:
    """Parameters of all conditionals of one order at once, variables flattened: ``(B, D, *parameter_shape)``."""
    extra = {"component": component} if len(model.orders) > 1 else {}
    return model(x, context, **extra).flatten(1, len(model.event_shape))


def conditionals_of(model, n: int, context: Tensor | None = None, component: int = 0):
    """The model's coroutine for one order, not yet started."""
    extra = {"component": component} if len(model.orders) > 1 else {}
    return model.conditionals(n, context, **extra)


def replay(model, x: Tensor, context: Tensor | None = None, component: int = 0) -> Tensor:
    """Parameters of all conditionals, computed step by step along ``x`` as the cached sampler does.

    Shape ``(B, D, *parameter_shape)``; ``laws.cached_equals_naive`` compares it with :func:`parameters_of`.
    """
    flat = x.flatten(1)
    order = model.steps(component)
    step = _cached(model, len(x), context, component)
    params = next(step)
    columns = {order[0]: params}
    for before, i in zip(order, order[1:], strict=False):
        columns[i] = step.send(flat[:, before])
    return torch.stack([columns[i] for i in range(len(order))], 1)


def _cached(model, n, context, component) -> Coroutine[Tensor, Tensor, None]:
    return conditionals_of(model, n, context, component)


def _naive(model, x, context, component) -> Coroutine[Tensor, Tensor, None]:
    # `x` is the sample under construction: what has not been drawn yet is zero, and must not matter
    for i in model.steps(component):
        yield parameters_of(model, x.reshape(-1, *model.event_shape), context, component)[:, i]


def known_values(model, n: int, given: Tensor | None, known: Tensor | None):
    """``given`` and ``known`` checked and spread over ``n`` flat examples: ``keep`` and ``kept``, ``(n, D)`` each.

    Both None if nothing is known.
    """
    if given is None and known is None:
        return None, None
    if given is None or known is None:
        raise ValueError("given and known come together: the values, and the mask that says which of them to keep")
    if known.dtype != torch.bool:
        raise ValueError(f"known must be boolean, got {known.dtype}")
    x = empty(model, n)
    shape = (n, *model.event_shape)
    try:
        keep, values = known.to(x.device).expand(shape), given.to(x.device).expand(shape)
    except RuntimeError:
        shapes = f"given {tuple(given.shape)} and known {tuple(known.shape)}"
        raise ValueError(f"{shapes} must fit the samples' shape {shape}") from None
    kept = x.reshape(shape)
    kept[keep] = model.likelihood.check(values[keep], x.dtype)
    return keep.flatten(1), kept.flatten(1)


def ignored(orders: Tensor, keep: Tensor) -> int:
    """How many known entries come after an unknown one, in the example and the order where most do.

    What is drawn before such an entry does not depend on it.

    Args:
        orders: ``(M, D)``. keep: boolean ``(n, D)``.
    """
    if not keep.numel():
        return 0
    in_order = keep.unique(dim=0)[:, orders]                                       # (n, M, D)
    late = in_order & ((~in_order).cumsum(-1) > 0)
    return int(late.sum(-1).max())


def warn_of_ignored(model, keep: Tensor | None) -> None:
    """Say so if draws do not take all that is known into account."""
    if keep is None:
        return
    late = ignored(model.orders, keep)
    if late:
        warnings.warn(
            f"{late} of {int(keep.sum(1).max())} known entries come after unknown ones in the order: what is drawn "
            f"before them does not depend on them, so these are not draws from p(unknown | known). "
            f"sampling.conditionally(model, n, given=…, known=…) draws from it",
            stacklevel=4,                                # above no_grad and sample: the line that called it
        )


class Conditioned(NamedTuple):
    """Draws given what is known, and how they were made.

    Attributes:
        x: the draws, ``(n, *event_shape)``.
        how: ``"order"`` and ``"enumeration"`` are exact, ``"importance resampling"`` is not.
        effective: the number of independent weights that those of the proposals are worth; infinite where exact.
    """

    x: Tensor
    how: str
    effective: float


@torch.no_grad()
def conditionally(
    model,
    n: int,
    *,
    given: Tensor,
    known: Tensor,
    context: Tensor | None = None,
    proposals: int = 2000,
    most: int = 2**16,
    generator: Generator | None = None,
) -> Conditioned:
    """Draw ``n`` examples from ``p(unknown | known)`` of an autoregressive model, whatever its order.

    Exact where the known entries come first in the model's one order, or where all completions can be enumerated.
    Elsewhere completions are proposed as ``sample`` makes them, with density q, and ``n`` of them are drawn with
    weights p / q: right in the limit of many proposals.

    Args:
        given: one example, ``event_shape``, of which ``known`` entries are kept.
        known: boolean mask, ``event_shape``.
        context: of a conditional model, its one row, ``(1, ...)``.
        proposals: how many completions are weighed.
        most: at most so many completions are enumerated.

    Raises:
        ValueError: if what is known is impossible under the model.
    """
    keep, kept = known_values(model, 1, given, known)
    if keep is None or kept is None:
        raise ValueError("given and known say what to condition on")
    model._check_draw(n, generator)
    at_least("proposals", proposals, 1)

    def about(rows: int):
        return None if context is None else context.expand(rows, *context.shape[1:])

    def proposed(rows: int) -> Tensor:
        options = {"keep": keep.expand(rows, -1), "kept": kept.expand(rows, -1), "context": about(rows)}
        count = len(model.orders)
        if count == 1:
            return ancestral(model, rows, generator=generator, **options).flatten(1)
        which = torch.randint(count, (rows,), generator=generator, device=kept.device)
        each = [ancestral(model, rows, component=m, generator=generator, **options) for m in range(count)]
        return torch.stack(each).flatten(2)[which, torch.arange(rows, device=kept.device)]

    def log_p(x: Tensor) -> Tensor:
        parts = [model.log_prob(some.unflatten(1, model.event_shape), about(len(some))) for some in x.split(1000)]
        return torch.cat(parts).double()

    unknown = (~keep[0]).nonzero()[:, 0]
    if len(model.orders) == 1 and not ignored(model.orders, keep):
        return Conditioned(proposed(n).unflatten(1, model.event_shape), "order", math.inf)
    levels = model.likelihood.levels
    if levels is not None and len(unknown) * math.log(levels) <= math.log(most):
        values = torch.cartesian_prod(*[torch.arange(levels, device=kept.device)] * len(unknown))
        values = values.reshape(-1, len(unknown))        # of one entry it is a vector, of none empty
        x, how = kept.repeat(len(values), 1), "enumeration"
        x[:, unknown] = values.to(x.dtype)
        weights = log_p(x)
    else:
        x, how = proposed(proposals), "importance resampling"
        logs = []
        for m in range(len(model.orders)):
            params = parameters_of(model, x.unflatten(1, model.event_shape), about(len(x)), m)
            logs.append(model.likelihood.log_prob(params, x)[:, unknown].sum(1))
        weights = log_p(x) - (logsumexp(torch.stack(logs), 0) - math.log(len(logs))).double()
    if not (weights > -math.inf).any():
        raise ValueError("what is known has probability zero under this model, in every completion that was tried")
    p = weights.softmax(0)
    drawn = x[torch.multinomial(p, n, replacement=True, generator=generator)] if n else x[:0]
    effective = math.inf if how == "enumeration" else 1 / p.square().sum().item()
    return Conditioned(drawn.unflatten(1, model.event_shape), how, effective)
