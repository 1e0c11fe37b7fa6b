r"""A model of standardised data as a density of the data itself: the change of unit and its Jacobian are kept with it.

.. math::  z = (x - \mu) / \sigma, \qquad  \log p(x) = \log p_z(z) - \sum_i \log \sigma_i.

Without the last term likelihoods of the same data in other units cannot be compared.
"""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.examples import as_examples
from dgmhelpers.model import Model, drawn


class Standardised(Model):
    """A density over real examples, made of one over their standardised values.

    Args:
        model: of the standardised values, with ``log_prob``, ``loss`` and ``sample``.

    Attributes:
        mean, scale: μ and σ, of the shape of an example: buffers, so they are stored with the weights.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, model: Any):
        if getattr(model, "levels", None) is not None:
            raise ValueError(f"{type(model).__name__} is over {model.levels} levels: only real values are standardised")
        super().__init__(model.event_shape, None, {})
        self.model = model
        self.register_buffer("mean", torch.zeros(self.event_shape, dtype=self.dtype))
        self.register_buffer("scale", torch.ones(self.event_shape, dtype=self.dtype))

    @classmethod
    def of(cls, model: Any, x) -> "Standardised":
        """``model`` with the mean and the standard deviation of each entry of the training examples ``x``.

        Raises:
            ValueError: if an entry does not vary: it has no density. Drop it.
        """
        whole = cls(model)
        x = whole.check(as_examples(x)).double()
        scale = x.std(0, correction=0)
        still = (scale.flatten() <= 1e-12 * x.abs().amax(0).flatten()).nonzero()[:, 0].tolist()
        if still:
            raise ValueError(f"entries {still[:5]} do not vary, so they have no density: drop them")
        whole.mean.copy_(x.mean(0))
        whole.scale.copy_(scale)
        return whole

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What it is built from, for its checkpoint."""
        return {"model": self.model}

    def standardised(self, x: Tensor) -> Tensor:
        """z, of the shape of ``x``."""
        return (self.check(x) - self.mean) / self.scale

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-density of ``x`` in its own units, nats, ``(B,)``."""
        return self.model.log_prob(self.standardised(x), context) - self.scale.log().sum()

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """The model's own, and the Jacobian: in nats per example of ``x``."""
        return self.model.loss(self.standardised(x), context, generator=generator) + self.scale.log().sum()

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None, **options) -> Tensor:
        """Draw ``n`` examples in the data's units; options are the model's."""
        return self.mean + self.scale * self.model.sample(n, generator=generator, **options)
