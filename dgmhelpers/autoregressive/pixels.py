"""What the models over pixels in raster order share: their sub-pixels, their order, and the limits of their sight."""

import warnings

import torch
from torch import Tensor

from dgmhelpers import masks
from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.layers import RasterConv2d
from dgmhelpers.likelihoods import for_levels


class ReceptiveFieldWarning(UserWarning):
    """An image is larger than what one of its pixels can see."""


class PixelModel(Autoregressive):
    """A density over images, pixel by pixel in raster order, the colours of a pixel in turn.

    .. math::  p(x) = \\prod_{i=1}^{HW} \\prod_{c=1}^{C} p(x_{i,c} \\mid x_{i,<c}, x_{<i})

    A model says by :meth:`seen` which pixels another pixel can see, and by that its blind spot is known.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel; 2 gives Bernoulli conditionals, more a softmax.
        sizes: sizes to be checked and kept, by name: at least 1 each.
        config: further keyword arguments that make the model again.
    """

    def __init__(self, event_shape, levels: int, sizes: dict, config: dict | None = None):
        event_shape = tuple(event_shape)
        if len(event_shape) != 3:
            raise ValueError(f"event_shape must be (C, H, W), got {event_shape}")
        for name, value in [*(("event_shape", size) for size in event_shape), *sizes.items()]:
            at_least(name, value, 1)
        for name, value in sizes.items():
            if "kernel" in name and value % 2 == 0:
                raise ValueError(f"{name} must be odd, so that it has a centre; got {value}")
            if name == "first_kernel" and value == 1:
                raise ValueError("first_kernel must be at least 3: under mask A, one of 1 × 1 sees no earlier pixel")
            if name in ("channels", "hidden", "head") and value < event_shape[0]:
                raise ValueError(f"{name} must be at least the number of colours, {event_shape[0]}; got {value}")
        likelihood = for_levels(levels)
        config = dict(event_shape=list(event_shape), levels=levels) | sizes | (config or {})
        super().__init__(event_shape, likelihood, masks.raster_order(event_shape), config)
        self.colours = event_shape[0]

    def features(self, count: int) -> Tensor:
        """The colours of a layer's features, ``(count,)``."""
        return masks.colour_of(count, self.colours)

    @property
    def outputs(self) -> Tensor:
        """The colours of the parameters: one logit for each colour if binary, else one for each level of each."""
        levels = self.likelihood.levels
        return torch.arange(self.colours).repeat_interleave(1 if levels == 2 else levels)

    def scaled(self, x: Tensor) -> Tensor:
        """Levels as a network takes them: 0 … 1, in the parameters' dtype."""
        return x.to(self.dtype) / (self.likelihood.levels - 1)

    def arranged(self, z: Tensor) -> Tensor:
        """Outputs ``(B, C · K, H, W)`` as parameters, ``(B, C, H, W[, K])``."""
        return z if self.likelihood.levels == 2 else z.unflatten(1, (self.colours, -1)).movedim(2, -1)

    def parameters_at(self, z: Tensor) -> Tensor:
        """Outputs for one sub-pixel, ``(n, K)`` or ``(n, 1)``, as its parameters, ``(n[, K])``."""
        return z[:, 0] if self.likelihood.levels == 2 else z

    def seen(self, up: Tensor, right: Tensor) -> Tensor:
        """Whether a pixel sees the one ``up`` rows above it and ``right`` columns to its right, of the shape of both.

        Only asked of pixels that come before; all of them if a model does not say otherwise.
        """
        return torch.ones_like(up, dtype=torch.bool)

    @property
    def blind_spot(self) -> Tensor:
        """Which of its past each sub-pixel cannot see, ``(D, D)``: for want of depth or at any depth."""
        up, right = masks.offsets(*self.event_shape[1:])
        return masks.blind(self.seen(up, right), self.colours).to(self.device)

    def masked_weights(self):
        """Every masked weight with its mask: outside, it has no effect and gets no gradient."""
        return [(m.weight, m.mask) for m in self.modules() if isinstance(m, RasterConv2d)]

    def warn_if_larger(self, rows: int, columns: int) -> None:
        """Warn of an image of which a pixel sees only ``rows`` rows above and ``columns`` columns beside itself."""
        _, height, width = self.event_shape
        if height - 1 > rows or width - 1 > columns:
            warnings.warn(
                f"the receptive field reaches {rows} rows up and {columns} columns to the side, and the images are "
                f"{height} × {width}: pixels further away are not seen. More layers or larger kernels reach further",
                ReceptiveFieldWarning,
                stacklevel=3,
            )
