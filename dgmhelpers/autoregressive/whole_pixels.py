r"""What the models share that compute a pixel at once, and leave its colours to the likelihood.

A network gives the parameters of a whole pixel from the pixels before it. Within the pixel, red, green and blue hang
together by the logistic mixture alone: they share its component, and their means depend on the colours before
(:class:`~dgmhelpers.likelihoods.DiscretizedLogisticMixture`). So the network needs no masks for colours, and its
features are not divided among them.

The conditionals are still those of single sub-pixels, in the order red, green, blue: a mixture's weights, given the
colours so far, are its posterior.
"""

import abc
from collections.abc import Generator as Coroutine
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.pixels import PixelModel
from dgmhelpers.layers.shifted import ShiftedConv2d
from dgmhelpers.likelihoods import DiscretizedLogisticMixture, for_levels


class WholePixelModel(PixelModel):
    """A density over images, a pixel at a time, in raster order.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        components: logistics of a pixel's mixture; 0 for a logit of every level (one if binary), of one colour alone.
            If not given, 0 for binary images of one colour and 5 for others.
        sizes, config: as for :class:`~dgmhelpers.autoregressive.pixels.PixelModel`.
    """

    def __init__(self, event_shape, levels: int, components: int | None, sizes: dict, config: dict | None = None):
        components = (0 if levels == 2 and event_shape[0] == 1 else 5) if components is None else components
        at_least("components", components, 0)
        super().__init__(event_shape, levels, sizes, (config or {}) | {"components": components})
        if not components and self.colours > 1:
            raise ValueError(f"components must be 1 or more for {self.colours} colours, which only a mixture couples")
        self.likelihood = for_levels(levels)
        self.outputs_of_pixel = 1 if levels == 2 else levels
        if components:
            self.likelihood = DiscretizedLogisticMixture(levels, components, self.colours)
            self.outputs_of_pixel = self.likelihood.rows * components

    @abc.abstractmethod
    def network(self, x: Tensor) -> Tensor:
        """Parameters of all pixels at once, ``(B, outputs, H, W)``, from :meth:`inputs`, ``(B, C + 1, H, W)``."""

    @abc.abstractmethod
    def pixels(self, n: int) -> Coroutine[Tensor, Tensor, None]:
        """The same, a pixel at a time: gives ``(n, outputs)``, and is sent the pixel's own inputs, ``(n, C + 1)``."""

    def inputs(self, x: Tensor) -> Tensor:
        """Levels along axis 1 as the network takes them: −1 … 1, and a 1 that tells the image from its margin."""
        x = self.scaled(x) * 2 - 1
        return torch.cat([x, torch.ones_like(x[:, :1])], 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of every conditional at once, ``(B, C, H, W, 3, M)``, or those of single levels if M is 0."""
        self._refuse_context(context)
        z = self.network(self.inputs(x))                                           # (B, outputs, H, W)
        if not self.config["components"]:
            return self.arranged(z)
        return self.likelihood.by_colour(self._of_pixel(z), x.movedim(1, -1)).movedim(-3, 1)

    def conditionals(self, n, context=None):
        """A pixel at a time from the network's own walk, and its colours in turn."""
        self._refuse_context(context)
        step = self.pixels(n)
        z = next(step)
        for _ in range(self.event_shape[1:].numel()):
            if self.config["components"]:
                colours = self.likelihood.in_turn(z.unflatten(1, (self.likelihood.rows, -1)))
                params, values = next(colours), []
                for _ in range(self.colours):
                    values.append((yield params))
                    if len(values) < self.colours:
                        params = colours.send(values[-1])
            else:
                values = [(yield self.parameters_at(z))]
            z = step.send(self.inputs(torch.stack(values, 1)))

    def _log_prob(self, x, context, component):
        """All colours of a pixel in one mixture: the same as their conditionals, multiplied."""
        if not self.config["components"]:
            return super()._log_prob(x, context, component)
        self._refuse_context(context)
        z = self._of_pixel(self.network(self.inputs(x)))
        return self.likelihood.log_prob_of_pixel(z, x.movedim(1, -1)).flatten(1).sum(1)

    def _of_pixel(self, z: Tensor) -> Tensor:
        """``(B, rows · M, H, W)`` to ``(B, H, W, rows, M)``."""
        return z.movedim(1, -1).unflatten(-1, (self.likelihood.rows, -1))

    def start_mixture(self, output: Any) -> None:
        """Let a last layer start with means that are spread over the levels, and small weights."""
        with torch.no_grad():
            output.weight.mul_(0.1)
            if M := self.config["components"]:
                bias = output.bias.view(self.likelihood.rows, M)
                bias[1 : 1 + self.colours] = torch.linspace(-1, 1, M + 2)[1:-1]
                bias[1 + self.colours : 1 + 2 * self.colours] = -1.0


class FirstLook(nn.Module):
    """The first layer of one stream: the row above to both sides, and what is above and to the left.

    Args:
        inputs, outputs: features.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.row = ShiftedConv2d(inputs, outputs, (0, 1, 1))                       # of the row above
        self.column = ShiftedConv2d(inputs, outputs, (1, 0, 0))                    # of the column to the left

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``, each place from earlier ones alone."""
        return self.row(moved_down(x)) + self.column(moved_right(x))

    def pixels(self, n: int, width: int):
        """A function of the row above, ``(n, inputs, 1, W)``, that gives a function of the pixel to the left."""
        column = self.column.pixels(n, width)

        def next_row(above: Tensor):
            row = self.row(above)[:, :, 0].permute(2, 0, 1).contiguous()           # (W, n, outputs)
            return lambda left, place: row[place] + column(left)

        return next_row


def moved_down(x: Tensor) -> Tensor:
    """Every row takes the place of the next, and the first is of zeros."""
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


def moved_right(x: Tensor) -> Tensor:
    """Every column takes the place of the next, and the first is of zeros."""
    return F.pad(x, (1, 0))[..., :-1]
