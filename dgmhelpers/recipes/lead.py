"""Two trained models on the same examples."""

from dataclasses import dataclass
from typing import ClassVar

from dgmhelpers import evaluation
from dgmhelpers.evaluation import Estimate
from dgmhelpers.recipes.measures import Measure
from dgmhelpers.training import checkpoints


@dataclass(frozen=True)
class Lead(Measure):
    """By how many nats an exact model leads a stored one, example by example: the difference's own standard error.

    Two good models find the same examples hard. Their likelihoods correlate, and the error of the difference is far
    below what the errors of the two figures suggest. Taken of the record's own data alone.

    Attributes:
        over: name of the stored model, which reads the same data.
    """

    kind: ClassVar[str] = "figure"
    splits: ClassVar[tuple[str, ...]] = ("test",)
    over: str = ""

    def __post_init__(self):
        object.__setattr__(self, "name", f"lead_over_{self.over}")
        object.__setattr__(self, "words", f"lead over {self.over}, example by example")

    def entries(self, model, experiment, dataset, seed, split, examples=None):
        """None of the witness."""
        if dataset.name == experiment.witness:
            return []
        return super().entries(model, experiment, dataset, seed, split, examples)

    def estimate(self, model, x, context):
        """Mean and error of ``log p(x) − log q(x)``, p the model's and q the stored one's."""
        other = checkpoints.load_named(self.over, next(model.parameters()).device)
        found = evaluation.paired(model, other, x, context)
        return Estimate(found.value, found.standard_error, found.n, self.unit)
