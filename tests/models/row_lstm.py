"""RowLSTM: small ones that are held to every law, and faults that such a model really has."""

import torch
from torch import nn

from dgmhelpers.autoregressive import RowLSTM, row_lstm
from dgmhelpers.layers import RasterConv2d
from models import Case, Mutant
from models.recurrent import mask_b, recurrent


class LookingRows(row_lstm.Rows):
    """The convolution along the row is not masked: a state sees the right of its own row."""

    def __init__(self, below, own, kernel):
        super().__init__(below, own, kernel)
        self.input = RasterConv2d(below, own.repeat(4), kernel, above=0)
        self.ahead = nn.Conv2d(len(below), 4 * len(own), (1, kernel), padding=(0, kernel // 2))

    def forward(self, x):
        gates, state = self.ahead(x), x.new_zeros(len(x), self.hidden, x.shape[3])
        cell, rows = state, []
        for row in gates.unbind(2):
            state, cell = row_lstm.lstm(row + self.from_above(state), cell, 1)
            rows.append(state)
        return torch.stack(rows, 2)


class UpwardRows(row_lstm.Rows):
    """The states come from the row below: the LSTM climbs the image."""

    def forward(self, x):
        return super().forward(x.flip(2)).flip(2)


class RowLSTMAllSeeing(RowLSTM):
    """Declares no blind spot, and has one."""

    blind_spot = None


CASES = [
    Case("RowLSTM", lambda: RowLSTM(event_shape=(1, 3, 4), hidden=6, layers=1)),
    Case("RowLSTM of one row", lambda: RowLSTM(event_shape=(1, 1, 6), hidden=6, layers=4)),
    Case("RowLSTM wide",
         lambda: RowLSTM(event_shape=(1, 2, 6), hidden=6, layers=2, kernel=3, first_kernel=5), slow=True),
    Case("RowLSTM of 4 levels", lambda: RowLSTM(event_shape=(1, 3, 2), levels=4, hidden=6, layers=3), slow=True),
    Case("RowLSTM in colour", lambda: RowLSTM(event_shape=(3, 2, 2), hidden=7, layers=2), slow=True),
    Case("RowLSTM in colour, 4 levels",
         lambda: RowLSTM(event_shape=(3, 1, 2), levels=4, hidden=6, layers=2), slow=True),
    Case("RowLSTM of one", lambda: RowLSTM(event_shape=(1, 1, 1), hidden=3, layers=1), slow=True),
]
MUTANTS = [
    Mutant("mask B first, rows", recurrent(RowLSTM, first=mask_b), "depends_on_exactly_its_past"),
    Mutant("mask B first, trained", recurrent(RowLSTM, first=mask_b), "never_beats_entropy"),
    Mutant("row not masked", recurrent(RowLSTM, LookingRows), "depends_on_exactly_its_past"),
    Mutant("rows from below", recurrent(RowLSTM, UpwardRows), "depends_on_exactly_its_past"),
    Mutant("triangle not declared", recurrent(RowLSTMAllSeeing, event_shape=(1, 2, 5)), "depends_on_exactly_its_past"),
]
