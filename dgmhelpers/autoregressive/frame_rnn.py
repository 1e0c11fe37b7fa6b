r"""FrameRNN: a recurrent cell that reads one frame of keys after the other.

.. math::  h_t = \mathrm{cell}(h_{t-1}, x_{t-1}), \qquad  p(x_{t,k} = 1 \mid x_{<t}) = \sigma(v_k^\top h_t + b_k),

the keys of a frame independent given the past. Nothing is out of reach; what is remembered is what the state holds.

Source
    N. Boulanger-Lewandowski, Y. Bengio and P. Vincent, "Modeling temporal dependencies in high-dimensional sequences",
    ICML 2012, whose plain recurrent network this is, with a gated cell.
Cost
    ``log_prob``: T steps of the cell. ``sample``: T steps cached, a pass for every value naive.
"""

from torch import Tensor, nn

from dgmhelpers.arguments import at_least, dropout_rate
from dgmhelpers.autoregressive.char_rnn import CELLS
from dgmhelpers.autoregressive.frames import FrameModel


class FrameRNN(FrameModel):
    """Exact density over sequences of frames.

    Args:
        length: frames T of one example.
        keys: binary values of one frame.
        hidden: size of the state.
        layers: cells on top of each other.
        cell: ``"gru"`` or ``"lstm"``.
        dropout: between layers and before the output, while training.
    """

    def __init__(self, length: int = 64, keys: int = 88, hidden: int = 128, layers: int = 1, cell: str = "gru",
                 dropout: float = 0.0):  # fmt: skip
        hidden, layers, keys = at_least("hidden", hidden, 1), at_least("layers", layers, 1), at_least("keys", keys, 1)
        if cell not in CELLS:
            raise ValueError(f'cell must be "gru" or "lstm", got {cell!r}')
        dropout_rate(dropout)
        config = {"keys": keys, "hidden": hidden, "layers": layers, "cell": cell, "dropout": dropout}
        super().__init__(length, 2, keys, config)
        self.cell = CELLS[cell](
            keys, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, keys)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every key given the frames before, ``(B, T, keys)``; T may be any."""
        self._refuse_context(context)
        return self.output(self.dropout(self.cell(self.before(x))[0]))

    def walk(self, n, context=None):
        """Carry the state: a frame costs one step of the cell."""
        self._refuse_context(context)
        state = None

        def step(last: Tensor) -> Tensor:
            nonlocal state
            h, state = self.cell(last[:, None], state)
            return self.output(self.dropout(h[:, 0]))

        return step
