"""Measuring models: likelihoods with their error, and models against each other."""

from dgmhelpers.evaluation import receptive_field
from dgmhelpers.evaluation.nats import Estimate, bits_per_dim, log_probs, mean, nats, nats_per_symbol, stream
from dgmhelpers.evaluation.paired import Difference, Gains, over_seeds, paired

__all__ = [
    "Difference",
    "Estimate",
    "Gains",
    "bits_per_dim",
    "log_probs",
    "mean",
    "nats",
    "nats_per_symbol",
    "over_seeds",
    "paired",
    "receptive_field",
    "stream",
]
