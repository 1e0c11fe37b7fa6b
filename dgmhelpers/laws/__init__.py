"""What a generative model must obey, as a public tool.

A law looks at a model from outside (enumerate, differentiate, count, draw) and returns a :class:`Verdict`: held or not,
what was measured, what is allowed, and a sentence on what it means. :func:`audit` runs all that apply and returns a
:class:`Report`. Laws know the protocols and no model, so yours can be audited too::

    python -m dgmhelpers audit my_module:make_model
"""

from dgmhelpers.laws.adversarial import loss_matches_closed_form
from dgmhelpers.laws.audit import LAWS, audit
from dgmhelpers.laws.bijection import inverts, logdet_matches_jacobian
from dgmhelpers.laws.bound import (
    bound_is_below,
    bound_matches_its_weights,
    bound_rises_with_draws,
    gradient_matches_differences,
    weights_average_to_p,
)
from dgmhelpers.laws.causal import causal_lm
from dgmhelpers.laws.context import refuses_wrong_contexts
from dgmhelpers.laws.density import g_test, integrates_to_one, sampler_matches_density, sums_to_one
from dgmhelpers.laws.dequantisation import dequantisation_is_a_bound
from dgmhelpers.laws.energy import (
    annealing_finds_the_partition,
    chain_is_stationary,
    gradient_is_data_minus_model,
    partition_is_the_sum,
)
from dgmhelpers.laws.field import score_is_the_gradient, velocity_is_the_conditional_mean
from dgmhelpers.laws.functions import of_functions
from dgmhelpers.laws.games import growth_matches_closed_form
from dgmhelpers.laws.given import of_distribution
from dgmhelpers.laws.learning import learns_a_constant, never_beats_entropy, starts_sane
from dgmhelpers.laws.likelihood import levels_sum_to_one, likelihood_samples_itself
from dgmhelpers.laws.naming import name_the_loss, name_the_penalty
from dgmhelpers.laws.objective import loss_matches_target
from dgmhelpers.laws.state import draws_are_sound, forward_changes_nothing, ignores_the_batch
from dgmhelpers.laws.structure import cached_equals_naive, depends_on_exactly_its_past, redraw
from dgmhelpers.laws.subject import Subject, of_model
from dgmhelpers.laws.values import conditionals_multiply_to_log_prob, gives_one_number_each
from dgmhelpers.laws.verdict import Report, Verdict

loss_estimates_log_prob = loss_matches_target  # its name until 0.1

__all__ = [
    "LAWS",
    "Report",
    "Subject",
    "Verdict",
    "annealing_finds_the_partition",
    "audit",
    "bound_is_below",
    "bound_matches_its_weights",
    "bound_rises_with_draws",
    "cached_equals_naive",
    "causal_lm",
    "chain_is_stationary",
    "conditionals_multiply_to_log_prob",
    "depends_on_exactly_its_past",
    "dequantisation_is_a_bound",
    "draws_are_sound",
    "forward_changes_nothing",
    "g_test",
    "gives_one_number_each",
    "gradient_is_data_minus_model",
    "gradient_matches_differences",
    "growth_matches_closed_form",
    "ignores_the_batch",
    "integrates_to_one",
    "inverts",
    "learns_a_constant",
    "levels_sum_to_one",
    "likelihood_samples_itself",
    "logdet_matches_jacobian",
    "loss_matches_closed_form",
    "loss_matches_target",
    "name_the_loss",
    "name_the_penalty",
    "never_beats_entropy",
    "of_distribution",
    "of_functions",
    "of_model",
    "partition_is_the_sum",
    "redraw",
    "refuses_wrong_contexts",
    "sampler_matches_density",
    "score_is_the_gradient",
    "starts_sane",
    "sums_to_one",
    "velocity_is_the_conditional_mean",
    "weights_average_to_p",
]
