"""DiagonalBiLSTM: small ones that are held to every law, and faults that such a model really has."""

import torch
import torch.nn.functional as F

from dgmhelpers.autoregressive import DiagonalBiLSTM, diagonal_bilstm
from models import Case, Mutant
from models.recurrent import mask_b, recurrent


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


TALL = (1, 6, 2)

CASES = [
    Case("DiagonalBiLSTM", lambda: DiagonalBiLSTM(event_shape=(1, 3, 4), hidden=6, layers=1)),
    Case("DiagonalBiLSTM high", lambda: DiagonalBiLSTM(event_shape=(1, 5, 2), hidden=6, layers=3)),
    Case("DiagonalBiLSTM wide", lambda: DiagonalBiLSTM((1, 2, 6), hidden=6, layers=2, first_kernel=5), slow=True),
    Case("DiagonalBiLSTM of one column", lambda: DiagonalBiLSTM(event_shape=(1, 5, 1), hidden=5, layers=2), slow=True),
    Case("DiagonalBiLSTM of 4 levels", lambda: DiagonalBiLSTM((1, 3, 2), levels=4, hidden=6, layers=2), slow=True),
    Case("DiagonalBiLSTM in colour", lambda: DiagonalBiLSTM(event_shape=(3, 2, 2), hidden=7, layers=2), slow=True),
    Case("DiagonalBiLSTM in colour, 4 levels",
         lambda: DiagonalBiLSTM((3, 1, 2), levels=4, hidden=6, layers=1), slow=True),
    Case("DiagonalBiLSTM of one", lambda: DiagonalBiLSTM(event_shape=(1, 1, 1), hidden=3, layers=1), slow=True),
]
MUTANTS = [
    Mutant("not moved down", recurrent(DiagonalBiLSTM, LevelDiagonals), "depends_on_exactly_its_past"),
    Mutant("not moved down, summed", recurrent(DiagonalBiLSTM, LevelDiagonals), "sums_to_one"),
    Mutant("skewed the wrong way", recurrent(DiagonalBiLSTM, BackwardDiagonals), "depends_on_exactly_its_past"),
    Mutant("not skewed", recurrent(DiagonalBiLSTM, UprightDiagonals, event_shape=TALL), "depends_on_exactly_its_past"),
    Mutant("no column to the right", recurrent(Unaware, event_shape=(1, 2, 6)), "depends_on_exactly_its_past"),
    Mutant("the right is stale", recurrent(DiagonalBiLSTM, StaleDiagonals), "cached_equals_naive"),
    Mutant("mask B first, diagonal", recurrent(DiagonalBiLSTM, first=mask_b), "depends_on_exactly_its_past"),
    Mutant("BatchNorm between LSTMs", recurrent(DiagonalBiLSTM, norm=True, layers=2), "ignores_the_batch"),
]
