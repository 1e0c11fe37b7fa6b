"""Run every law that applies, on a copy, and say what was found."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, nn

from dgmhelpers.arguments import closest
from dgmhelpers.laws import (
    bijection,
    bound,
    context,
    density,
    dequantisation,
    energy,
    field,
    learning,
    objective,
    state,
    structure,
)
from dgmhelpers.laws.calls import untouched
from dgmhelpers.laws.functions import default_dtype, modules_behind, of_functions
from dgmhelpers.laws.structure import redraw
from dgmhelpers.laws.subject import AtContext, Subject, of_model
from dgmhelpers.laws.verdict import Report, Verdict
from dgmhelpers.numerics import gradients_on

LAWS: dict[str, Any] = {
    law.__name__: law
    for law in (  # those that look at untouched weights first
        state.forward_changes_nothing, state.ignores_the_batch, state.draws_are_sound,
        density.sums_to_one, density.integrates_to_one, density.sampler_matches_density,
        structure.cached_equals_naive, structure.depends_on_exactly_its_past,
        objective.loss_matches_target,
        bound.bound_is_below, bound.bound_rises_with_draws, bound.weights_average_to_p,
        bound.bound_matches_its_weights, bound.gradient_matches_differences,
        energy.partition_is_the_sum, energy.gradient_is_data_minus_model, energy.chain_is_stationary,
        energy.annealing_finds_the_partition,
        dequantisation.dequantisation_is_a_bound,
        bijection.inverts, bijection.logdet_matches_jacobian,
        field.score_is_the_gradient, field.velocity_is_the_conditional_mean,
        context.refuses_wrong_contexts,
        learning.starts_sane, learning.learns_a_constant, learning.never_beats_entropy,
    )
}  # fmt: skip
FUNCTIONS = ("log_prob", "sample", "loss", "elbo", "log_weights", "dequantise", "log_density", "forward", "inverse",
             "energy", "log_partition", "step", "ais", "score", "velocity", "pairs")
CONTEXTS = 2        # at which a conditional model is audited, if no one is given


@gradients_on()
def audit(
    model=None,
    *,
    event_shape=None,
    levels: int | None = None,
    factory: Callable | None = None,
    context=None,
    dtype: torch.dtype | None = None,
    modules: list[nn.Module] | None = None,
    only: Iterable[str] | None = None,
    seed: int = 0,
    **functions: Callable | None,
) -> Report:
    """Hold a generative model against every law that applies to it.

    Either a model of this package's form, or bare functions of a model from anywhere::

        audit(my_model)
        audit(factory=lambda: NADE(dim=9, hidden=16))      # training laws too
        audit(log_prob=f, sample=g, event_shape=(9,), levels=2)
        audit(forward=f, inverse=g, event_shape=(5,))      # a bijection

    A law is required when every method that it needs was offered. The audit works on a deep copy, on the CPU, in the
    model's own precision. Functions that are methods of a module are bound to a copy of it; modules that functions
    merely refer to are given back as they were.

    Args:
        model: a module with ``event_shape`` and the methods of what it promises (:mod:`dgmhelpers.protocols`).
        event_shape: shape of one example, for functions.
        levels: number of values of one variable, 2 for binary; None for real values.
        factory: makes a fresh model; needed for the laws of initialisation and learning.
        context: for a conditional model, the context at which it is audited: one row, such as the number of a class.
            Without it a model that says what it is conditioned on is audited at two.
        dtype: the precision of the audit, if not the model's own.
        modules: the modules behind bare functions, if they are not found.
        only: names of laws; all if not given.
        seed: of the audit's own draws.
        log_prob: ``(B, *event_shape) -> (B,)``, nats. Binary values arrive as float 0/1, others as ``long``.
        sample: ``n -> (n, *event_shape)``; with a keyword ``generator`` if it takes one, as all that draw.
        loss: ``(B, *event_shape) -> ()``, what training minimises, nats.
        elbo: a lower bound on log p, ``(x, k) -> (B,)``, nats.
        forward, inverse: of a bijection, ``x -> (z, logdet)`` and ``z -> (x, logdet)``.
        energy, log_partition, step, ais, score, velocity, pairs, log_weights, dequantise, log_density: as in
            :mod:`dgmhelpers.protocols`.

    Returns:
        A report: ``.held``, ``.verdicts`` (one per law, with what could not run and why), and a table when printed.

    Raises:
        ValueError: if it is not clear what to audit.
    """
    chosen = _chosen(only)
    if unknown := sorted(set(functions) - set(FUNCTIONS)):
        raise ValueError(f"{', '.join(unknown)}: no function that can be audited; there are {', '.join(FUNCTIONS)}")
    given = {name: function for name, function in functions.items() if function is not None}
    if model is None and factory is not None and not given:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = factory()
    if model is not None:
        if given:
            raise ValueError(f"audit either a model or functions ({', '.join(given)}), not both")
        if not isinstance(model, nn.Module) or not hasattr(model, "event_shape"):
            raise ValueError(
                f"expected a torch module with event_shape, got {type(model).__name__}; "
                "audit functions with log_prob=, sample=, event_shape=, levels="
            )
        return _audit_model(model, factory, context, dtype, chosen, seed)
    if not given:
        raise ValueError("nothing to audit: give a model, a factory, or log_prob= and sample= with event_shape=")
    if event_shape is None:
        raise ValueError("event_shape is needed: the shape of one example, such as (9,) or (1, 3, 3)")
    if levels is not None and levels < 2:
        raise ValueError(f"levels must be 2 or more, or None for real values, got {levels}")
    behind = modules_behind(given.values()) if modules is None else modules
    with untouched(behind), torch.random.fork_rng(devices=[]):
        return _run(of_functions(given, event_shape, levels, dtype, modules, factory), chosen, seed)


def _audit_model(model: nn.Module, factory, context, dtype, chosen, seed: int) -> Report:
    about: Any = getattr(model, "conditioned_on", None)
    if context is None and about is None:
        return _run_both(model, factory, dtype, chosen, seed)
    rows = [about.row(i) for i in range(CONTEXTS)] if context is None else [context]
    reports = []
    for row in rows:
        fixed = None if factory is None else lambda row=row: AtContext(factory(), row)
        reports.append(_run_both(AtContext(model, row), fixed, dtype, chosen, seed))
    verdicts = [_worst(each) for each in zip(*(r.verdicts for r in reports), strict=True)]
    if about is not None and "refuses_wrong_contexts" in chosen:  # of the model itself, not of what it is at one
        whole = of_model(model, dtype=dtype)
        mine = _hold(LAWS["refuses_wrong_contexts"], whole, seed)
        verdicts = [mine if v.law == mine.law else v for v in verdicts]
    return Report(reports[0].subject, verdicts)


def _worst(verdicts: tuple[Verdict, ...]) -> Verdict:
    """Of one law at several contexts: broken if it was at one, else not run if at one, else held."""
    order = {False: 0, None: 1, True: 2}
    found = min(verdicts, key=lambda v: order[v.held])
    if len(verdicts) > 1 and found.held is not None:
        which = "at each of the contexts" if found.held else f"at context {verdicts.index(found)}"
        return replace(found, measured=f"{found.measured}, {which}")
    return found


def _run_both(model: nn.Module, factory, dtype, chosen, seed: int) -> Report:
    stirred = of_model(model, factory, dtype)
    redraw(stirred.modules[0], Generator().manual_seed(seed))
    stirred.redrawn = True
    return _run(of_model(model, factory, dtype), chosen, seed, stirred)


def _run(subject: Subject, chosen: list[str], seed: int, stirred: Subject | None = None) -> Report:
    """Every law on ``subject``; those that ask for it again on ``stirred``, the same with other parameters."""
    verdicts = []
    for each in (subject, stirred):
        if each is not None:
            each.grids = {}
    for name in chosen:
        law = LAWS[name]
        verdict = _hold(law, subject, seed)
        if verdict.held and stirred is not None and law.redrawn:
            again = _hold(law, stirred, seed)
            if again.held:
                verdict = replace(verdict, measured=f"{verdict.measured}; also with redrawn parameters")
            elif again.held is False:  # else: what the weights are then is too uneven to tell
                verdict = replace(again, measured=f"{again.measured}, with redrawn parameters")
        verdicts.append(verdict)
    return Report(subject.name, verdicts)


def _hold(law: Callable, subject: Subject, seed: int) -> Verdict:
    """One law, on a subject that it finds, and leaves, as it was."""
    try:
        with torch.random.fork_rng(devices=[]), untouched(subject.modules), default_dtype(subject.dtype):
            torch.manual_seed(seed)
            with subject.training(False):
                return law(subject, Generator().manual_seed(seed))
    except Exception as error:  # a model that cannot be evaluated has broken the law that tried
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Verdict(law.__name__, False, what, "no error", "The model fails when the law evaluates it.")


def _chosen(only: Iterable[str] | None) -> list[str]:
    if only is None:
        return list(LAWS)
    asked = [only] if isinstance(only, str) else list(only)
    if unknown := [name for name in asked if name not in LAWS]:
        raise ValueError(f"no law is called {unknown[0]!r}: {closest(unknown[0], LAWS)}")
    return [name for name in LAWS if name in asked]

