"""Run every law that applies, on a copy, and say what was found."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
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
    values,
)
from dgmhelpers.laws.calls import untouched
from dgmhelpers.laws.clock import Clock, TimeIsUp
from dgmhelpers.laws.conditional import AtContext, at_context
from dgmhelpers.laws.functions import default_dtype, modules_behind, of_functions
from dgmhelpers.laws.given import agreed, named, taken_apart
from dgmhelpers.laws.naming import audit_loss
from dgmhelpers.laws.structure import redraw
from dgmhelpers.laws.subject import Subject, of_model
from dgmhelpers.laws.verdict import Report, Verdict, not_offered, not_run
from dgmhelpers.numerics import gradients_on

LAWS: dict[str, Any] = {
    law.__name__: law
    for law in (  # those that look at untouched weights first
        state.forward_changes_nothing, values.gives_one_number_each, state.ignores_the_batch,
        state.draws_are_sound,
        density.sums_to_one, density.integrates_to_one, density.sampler_matches_density,
        structure.cached_equals_naive, structure.depends_on_exactly_its_past,
        values.conditionals_multiply_to_log_prob,
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
PROBED, GRID = 2048, {1: 80_000, 2: 600_000}    # values of log p to time it by, and what a grid takes
CONTEXTS = 2        # at which a conditional model is audited, if no one is given


@gradients_on()
def audit(
    model=None,
    *,
    event_shape=None,
    levels: int | None = None,
    support=None,
    methods: Mapping[str, str] | None = None,
    order=None,
    factory: Callable | None = None,
    context=None,
    kind: str | None = None,
    dtype: torch.dtype | None = None,
    modules: list[nn.Module] | None = None,
    redrawn: bool = False,
    only: Iterable[str] | None = None,
    seed: int = 0,
    seconds: float | None = None,
    **functions: Callable | None,
) -> Report:
    """Hold a generative model against every law that applies to it.

    A model of this package's form, one with other names, or bare functions of a model from anywhere::

        audit(my_model)
        audit(factory=lambda: NADE(dim=9, hidden=16))      # training laws too
        audit(net, methods={"log_prob": "score", "sample": "generate"}, event_shape=(9,), levels=2)
        audit(torch.distributions.Gamma(2.0, torch.ones(3)))
        audit(log_prob=f, sample=g, event_shape=(9,), levels=2)
        audit(logits=f, loss=h, event_shape=(9,), levels=2)    # conditionals in a known order
        audit(forward=f, inverse=g, event_shape=(5,))          # a bijection
        audit(loss=f, kind="gan")                              # which adversarial loss is it?

    A law is required when every method that it needs was offered. The audit works on a deep copy, on the CPU, in the
    model's own precision. Functions that are methods of a module are bound to a copy of it; modules that functions
    merely refer to are given back as they were.

    Args:
        model: a module with ``event_shape`` and the methods of what it promises (:mod:`dgmhelpers.protocols`); any
            object, with ``methods``; or a ``torch.distributions`` object.
        event_shape: shape of one example, if the model does not say.
        levels: number of values of one variable, 2 for binary; None for real values. If the model does not say.
        support: where real values lie, if not everywhere: ``"circle"``, ``"torus"``, ``"sphere"``, ``"simplex"``, or a
            box ``(low, high)``; see :mod:`dgmhelpers.laws.support`. Regions of probability zero are found without.
        methods: what a model calls its methods, by our names.
        order: of ``logits``: the flat positions, first to last; raster if not given.
        factory: makes a fresh model (or a dictionary of functions), for the laws of initialisation and learning.
        context: for a conditional model, the context at which it is audited: one row, such as the number of a class, or
            a list of rows. Without it a model that says what it is conditioned on is audited at two.
        kind: of a loss of an adversarial game, see :func:`dgmhelpers.laws.name_the_loss`.
        dtype: the precision of the audit, if not the model's own.
        modules: the modules behind bare functions, if they are not found.
        redrawn: whether functions are audited with random parameters, too, as models of this package are: a fault may
            vanish at the weights that they have. Not for parameters that must be positive, or sum to one.
        only: names of laws; all if not given.
        seed: of the audit's own draws.
        seconds: after so long no law begins, and one that has begun stops at its next call of the model; what is left
            out is said. No limit if None.
        log_prob: ``(B, *event_shape) -> (B,)``, nats. Binary values arrive as float 0/1, others as ``long``.
        sample: ``n -> (n, *event_shape)``; with a keyword ``generator`` if it takes one, as all that draw.
        loss: ``(B, *event_shape) -> ()``, what training minimises, nats.
        logits: ``(B, *event_shape) -> (B, *event_shape, levels)``, of every conditional; log odds of a 1 if binary.
        elbo: a lower bound on log p, ``(x, k) -> (B,)``, nats.
        forward, inverse: of a bijection, ``x -> (z, logdet)`` and ``z -> (x, logdet)``.
        energy, log_partition, step, ais, score, velocity, pairs, log_weights, dequantise, log_density: as in
            :mod:`dgmhelpers.protocols`.

    Returns:
        A report: ``.held``, ``.verdicts`` (one per law, with what could not run and why), and a table when printed.

    Raises:
        ValueError: if it is not clear what to audit.
    """
    clock = Clock(seconds)
    chosen = _chosen(only)
    if kind is not None:
        return audit_loss(kind, functions, model, seed)
    given = named(functions)
    if model is not None and given:
        raise ValueError(f"audit either a model or functions ({', '.join(given)}), not both")
    if model is None and factory is not None and not given:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = factory()
    told = {"event_shape": event_shape, "levels": levels, "support": support, "order": order, "modules": modules}
    if _is_ours(model, methods) and support is None:
        told = agreed(model, told)
        if order is not None:
            raise ValueError("order= goes with logits=: a model with event_shape says its own orders")
        return _audit_model(model, factory, context, dtype, told["levels"], Run(chosen, seed, clock))
    if model is None and not given:
        raise ValueError("nothing to audit: give a model, a factory, or log_prob= and sample= with event_shape=")
    name = "these functions"
    if model is not None:
        given, told, name = taken_apart(model, methods, told)

    def fresh():
        made = factory()
        if _is_ours(made, methods):
            return of_model(made)
        parts, about, _ = taken_apart(made, methods, told)
        return of_functions(parts, dtype=dtype, **about)

    again = None if factory is None else fresh
    behind = modules_behind(given.values()) if told["modules"] is None else told["modules"]
    with untouched(behind), torch.random.fork_rng(devices=[]):
        reports = []
        for row in context if isinstance(context, list) else [context]:
            here = given if row is None else {n: at_context(f, row) for n, f in given.items()}
            subject = of_functions(here, dtype=dtype, factory=again, name=name, **told)
            stirred = replace(subject, redrawn=True) if redrawn and subject.modules else None
            reports.append(_run(subject, Run(chosen, seed, clock), stirred))
    return Report(reports[0].subject, [_worst(each) for each in zip(*(r.verdicts for r in reports), strict=True)])


@dataclass(frozen=True)
class Run:
    """Which laws, from which seed, and for how long."""

    chosen: list[str]
    seed: int
    clock: Clock


def _is_ours(model: Any, methods) -> bool:
    return isinstance(model, nn.Module) and hasattr(model, "event_shape") and methods is None


def _audit_model(model: nn.Module, factory, context, dtype, levels, run: Run) -> Report:
    about: Any = getattr(model, "conditioned_on", None)
    if context is None and about is None:
        return _run_both(model, factory, dtype, levels, run)
    rows = [about.row(i) for i in range(CONTEXTS)] if context is None else context
    reports = []
    for row in rows if isinstance(rows, list) else [rows]:
        fixed = None if factory is None else lambda row=row: AtContext(factory(), row)
        reports.append(_run_both(AtContext(model, row), fixed, dtype, levels, run))
    verdicts = [_worst(each) for each in zip(*(r.verdicts for r in reports), strict=True)]
    if about is not None and "refuses_wrong_contexts" in run.chosen:  # of the model itself, not of what it is at one
        whole = of_model(model, dtype=dtype)
        mine = _hold(LAWS["refuses_wrong_contexts"], whole, run)
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


def _run_both(model: nn.Module, factory, dtype, levels, run: Run) -> Report:
    stirred = of_model(model, factory, dtype, levels)
    redraw(stirred.modules[0], Generator().manual_seed(run.seed))
    stirred.redrawn = True
    return _run(of_model(model, factory, dtype, levels), run, stirred)


def _run(subject: Subject, run: Run, stirred: Subject | None = None) -> Report:
    """Every law on ``subject``; those that ask for it again on ``stirred``, the same with other parameters."""
    verdicts: list[Verdict] = []
    for each in (subject, stirred):
        if each is not None:
            each.grids = {}
            each.hurried = run.clock.seconds is not None and _slow(each, run.clock.seconds)
    unusable = False
    for name in run.chosen:
        law = LAWS[name]
        if unusable and law.needs:
            verdicts.append(not_offered(name, "what is evaluated has no usable values, see above"))
            continue
        verdict = _hold(law, subject, run)
        unusable = unusable or (verdict.held is False and name == "gives_one_number_each")
        if verdict.held and stirred is not None and law.redrawn and not run.clock.over:
            again = _hold(law, stirred, run)
            if again.held:
                verdict = replace(verdict, measured=f"{verdict.measured}; also with redrawn parameters")
            elif again.held is False:  # else: what the weights are then is too uneven to tell
                verdict = replace(again, measured=f"{again.measured}, with redrawn parameters")
        verdicts.append(verdict)
    return Report(subject.name, verdicts)


def _slow(subject: Subject, seconds: float) -> bool:
    """Whether a grid's values of log p, 600,000 in the plane, would take more than a third of the time there is."""
    if subject.levels is not None or subject.log_prob is None or subject.dim > 2:
        return False
    x, begun = subject.random_states(PROBED, Generator().manual_seed(0)), time.monotonic()
    try:
        with untouched(subject.modules), default_dtype(subject.dtype), subject.training(False):
            subject.log_probs(x)
    except Exception:  # the law that evaluates it says what went wrong
        return False
    return (time.monotonic() - begun) / PROBED * GRID[subject.dim] > seconds / 3


def _hold(law: Any, subject: Subject, run: Run) -> Verdict:
    """One law, on a subject that it finds, and leaves, as it was."""
    seed = run.seed
    if run.clock.over and all(subject.offers(need) for need in law.needs):
        return not_run(law.__name__, f"left out: the {run.clock.seconds:g} seconds were over")
    try:
        with torch.random.fork_rng(devices=[]), untouched(subject.modules), default_dtype(subject.dtype):
            torch.manual_seed(seed)
            for module in subject.modules if subject.redrawn and subject.model is None else ():
                redraw(module, Generator().manual_seed(seed))       # given back by untouched
            with subject.training(False):
                with run.clock.stops():
                    return law(subject, Generator().manual_seed(seed))
    except TimeIsUp:
        return not_run(law.__name__, f"left half way: the {run.clock.seconds:g} seconds were over")
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

