"""What the measures here ask of a model, beyond being a module that can be put in evaluation mode and back."""

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Generator, Tensor, nn

from dgmhelpers.likelihoods import Likelihood


class Module(Protocol):
    """A torch module, as far as a measure knows one."""

    training: bool

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]: ...

    def eval(self) -> Any: ...

    def train(self, mode: bool = True) -> Any: ...


class Scores(Module, Protocol):
    """A density: exact log-likelihoods."""

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor: ...


class Streams(Module, Protocol):
    """A model that carries its state from one piece of a sequence to the next."""

    likelihood: Likelihood

    def stream(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]: ...


class Decodes(Module, Protocol):
    """A decoder of a few latents."""

    latent: int
    likelihood: Likelihood

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor: ...


class Encodes(Module, Protocol):
    """A posterior that begins with a mean and a log standard deviation, and the terms of its bound."""

    def encode(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]: ...

    def terms(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Any: ...

    def terms_at(
        self, x: Tensor, mean: Tensor, log_std: Tensor, context: Tensor | None = None, *,
        generator: Generator | None = None,
    ) -> Any: ...  # fmt: skip

    def requires_grad_(self, requires_grad: bool = True) -> Any: ...

