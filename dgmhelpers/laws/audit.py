"""Run every law that applies, on a copy, and say what was found."""

from dataclasses import replace

import torch
from torch import Generator, nn

from dgmhelpers.laws import bound, density, learning, structure
from dgmhelpers.laws.structure import redraw
from dgmhelpers.laws.subject import AtContext, Subject, modules_behind, of_functions, of_model, untouched
from dgmhelpers.laws.verdict import Report, Verdict
from dgmhelpers.numerics import gradients_on

# in this order: laws that redraw the parameters come after those that look at the caller's own
LAWS = {
    "sums_to_one": lambda s, g: density.sums_to_one(s),
    "integrates_to_one": lambda s, g: density.integrates_to_one(s),
    "sampler_matches_density": density.sampler_matches_density,
    "bound_is_below": bound.bound_is_below,
    "weights_average_to_p": bound.weights_average_to_p,
    "bound_matches_its_weights": bound.bound_matches_its_weights,
    "gradient_matches_differences": bound.gradient_matches_differences,
    "ignores_the_batch": structure.ignores_the_batch,
    "cached_equals_naive": structure.cached_equals_naive,
    "forward_changes_nothing": structure.forward_changes_nothing,
    "depends_on_exactly_its_past": structure.depends_on_exactly_its_past,
    "loss_estimates_log_prob": learning.loss_estimates_log_prob,
    "starts_sane": learning.starts_sane,
    "learns_a_constant": learning.learns_a_constant,
    "never_beats_entropy": learning.never_beats_entropy,
}

# a fresh model with zero weights is uniform and keeps these laws whatever its structure: try other weights too
ALSO_REDRAWN = (
    "sums_to_one",
    "integrates_to_one",
    "sampler_matches_density",
    "bound_is_below",
    "weights_average_to_p",
    "bound_matches_its_weights",
    "gradient_matches_differences",
    "ignores_the_batch",
    "cached_equals_naive",
)


@gradients_on()
def audit(
    model=None,
    *,
    log_prob=None,
    sample=None,
    elbo=None,
    event_shape=None,
    levels: int | None = None,
    factory=None,
    context=None,
    seed: int = 0,
) -> Report:
    """Hold a generative model against every law that applies to it.

    Either a model of this package's form, or bare functions of a model from anywhere::

        audit(my_model)
        audit(factory=lambda: NADE(dim=9, hidden=16))      # training laws too
        audit(log_prob=f, sample=g, event_shape=(9,), levels=2)

    The audit works on a deep copy, on the CPU, in float64. Functions that are methods of a module are bound to a copy
    of it; modules that functions merely refer to are given back as they were.

    Args:
        model: a module with ``event_shape``, ``log_prob`` or ``elbo``, and ``sample``.
        log_prob: ``(B, *event_shape) -> (B,)``, nats. Binary values arrive as float 0/1, others as ``long``.
        sample: ``n -> (n, *event_shape)``; with a keyword ``generator`` if it takes one.
        elbo: a lower bound on log p, ``(x, k) -> (B,)``, nats; with a keyword ``generator`` if it takes one.
        event_shape: shape of one example.
        levels: number of values of one variable, 2 for binary; None for real values.
        factory: makes a fresh model; needed for the laws of initialisation and learning.
        context: for a conditional model, the context at which it is audited: one row, such as the number of a class.
        seed: of the audit's own draws.

    Returns:
        A report: ``.held``, ``.verdicts`` (one per law, with what could not run and why), and a table when printed.

    Raises:
        ValueError: if it is not clear what to audit.
    """
    if model is None and factory is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = factory()
    if model is not None:
        if log_prob is not None or sample is not None or elbo is not None:
            raise ValueError("audit either a model or functions (log_prob=, sample=, elbo=), not both")
        if not isinstance(model, nn.Module) or not hasattr(model, "event_shape"):
            raise ValueError(
                f"expected a torch module with event_shape, got {type(model).__name__}; "
                "audit functions with log_prob=, sample=, event_shape=, levels="
            )
        if context is not None:
            unconditional = factory
            model = AtContext(model, context)
            factory = None if unconditional is None else lambda: AtContext(unconditional(), context)
        stirred = of_model(model, factory)
        redraw(stirred.modules[0], Generator().manual_seed(seed))
        return _run(of_model(model, factory), seed, stirred)
    if log_prob is None and sample is None and elbo is None:
        raise ValueError("nothing to audit: give a model, a factory, or log_prob= and sample= with event_shape=")
    if event_shape is None:
        raise ValueError("event_shape is needed: the shape of one example, such as (9,) or (1, 3, 3)")
    if levels is not None and levels < 2:
        raise ValueError(f"levels must be 2 or more, or None for real values, got {levels}")
    behind = {id(module): module for function in (log_prob, sample, elbo) for module in modules_behind(function)}
    with untouched(list(behind.values())):
        return _run(of_functions(log_prob, sample, event_shape, levels, elbo), seed)


def _run(subject: Subject, seed: int, stirred: Subject | None = None) -> Report:
    """Every law on ``subject``; those of ``ALSO_REDRAWN`` again on ``stirred``, the same with other parameters."""
    verdicts = []
    with torch.random.fork_rng(devices=[]):
        for name, law in LAWS.items():
            verdict = _hold(name, law, subject, seed)
            if verdict.held and stirred is not None and name in ALSO_REDRAWN:
                again = _hold(name, law, stirred, seed)
                if again.held is None:                   # what the weights are then is too uneven to tell
                    pass
                elif again.held:
                    verdict = replace(verdict, measured=f"{verdict.measured}; also with redrawn parameters")
                else:
                    verdict = replace(again, measured=f"{again.measured}, with redrawn parameters")
            verdicts.append(verdict)
    return Report(subject.name, verdicts)


def _hold(name: str, law, subject: Subject, seed: int) -> Verdict:
    torch.manual_seed(seed)
    try:
        with subject.training(False):
            return law(subject, Generator().manual_seed(seed))
    except Exception as error:  # a model that cannot be evaluated has broken the law that tried
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Verdict(name, False, what, "no error", "The model fails when the law evaluates it.")
