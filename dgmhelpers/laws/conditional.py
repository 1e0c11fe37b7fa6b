"""A conditional model at one context, which by that is a density like any other: its methods, or bare functions."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers import protocols


class AtContext(nn.Module):
    """A conditional model given one context, which by that is a density like any other.

    Args:
        model: one whose methods take a ``context``, one row an example.
        context: the row, without the batch: a number for a class, a tensor for anything else.
    """

    conditioned_on = None

    def __init__(self, model: nn.Module, context):
        super().__init__()
        self.model = model
        self.register_buffer("row", torch.as_tensor(context)[None], persistent=False)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            found = getattr(super().__getattr__("model"), name)
        called = found.forward if isinstance(found, nn.Module) else found
        if not (callable(called) and protocols.takes(called, "context")):
            return found

        @functools.wraps(found)
        def given(first, *rest, **more):
            return found(first, *rest, context=self.rows(first if isinstance(first, int) else len(first)), **more)

        return given

    def rows(self, n: int) -> Tensor:
        return self.row.expand(n, *self.row.shape[1:])

    def forward(self, x, context=None, **more):
        return self.model(x, self.rows(len(x)), **more)

    def conditionals(self, n, context=None, **more):
        return self.model.conditionals(n, self.rows(n), **more)

    def _log_prob(self, x, context, component):
        return self.model._log_prob(x, self.rows(len(x)), component)


def at_context(function: Callable, row: Any) -> Callable:
    """A function at one context, if it takes a ``context``: one row, which every example gets."""
    if not protocols.takes(function, "context"):
        return function
    row = torch.as_tensor(row)

    @functools.wraps(function)
    def given(first, *rest, **more):
        n = first if isinstance(first, int) else len(first)
        return function(first, *rest, context=row.expand(n, *row.shape), **more)

    return given
