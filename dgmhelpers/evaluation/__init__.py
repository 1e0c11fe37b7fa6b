"""Measuring models: likelihoods with their error, models against each other, and what an implicit model covers."""

from dgmhelpers.evaluation.coverage import Coverage, PrecisionRecall, coverage, coverage_of_labels, precision_recall
from dgmhelpers.evaluation.nats import Estimate, bits_per_dim, log_probs, mean, nats, nats_per_symbol, stream
from dgmhelpers.evaluation.paired import Difference, paired

__all__ = [
    "Coverage",
    "Difference",
    "Estimate",
    "PrecisionRecall",
    "bits_per_dim",
    "coverage",
    "coverage_of_labels",
    "log_probs",
    "mean",
    "nats",
    "nats_per_symbol",
    "paired",
    "precision_recall",
    "stream",
]
