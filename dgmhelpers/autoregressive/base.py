"""What every autoregressive model shares: a density and a sampler made from the same conditionals.

A model of this family says two things: ``forward``, the parameters of all its conditionals at once, and
``conditionals``, the same parameters one at a time. From those, ``log_prob`` and ``sample`` follow here, once for
all of them, so that no model can have a sampler that draws from something else than its density.
"""

import abc
import math
from collections.abc import Generator as Coroutine
from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers import sampling
from dgmhelpers.model import Model, drawn
from dgmhelpers.numerics import logsumexp
from dgmhelpers.protocols import Method


class Autoregressive(Model):
    r"""A density as a product of conditionals, in one order or as an equal mixture over several.

    .. math::  p(x) = \frac1M \sum_{m=1}^{M} \prod_{k=1}^{D} p_m(x_{o^m_k} \mid x_{o^m_{<k}})

    Args:
        event_shape: shape of one example.
        likelihood: what each conditional is, from :mod:`dgmhelpers.likelihoods`.
        orders: the order of the variables, shape ``(D,)`` (raster if not given), or ``M`` orders, ``(M, D)``; each
            a permutation of the flat positions 0 … D − 1.
        config: the keyword arguments that make this model again.
    """

    orders: Tensor  # (M, D)

    def __init__(self, event_shape, likelihood, orders: Tensor | list | None, config: dict):
        super().__init__(event_shape, likelihood.levels, config)
        self.likelihood = likelihood
        self.register_buffer("orders", permutations(orders, self.event_shape.numel()))
        self.on_host("orders")

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        before = self.orders.clone()
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if not before.is_meta and not torch.equal(before, self.orders):   # a weight too, which the config follows
            key = "order" if "order" in self.config else "orders"
            same = bool((self.orders == self.orders[0]).all())
            if key in self.config and (key == "orders" or same):
                self.config[key] = (self.orders[0] if same and key == "order" else self.orders).tolist()

    @property
    def order(self) -> Tensor:
        """The (first) order: ``order[k]`` is the flat position of the k-th variable, shape ``(D,)``."""
        return self.orders[0]

    def steps(self, component: int = 0) -> list[int]:
        """One of the orders as a list, for a sampler's loop."""
        return self.on_host("orders")[component]

    @abc.abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional at once (teacher forcing), ``(B, *event_shape, *parameter_shape)``."""

    @abc.abstractmethod
    def conditionals(self, n: int, context: Tensor | None = None) -> Coroutine[Tensor, Tensor, None]:
        """The same parameters one variable at a time, for sampling: see :mod:`dgmhelpers.sampling`."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-likelihood in nats, shape ``(B,)``.

        Raises:
            ValueError: if ``x`` is not ``(B, *event_shape)`` or holds a value the model has no probability for.
        """
        x = self.check(x)
        each = [self._log_prob(x, context, m) for m in range(len(self.orders))]
        return logsumexp(torch.stack(each), 0) - math.log(len(each))  # the log of the mean of the probabilities

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean ``log_prob`` over the batch, in nats per example; what training minimises.

        Values are checked on the CPU only: on an accelerator the look would stall every step.
        """
        return -self._log_prob(self._prepare(x), context, 0).mean()

    @drawn
    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        given: Tensor | None = None,
        known: Tensor | None = None,
        temperature: float = 1.0,
        method: Method = "cached",
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw ``n`` examples one variable at a time, shape ``(n, *event_shape)``.

        A mixture over orders first draws an order for every example. Known entries are kept and the others drawn
        given what precedes them in the order: exactly ``p(unknown | known)`` when the known come first. Elsewhere a
        warning says how many are ignored, and :func:`dgmhelpers.sampling.conditionally` takes all into account.

        Args:
            context: conditioning of a conditional model, one row an example.
            given: values to keep, broadcast to ``(n, *event_shape)``.
            known: boolean mask of the entries of ``given`` to keep.
            temperature: above 0; divides the logits (multiplies the spread of a continuous conditional).
            method: ``"naive"`` evaluates the whole model for each variable and is the definition; ``"cached"``
                gives the same draws and computes each activation once.
            generator: source of randomness, on the model's device.

        Raises:
            ValueError: for a negative ``n``, a ``temperature`` of 0 or less, an unknown method, a generator elsewhere.
        """
        if method not in ("cached", "naive"):
            raise ValueError(f'method must be "cached" or "naive", got {method!r}')
        self._check_draw(n, generator, temperature)
        keep, kept = sampling.known_values(self, n, given, known)
        sampling.warn_of_ignored(self, keep)
        options: dict[str, Any] = {"temperature": temperature, "method": method, "generator": generator}
        if len(self.orders) == 1:
            return sampling.ancestral(self, n, context=context, keep=keep, kept=kept, **options)
        x = sampling.empty(self, n).reshape(n, *self.event_shape)
        drawn_on = "cpu" if generator is None else generator.device  # the one wait: which order has which rows
        which = torch.randint(len(self.orders), (n,), generator=generator, device=drawn_on).cpu()
        for m in which.unique().tolist():
            rows = (which == m).nonzero()[:, 0].to(self.device)
            mine = {name: None if v is None else v[rows]
                    for name, v in {"context": context, "keep": keep, "kept": kept}.items()}
            x[rows] = sampling.ancestral(self, len(rows), component=m, **(options | mine))
        return x

    def _log_prob(self, x, context, component):
        params = sampling.parameters_of(self, x, context, component)               # (B, D, *parameter_shape)
        return self.likelihood.log_prob(params, x.flatten(1)).sum(1)               # (B,)


def permutations(orders, dim: int) -> Tensor:
    """One order ``(D,)`` or several ``(M, D)`` as ``(M, D)``; raster if None. Each must be a permutation."""
    orders = torch.arange(dim) if orders is None else torch.as_tensor(orders, dtype=torch.long)
    orders = orders.reshape(-1, orders.shape[-1]) if orders.ndim else orders.reshape(1, 1)
    for order in orders:
        if not torch.equal(order.sort().values, torch.arange(dim, device=order.device)):
            raise ValueError(f"an order must be a permutation of 0 … {dim - 1}, got {order.tolist()}")
    return orders

