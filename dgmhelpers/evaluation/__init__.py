"""Measuring models: likelihoods, bounds and estimates with their errors, fields of view, coverage, differences."""

from dgmhelpers.evaluation import receptive_field
from dgmhelpers.evaluation.coverage import Coverage, PrecisionRecall, coverage, coverage_of_labels, precision_recall
from dgmhelpers.evaluation.importance import elbo, elbos, log_likelihood, log_likelihood_by_part, log_likelihoods
from dgmhelpers.evaluation.latents import Gap, active_units, amortisation_gap, kl_per_dimension
from dgmhelpers.evaluation.lossless import rice_bits
from dgmhelpers.evaluation.nats import (
    Estimate,
    bits_per_dim,
    log_probs,
    mean,
    nats,
    nats_per_symbol,
    perplexity,
    stream,
)
from dgmhelpers.evaluation.paired import Difference, Gains, over_seeds, paired
from dgmhelpers.evaluation.quadrature import over_cells, quadrature
from dgmhelpers.evaluation.size import live_parameters
from dgmhelpers.evaluation.unmixing import amari_index

__all__ = [
    "Coverage",
    "Difference",
    "Estimate",
    "Gains",
    "Gap",
    "PrecisionRecall",
    "active_units",
    "amari_index",
    "amortisation_gap",
    "bits_per_dim",
    "coverage",
    "coverage_of_labels",
    "elbo",
    "elbos",
    "kl_per_dimension",
    "live_parameters",
    "log_likelihood",
    "log_likelihood_by_part",
    "log_likelihoods",
    "log_probs",
    "mean",
    "nats",
    "nats_per_symbol",
    "over_cells",
    "over_seeds",
    "paired",
    "perplexity",
    "precision_recall",
    "quadrature",
    "receptive_field",
    "rice_bits",
    "stream",
]
