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

from collections.abc import Generator as Coroutine

import torch
from torch import Generator, Tensor

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
