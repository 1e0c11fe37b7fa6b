r"""Linear-chain conditional random field: a law of labels given observations, and of nothing else.

.. math::  p(y \mid x) = \frac{\exp s(y, x)}{Z(x)}, \qquad
           s(y, x) = u_{y_1} + \sum_{t=1}^{T} (W x_t + b)_{y_t} + \sum_{t=2}^{T} T_{y_{t-1} y_t}, \qquad
           Z(x) = \sum_{y'} \exp s(y', x).

Z has Kᵀ terms and is computed by the HMM's forward recursion; its gradient, which holds every expected count, comes
from autograd. The log-likelihood is concave, so that gradient ascent finds its one maximum; there is no closed form.

Source
    J. Lafferty, A. McCallum and F. Pereira, "Conditional random fields", ICML 2001.
Differs
    Scores of single labels and of neighbours alone; plain L2 penalty, fitted by L-BFGS.
Cost
    O(TK² + TKF) an example for ``log_prob``, ``viterbi``, ``posterior`` and ``sample``.
"""

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, cast_values, check_values, not_negative
from dgmhelpers.classical.base import Classical, draw, parameter, some
from dgmhelpers.model import drawn
from dgmhelpers.numerics import gradients_on, logsumexp, ordinary, single
from dgmhelpers.protocols import Context


class CRF(Classical):
    """Exact conditional density of label sequences; the observations are the ``context``.

    Args:
        length: T of the sequences; ``log_prob`` and the others take any length.
        levels: number of labels K, at least 2.
        features: size F of the observation at each step; with 0 there is none and the model is a plain chain.
    """

    def __init__(self, length: int = 10, levels: int = 3, features: int = 0):
        at_least("length", length, 1)
        at_least("levels", levels, 2)
        at_least("features", features, 0)
        super().__init__([length], levels, {"length": length, "levels": levels, "features": features})
        self.features = features
        self.conditioned_on = Context((length, features)) if features else None
        self.weight = parameter(levels, features) if features else None                # (K, F)  W
        self.bias = parameter(levels)                                                  # (K,)    b
        self.first = parameter(levels)                                                 # (K,)    u
        self.transition = parameter(levels, levels)                                    # (K, K)  T

    def check(self, x: Tensor, *, look: bool = True) -> Tensor:
        """Labels ``x`` as long ``(B, T)``, of any length T ≥ 1."""
        return super().check(x, look=look).long()

    def _check_shape(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] < 1:
            raise ValueError(f"expected labels of shape (B, T), got {tuple(x.shape)}")

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """``log p(labels | observations)``, shape ``(B,)``, nats.

        Args:
            x: the labels, ``(B, T)``.
            context: the observations, ``(B, T, F)``.
        """
        return self._log_prob(self.check(x), context)

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean ``log_prob``, in nats per example."""
        return -self._log_prob(self._prepare(x), context).mean()

    def score(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """``s(y, x)``, the unnormalised log-probability, ``(B,)``."""
        y = self.check(y)
        return self._score(y, self._scores(len(y), y.shape[1], context))

    def log_partition(self, context: Tensor | None = None) -> Tensor:
        """``log Z(x)``, one for each row of observations (one, for ``length`` steps, if there are none): ``(B,)``."""
        return logsumexp(self._backward(self._scores_of(context))[:, 0], 1)

    def posterior(self, context: Tensor | None = None) -> Tensor:
        """``p(y_t = k | x)``, shape ``(B, T, K)``: the gradient of log Z by the scores."""
        with gradients_on():
            scores = self._scores_of(context).detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(logsumexp(self._backward(scores)[:, 0], 1).sum(), scores)
        return gradient

    def viterbi(self, context: Tensor | None = None) -> Tensor:
        """The likeliest labels, long ``(B, T)``."""
        scores = self._scores_of(context)
        best, came = scores[:, 0] + single(self.first), []                                   # (B, K)
        for t in range(1, scores.shape[1]):
            best, before = (best.unsqueeze(2) + single(self.transition)).max(1)
            best = best + scores[:, t]
            came.append(before)
        path = [best.argmax(1)]
        for before in reversed(came):
            path.append(before.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], 1)

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` label sequences, ``(n, T)``: messages from the right, then labels from the left.

        Args:
            context: observations ``(n, T, F)``, or ``(T, F)`` for all.
        """
        self._check_draw(n, generator)
        if context is not None and context.ndim == 2:
            context = context.expand(n, *context.shape)
        scores = self._scores(n, self.event_shape[0], context)
        ahead = self._backward(scores)                                                 # (n, T, K)
        y = [draw(ahead[:, 0].softmax(1), generator)]
        for t in range(1, scores.shape[1]):
            y.append(draw((single(self.transition)[y[-1]] + ahead[:, t]).softmax(1), generator))
        labels = torch.stack(y, 1)
        return labels.to(self.dtype) if self.levels == 2 else labels

    @gradients_on()
    def fit(self, y: Tensor, context: Tensor | None = None, *, penalty: float = 0.0, steps: int = 200) -> "CRF":
        """Maximise the mean ``log_prob`` minus ``penalty`` times the sum of squares of all scores' parameters.

        Args:
            y: labels ``(N, T)``.
            context: observations ``(N, T, F)``.
            steps: of L-BFGS, at most. With penalty 0 and labels that the observations tell perfectly apart there is
                no maximum: weights grow until the steps end.
        """
        y, context = ordinary(y), ordinary(context)
        y, penalty = some(self.check(y)), not_negative("penalty", penalty)
        optimiser = torch.optim.LBFGS(
            self.parameters(), max_iter=at_least("steps", steps, 1), line_search_fn="strong_wolfe",
            tolerance_grad=1e-9, tolerance_change=1e-13,
        )  # fmt: skip

        def closure():
            optimiser.zero_grad()
            loss = -self.log_prob(y, context).mean() + penalty * sum(p.square().sum() for p in self.parameters())
            loss.backward()
            return loss

        optimiser.step(closure)
        optimiser.zero_grad()
        return self

    def _scores_of(self, context):
        rows, length = (1, self.event_shape[0]) if context is None or context.ndim != 3 else context.shape[:2]
        return self._scores(rows, length, context)

    def _scores(self, many, length, context):
        """Score of every label at every step by itself, ``(B, T, K)``."""
        if self.features == 0:
            self._refuse_context(context)
            return single(self.bias).expand(many, length, -1)
        wanted, got = (many, length, self.features), None if context is None else tuple(context.shape)
        if got != wanted:
            raise ValueError(f"context must be observations of shape {wanted}, got {got}")
        look = context.device.type == "cpu"
        observed = single((check_values if look else cast_values)(context, None, self.dtype))
        return observed @ single(self.weight).T + single(self.bias)

    def _score(self, y, scores):
        steps = scores.gather(2, y.unsqueeze(2))[..., 0].sum(1)                        # (B,)
        return steps + single(self.first)[y[:, 0]] + single(self.transition)[y[:, :-1], y[:, 1:]].sum(1)

    def _backward(self, scores):
        """Log of the sum over everything from step t on, for each label at t, ``(B, T, K)``; at t = 1 with u."""
        ahead, transition = [scores[:, -1]], single(self.transition)
        for t in range(scores.shape[1] - 2, -1, -1):
            ahead.append(scores[:, t] + logsumexp(transition + ahead[-1].unsqueeze(1), 2))
        ahead[-1] = ahead[-1] + single(self.first)
        return torch.stack(ahead[::-1], 1)

    def _log_prob(self, x, context=None):
        scores = self._scores(len(x), x.shape[1], context)                             # (B, T, K)
        return self._score(x, scores) - logsumexp(self._backward(scores)[:, 0], 1)

    def _sample(self, n, generator):
        return self.sample(n, generator=generator)
