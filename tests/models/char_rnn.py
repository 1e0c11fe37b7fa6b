"""CharRNN: small ones that are held to every law, and faults that such a model really has."""

from dgmhelpers.autoregressive import CharRNN
from models import Case, Mutant


class UnshiftedRNN(CharRNN):
    """Feeds symbol t to predict symbol t: the shift by one is missing."""

    def stream(self, x, state=None):
        h, hidden = self.cell(self.embedding(x.long()))
        return self._logits(h), (x[:, -1:], hidden)


CASES = [
    Case("CharRNN GRU", lambda: CharRNN(length=5, levels=4, hidden=12)),
    Case("CharRNN LSTM", lambda: CharRNN(length=9, levels=2, hidden=12, layers=2, cell="lstm", dropout=0.2)),
    Case("CharRNN of one", lambda: CharRNN(length=1, levels=7, hidden=4), slow=True),
]
MUTANTS = [
    Mutant("no shift by one", lambda: UnshiftedRNN(length=9, levels=2, hidden=12), "depends_on_exactly_its_past"),
]
