"""Densities as products of conditionals: one file a model."""

from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.autoregressive.char_rnn import CharRNN
from dgmhelpers.autoregressive.fvbn import FVBN
from dgmhelpers.autoregressive.made import MADE
from dgmhelpers.autoregressive.nade import NADE

__all__ = ["Autoregressive", "CharRNN", "FVBN", "MADE", "NADE"]
