r"""How far a product of matrices is from a permutation with signs and scales: what is left mixed.

.. math::  \frac{1}{2D(D-1)} \Big[ \sum_i \Big(\frac{\sum_j |P_{ij}|}{\max_j |P_{ij}|} - 1\Big)
           + \sum_j \Big(\frac{\sum_i |P_{ij}|}{\max_i |P_{ij}|} - 1\Big) \Big], \qquad P = WA .

Source
    S. Amari, A. Cichocki and H. Yang, "A new learning algorithm for blind signal separation", NIPS 1996, divided by its
    largest value.
"""

import torch
from torch import Tensor


def amari_index(product: Tensor) -> float:
    """Between 0, for sources found up to order, sign and scale, and 1, for a matrix of equal entries.

    Args:
        product: ``W A``, ``(D, D)`` with D of at least 2: what unmixes times what mixed.

    Raises:
        ValueError: for another shape, or a row or column of zeros.
    """
    P = torch.as_tensor(product).detach().double().abs()
    if P.ndim != 2 or P.shape[0] != P.shape[1] or len(P) < 2:
        raise ValueError(f"expected a square matrix of at least 2 × 2, got shape {tuple(P.shape)}")
    if not (P.amax(0) > 0).all() or not (P.amax(1) > 0).all():
        raise ValueError("a row or a column of the product is zero")
    rows, columns = (P.sum(dim) / P.amax(dim) - 1 for dim in (1, 0))
    return ((rows.sum() + columns.sum()) / (2 * len(P) * (len(P) - 1))).item()
