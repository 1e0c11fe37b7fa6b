"""Laws of structure: what depends on what, and that the fast sampler is the slow one."""

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import sampling
from dgmhelpers.laws.subject import Subject, of_model
from dgmhelpers.laws.verdict import Verdict, law

TRIALS = 8  # random inputs at which dependence is looked for: one alone can sit where a unit is dead
REDRAWS = 4  # random parameters for each: a unit that is dead at every input under some is alive under others
NOISE, SINGLE_NOISE = 1e-12, 1e-5  # relative; a change below it is rounding, in float64 and in float32
GRADIENT_UP_TO = 64  # variables; beyond, flips alone


def redraw(model: nn.Module, generator: Generator) -> None:
    """New random parameters at a scale set by fan-in, in place.

    Dependence must be a property of the structure: a fresh model with zero weights depends on nothing, and that is no
    fault; a trained one may have a weight near zero.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            scale = 1.5 / fan_in**0.5 if parameter.ndim > 1 else 0.3
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.double) * scale)


@law("conditionals")
def depends_on_exactly_its_past(subject: Subject, generator: Generator) -> Verdict:
    """Every conditional depends on nothing of its future and on all of its past, but for a blind spot it declares.

    Each input is flipped to every trial's other values, and each conditional differentiated by each input (levels
    have no gradient; a dead unit hides one). What changes anywhere, depends. The parameters are redrawn first, and a
    model is computed in float64, whatever its own precision: dependence is a property of the structure.
    """
    name = "depends_on_exactly_its_past"
    subject = subject if subject.model is None else in_double(subject)
    model = subject.conditionals
    blind = getattr(model, "blind_spot", None)
    peeks, misses, seen_all, lost_all, report = 0, 0, [], [], ""
    for component, order in enumerate(model.orders):
        seen = torch.zeros(subject.dim, subject.dim, dtype=torch.bool)             # row: who looks
        for _ in range(REDRAWS):
            for module in [model] if subject.model is not None else subject.modules:
                redraw(module, generator)
            seen |= dependence(subject, component, generator)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        past = rank[None, :] < rank[:, None]
        expected = past if blind is None else past & ~blind.reshape(-1, *past.shape)[component]
        extra, lost = seen & ~expected, expected & ~seen
        peeks, misses = peeks + int(extra.sum()), misses + int(lost.sum())
        for does, found in (("sees", extra), ("does not see", lost)):
            if found.any() and not report:
                who, whom = found.nonzero()[0].tolist()
                report = f"; the conditional of variable {who} {does} variable {whom}"
        seen_all.append(seen)
        lost_all.append(lost)
    total = subject.dim * (subject.dim - 1) // 2 * len(model.orders)
    declared = 0 if blind is None else int(blind.sum())
    note = f", {declared} declared blind" if declared else ""
    measured = f"{total - declared - misses} of {total} past inputs seen{note}, {peeks} others{report}"
    if peeks:
        meaning = "A conditional sees what it must not: its own value, or one that comes later. It can cheat."
    elif misses:
        meaning = _blindness(subject.event_shape, torch.stack(seen_all), torch.stack(lost_all))
    else:
        meaning = "Every conditional depends on its past, all of it, and on nothing else."
    held = not (peeks or misses)
    return Verdict(name, held, measured, "all of the past, nothing else", meaning, torch.stack(seen_all))


def _blindness(event_shape, seen: Tensor, lost: Tensor) -> str:
    """What it means that some of the past is not seen, ``(M, D, D)`` each: it is too far away, or it is a hole."""
    sizes = (1, 1, *event_shape)
    colours, (height, width) = sizes[:-2], sizes[-2:]
    place = torch.arange(height * width).repeat(torch.Size(colours).numel())
    row, column = place // width, place % width
    away = torch.maximum((row[:, None] - row).abs(), (column[:, None] - column).abs()).expand_as(seen)
    reach = int(away[seen].max()) if seen.any() else 0
    if away[lost].min() > reach:
        return (f"Nothing further away than {reach} is seen: the receptive field is smaller than the example. Give it "
                "more layers, or an example that it sees whole; or declare it, as blind_spot.")
    return "A conditional is blind to part of its past: the model cannot represent what depends on it."


def in_double(subject: Subject) -> Subject:
    """The same model in float64: itself if that is its precision, else a copy."""
    return subject if subject.dtype == torch.double else of_model(subject.model)


def dependence(subject: Subject, component: int, generator: Generator) -> Tensor:
    """``seen[i, j]``: do the parameters of variable ``i`` change with variable ``j``?  Shape ``(D, D)``, boolean."""
    model, dim = subject.conditionals, subject.dim
    seen = torch.zeros(dim, dim, dtype=torch.bool)
    noise = NOISE if subject.slack < 1e-6 else SINGLE_NOISE
    for base in subject.random_states(TRIALS, generator):                          # (D,)
        here = _parameters(subject, base[None], component)[0]                      # (D, P)
        flipped = base.repeat(dim, 1)                                              # (D, D) row j: input j changed
        if subject.levels is None:
            flipped.diagonal().add_(1.0)
        else:
            shift = torch.randint(1, subject.levels, (dim,), generator=generator)
            flipped.diagonal().copy_((base + shift) % subject.levels)
        there = torch.cat([_parameters(subject, part, component) for part in flipped.split(128)])  # (D, D, P)
        change = (there - here).abs() > noise * (1 + here.abs())
        seen |= change.any(-1).T                                                   # row: who changed
        if subject.levels in (None, 2) and dim <= GRADIENT_UP_TO:
            seen |= _gradients(model, subject.encode(base[None]), component)
    return seen


def _gradients(model, x: Tensor, component: int) -> Tensor:
    x = x.clone().requires_grad_()
    params = sampling.parameters_of(model, x, component=component)[0]
    params = params.reshape(len(params), -1)                                       # (D, P)
    seen = torch.zeros(len(params), len(params), dtype=torch.bool)
    if not params.requires_grad:
        return seen
    for i, row in enumerate(params):
        (gradient,) = torch.autograd.grad(row.square().sum() / 2 + row.sum(), x, retain_graph=True, allow_unused=True)
        if gradient is not None:
            seen[i] = gradient.flatten() != 0
    return seen


@torch.no_grad()
def _parameters(subject: Subject, states: Tensor, component: int) -> Tensor:
    params = sampling.parameters_of(subject.conditionals, subject.encode(states), component=component)
    return params.reshape(*params.shape[:2], -1)                                   # (B, D, P)


@law("two samplers", redrawn=True)
def cached_equals_naive(subject: Subject, generator: Generator) -> Verdict:
    """The cached sampler gives the naive one's examples, and its step-by-step parameters are those of ``forward``."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    draws = [subject.sample(32, method=m, generator=Generator().manual_seed(seed)) for m in ("cached", "naive")]
    allowed = 1e-6 if subject.dtype == torch.double else 1e-3
    rounding = 0.0 if subject.levels else allowed  # real values carry the rounding of the parameters they come from
    differ = int(((draws[0] - draws[1]).abs() > rounding * (1 + draws[1].abs())).flatten(1).any(1).sum())
    gap = 0.0
    with torch.no_grad():
        for component in range(len(subject.model.orders)) if subject.offers("conditionals") else ():
            x = subject.encode(subject.random_states(16, generator))
            at_once = sampling.parameters_of(subject.model, x, component=component)
            off = (sampling.replay(subject.model, x, component=component) - at_once).abs() / (1 + at_once.abs())
            gap = max(gap, off.max().item())
    held = differ == 0 and gap <= allowed
    meaning = (
        "The fast sampler is the slow one, faster."
        if held
        else "The cached sampler does not compute the model's conditionals."
    )
    measured = f"{differ} of 32 examples differ, parameters by {gap:.1g}"
    return Verdict("cached_equals_naive", held, measured, f"0 examples, {allowed:g}", meaning)
