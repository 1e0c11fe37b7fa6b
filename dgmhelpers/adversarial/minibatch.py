r"""Two ways to show the discriminator several examples at once: collapse is a property of a set, not of an example.

*Minibatch discrimination* gives every example, beside its features f(x), how close it is to the others of its batch,

.. math::  M_i = f(x_i)\,T \in \mathbb R^{B \times C}, \qquad
           o(x_i)_b = \sum_{j \ne i} \exp\big(-\lVert M_{i,b} - M_{j,b} \rVert_1\big),

and *packing* joins m examples into one input, all real or all made, with one verdict for the lot.

Source
    T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford and X. Chen, "Improved techniques for training GANs",
    NIPS 2016; Z. Lin, A. Khetan, G. Fanti and S. Oh, "PacGAN: the power of two samples in generative adversarial
    networks", NeurIPS 2018.
Differs
    The sum leaves out j = i, a constant 1, and is divided by the number of others, so that it means the same at any
    batch size. Real and made examples come in batches of their own, as in ``fit_adversarial``.
Cost
    Minibatch discrimination: O(n² B C) for a batch of n; without gradients four million numbers are held at a time.
    Packing: none, and n/m logits instead of n.
"""

import math

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.numerics import blocks


class MinibatchDiscrimination(nn.Module):
    """Append to every example's features how near the rest of the batch is: ``(n, inputs) → (n, inputs + kernels)``.

    Args:
        inputs: features of an example A.
        kernels: measures of closeness B.
        size: entries that each compares C.
    """

    def __init__(self, inputs: int, kernels: int = 8, size: int = 2):
        super().__init__()
        for name, value in {"inputs": inputs, "kernels": kernels, "size": size}.items():
            at_least(name, value, 1)
        self.kernels, self.size = kernels, size
        self.T = nn.Parameter(torch.randn(inputs, kernels * size) / math.sqrt(inputs))

    def closeness(self, features: Tensor) -> Tensor:
        """Mean of ``exp(−distance)`` to the others, in [0, 1], ``(n, kernels)``; 0 for an example that is alone."""
        n = len(features)
        m = (features @ self.T).unflatten(1, (self.kernels, self.size))            # (n, B, C)
        others = [torch.exp(-(part[:, None] - m).abs().sum(-1)).sum(1) - 1         # (rows, n, B, C) to (rows, B)
                  for part in blocks(m, m.numel())]
        return torch.cat(others) / max(n - 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([features, self.closeness(features)], 1)                  # (n, inputs + kernels)


class Pack(nn.Module):
    """Join every m examples into one: ``(n, D) → (n / m, m D)``, neighbours in the batch together.

    Args:
        m: examples in a pack.

    Raises:
        ValueError: when called with a batch that m does not divide.
    """

    def __init__(self, m: int):
        super().__init__()
        self.m = at_least("m", m, 1)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) % self.m:
            raise ValueError(f"a batch of {len(x)} cannot be cut into packs of {self.m}")
        return x.reshape(len(x) // self.m, -1)                                     # (n / m, m D)
