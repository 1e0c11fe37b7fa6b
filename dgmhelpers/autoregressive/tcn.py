r"""TCN, the temporal convolutional network: residual blocks of dilated causal convolutions.

Block b has two convolutions of dilation :math:`2^b`, each weight-normalised, rectified and thinned by dropout:

.. math::  h^{b+1} = \phi\big(P^b h^b + \phi(W_2^b *_{2^b} \phi(W_1^b *_{2^b} h^b))\big), \qquad \phi = \max(0, \cdot),

where :math:`P^b` is the identity, or a matrix where the number of features changes. A step sees
:math:`2 (k - 1)(2^B - 1) + 1` steps back, B blocks in all.

Source
    S. Bai, J. Z. Kolter and V. Koltun, "An empirical evaluation of generic convolutional and recurrent networks for
    sequence modeling", arXiv 1803.01271, 2018. ``PAPER`` is what their code uses for the chorales and for Nottingham.
Differs
    The input is shifted by one step, so that the first step has a probability too (theirs begins at the second). The
    output starts near even odds. Symbols are embedded; the paper's dropout drops whole features, ours does as well.
Cost
    ``log_prob``: one pass. ``sample``: T steps, each activation once (cached), or a pass for every value (naive).
"""

from torch import Tensor, nn

from dgmhelpers.arguments import at_least, dropout_rate
from dgmhelpers.autoregressive.frames import FrameModel
from dgmhelpers.layers.causal import CausalConv1d, receptive_field


class TCN(FrameModel):
    """Exact density over sequences of symbols, or of frames of keys.

    Args:
        length: steps T of one example.
        levels: values of a symbol; 2 with ``keys``.
        keys: binary values of one frame, independent given the past; None for symbols.
        channels: features of each convolution.
        layers: residual blocks; block b has the dilation 2^b.
        kernel: taps of each convolution, at least 2.
        dropout: share of the features that are dropped after each convolution, while training.
        norm: whether convolutions are weight-normalised.
    """

    PAPER = {"keys": 88, "channels": 150, "layers": 4, "kernel": 5, "dropout": 0.25}

    def __init__(self, length: int = 64, levels: int = 2, keys: int | None = None, channels: int = 32,
                 layers: int = 4, kernel: int = 3, dropout: float = 0.0, norm: bool = True):  # fmt: skip
        channels, layers = at_least("channels", channels, 1), at_least("layers", layers, 1)
        sizes = {"channels": channels, "layers": layers, "kernel": (kernel := at_least("kernel", kernel, 2))}
        dropout_rate(dropout)
        config = {"levels": levels, "keys": keys, **sizes, "dropout": dropout, "norm": norm}
        super().__init__(length, levels, keys, config)
        self.embedding = None if keys else nn.Embedding(levels + 1, channels)
        widths = [keys or channels] + [channels] * layers
        self.blocks = nn.ModuleList(
            Block(below, channels, kernel, 2**b, dropout, norm) for b, below in enumerate(widths[:-1])
        )
        self.output = nn.Linear(channels, self.outputs)
        nn.init.normal_(self.output.weight, std=0.1 * channels**-0.5)
        nn.init.zeros_(self.output.bias)
        self.reach = receptive_field(kernel, [2**b for b in range(layers) for _ in range(2)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every step given those before it, ``(B, T[, keys or levels])``; T may be any."""
        self._refuse_context(context)
        h = self.embedded(self.before(x)).transpose(1, 2)                          # (B, features, T)
        for block in self.blocks:
            h = block(h)
        return self.arranged(self.output(h.transpose(1, 2)))

    def walk(self, n, context=None):
        """Each convolution keeps the part of its past that it still needs."""
        self._refuse_context(context)
        blocks = [block.walk(n) for block in self.blocks]

        def step(last: Tensor) -> Tensor:
            h = self.embedded(last)
            for block in blocks:
                h = block(h)
            return self.output(h)

        return step

    def embedded(self, before: Tensor) -> Tensor:
        """Features of the steps before: of symbols their row, of frames the keys themselves."""
        return before if self.embedding is None else self.embedding(before)


class Block(nn.Module):
    """Two causal convolutions of one dilation, and a way around them."""

    def __init__(self, inputs: int, channels: int, kernel: int, dilation: int, dropout: float, norm: bool):
        super().__init__()
        self.first = CausalConv1d(inputs, channels, kernel, dilation, norm=norm, gain=2**0.5)
        self.second = CausalConv1d(channels, channels, kernel, dilation, norm=norm)
        self.around = None if inputs == channels else CausalConv1d(inputs, channels, 1)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, h: Tensor) -> Tensor:
        """``(B, inputs, T)`` to ``(B, channels, T)``."""
        inner = self.dropout(self.first(h).relu())
        inner = self.dropout(self.second(inner).relu())
        return (inner + (h if self.around is None else self.around(h))).relu()

    def walk(self, n: int):
        """The same one step at a time, ``(n, inputs)`` to ``(n, channels)``, without dropout."""
        first, second = self.first.walk(n), self.second.walk(n)
        around = (lambda h: h) if self.around is None else self.around.walk(n)
        return lambda h: (second(first(h).relu()).relu() + around(h)).relu()
