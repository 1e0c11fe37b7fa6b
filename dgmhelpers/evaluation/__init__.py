"""Measuring models: likelihoods with their error, bounds, estimates, fields of view, models against models."""

from dgmhelpers.evaluation import receptive_field
from dgmhelpers.evaluation.importance import elbo, elbos, log_likelihood, log_likelihood_by_part, log_likelihoods
from dgmhelpers.evaluation.latents import Gap, active_units, amortisation_gap, kl_per_dimension
from dgmhelpers.evaluation.nats import Estimate, bits_per_dim, log_probs, mean, nats, nats_per_symbol, stream
from dgmhelpers.evaluation.paired import Difference, Gains, over_seeds, paired
from dgmhelpers.evaluation.quadrature import quadrature

__all__ = [
    "Difference",
    "Estimate",
    "Gains",
    "Gap",
    "active_units",
    "amortisation_gap",
    "bits_per_dim",
    "elbo",
    "elbos",
    "kl_per_dimension",
    "log_likelihood",
    "log_likelihood_by_part",
    "log_likelihoods",
    "log_probs",
    "mean",
    "nats",
    "nats_per_symbol",
    "over_seeds",
    "paired",
    "quadrature",
    "receptive_field",
    "stream",
]
