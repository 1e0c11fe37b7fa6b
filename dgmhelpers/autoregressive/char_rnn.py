r"""Character-level recurrent network: one cell reads the past, one symbol at a time.

The past of symbol t is squeezed into a state of fixed size, so that one set of weights serves every position and
any length:

.. math::  h_t = \mathrm{cell}(h_{t-1}, e_{x_{t-1}}), \qquad  p(x_t \mid x_{<t}) = \mathrm{softmax}(V h_t + b),

with a learned start symbol in the place of x₀.

Source
    I. Sutskever, J. Martens and G. Hinton, "Generating text with recurrent neural networks", ICML 2011; made
    popular by A. Karpathy's char-rnn (2015), whose default sizes are ``PAPER``.
Differs
    Trained on independent windows that start from the start symbol, where char-rnn carries the state from one
    window to the next; evaluated on a text of any length in one piece by :meth:`CharRNN.stream`.
Cost
    ``log_prob``: T cell steps. ``sample``: T steps cached, T passes (T² steps) naive.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least, dropout_rate
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.autoregressive.text import continued
from dgmhelpers.likelihoods import for_levels

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class CharRNN(Autoregressive):
    """Exact density over sequences of symbols.

    Args:
        length: number of symbols T in one example.
        levels: number of different symbols K; with 2 the model is binary (float 0/1), else symbols are ``long``.
        hidden: size of the state.
        layers: cells on top of each other.
        cell: ``"gru"`` or ``"lstm"``.
        dropout: between layers and before the output, while training.
    """

    PAPER = {"length": 50, "levels": 65, "hidden": 128, "layers": 2, "cell": "lstm", "dropout": 0.0}

    def __init__(
        self,
        length: int = 64,
        levels: int = 65,
        hidden: int = 128,
        layers: int = 1,
        cell: str = "gru",
        dropout: float = 0.0,
    ):
        length, levels = at_least("length", length, 1), at_least("levels", levels, 2)
        hidden, layers = at_least("hidden", hidden, 1), at_least("layers", layers, 1)
        if cell not in CELLS:
            raise ValueError(f'cell must be "gru" or "lstm", got {cell!r}')
        dropout_rate(dropout)
        config = {"length": length, "levels": levels, "hidden": hidden, "layers": layers}
        super().__init__([length], for_levels(levels), None, config | {"cell": cell, "dropout": dropout})
        self.start = levels  # the embedding's last row: "nothing came before"
        self.embedding = nn.Embedding(levels + 1, hidden)
        self.cell = CELLS[cell](
            hidden, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, 1 if levels == 2 else levels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every symbol given those before it, ``(B, T, K)``; binary ``(B, T)``."""
        self._refuse_context(context)
        return self.stream(x)[0]

    def stream(self, x: Tensor, state: tuple | None = None) -> tuple[Tensor, tuple]:
        """The same for a piece of a longer text, any length: logits and the state to go on from.

        Args:
            x: symbols, ``(B, T)``, of any T.
            state: what the previous call gave; the beginning of the text if not given.
        """
        before, hidden = state if state is not None else (x.new_full((len(x), 1), self.start), None)
        inputs = torch.cat([before, x[:, :-1]], 1).long()                          # (B, T) shifted by one
        h, hidden = self.cell(self.embedding(inputs), hidden)                      # (B, T, H)
        return self._logits(h), (x[:, -1:], hidden)

    def conditionals(self, n, context=None):
        """Carry the state: each draw costs one step of the cell."""
        self._refuse_context(context)
        symbol = torch.full((n, 1), self.start, device=self.device)
        hidden = None
        for _ in range(self.event_shape[0]):
            h, hidden = self.cell(self.embedding(symbol), hidden)                  # (n, 1, H)
            x_t = yield self._logits(h)[:, 0]                                      # (n,)
            symbol = x_t[:, None].long()

    def reader(self, n: int = 1) -> "Reader":
        """Reads ``n`` sequences piece by piece: see :class:`Reader`."""
        return Reader(self, n)

    def generate(self, prompt, length: int, *, dataset=None, temperature: float = 1.0, generator=None):
        """``length`` symbols more after a prompt: see :func:`dgmhelpers.autoregressive.text.continued`."""
        return continued(self, prompt, length, dataset=dataset, temperature=temperature, generator=generator)

    def of_length(self, length: int) -> "CharRNN":
        """The same weights, copied, as a density over sequences of another length."""
        twin = CharRNN(**(self.config | {"length": length})).to(self.device, self.dtype)
        twin.load_state_dict(self.state_dict() | {"orders": twin.orders})
        return twin.train(self.training)

    def _logits(self, h: Tensor) -> Tensor:
        logits = self.output(self.dropout(h))
        return logits.squeeze(-1) if self.likelihood.levels == 2 else logits


class Reader:
    """Reads sequences from left to right, once: the state after each symbol is kept.

    Attributes:
        at: how many symbols were read, the start symbol included. Set it back to forget the last ones.
        most: how many it can read: any number.
    """

    most = None

    def __init__(self, model: CharRNN, n: int):
        self.model, self.at, self.states = model, 0, [None]

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits of the symbol after each input, ``(n, t, K)`` of ``(n, t)``; the first input is ``model.start``."""
        del self.states[self.at + 1 :]
        found = []
        for symbol in inputs.split(1, 1):
            h, state = self.model.cell(self.model.embedding(symbol), self.states[-1])
            self.states.append(state)
            found.append(self.model._logits(h))
        self.at += inputs.shape[1]
        return torch.cat(found, 1)
