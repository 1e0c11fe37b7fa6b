"""What every model of the package is: a module that knows the shape of an example and what makes it again."""

import abc
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Protocol, cast

import torch
from torch import Generator, Size, Tensor, nn

from dgmhelpers.arguments import cast_values, check_values, plain
from dgmhelpers.examples import as_examples
from dgmhelpers.protocols import Context


class Model(nn.Module, abc.ABC):
    """A module with one dtype and one device, and the checks of shape, values, context and draws, once for all.

    Args:
        event_shape: shape of one example.
        levels: number of values of one entry, 2 for binary; None if entries are real.
        config: the keyword arguments that make this model again, kept as JSON can hold them; None for one that is made
            of other modules, and cannot be stored alone.
    """

    event_shape: Size
    levels: int | None
    conditioned_on: Context | None = None   # what a context is, for a model that is conditional
    checks = True                           # False: no look at values, so that torch.export and vmap can pass
    inner = False                           # whether its examples are what another model made, such as latents

    def __init__(self, event_shape, levels: int | None, config: dict | None):
        super().__init__()
        self.event_shape = Size(int(size) for size in event_shape)
        self.levels = levels
        self.config = config
        self._host: dict[str, tuple[Tensor, int, list]] = {}

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "sample" in vars(cls):                        # generator=0 and context=1 are for every model to take
            cls.sample = _plainly(vars(cls)["sample"])

    @property
    def config(self) -> Any:
        """The keyword arguments that make this model again, in numbers, words and lists."""
        return self._config

    @config.setter
    def config(self, config: Any) -> None:
        self._config = plain(config)

    @property
    def dtype(self) -> torch.dtype:
        """The parameters' dtype; the buffers', if there is no parameter."""
        return self._one().dtype

    @property
    def device(self) -> torch.device:
        """The parameters' device; the buffers', if there is no parameter."""
        return self._one().device

    def _one(self) -> Tensor:
        """A parameter, or else a buffer of real numbers."""
        return next(itertools.chain(self.parameters(), (b for b in self.buffers() if b.is_floating_point())))

    def on_host(self, name: str) -> list:
        """A buffer as nested lists. It is copied when it has changed, not at each call: a sampler must not wait."""
        buffer = getattr(self, name)
        known = self._host.get(name)
        if known is None or known[0] is not buffer or known[1] != _version(buffer):
            known = self._host[name] = (buffer, _version(buffer), buffer.tolist())
        return known[2]

    def _apply(self, fn, recurse: bool = True):
        """As every module's, by which it moves and converts: what is known on the host stays known."""
        known = {name: copy for name, (buffer, version, copy) in self._host.items()
                 if buffer is getattr(self, name) and version == _version(buffer)}
        super()._apply(fn, recurse)
        self._host = {name: (getattr(self, name), _version(getattr(self, name)), copy) for name, copy in known.items()}
        return self

    def check(self, x: Tensor, *, look: bool = True) -> Tensor:
        """``x`` of shape ``(B, *event_shape)``, validated: 0/1 and real values in the model's dtype, levels ``long``.

        Args:
            look: whether to look at the values; without it only shape and type are seen to. Off the CPU the values that
                an ``inner`` model is given are not looked at: the host would have to wait for the device.

        Raises:
            ValueError: saying which shape, or which value, was not expected.
        """
        x = as_examples(x, "x")
        self._check_shape(x)
        look = look and self.checks and not (self.inner and x.device.type != "cpu")
        return (check_values if look else cast_values)(x, self.levels, self.dtype)

    def _prepare(self, x: Tensor) -> Tensor:
        """A training batch as the model takes it: checked; beyond the CPU for its shape alone.

        Elsewhere the host would have to wait for the device at every step.
        """
        return self.check(x, look=x.device.type == "cpu")

    def _check_shape(self, x: Tensor) -> None:
        if x.shape[1:] != self.event_shape or x.ndim != len(self.event_shape) + 1:
            expected = ", ".join(["B", *map(str, self.event_shape)])
            raise ValueError(f"expected x of shape ({expected}), got {tuple(x.shape)}")

    def _refuse_context(self, context: Tensor | None) -> None:
        if context is not None:
            raise ValueError(f"{type(self).__name__} is not conditional: context must be None")

    def _check_context(self, context: Tensor | None, n: int) -> Tensor:
        """The context of ``n`` examples of a conditional model: classes as ``long``, real values in its dtype.

        Beyond the CPU for its shape and kind alone: the host would have to wait for the device.

        Raises:
            ValueError: if it is missing, or of another shape or kind, or holds a class that there is not.
        """
        about = self.conditioned_on
        assert about is not None
        classes = about.levels
        if context is None:
            what = f"each example's class, 0 … {classes - 1}" if classes else f"{tuple(about.shape)} for each example"
            raise ValueError(f"the model is conditional: context must give {what}")
        wrong = context.is_floating_point() or context.dtype == torch.bool if classes else context.dtype == torch.bool
        if wrong or context.shape[1:] != about.shape or context.ndim != len(about.shape) + 1:
            kind, shape = "integers" if classes else "numbers", ", ".join(["B", *map(str, about.shape)])
            raise ValueError(f"context must be {kind} of shape ({shape}{',' if not about.shape else ''}), got "
                             f"{context.dtype} {tuple(context.shape)}")
        if len(context) != n:
            raise ValueError(f"{n} examples were given with {len(context)} contexts")
        if classes is None:
            context = context.to(self.dtype)
            if context.device.type == "cpu" and not context.isfinite().all():
                raise ValueError("context must be finite")
            return context
        context = context.long()  # before it is compared: in a byte, 256 is 0
        if context.device.type == "cpu" and ((context < 0) | (context >= classes)).any():
            first = context[(context < 0) | (context >= classes)][0].item()
            raise ValueError(f"classes must be within 0 … {classes - 1}, got {first}")
        return context

    def _check_draw(self, n: int, generator: Generator | None, temperature: float = 1.0) -> None:
        if n < 0:
            raise ValueError(f"n must be 0 or more, got {n}")
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        if generator is not None and generator.device.type != self.device.type:
            raise ValueError(
                f"the generator is on {generator.device} and the model on {self.device}: "
                f"make one with torch.Generator(device={self.device.type!r})"
            )


class Draws(Protocol):
    """How ``sample`` may be called, for editors and type checkers; its options are those of each model."""

    def __call__(
        self, n: int, *, context: Tensor | int | Sequence[int] | None = None, generator: Generator | int | None = None,
        **options: Any,
    ) -> Tensor:  # fmt: skip
        ...


def drawn(sample: Callable[..., Tensor]) -> Draws:
    """The same sampler, typed as what :class:`Model` makes of it: a seed or a class may be a number."""
    return cast(Draws, sample)


def _version(buffer: Tensor) -> int:
    """How often a tensor was written to; those of inference mode do not count, and cannot be written to outside."""
    return 0 if buffer.is_inference() else buffer._version


def _plainly(sample):
    """A sampler that also takes a seed for its generator, and one class, or a list of them, for its contexts."""

    @functools.wraps(sample)
    def wrapped(self, n, *args, **options):
        seed, about = options.get("generator"), options.get("context")
        if isinstance(seed, Integral):
            options["generator"] = Generator(self.device).manual_seed(int(seed))
        if isinstance(about, Integral):
            options["context"] = torch.full((n,), int(about), device=self.device)
        elif isinstance(about, list | tuple):
            options["context"] = torch.tensor(about, device=self.device)
        return sample(self, n, *args, **options)

    return wrapped
