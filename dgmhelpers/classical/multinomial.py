r"""The multinomial: a table of probabilities, one for each value.

.. math::  p(x = k) = \pi_k, \qquad  \hat\pi_k = \frac{N_k + \alpha}{N + \alpha K},

where :math:`N_k` counts the examples with value k. With α = 0 that is the maximum of the likelihood, the relative
frequencies; α > 0 gives unseen values a share (Laplace's rule for α = 1).

Source
    For the smoothing: P.-S. Laplace, "Essai philosophique sur les probabilités", 1814.
Differs
    One draw at a time: counts of N draws are N examples. (Statisticians call a single draw categorical.)
Cost
    ``fit``: one count. ``log_prob``: a look-up. ``sample``: a cumulative sum and a binary search a draw.
"""

import torch
from torch import Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.classical.base import Classical, draw, parameter, probabilities, some
from dgmhelpers.numerics import single


class Multinomial(Classical):
    """Exact density of one variable with ``levels`` values; ``event_shape`` is ``()``.

    Args:
        levels: number of values K, at least 2.
        table: their probabilities, ``(K,)``; uniform if not given.

    Raises:
        ValueError: if the probabilities are negative or do not sum to one.
    """

    def __init__(self, levels: int = 6, table=None):
        at_least("levels", levels, 2)
        super().__init__([], levels, {"levels": levels})
        self.logits = parameter(levels)                                                # (K,)
        if table is not None:
            table = probabilities(table)
            if table.shape != (levels,):
                raise ValueError(f"expected {levels} probabilities, got shape {tuple(table.shape)}")
            self._set(logits=table.log())

    @property
    def probabilities(self) -> Tensor:
        """The table, ``(K,)``."""
        return single(self.logits).softmax(0)

    def fit(self, x: Tensor, *, smoothing: float = 0.0) -> "Multinomial":
        """Set the table to the relative frequencies of ``x``, ``(N,)``.

        Args:
            smoothing: α, added to every count. With 0, a value that was never seen gets probability zero, and one
                unseen value in a test set makes its likelihood zero.
        """
        x = some(self.check(x)).long()
        seen = torch.bincount(x, minlength=len(self.logits)).to(single(self.logits))
        counts = seen + not_negative("smoothing", smoothing)
        self._set(logits=counts.log() - counts.sum().log())
        return self

    def _log_prob(self, x):
        return single(self.logits).log_softmax(0)[x.long()]

    def _sample(self, n, generator):
        drawn = draw(self.probabilities.expand(n, -1), generator)
        return drawn.to(self.dtype) if self.levels == 2 else drawn
