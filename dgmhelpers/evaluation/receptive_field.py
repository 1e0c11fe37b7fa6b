r"""What each pixel of an image can see of its past, counted pixel by pixel.

Give a convolutional model positive parameters alone, and an image of ones. Then every activation is positive, every
rectifier open, every gate increasing, and the derivative of an output by an input is a sum over all paths between the
two of products of positive numbers,

.. math::  \frac{\partial y_i}{\partial x_j} = \sum_{\text{paths } j \to i} \; \prod_{\text{edges } e} w_e > 0
           \quad\Longleftrightarrow\quad \text{there is a path.}

Nothing cancels and no dead unit hides anything, so that a single image answers exactly, in float64, what with random
signs takes many. Two things keep a pixel of the past from being seen: it may be *out of reach*, which more layers
mend, or *blind*, which no number of layers does. The second is what a model does not see that is made as this one, but
with so many layers that another would change nothing.

Differs
    :func:`dgmhelpers.laws.depends_on_exactly_its_past` flips and differentiates at random parameters of both signs:
    slower, and it takes any model. Here nonlinearities must increase and activations stay positive: convolutions,
    rectifiers, gates, residuals.
Cost
    One backward pass an output, in batches.
"""

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.numerics import gradients_on

SELF, SEEN, OUT_OF_REACH, BLIND, FUTURE = range(5)
NAMES = ("itself", "seen", "out of reach", "blind", "future")


@dataclass(frozen=True)
class Count:
    """How many pixels of its past each pixel sees, and does not; ``(H, W)`` each.

    Attributes:
        seen: by the model as it is.
        out_of_reach: not seen, but seen with more layers.
        blind: not seen at any depth.
    """

    seen: Tensor
    out_of_reach: Tensor
    blind: Tensor

    @property
    def past(self) -> Tensor:
        """All pixels that come before."""
        return self.seen + self.out_of_reach + self.blind

    def share(self, what: str) -> float:
        """The part that ``"seen"``, ``"out_of_reach"`` or ``"blind"`` is of all pairs of a pixel and one before it."""
        return (getattr(self, what).sum() / self.past.sum().clamp(min=1)).item()

    def __str__(self) -> str:
        shares = ", ".join(f"{self.share(what):.1%} {what.replace('_', ' ')}" for what in ("seen", "out_of_reach"))
        return f"of {int(self.past.sum()):,} pairs: {shares}, {self.share('blind'):.1%} blind"


def opened(model: nn.Module, seed: int = 0) -> nn.Module:
    """A copy in float64, on the CPU, in evaluation mode, with positive parameters of moderate size."""
    twin = copy.deepcopy(model).to("cpu", torch.double).eval()
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in twin.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 2
            parameter.copy_((0.5 + torch.rand(parameter.shape, generator=generator, dtype=torch.double)) / fan_in)
    return twin.requires_grad_(False)


@gradients_on()
def seen(model: Any, pixels: list[int] | Tensor | None = None, *, batch_size: int = 98) -> Tensor:
    """``seen[k, j]``: do the parameters of pixel ``pixels[k]`` depend on pixel ``j``?  Boolean, ``(len(pixels), HW)``.

    A pixel depends on another if one of its colours does on one of the other's; so it may depend on itself.

    Args:
        model: an image model whose ``forward`` takes an image, ``(B, C, H, W)``; given classes, of any of them.
        pixels: flat positions ``row · W + column``; all by default.
        batch_size: outputs at a time; sets memory alone.
    """
    twin, (_, height, width) = opened(model), model.event_shape
    pixels = torch.arange(height * width) if pixels is None else torch.as_tensor(pixels).long()
    if ((pixels < 0) | (pixels >= height * width)).any():
        raise ValueError(f"pixels must be within 0 … {height * width - 1}, got {pixels.tolist()}")
    classes = (getattr(model, "config", None) or {}).get("classes")
    rows = [torch.zeros(0, height * width, dtype=torch.bool)]
    for some in pixels.split(batch_size) if len(pixels) else ():
        x = torch.ones(len(some), *model.event_shape, dtype=torch.double, requires_grad=True)
        context = None if classes is None else torch.zeros(len(some), dtype=torch.long)
        y = twin(x, context).reshape(len(some), model.event_shape[0], height * width, -1)
        picked = y[torch.arange(len(some)), :, some]                               # (b, C, parameters)
        (gradient,) = torch.autograd.grad(picked.sum(), x)                         # images do not mix: one a row
        rows.append((gradient != 0).any(1).flatten(1))
    return torch.cat(rows)


def deep(model: Any) -> nn.Module:
    """The same kind of model with so many layers that one more would let no pixel see another.

    Each layer takes a path one pixel further, in whatever direction, so as many as the image has rows or columns do.

    Raises:
        ValueError: if the model has no ``layers`` in its ``config``.
    """
    config = dict(getattr(model, "config", None) or {})
    if "layers" not in config:
        raise ValueError(f"{type(model).__name__} has no number of layers that could be raised: give deepest=")
    config["layers"] = max(config["layers"], *model.event_shape[1:]) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return type(model)(**config)


def fields(model: Any, pixels: list[int] | Tensor | None = None, *, deepest: Tensor | None = None) -> Tensor:
    """What every pixel of an image is to each of ``pixels``, codes ``(len(pixels), H, W)``.

    The codes are ``SELF``, ``SEEN``, ``OUT_OF_REACH``, ``BLIND`` and ``FUTURE``; :data:`NAMES` has them in words.

    Args:
        model: as for :func:`seen`.
        pixels: flat positions; all by default.
        deepest: ``seen(deep(model), pixels)``, if it is at hand (the same for all depths of one kind of model).

    Raises:
        ValueError: if a pixel sees what does not come before it: that is no blind spot but a leak.
    """
    _, height, width = model.event_shape
    pixels = torch.arange(height * width) if pixels is None else torch.as_tensor(pixels)
    near = seen(model, pixels)
    deepest = seen(deep(model), pixels) if deepest is None else deepest
    position = torch.arange(height * width)
    past = position[None, :] < pixels[:, None]
    if (leak := near & (position[None, :] > pixels[:, None])).any():
        who, whom = leak.nonzero()[0].tolist()
        raise ValueError(f"pixel {pixels[who]} sees pixel {whom}, which comes later: this model peeks")
    codes = torch.full(past.shape, FUTURE)
    codes[position[None, :] == pixels[:, None]] = SELF
    codes[past] = BLIND
    codes[past & deepest] = OUT_OF_REACH
    codes[past & near] = SEEN
    return codes.reshape(-1, height, width)


def count(model: nn.Module, *, deepest: Tensor | None = None) -> Count:
    """For every pixel, how much of its past is seen, out of reach, and blind; by :func:`fields`."""
    codes = fields(model, deepest=deepest)
    tally = [(codes == code).flatten(1).sum(1).reshape(codes.shape[1:]) for code in (SEEN, OUT_OF_REACH, BLIND)]
    return Count(*tally)


def triangle(height: int, width: int, kernel: int = 3, first_kernel: int | None = None) -> Tensor:
    """How many pixels are blind at any depth to each pixel of a stack of masked convolutions, ``(H, W)``, one colour.

    In the row u above, everything right of the furthest column that u climbing hops reach: with f and s the sides
    that the first kernel and the others have beside their centre, f + s(u − 1) columns to the right.

    Raises:
        ValueError: if a kernel is not odd and at least 3, or the first smaller than the others.
    """
    first_kernel = first_kernel or kernel
    for name, value in ("kernel", kernel), ("first_kernel", first_kernel):
        if value < 3 or value % 2 == 0:
            raise ValueError(f"{name} must be odd and at least 3, got {value}")
    if first_kernel < kernel:
        raise ValueError(f"first_kernel must be no smaller than kernel {kernel}, got {first_kernel}")
    first, side = first_kernel // 2, kernel // 2
    row, column = torch.arange(height)[:, None], torch.arange(width)[None, :]
    room = width - 1 - column                                                      # columns to the right
    blind = torch.zeros(height, width, dtype=torch.long)
    for up in range(1, height):
        blind += (row >= up) * (room - first - side * (up - 1)).clamp(min=0)
    return blind
