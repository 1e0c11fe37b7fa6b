r"""Mixtures, by expectation maximisation: of Gaussians, and of independent bits.

.. math::  p(x) = \sum_{k=1}^{K} \pi_k\, p(x \mid k), \qquad
           \log p(x) = \underbrace{\sum_k q_k \log\frac{\pi_k\, p(x \mid k)}{q_k}}_{\text{the bound, for any } q}
                       + \mathrm{KL}\big(q \,\|\, p(k \mid x)\big).

EM climbs the bound in turn: over q, which makes it tight (E step: the responsibilities), and over the parameters
(M step: weighted relative frequencies, means and covariances). Neither step can lower the likelihood.

Source
    A. Dempster, N. Laird and D. Rubin, "Maximum likelihood from incomplete data via the EM algorithm", 1977.
Differs
    A component that answers for nothing (total responsibility below 1e-9 examples) keeps its other parameters where
    they are and gets its share of the weights: the step still never lowers the likelihood.
Cost
    One EM step: O(NKD) for bits, O(NKD²) for Gaussians. ``sample``: a draw of k, then of x.
"""

import abc
import contextlib
import math

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.classical import gaussian
from dgmhelpers.classical.base import Classical, draw, log_bits, parameter, refuse_impossible, some
from dgmhelpers.classical.kmeans import kmeans
from dgmhelpers.numerics import logsumexp, single

EMPTY = 1e-9  # total responsibility, in examples
STARTS = ("examples", "k-means++")
RELATIVE = 1e-6  # the ridge of None, in mean variances of an entry


class Mixture(Classical):
    """What both mixtures share: the bound, the responsibilities, and EM.

    ``trace`` lists what EM climbed before each step of the last ``fit``: the mean log-likelihood in nats (plus, with
    smoothing, the mean log-prior).
    """

    def __init__(self, dim: int, components: int, levels: int | None):
        at_least("dim", dim, 1)
        at_least("components", components, 1)
        super().__init__([dim], levels, {"dim": dim, "components": components})
        self.components = components
        self.logits = parameter(components)                                            # (K,)
        self.trace: list[float] = []

    @abc.abstractmethod
    def _log_conditional(self, x: Tensor) -> Tensor:
        """``log p(x | k)``, ``(B, K)``."""

    @abc.abstractmethod
    def _maximise(self, x: Tensor, r: Tensor, total: Tensor) -> None:
        """M step of the components, for responsibilities ``r``, ``(N, K)``, with sums ``total``, ``(K,)``."""

    @abc.abstractmethod
    def start(self, x: Tensor, generator: Generator | None = None, how: str = "examples") -> None:
        """Parameters to start EM from: components that differ.

        Args:
            how: ``"examples"`` puts each component at an example drawn at random, ``"k-means++"`` at a cluster of
                :func:`~dgmhelpers.classical.kmeans.kmeans`, which finds clear clusters far more often.
        """

    @property
    def weights(self) -> Tensor:
        """π, ``(K,)``."""
        return single(self.logits).softmax(0)

    def log_joint(self, x: Tensor) -> Tensor:
        """``log p(x, k)``, shape ``(B, K)``."""
        return self._log_joint(self.check(x))

    def responsibilities(self, x: Tensor) -> Tensor:
        """``p(k | x)``, shape ``(B, K)``: the E step.

        Raises:
            ValueError: if an example is impossible under every component (only without smoothing).
        """
        joint = self.log_joint(x)
        refuse_impossible(logsumexp(joint, 1), "example", "every component: smooth")
        return joint.softmax(1)

    def bound(self, x: Tensor, q: Tensor) -> Tensor:
        """The lower bound on ``log p(x)`` that ``q(k)``, shape ``(B, K)``, gives: ``(B,)``, nats.

        Equal to ``log_prob`` where q is the responsibilities, and less by KL(q ‖ p(k | x)) elsewhere.
        """
        if q.shape != (len(x), self.components) or (q < 0).any() or ((q.sum(1) - 1).abs() > 1e-6).any():
            raise ValueError(f"q must be {len(x)} rows of {self.components} probabilities that sum to one")
        used, joint = q > 0, self.log_joint(x)                                         # 0 log 0 is 0
        return (q * (joint.masked_fill(~used, 0.0) - q.masked_fill(~used, 1.0).log())).sum(1)

    @torch.no_grad()
    def em_step(self, x: Tensor) -> float:
        """One E and one M step; returns the objective before it, in nats per example.

        Raises:
            ValueError: if an example is impossible under every component; the parameters are left as they are.
        """
        return self._em_step(some(self.check(x)))

    @torch.no_grad()
    def fit(
        self, x: Tensor, *, steps: int = 200, tolerance: float = 1e-6, start: bool | str = True, starts: int = 1,
        generator=None,
    ) -> "Mixture":  # fmt: skip
        """EM until a step gains less than ``tolerance`` nats per example.

        Args:
            x: ``(N, D)``.
            steps: at most so many, from each start.
            start: how to start, ``"examples"`` or ``"k-means++"``; True is :meth:`start`'s default, and False goes on
                from the present parameters.
            starts: how many starts; the likeliest parameters that one of them leads to are kept. Those that break
                down on the way are passed over.

        Raises:
            ValueError: if every start breaks down; the parameters are those before the last one's last step.
        """
        at_least("steps", steps, 1)
        if at_least("starts", starts, 1) > 1 and start is False:
            raise ValueError("starts counts fresh starts, and start=False asks for none")
        x = some(self.check(x))
        runs: list[tuple[float, list[float], dict[str, Tensor]]] = []
        error = None
        for _ in range(starts):
            if start:
                self.start(x, generator, *([] if start is True else [start]))
            try:
                self._climb(x, steps, tolerance)
            except ValueError as broken:
                error = broken
                continue
            runs.append((self._log_prob(x).mean().item(), self.trace, _copy(self) if starts > 1 else {}))
        if error is not None and not runs:
            raise error
        if starts > 1:
            _, self.trace, best = max(runs, key=lambda run: run[0])
            self.load_state_dict(best)
        return self

    def _climb(self, x, steps: int, tolerance: float) -> None:
        self.trace = []
        for _ in range(steps):
            self.trace.append(self._em_step(x))
            if len(self.trace) > 1 and self.trace[-1] - self.trace[-2] < tolerance:
                break

    def _em_step(self, x):
        joint = self._log_joint(x)                                                     # (N, K)
        each = refuse_impossible(logsumexp(joint, 1), "example", "every component: smooth, or start again")
        before = each.mean().item() + self._log_prior() / len(x)
        r = joint.softmax(1)                                                           # E
        total = r.sum(0)                                                               # (K,)
        good = _copy(self)
        try:
            self._maximise(x, r, total)                                                # M
        except ValueError:                               # some components have moved already: put them back
            self.load_state_dict(good)
            raise
        self._set(logits=total.log() - math.log(len(x)))
        return before

    def _log_prior(self) -> float:
        return 0.0

    def _log_joint(self, x):
        return self._log_conditional(x) + single(self.logits).log_softmax(0)

    def _log_prob(self, x):
        return logsumexp(self._log_joint(x), 1)


class GaussianMixture(Mixture):
    """Exact density over real vectors: K Gaussians with covariances of their own.

    Args:
        dim: number of entries D.
        components: K.
        ridge: added to every variance in the M step. With 0 a component that collapses on too few points (the
            likelihood is unbounded there) is refused; with more, a step may lose likelihood of the order of the ridge.
            None is a millionth of the examples' mean variance, whatever unit they are in.

    Raises:
        SingularCovariance: from ``fit`` and ``em_step``, naming the component.
    """

    def __init__(self, dim: int = 2, components: int = 3, ridge: float | None = 0.0):
        super().__init__(dim, components, None)
        self.ridge = None if ridge is None else not_negative("ridge", ridge)
        self.config["ridge"] = self.ridge
        self.means = parameter(components, dim, spread=1.0)                            # (K, D)
        self.raw = parameter(components, dim, dim)                                     # (K, D, D): gaussian.triangular

    @property
    def covariances(self) -> Tensor:
        """Σ of each component, ``(K, D, D)``."""
        L = gaussian.triangular(self.raw)
        return L @ L.mT

    @torch.no_grad()
    def start(self, x, generator=None, how="examples"):
        """Means at K different examples, the covariance of everything for each, equal weights; or those of clusters.

        A cluster that is flat, such as one of a single example, has the covariance of everything.
        """
        x = some(self.check(x))
        if len(x) < self.components:
            raise ValueError(f"{self.components} components need as many examples to start from, got {len(x)}")
        whole = gaussian.Gaussian(x.shape[1]).to(x).fit(x, ridge=self._ridge(x))
        if _how(how) == "examples":
            chosen = torch.randperm(len(x), generator=generator)[: self.components]
            self._set(means=x[chosen], raw=whole.raw.expand_as(self.raw), logits=torch.zeros_like(self.logits))
            return
        label = kmeans(x, self.components, generator=generator)
        self._set(raw=whole.raw.expand_as(self.raw))
        for k, count in enumerate(label.bincount(minlength=self.components).tolist()):
            self.means[k] = x[label == k].mean(0) if count else whole.mean
            self.logits[k] = math.log(max(count, 1) / len(x))
            with contextlib.suppress(gaussian.SingularCovariance):
                if count > 1:
                    away = x[label == k] - self.means[k]
                    covariance = away.T @ away / count + self._ridge(x) * torch.eye(x.shape[1]).to(x)
                    self.raw[k] = gaussian.raw_factor(covariance)

    def _ridge(self, x: Tensor) -> float:
        return RELATIVE * x.var(0, correction=0).mean().item() if self.ridge is None else self.ridge

    def _log_conditional(self, x):
        return gaussian.log_normal(x, self.means, self.raw)

    def _maximise(self, x, r, total):
        ridge = self._ridge(x)
        for k in (total > EMPTY).nonzero()[:, 0].tolist():
            weight = r[:, k] / total[k]                                                # (N,)
            mean = weight @ x                                                          # (D,)
            away = x - mean
            covariance = (weight[:, None] * away).T @ away
            covariance += ridge * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
            raw = gaussian.raw_factor(covariance, f"of component {k} (weight {total[k] / len(x):.2g})")
            with torch.no_grad():
                self.means[k], self.raw[k] = mean, raw

    def _sample(self, n, generator):
        k = draw(self.weights.expand(n, -1), generator)                                # (n,)
        noise = torch.empty(n, *self.event_shape, dtype=self.dtype, device=self.device).normal_(generator=generator)
        return self.means[k] + (gaussian.triangular(self.raw)[k] @ noise.unsqueeze(-1)).squeeze(-1)


class BernoulliMixture(Mixture):
    """Exact density over binary vectors: K vectors of independent bits.

    Args:
        dim: number of bits D.
        components: K.
        smoothing: α, added to both counts of every bit of every component in the M step: the maximum then is of the
            likelihood times a Beta(1 + α, 1 + α) prior, and no bit becomes certain.
    """

    def __init__(self, dim: int = 64, components: int = 10, smoothing: float = 0.0):
        super().__init__(dim, components, 2)
        self.smoothing = not_negative("smoothing", smoothing)
        self.config["smoothing"] = self.smoothing
        self.log_odds = parameter(components, dim, spread=0.1)                         # (K, D)

    @torch.no_grad()
    def start(self, x, generator=None, how="examples"):
        """Each component three parts the mean of everything and one part an example of its own; equal weights.

        From clusters: their sizes, and their frequencies with one example of each value added.
        """
        x = some(self.check(x))
        if _how(how) == "k-means++":
            label = kmeans(x, self.components, generator=generator)
            member = torch.nn.functional.one_hot(label, self.components).to(x)         # (N, K)
            count = member.sum(0)                                                      # (K,)
            p = (member.T @ x + 1) / (count[:, None] + 2)                              # (K, D)
            self._set(log_odds=p.logit(), logits=(count.clamp(min=1) / len(x)).log())
            return
        mean = (x.sum(0) + 1) / (len(x) + 2)                                           # (D,)
        chosen = torch.randint(len(x), (self.components,), generator=generator)
        seed = 0.75 * mean + 0.25 * (0.8 * x[chosen] + 0.1)                            # (K, D)
        self._set(log_odds=seed.logit(), logits=torch.zeros_like(self.logits))

    def _log_conditional(self, x):
        return log_bits(x, self.log_odds)

    def _maximise(self, x, r, total):
        alive = total > EMPTY
        ones = r.T @ x + self.smoothing                                                # (K, D)
        log_odds = ones.log() - (total[:, None] - r.T @ x + self.smoothing).clamp(min=0).log()
        self._set(log_odds=torch.where(alive[:, None], log_odds, self.log_odds))

    def _log_prior(self):
        if not self.smoothing:
            return 0.0
        log_odds = single(self.log_odds)
        both = torch.nn.functional.logsigmoid(log_odds) + torch.nn.functional.logsigmoid(-log_odds)
        return self.smoothing * both.sum().item()

    def _sample(self, n, generator):
        k = draw(self.weights.expand(n, -1), generator)                                # (n,)
        return torch.bernoulli(self.log_odds.sigmoid()[k], generator=generator)


def _how(how: str) -> str:
    if how not in STARTS:
        raise ValueError(f"a mixture starts from one of {', '.join(map(repr, STARTS))}, got {how!r}")
    return how


def _copy(model: Mixture) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
