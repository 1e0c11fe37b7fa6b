"""Faults of recurrent pixel models; the rows are a name, a mutant, and the law that must name the fault."""

import torch
import torch.nn.functional as F
from torch import nn

from dgmhelpers.autoregressive import DiagonalBiLSTM, RowLSTM, diagonal_bilstm, row_lstm
from dgmhelpers.layers import RasterConv2d


class Unaware(DiagonalBiLSTM):
    """As the paper describes it: no column right of the image, so the last pixel of the row above is not seen."""

    margin = 0


class LevelDiagonals(diagonal_bilstm.Diagonals):
    """The states from the right are added where they are, not a row further down."""

    def forward(self, x):
        left, right = self.input(x).chunk(2, 1)
        left, right = self.sweep(torch.stack([left, right.flip(3)]))
        return left + right.flip(3)


class BackwardDiagonals(diagonal_bilstm.Diagonals):
    """Skewed the wrong way: each row begins further left than the one above."""

    def sweep(self, gates):
        return super().sweep(gates.flip(3)).flip(3)


class UprightDiagonals(diagonal_bilstm.Diagonals):
    """Not skewed at all: the state from above is that of the pixel above and to the left."""

    def sweep(self, gates):
        columns = gates.permute(4, 0, 1, 3, 2)
        weight = self.state.unflatten(0, (2, -1)).transpose(1, 2)
        state = cell = columns.new_zeros(*columns.shape[1:4], self.hidden)
        states = []
        for column in columns:
            neighbours = torch.cat([state, F.pad(state, (0, 0, 1, 0))[:, :, :-1]], -1)
            both = torch.baddbmm(column.flatten(1, 2), neighbours.flatten(1, 2), weight)
            state, cell = diagonal_bilstm.lstm(both.view_as(column), cell, -1)
            states.append(state)
        return torch.stack(states).permute(1, 2, 4, 3, 0)


class StaleRight(diagonal_bilstm.DiagonalsWalk):
    """The cached sampler forgets to complete a row: the states from the right stay those of the row before."""

    def _complete(self):
        self.right = torch.zeros_like(self.right)


class StaleDiagonals(diagonal_bilstm.Diagonals):
    def walk(self, n, width):
        return StaleRight(self, n, width)


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


TALL = (1, 6, 2)


def mask_b(sender, receiver):
    return RasterConv2d(sender, receiver, 3, strict=False)


ROWS = [
    ("not moved down", recurrent(DiagonalBiLSTM, LevelDiagonals), "depends_on_exactly_its_past"),
    ("not moved down, summed", recurrent(DiagonalBiLSTM, LevelDiagonals), "sums_to_one"),
    ("skewed the wrong way", recurrent(DiagonalBiLSTM, BackwardDiagonals), "depends_on_exactly_its_past"),
    ("not skewed", recurrent(DiagonalBiLSTM, UprightDiagonals, event_shape=TALL), "depends_on_exactly_its_past"),
    ("no column to the right", recurrent(Unaware, event_shape=(1, 2, 6)), "depends_on_exactly_its_past"),
    ("the right is stale", recurrent(DiagonalBiLSTM, StaleDiagonals), "cached_equals_naive"),
    ("mask B first, diagonal", recurrent(DiagonalBiLSTM, first=mask_b), "depends_on_exactly_its_past"),
    ("BatchNorm between LSTMs", recurrent(DiagonalBiLSTM, norm=True, layers=2), "ignores_the_batch"),
    ("mask B first, rows", recurrent(RowLSTM, first=mask_b), "depends_on_exactly_its_past"),
    ("mask B first, trained", recurrent(RowLSTM, first=mask_b), "never_beats_entropy"),
    ("row not masked", recurrent(RowLSTM, LookingRows), "depends_on_exactly_its_past"),
    ("rows from below", recurrent(RowLSTM, UpwardRows), "depends_on_exactly_its_past"),
    ("triangle not declared", recurrent(RowLSTMAllSeeing, event_shape=(1, 2, 5)), "depends_on_exactly_its_past"),
]
