r"""One network for the conditionals of every order.

Tell a network which variables are known, and their values, and let it give the conditional of each of the others:

.. math::  p(x_i \mid x_S) = f_i(x \odot m,\, m), \qquad m_j = 1 \text{ if } j \in S \text{ else } 0.

Chained along an order o it is a density, :math:`p_o(x) = \prod_k p(x_{o_k} \mid x_{o_{<k}})`; one network holds D! of
them. To train all, draw for each example an order, and a number k of known variables, evenly from 0 … D − 1, and let
the D − k unknown ones speak for the whole chain:

.. math::  \ell = \frac{D}{D - k} \sum_{i \notin S} -\log p(x_i \mid x_S), \quad S = \{o_1 \dots o_k\}, \qquad
           \mathbb E_{o,k}[\ell] = \mathbb E_o[-\log p_o(x)].

For given S each unknown variable is equally likely to be the next in the order, so the mean over them estimates step
k + 1 of the chain; and one of D steps was drawn, so D times that estimates their sum.

These are functions rather than a class between :class:`Autoregressive` and its models: a model's file shows what it
does with them, and every model stays one step from the base class. What they ask of it is ``network(x, mask)``, the
parameters of all variables, ``(B, *event_shape, *parameter_shape)``. The mask has x's shape and the model's dtype; of x
the network must use ``x * mask`` alone.
"""

import copy
from numbers import Integral
from typing import Any, Protocol, TypeVar

import torch
from torch import Generator, Size, Tensor

from dgmhelpers import sampling
from dgmhelpers.autoregressive.base import Autoregressive, permutations
from dgmhelpers.likelihoods import Likelihood
from dgmhelpers.masks import past

Agnostic = TypeVar("Agnostic", bound=Autoregressive)
MOST_INPUTS = 2**20  # numbers that go into the network at a time: bounds the memory of an exact evaluation


class HasNetwork(Protocol):
    """What the functions below ask of a model."""

    event_shape: Size
    likelihood: Likelihood

    @property
    def dtype(self) -> torch.dtype: ...

    def network(self, x: Tensor, mask: Tensor) -> Tensor:
        """Parameters of all variables from those that the mask says are known, ``(B, *event_shape, …)``."""
        ...


def orders_of(orders, dim: int, seed: int) -> Tensor:
    """``orders`` if they are given; if it is a number, so many drawn by ``seed``, ``(M, D)``.

    The first of many are the few: ``orders_of(4, …)`` begins ``orders_of(128, …)``.
    """
    if not isinstance(orders, Integral) or isinstance(orders, bool):
        return permutations(orders, dim)
    if orders < 1:
        raise ValueError(f"orders must be at least 1, or permutations, got {orders}")
    generator = torch.Generator().manual_seed(int(seed))
    return torch.stack([torch.randperm(dim, generator=generator) for _ in range(orders)])


def with_orders(model: Agnostic, orders, seed: int = 0) -> Agnostic:
    """A copy of an order-agnostic model that mixes over other orders. The network is the same: no training needed."""
    twin = copy.deepcopy(model)
    twin.orders = orders_of(orders, model.event_shape.numel(), seed).to(model.orders.device)
    twin.config = model.config | {"orders": orders, "seed": seed}
    return twin


def draw_known(n: int, dim: int, generator: Generator | None = None, device=None) -> Tensor:
    """For each of ``n`` examples the first k of a random order, k even over 0 … D − 1; boolean, ``(n, D)``."""
    place = torch.rand(n, dim, generator=generator, device=device).argsort(1)      # (n, D) a random permutation a row
    k = torch.randint(dim, (n, 1), generator=generator, device=device)             # (n, 1)
    return place < k


def loss(model: HasNetwork, x: Tensor, generator: Generator | None = None) -> Tensor:
    """The estimate above, averaged over the batch: one pass of the network. ``x`` is checked already."""
    known = draw_known(len(x), model.event_shape.numel(), generator, x.device)     # (B, D)
    params = model.network(x, known.reshape(x.shape).to(model.dtype))
    each = model.likelihood.log_prob(params, x).flatten(1).masked_fill(known, 0)   # (B, D)
    unknown = (~known).sum(1).to(each.dtype)  # integers divide in float32, whatever the model's dtype            (B,)
    return -(known.shape[1] / unknown * each.sum(1)).mean()


def conditionals_at_once(model: HasNetwork, x: Tensor, order: Tensor) -> Tensor:
    """Every conditional of one order, ``(B, *event_shape, *parameter_shape)``: D passes, several in one batch.

    Row i of ``past(order)`` is what the conditional of variable i may know, so that pass keeps output i alone.
    """
    columns, at_a_time = [], max(1, MOST_INPUTS // max(x.numel(), 1))
    for rows in torch.arange(len(order), device=x.device).split(at_a_time):
        known = past(order)[rows].to(model.dtype)                                     # (S, D)
        inputs = x.expand(len(rows), *x.shape)                                     # (S, B, *event_shape)
        masks = known.reshape(len(rows), 1, *x.shape[1:]).expand_as(inputs)
        params = model.network(inputs.flatten(0, 1), masks.flatten(0, 1))          # (S·B, *event_shape, …)
        params = params.flatten(1, x.ndim - 1).unflatten(0, inputs.shape[:2])      # (S, B, D, …)
        columns.append(params[torch.arange(len(rows)), :, rows])                   # (S, B, …)
    return torch.cat(columns).movedim(0, 1).unflatten(1, x.shape[1:])


def one_by_one(model: HasNetwork, n: int, order: list[int]):
    """The same as a coroutine, for sampling: one pass of the network a variable."""
    x = sampling.empty(model, n)                                                   # (n, D)
    mask = torch.zeros(x.shape, dtype=model.dtype, device=x.device)
    shape = (n, *model.event_shape)
    for i in order:
        params = model.network(x.reshape(shape), mask.reshape(shape)).flatten(1, len(model.event_shape))
        x_i = yield params[:, i]
        x, mask = x.clone(), mask.clone()  # the graph may still hold the old ones
        x[:, i], mask[:, i] = x_i, 1


ANCESTRAL: Any = Autoregressive.sample    # of the class, whatever a subclass makes of it


def sample(model: Autoregressive, n: int, *, given=None, known=None, **options) -> Tensor:
    """Ancestral sampling that takes what is known first, whatever it is: exact inpainting.

    The orders are rearranged for each example so that its known entries lead; then ``p_o(unknown | known)`` is the
    product of the remaining conditionals. Options are those of :meth:`Autoregressive.sample`.
    """
    if given is None or known is None or n < 1:
        return ANCESTRAL(model, n, given=given, known=known, **options)
    keep, kept = sampling.known_values(model, n, given, known)                     # (n, D) each
    x = kept.clone()
    for pattern in keep.unique(dim=0):  # examples that know the same are drawn together
        rows = (keep == pattern).all(1)
        last = (~pattern[model.orders]).int().argsort(stable=True, dim=1)          # (M, D): known places first
        twin = with_orders(model, model.orders.gather(1, last))
        mine = {"given": kept[rows].unflatten(1, model.event_shape), "known": pattern.reshape(model.event_shape)}
        x[rows] = ANCESTRAL(twin, int(rows.sum()), **mine, **options).flatten(1)
    return x.reshape(n, *model.event_shape)
