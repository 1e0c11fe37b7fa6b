"""What a generative model must obey, as a public tool.

A law looks at a model from outside (enumerate, differentiate, count, draw) and returns a :class:`Verdict`: held or not,
what was measured, what is allowed, and a sentence on what it means. :func:`audit` runs all that apply and returns a
:class:`Report`. Laws know the protocols and no model, so yours can be audited too::

    python -m dgmhelpers audit my_module:make_model
"""

from dgmhelpers.laws.adversarial import loss_matches_closed_form
from dgmhelpers.laws.audit import LAWS, audit
from dgmhelpers.laws.bound import (
    bound_is_below,
    bound_matches_its_weights,
    gradient_matches_differences,
    weights_average_to_p,
)
from dgmhelpers.laws.density import g_test, integrates_to_one, sampler_matches_density, sums_to_one
from dgmhelpers.laws.games import growth_matches_closed_form
from dgmhelpers.laws.learning import learns_a_constant, loss_estimates_log_prob, never_beats_entropy, starts_sane
from dgmhelpers.laws.likelihood import levels_sum_to_one, likelihood_samples_itself
from dgmhelpers.laws.structure import (
    cached_equals_naive,
    depends_on_exactly_its_past,
    forward_changes_nothing,
    ignores_the_batch,
    redraw,
)
from dgmhelpers.laws.subject import Subject, of_functions, of_model
from dgmhelpers.laws.verdict import Report, Verdict

__all__ = [
    "LAWS",
    "Report",
    "Subject",
    "Verdict",
    "audit",
    "bound_is_below",
    "bound_matches_its_weights",
    "cached_equals_naive",
    "depends_on_exactly_its_past",
    "forward_changes_nothing",
    "g_test",
    "gradient_matches_differences",
    "growth_matches_closed_form",
    "ignores_the_batch",
    "integrates_to_one",
    "learns_a_constant",
    "levels_sum_to_one",
    "likelihood_samples_itself",
    "loss_estimates_log_prob",
    "loss_matches_closed_form",
    "never_beats_entropy",
    "of_functions",
    "of_model",
    "redraw",
    "sampler_matches_density",
    "starts_sane",
    "sums_to_one",
    "weights_average_to_p",
]
