r"""What an implicit model covers: modes found, share of high quality, KL over modes, precision and recall.

Samples are all that such a model gives, so it is measured by where they fall. Against a mixture of equally likely round
Gaussians in the plane whose centres and width :math:`s` are known, every point belongs to one of K + 1 cells: within
``within`` · s of the nearest centre k (high quality), or elsewhere. With p the mixture's exact probabilities of the
cells and q the shares of the samples in them,

.. math::  \text{forward} = \sum_c p_c \log\frac{p_c}{q_c}, \qquad \text{reverse} = \sum_c q_c \log\frac{q_c}{p_c}:

the forward divergence is infinite if one mode is missed, and the reverse one then measures how many are.

Source
    A. Srivastava, L. Valkov, C. Russell, M. U. Gutmann and C. Sutton, "VEEGAN: reducing mode collapse in GANs using
    implicit variational learning", NIPS 2017, for modes and high quality (within three standard deviations); T.
    Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen and T. Aila, "Improved precision and recall metric for assessing
    generative models", NeurIPS 2019.
Differs
    The cells include "elsewhere", so that the divergences also see samples of low quality. Samples per mode, and the
    number that it takes to count one as found, are said with the figure.
Cost
    O(nK) for modes, O(n²) distances for precision and recall, of which four million are held at a time.
"""

from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from dgmhelpers.arguments import at_least, positive
from dgmhelpers.numerics import blocks


@dataclass(frozen=True)
class Coverage:
    """Where samples fell.

    Attributes:
        found: modes with at least the required number of (high-quality) samples.
        modes: how many there are.
        high_quality: share of the samples that belong to some mode.
        forward_kl: KL(p ‖ q) over the cells, nats; infinite if a cell of p was never hit.
        reverse_kl: KL(q ‖ p) over the cells, nats; infinite if a sample fell where p is zero.
        counts: samples in each mode, then elsewhere.
        n: number of samples.
    """

    found: int
    modes: int
    high_quality: float
    forward_kl: float
    reverse_kl: float
    counts: tuple[int, ...]
    n: int

    def __str__(self) -> str:
        return (f"{self.found} of {self.modes} modes, {self.high_quality:.1%} of high quality, KL "
                f"{self.forward_kl:.3f} forward and {self.reverse_kl:.3f} reverse nats (n = {self.n:,})")


@dataclass(frozen=True)
class PrecisionRecall:
    """Shares in [0, 1]: of the model's samples that look real, and of the real examples that the model could make."""

    precision: float
    recall: float


def coverage(samples: Tensor, mixture, *, within: float = 3.0, least: int = 1) -> Coverage:
    """Count the modes of a known mixture that samples found, and how the samples spread over them.

    Args:
        samples: points, ``(n, D)``.
        mixture: with ``modes``, the centres ``(K, D)`` of equally likely round Gaussians, and their width ``sigma``,
            such as :func:`dgmhelpers.data.toys.ring_of_8`.
        within: how many widths from its centre a sample may be and still be of high quality.
        least: samples of high quality that it takes for a mode to count as found.

    Raises:
        ValueError: for samples of another shape or not finite, or modes so close that their cells overlap.
    """
    modes = torch.as_tensor(mixture.modes, dtype=torch.double, device="cpu")           # (K, D)
    dim = modes.shape[1]
    if samples.ndim != 2 or samples.shape[1] != dim or not len(samples):
        raise ValueError(f"expected samples of shape (n, {dim}) with n > 0, got {tuple(samples.shape)}")
    x = samples.detach().to("cpu").double()
    if not x.isfinite().all():
        raise ValueError(f"{int((~x.isfinite()).any(1).sum())} of {len(x)} samples are NaN or infinite")
    positive("within", within)
    reach = within * mixture.sigma
    if len(modes) > 1 and torch.pdist(modes).min() <= 2 * reach:
        raise ValueError(f"modes {torch.pdist(modes).min():.3g} apart have overlapping cells of radius {reach:.3g}: "
                         f"make within smaller")
    distance, nearest = torch.cdist(x, modes, compute_mode="donot_use_mm_for_euclid_dist").min(1)      # (n,) each
    label = torch.where(distance <= reach, nearest, len(modes))
    return coverage_of_labels(label, _cells(modes, mixture.sigma, reach), least=least)


def coverage_of_labels(labels: Tensor, target, *, least: int = 1) -> Coverage:
    """The same from the mode of each sample, as a classifier would say it.

    Args:
        labels: whole numbers ``(n,)``: 0 … K − 1 for the modes, K for no mode.
        target: p: probabilities of the K modes and of no mode, ``(K + 1,)``; or K, for modes equally likely and
            nothing elsewhere.
        least: samples that it takes for a mode to count as found.
    """
    if isinstance(target, Integral):
        modes = int(target)
        target = torch.tensor([1 / modes] * modes + [0.0], dtype=torch.double) if modes > 0 else torch.zeros(1)
    p = torch.as_tensor(target, dtype=torch.double)
    if p.ndim != 1 or len(p) < 2 or not (p >= 0).all() or not abs(p.sum().item() - 1) <= 1e-9:
        raise ValueError("target must be the probabilities of one mode or more, and of no mode, summing to one")
    if labels.ndim != 1 or not len(labels) or labels.is_floating_point():
        raise ValueError(f"expected whole numbers of shape (n,) with n > 0, got {labels.dtype} {tuple(labels.shape)}")
    at_least("least", least, 1)
    modes = len(p) - 1
    labels = labels.detach().to("cpu").long()
    if labels.min() < 0 or labels.max() > modes:
        raise ValueError(f"labels must lie in 0 … {modes}, got {labels.min()} … {labels.max()}")
    counts = torch.bincount(labels, minlength=modes + 1)
    q = counts.double() / len(labels)
    return Coverage(
        found=int((counts[:-1] >= least).sum()), modes=modes, high_quality=1 - q[-1].item(), forward_kl=kl(p, q),
        reverse_kl=kl(q, p), counts=tuple(counts.tolist()), n=len(labels),
    )  # fmt: skip


def cells(mixture, *, within: float = 3.0) -> Tensor:
    """A mixture's exact probabilities of the balls ``within`` widths of its modes, and of elsewhere, ``(K + 1,)``.

    Raises:
        ValueError: for modes so close that a ball holds more than 0.1 % of another's points.
    """
    modes = torch.as_tensor(mixture.modes, dtype=torch.double, device="cpu")
    return _cells(modes, mixture.sigma, within * mixture.sigma)


def kl(p: Tensor, q: Tensor) -> float:
    """``Σ p log(p / q)`` in nats of two tables of probabilities; infinite where q is zero and p is not."""
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum().item()


def precision_recall(real: Tensor, fake: Tensor, *, k: int = 3) -> PrecisionRecall:
    """Precision and recall by nearest neighbours, for points or features of any dimension.

    Around every real example lies a ball that reaches to its k-th nearest other real example. Precision is the share of
    fake ones in some such ball; recall is the same with the two exchanged. Both depend on the number of examples, which
    should be the same for real and fake.

    Args:
        real, fake: ``(N, D)`` and ``(M, D)``, more than k of each.

    Raises:
        ValueError: for shapes that do not fit, fewer than k + 1 examples, or values that are not finite.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"expected (N, D) and (M, D), got {tuple(real.shape)} and {tuple(fake.shape)}")
    if not isinstance(k, Integral) or k < 1 or min(len(real), len(fake)) <= k:
        raise ValueError(f"k must be a whole number from 1 to less than the number of examples, got {k!r} "
                         f"for {len(real)} and {len(fake)}")
    for name, x in ("real", real), ("fake", fake):
        if not x.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinite values")
    real, fake = real.detach().to("cpu").double(), fake.detach().to("cpu").double()
    of_fake = _reach(fake, fake, k)
    good, made = torch.zeros(len(fake), dtype=torch.bool), 0
    for part in blocks(real, max(len(real), len(fake))):
        between, of_real = torch.cdist(part, fake), _reach(part, real, k)              # (n, M), (n,)
        good |= (between <= of_real[:, None]).any(0)
        made += int((between <= of_fake).any(1).sum())
    return PrecisionRecall(good.double().mean().item(), made / len(real))


def _reach(some: Tensor, all_of_them: Tensor, k: int) -> Tensor:
    """The distance of each to its k-th nearest other, ``(n,)``: itself comes first."""
    return torch.cat([torch.cdist(part, all_of_them).kthvalue(k + 1, 1).values
                      for part in blocks(some, len(all_of_them))])


def _cells(modes: Tensor, sigma: float, reach: float) -> Tensor:
    """Exact probabilities of the balls around each mode, and of elsewhere, ``(K + 1,)``.

    A ball holds what its own Gaussian puts there, which is the regularised incomplete gamma function at D / 2 and
    (reach / s)² / 2. What other modes leave in it is ignored, being less than what they leave beyond the distance to
    its edge: so the modes must be well apart, or the total of that is reported as an error.
    """
    dim = torch.tensor(modes.shape[1] / 2, dtype=torch.double)

    def inside(radius):
        return torch.special.gammainc(dim, torch.tensor((radius / sigma) ** 2 / 2, dtype=torch.double)).item()

    stray = 0.0
    if len(modes) > 1:
        gap = torch.pdist(modes).min().item() - reach
        stray = 1 - inside(gap)
    if stray > 1e-3:
        raise ValueError(f"the modes are too close together: up to {stray:.1%} of one may lie in the cells of others")
    own = inside(reach)
    return torch.tensor([own / len(modes)] * len(modes) + [1 - own], dtype=torch.double)
