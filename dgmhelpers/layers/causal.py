r"""Causal convolutions over time: what comes out at time t depends on what came in at time t and before.

.. math::  y_t = b + \sum_{j=0}^{k-1} W_j\, x_{t - j d}, \qquad x_t = 0 \text{ for } t < 0.

The dilation d spreads the k taps over (k − 1) d + 1 time steps at the cost of k. Zeros are added on the left alone, so
that the output is as long as the input and nothing later is seen.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import at_least


class CausalConv1d(nn.Conv1d):
    r"""A convolution over ``(B, inputs, T)`` that is padded on the left, giving ``(B, outputs, T)``.

    Args:
        inputs, outputs: features.
        kernel: taps.
        dilation: time steps between two taps.
        norm: weight normalisation: each output's weight is :math:`g\, v / \lVert v \rVert`, with its own length g.
        gain: scale of the first weights: a unit's weights have this length, on average.
        bias: whether there is one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 2, dilation: int = 1, *, norm: bool = False,
                 gain: float = 1.0, bias: bool = True):  # fmt: skip
        kernel, dilation = at_least("kernel", kernel, 1), at_least("dilation", dilation, 1)
        super().__init__(inputs, outputs, kernel, dilation=dilation, bias=bias)
        self.reach = (kernel - 1) * dilation                                       # steps back that it sees
        nn.init.normal_(self.weight, std=gain * (inputs * kernel) ** -0.5)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.scale = nn.Parameter(torch.full((outputs,), float(gain))) if norm else None

    @property
    def kernel(self) -> Tensor:
        """The weight as it is used, ``(outputs, inputs, k)``."""
        if self.scale is None:
            return self.weight
        return self.weight * (self.scale / self.weight.flatten(1).norm(dim=1))[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, T)`` to ``(B, outputs, T)``."""
        return F.conv1d(F.pad(x, (self.reach, 0)), self.kernel, self.bias, dilation=self.dilation)

    def walk(self, n: int) -> "Walk":
        """The same one time step after the other, for ``n`` sequences."""
        return Walk(self, n)


class Walk:
    """A causal convolution one time step at a time: the past that it still needs waits in a queue.

    The queue is a ring of (k − 1) d places. Step t finds the input of step t − (k − 1) d where it leaves its own.
    """

    def __init__(self, layer: CausalConv1d, n: int):
        kernel = layer.kernel                                                      # (outputs, inputs, k)
        self.taps, self.dilation, self.size = kernel.shape[2], layer.dilation[0], layer.reach
        self.weight, self.bias = kernel.permute(0, 2, 1).flatten(1).T, layer.bias  # (k · inputs, outputs)
        self.queue = kernel.new_zeros(max(self.size, 1), n, kernel.shape[1])
        self.t = 0

    def __call__(self, x: Tensor) -> Tensor:
        """The output ``(n, outputs)`` of the next step, whose input is ``(n, inputs)``."""
        past = [self.queue[(self.t + j * self.dilation) % self.size] for j in range(self.taps - 1)]
        seen = torch.cat([*past, x], 1)                                            # (n, k · inputs), oldest first
        if self.size:
            self.queue[self.t % self.size] = x
        self.t += 1
        out = seen @ self.weight
        return out if self.bias is None else out + self.bias


def receptive_field(kernels: int | Sequence[int], dilations: Sequence[int], strides: Sequence[int] = ()) -> int:
    r"""How many inputs one output of a stack of convolutions depends on.

    .. math::  R = 1 + \sum_l (k_l - 1)\, d_l \prod_{i < l} s_i

    Args:
        kernels: taps of each layer, the first first; one number for all.
        dilations: of each layer.
        strides: of each layer; 1 if not given.
    """
    given: Any = kernels
    kernels = list(given) if hasattr(given, "__len__") else [given] * len(dilations)
    strides = list(strides) or [1] * len(dilations)
    if not len(kernels) == len(dilations) == len(strides):
        raise ValueError(f"{len(kernels)} kernels, {len(dilations)} dilations and {len(strides)} strides: a layer has "
                         "one of each")
    field, apart = 1, 1
    for kernel, dilation, stride in zip(kernels, dilations, strides, strict=True):
        for name, value in ("kernel", kernel), ("dilation", dilation), ("stride", stride):
            at_least(name, value, 1)
        field += (kernel - 1) * dilation * apart
        apart *= stride
    return field
