"""Layers that two models or more share."""

from dgmhelpers.layers.gated import GatedBlock
from dgmhelpers.layers.linear import MaskedLinear
from dgmhelpers.layers.raster import RasterConv2d, VerticalConv2d
from dgmhelpers.layers.shifted import ShiftedConv2d, Spread2d

__all__ = ["GatedBlock", "MaskedLinear", "RasterConv2d", "ShiftedConv2d", "Spread2d", "VerticalConv2d"]
