"""A small recurrent model of pixels with a part replaced: what its two mutants' files share."""

import torch
from torch import nn

from dgmhelpers.autoregressive import DiagonalBiLSTM
from dgmhelpers.layers import RasterConv2d


def recurrent(model, layer=None, *, first=None, norm=False, **arguments):
    """A small recurrent model with its recurrence replaced, its first mask, or a normalisation put between layers."""

    def make():
        made = model(**{"event_shape": (1, 3, 3), "hidden": 6, "layers": 1} | arguments)
        stream, inner = made.features(12), made.features(6)
        for residual in made.layers:
            if layer is not None:
                extra = () if model is DiagonalBiLSTM else (3,)
                residual.recurrence = layer(stream, inner, *extra)
            if norm:
                residual.up = nn.Sequential(residual.up, nn.BatchNorm2d(12, track_running_stats=False))
        if first is not None:
            made.first = first(torch.arange(made.colours), stream)
        return made

    return make


def mask_b(sender, receiver):
    return RasterConv2d(sender, receiver, 3, strict=False)
