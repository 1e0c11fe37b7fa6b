"""Densities as products of conditionals: one file a model."""

from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.autoregressive.char_rnn import CharRNN
from dgmhelpers.autoregressive.conv_nade import ConvNADE
from dgmhelpers.autoregressive.deep_nade import DeepNADE
from dgmhelpers.autoregressive.diagonal_bilstm import DiagonalBiLSTM
from dgmhelpers.autoregressive.frame_rnn import FrameRNN
from dgmhelpers.autoregressive.fvbn import FVBN
from dgmhelpers.autoregressive.gated_pixel_cnn import GatedPixelCNN
from dgmhelpers.autoregressive.made import MADE
from dgmhelpers.autoregressive.multi_scale_pixel_cnn import MultiScalePixelCNN
from dgmhelpers.autoregressive.multinomial_nade import MultinomialNADE
from dgmhelpers.autoregressive.nade import NADE
from dgmhelpers.autoregressive.pixel_cnn import PixelCNN
from dgmhelpers.autoregressive.pixel_cnn_pp import PixelCNNpp
from dgmhelpers.autoregressive.pixel_snail import PixelSNAIL
from dgmhelpers.autoregressive.pixels import ReceptiveFieldWarning
from dgmhelpers.autoregressive.rnade import RNADE
from dgmhelpers.autoregressive.row_lstm import RowLSTM
from dgmhelpers.autoregressive.spatial_lstm import SpatialLSTM
from dgmhelpers.autoregressive.tcn import TCN
from dgmhelpers.autoregressive.transformer import Transformer
from dgmhelpers.autoregressive.wavenet import WaveNet

__all__ = [
    "Autoregressive",
    "CharRNN",
    "ConvNADE",
    "DeepNADE",
    "DiagonalBiLSTM",
    "FVBN",
    "FrameRNN",
    "GatedPixelCNN",
    "MADE",
    "MultiScalePixelCNN",
    "MultinomialNADE",
    "NADE",
    "PixelCNN",
    "PixelCNNpp",
    "PixelSNAIL",
    "RNADE",
    "ReceptiveFieldWarning",
    "RowLSTM",
    "SpatialLSTM",
    "TCN",
    "Transformer",
    "WaveNet",
]
