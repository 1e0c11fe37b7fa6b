"""Layers that two models or more share."""

from dgmhelpers.layers.attention import Attention
from dgmhelpers.layers.linear import MaskedLinear
from dgmhelpers.layers.raster import RasterConv2d, VerticalConv2d

__all__ = ["Attention", "MaskedLinear", "RasterConv2d", "VerticalConv2d"]
