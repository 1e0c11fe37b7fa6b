r"""Naive Bayes over bits: the joint law of a class and of what is seen.

.. math::  p(c, x) = \pi_c \prod_{i=1}^{D} \theta_{ci}^{x_i} (1 - \theta_{ci})^{1 - x_i}, \qquad
           \hat\pi_c = \frac{N_c}{N}, \quad \hat\theta_{ci} = \frac{N_{ci} + \alpha}{N_c + 2\alpha}.

All its weights are relative frequencies, because the class is given: it is a mixture of Bernoullis whose component is
told. Classifying is Bayes' rule on the joint, and since the joint is there, it also samples and scores x.

Source
    M. E. Maron, "Automatic indexing: an experimental inquiry", Journal of the ACM 8, 1961.
Differs
    A class without an example is refused, unless ``class_smoothing`` gives it a share.
Cost
    ``fit``: one pass. ``log_prob``: O(DC) an example.
"""

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least, not_negative
from dgmhelpers.classical.base import Classical, draw, log_bits, parameter, refuse_impossible, some
from dgmhelpers.numerics import logsumexp, single


class EmptyClass(ValueError):
    """A class has no example to take frequencies from."""


class BernoulliNaiveBayes(Classical):
    """Exact joint density of a class and a binary vector; ``log_prob`` is of the vector, the class summed out.

    Args:
        dim: number of bits D.
        classes: number of classes C, at least 2.
    """

    def __init__(self, dim: int = 64, classes: int = 10):
        at_least("dim", dim, 1)
        at_least("classes", classes, 2)
        super().__init__([dim], 2, {"dim": dim, "classes": classes})
        self.classes = classes
        self.logits = parameter(classes)                                               # (C,)
        self.log_odds = parameter(classes, dim)                                        # (C, D)

    @property
    def class_probabilities(self) -> Tensor:
        """π, ``(C,)``."""
        return single(self.logits).softmax(0)

    @property
    def bit_probabilities(self) -> Tensor:
        """θ, ``(C, D)``: how often each bit is 1 in each class."""
        return self.log_odds.sigmoid()

    @torch.no_grad()
    def fit(
        self, x: Tensor, labels: Tensor, *, smoothing: float = 0.0, class_smoothing: float = 0.0
    ) -> "BernoulliNaiveBayes":
        """Set every weight to a relative frequency.

        Args:
            x: ``(N, D)``, binary.
            labels: ``(N,)``, integers 0 … C − 1.
            smoothing: α, added to both counts of every bit.
            class_smoothing: added to the count of every class.

        Raises:
            EmptyClass: if a class has no example, unless both kinds of smoothing are positive.
        """
        x, smoothing = some(self.check(x)), not_negative("smoothing", smoothing)
        class_smoothing = not_negative("class_smoothing", class_smoothing)
        labels = torch.as_tensor(labels)
        strange = labels.is_floating_point() or ((labels.long() < 0) | (labels.long() >= self.classes)).any()
        if labels.shape != (len(x),) or strange:
            raise ValueError(f"labels must be {len(x)} integers within 0 … {self.classes - 1}")
        told = torch.nn.functional.one_hot(labels.long(), self.classes).to(x)          # (N, C)
        count = told.sum(0)                                                            # (C,)
        empty = (count == 0).nonzero()[:, 0].tolist()
        if empty and not (smoothing and class_smoothing):
            raise EmptyClass(
                f"class {empty[0]} has no example, so its frequencies are 0/0: lower classes, bring examples, or give "
                "smoothing= and class_smoothing="
            )
        ones = told.T @ x                                                              # (C, D)
        self._set(
            logits=((count + class_smoothing) / (len(x) + class_smoothing * self.classes)).log(),
            log_odds=(ones + smoothing).log() - (count[:, None] - ones + smoothing).log(),
        )
        return self

    def log_joint(self, x: Tensor) -> Tensor:
        """``log p(c, x)`` for every class, shape ``(B, C)``, nats."""
        return self._log_joint(self.check(x))

    def posterior(self, x: Tensor) -> Tensor:
        """``p(c | x)``, shape ``(B, C)``, by Bayes' rule.

        Raises:
            ValueError: if an example is impossible under every class (only without smoothing).
        """
        joint = self.log_joint(x)
        refuse_impossible(logsumexp(joint, 1), "example", "every class: smooth")
        return joint.softmax(1)

    def predict(self, x: Tensor) -> Tensor:
        """The likeliest class, ``(B,)``."""
        return self.log_joint(x).argmax(1)

    @torch.no_grad()
    def sample_joint(self, n: int, *, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """``n`` pairs: examples ``(n, D)`` and their classes ``(n,)``."""
        self._check_draw(n, generator)
        c = draw(self.class_probabilities.expand(n, -1), generator)
        return torch.bernoulli(self.bit_probabilities[c], generator=generator), c

    def _log_joint(self, x):
        return log_bits(x, self.log_odds) + single(self.logits).log_softmax(0)

    def _log_prob(self, x):
        return logsumexp(self._log_joint(x), 1)

    def _sample(self, n, generator):
        return self.sample_joint(n, generator=generator)[0]
