"""What a generative model can promise, one protocol per promise.

A model offers as many of these as are true of it, and no more: an exact density and a lower bound have
different names, so no table can put one in the other's column. Throughout, ``B`` is the batch, ``n`` a number
of draws, and every likelihood is in nats.
"""

from typing import Literal, Protocol, runtime_checkable

from torch import Generator, Size, Tensor

Method = Literal["cached", "naive"]


@runtime_checkable
class Implicit(Protocol):
    """Draws new examples, and promises nothing else."""

    event_shape: Size  # shape of one example, without the batch

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, *event_shape)``."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """Draws new examples, if asked in part given: conditioned, inpainted, cooled."""

    event_shape: Size

    def sample(
        self,
        n: int,
        *,
        context: Tensor | None = None,
        given: Tensor | None = None,
        known: Tensor | None = None,
        temperature: float = 1.0,
        method: Method = "cached",
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, *event_shape)``.

        Args:
            context: what a conditional model is conditioned on, one row an example.
            given: values to keep, where ``known`` is true.
            known: boolean mask, which entries of ``given`` to keep.
            temperature: 1 samples the model; less, down to but not 0, makes likely values likelier.
            method: ``"naive"`` is the definition, ``"cached"`` the same draws faster.
            generator: source of randomness, on the model's device.
        """
        ...


@runtime_checkable
class Density(Sampler, Protocol):
    """Evaluates its own likelihood exactly."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Exact log-likelihood in nats, shape ``(B,)``, of ``x`` with shape ``(B, *event_shape)``.

        Of one declared order; or, for a mixture over orders, the log of the mean of the probabilities, never
        a mean of log-probabilities.
        """
        ...

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """What training minimises, a scalar in nats per example.

        Minus the mean ``log_prob``, or an estimator whose expectation the model's docstring states.
        """
        ...


@runtime_checkable
class Bound(Implicit, Protocol):
    """Evaluates a lower bound on its likelihood, and never calls it one."""

    def elbo(self, x: Tensor, k: int = 1, *, generator: Generator | None = None) -> Tensor:
        """Stochastic lower bound on ``log p(x)`` in nats, shape ``(B,)``.

        For ``k > 1`` the importance-weighted bound: the log of the mean of ``k`` importance weights.
        """
        ...


@runtime_checkable
class Bijection(Protocol):
    """An invertible map that knows how it changes volume."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``z`` of the shape of ``x``, and ``log |det dz/dx|`` of shape ``(B,)``."""
        ...

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` of the shape of ``z``, and ``log |det dx/dz|`` of shape ``(B,)``."""
        ...
