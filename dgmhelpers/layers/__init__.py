"""Layers that two models or more share."""

from dgmhelpers.layers.attention import Attention
from dgmhelpers.layers.causal import CausalConv1d, receptive_field
from dgmhelpers.layers.gated import GatedBlock
from dgmhelpers.layers.linear import MaskedLinear
from dgmhelpers.layers.raster import RasterConv2d, VerticalConv2d
from dgmhelpers.layers.shifted import ShiftedConv2d, Spread2d

__all__ = ["Attention", "CausalConv1d", "GatedBlock", "MaskedLinear", "RasterConv2d", "ShiftedConv2d", "Spread2d",
           "VerticalConv2d", "receptive_field"]  # fmt: skip
