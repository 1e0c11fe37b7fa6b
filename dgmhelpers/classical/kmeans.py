r"""k-means from k-means++ seeds: where to start a mixture.

Seeds are examples that are far apart: the first is any, each further one is drawn with probability proportional to its
squared distance to the nearest seed so far; of 2 + ln K such draws the one that lowers the sum below most is taken.
Lloyd's steps then move each centre to the mean of the examples that are nearest to it, which never raises
:math:`\sum_n \min_k \|x_n - c_k\|^2`.

Source
    D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007; S. Lloyd, "Least squares
    quantization in PCM", 1982.
Differs
    A centre that is nearest to no example stays where it is.
Cost
    Seeds: O(NKD). A step: O(NKD).
"""

import math

import torch
from torch import Generator, Tensor

LEAST = 1e-12  # squared distance below which two examples are the same, for the rule that draws seeds


@torch.no_grad()
def kmeans(x: Tensor, k: int, *, steps: int = 100, generator: Generator | None = None) -> Tensor:
    """Which of ``k`` clusters each of ``(N, D)`` examples is in, long ``(N,)``.

    Raises:
        ValueError: for fewer examples than clusters.
    """
    if len(x) < k:
        raise ValueError(f"{k} components need as many examples to start from, got {len(x)}")
    centres = x[torch.randint(len(x), (1,), generator=generator).to(x.device)]          # (1, D)
    while len(centres) < k:
        far = squares(x, centres).amin(1).clamp(min=LEAST)                             # (N,)
        drawn = torch.multinomial(far.cpu(), 2 + int(math.log(k)), replacement=True, generator=generator)
        tries = x[drawn.to(x.device)]
        left = torch.minimum(squares(x, tries), far[:, None]).sum(0)                   # of each try
        centres = torch.cat([centres, tries[left.argmin()][None]])
    nearest = squares(x, centres).argmin(1)
    for _ in range(steps):
        counts = nearest.bincount(minlength=k).to(x)                                   # (K,)
        means = torch.zeros_like(centres).index_add_(0, nearest, x) / counts.clamp(min=1)[:, None]
        centres = torch.where(counts[:, None] > 0, means, centres)
        before, nearest = nearest, squares(x, centres).argmin(1)
        if torch.equal(before, nearest):
            break
    return nearest


def squares(x: Tensor, centres: Tensor) -> Tensor:
    """Squared distances, ``(N, D)`` to ``(K, D)``: ``(N, K)``."""
    return (x.square().sum(1)[:, None] - 2 * x @ centres.T + centres.square().sum(1)).clamp(min=0)
