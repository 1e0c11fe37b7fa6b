"""Laws of structure: what depends on what, and what must not change by looking at it."""

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import sampling
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, not_run

TRIALS = 8  # random inputs at which dependence is looked for: one alone can sit where a unit is dead
REDRAWS = 4  # random parameters for each: a unit that is dead at every input under some is alive under others
NOISE = 1e-12  # relative; a change below it is rounding
PACKED = 24  # draws for a discriminator: a multiple of 2, 3 and 4, should it look at several at once
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


def depends_on_exactly_its_past(subject: Subject, generator: Generator) -> Verdict:
    """Every conditional depends on nothing of its future and on all of its past, but for a blind spot it declares.

    Each input is flipped to every trial's other values, and each conditional differentiated by each input (levels
    have no gradient; a dead unit hides one). What changes anywhere, depends. The parameters are redrawn first.
    """
    law = "depends_on_exactly_its_past"
    model = subject.model
    if model is None:
        return not_run(law, "needs the conditionals: a model with forward(x) and orders")
    blind = getattr(model, "blind_spot", None)
    peeks, misses, seen_all, report = 0, 0, [], ""
    for component, order in enumerate(model.orders):
        seen = torch.zeros(subject.dim, subject.dim, dtype=torch.bool)             # row: who looks
        for _ in range(REDRAWS):
            redraw(model, generator)
            seen |= dependence(subject, component, generator)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        past = rank[None, :] < rank[:, None]
        expected = past if blind is None else past & ~blind.reshape(-1, *past.shape)[component]
        extra, lost = seen & ~expected, expected & ~seen
        peeks, misses = peeks + int(extra.sum()), misses + int(lost.sum())
        for name, found in (("sees", extra), ("does not see", lost)):
            if found.any() and not report:
                who, whom = found.nonzero()[0].tolist()
                report = f"; the conditional of variable {who} {name} variable {whom}"
        seen_all.append(seen)
    total = subject.dim * (subject.dim - 1) // 2 * len(model.orders)
    declared = 0 if blind is None else int(blind.sum())
    note = f", {declared} declared blind" if declared else ""
    measured = f"{total - declared - misses} of {total} past inputs seen{note}, {peeks} others{report}"
    if peeks:
        meaning = "A conditional sees what it must not: its own value, or one that comes later. It can cheat."
    elif misses:
        meaning = "A conditional is blind to part of its past: the model cannot represent what depends on it."
    else:
        meaning = "Every conditional depends on its past, all of it, and on nothing else."
    held = not (peeks or misses)
    return Verdict(law, held, measured, "all of the past, nothing else", meaning, torch.stack(seen_all))


def dependence(subject: Subject, component: int, generator: Generator) -> Tensor:
    """``seen[i, j]``: do the parameters of variable ``i`` change with variable ``j``?  Shape ``(D, D)``, boolean."""
    model, dim = subject.model, subject.dim
    seen = torch.zeros(dim, dim, dtype=torch.bool)
    for base in subject.random_states(TRIALS, generator):                          # (D,)
        here = _parameters(subject, base[None], component)[0]                      # (D, P)
        flipped = base.repeat(dim, 1)                                              # (D, D) row j: input j changed
        if subject.levels is None:
            flipped.diagonal().add_(1.0)
        else:
            shift = torch.randint(1, subject.levels, (dim,), generator=generator)
            flipped.diagonal().copy_((base + shift) % subject.levels)
        there = torch.cat([_parameters(subject, part, component) for part in flipped.split(128)])  # (D, D, P)
        change = (there - here).abs() > NOISE * (1 + here.abs())
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
    params = sampling.parameters_of(subject.model, subject.encode(states), component=component)
    return params.reshape(*params.shape[:2], -1)                                   # (B, D, P)


def ignores_the_batch(subject: Subject, generator: Generator) -> Verdict:
    """An example's log-likelihood, or its bound, does not change with the company it is evaluated in, nor in training.

    Statistics over the batch (BatchNorm in training mode) let one example see another, and itself at positions it
    must not see. Both companies have the same size and the same seed, so neither dropout nor a draw is mistaken for it.

    Of an implicit model, what its generator makes of a noise vector must not depend on the others, in evaluation mode.
    """
    law = "ignores_the_batch"
    if _implicit(subject) is not None:
        return _draws_ignore_the_batch(subject, generator)
    if subject.scores is None:
        return not_run(law, "needs a log_prob, a bound, an error of each example or a generator of noise")
    ours = subject.random_states(4, generator)
    worst, where = 0.0, ""
    for training in (False, True) if subject.modules else (None,):
        with subject.training(bool(training)):
            values = []
            for _ in range(3):
                theirs = subject.random_states(12, generator)
                torch.manual_seed(0)
                values.append(subject.log_probs(torch.cat([ours, theirs]), of=subject.scores)[:4])
        gap = max((value - values[0]).abs().max().item() for value in values)
        if not gap <= worst:
            worst, where = gap, {True: " in training mode", False: " in evaluation mode", None: ""}[training]
    allowed = 1e-9 if subject.dtype == torch.double else 1e-3
    held = worst <= allowed
    meaning = (
        "Each example is scored on its own."
        if held
        else "Examples see each other through the batch: the likelihood of one depends on its neighbours."
    )
    what = "log p" if subject.log_prob else "the bound" if subject.elbo else "the error"
    measured = f"{what} changes by {worst:.2g} nats{where}" if worst else f"{what} does not change"
    return Verdict(law, held, measured, f"{allowed:g} nats", meaning)


def _implicit(subject: Subject):
    """The audited copy, if it is an implicit model of our form: noise, and a generator that makes examples of it."""
    model = subject.modules[0] if subject.modules and subject.scores is None else None
    return model if callable(getattr(model, "noise", None)) and hasattr(model, "generator") else None


@torch.no_grad()
def _draws_ignore_the_batch(subject: Subject, generator: Generator) -> Verdict:
    model = _implicit(subject)
    ours = model.noise(4, generator=generator)
    made = [model.generator(torch.cat([ours, model.noise(12, generator=generator)]))[:4] for _ in range(3)]
    worst = max((each - made[0]).abs().max().item() for each in made)
    held = worst <= 1e-9
    meaning = (
        "Each draw is made on its own."
        if held
        else "Draws see each other through the batch: they are not independent."
    )
    return Verdict("ignores_the_batch", held, f"an example changes by {worst:.2g}", "1e-09", meaning)


def cached_equals_naive(subject: Subject, generator: Generator) -> Verdict:
    """The cached sampler gives the naive one's examples, and its step-by-step parameters are those of ``forward``."""
    law = "cached_equals_naive"
    model = subject.model
    if model is None:
        return not_run(law, "needs a model with a naive and a cached sampler")
    seed = int(torch.randint(2**31, (1,), generator=generator))
    draws = [model.sample(32, method=m, generator=Generator().manual_seed(seed)) for m in ("cached", "naive")]
    rounding = 0.0 if subject.levels else 1e-6  # real values carry the rounding of the parameters they come from
    differ = int(((draws[0] - draws[1]).abs() > rounding * (1 + draws[1].abs())).flatten(1).any(1).sum())
    gap = 0.0
    with torch.no_grad():
        for component in range(len(model.orders)):
            x = subject.encode(subject.random_states(16, generator))
            at_once = sampling.parameters_of(model, x, component=component)
            gap = max(gap, (sampling.replay(model, x, component=component) - at_once).abs().max().item())
    held = differ == 0 and gap <= 1e-6
    meaning = (
        "The fast sampler is the slow one, faster."
        if held
        else "The cached sampler does not compute the model's conditionals."
    )
    measured = f"{differ} of 32 examples differ, parameters by {gap:.1g}"
    return Verdict(law, held, measured, "0 examples, 1e-06", meaning)


def forward_changes_nothing(subject: Subject, generator: Generator) -> Verdict:
    """Evaluating a model (or drawing from an implicit one) leaves its state as it was; masked weights get no gradient.

    Of an implicit model with a discriminator, what it draws is judged too, in evaluation mode.

    Masked weights are those a model names (``masked_weights()``) and those of submodules with a ``weight`` and a
    ``mask``.
    """
    law = "forward_changes_nothing"
    implicit = _implicit(subject) is not None
    if (subject.scores is None and not implicit) or not subject.modules:
        return not_run(law, "needs a module whose state can be compared")
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in subject.modules]
    for training in (False,) if implicit else (False, True):
        with subject.training(training):
            for _ in range(3):
                if implicit:
                    drawn = subject.sample(PACKED, generator=generator)
                    if callable(getattr(subject.modules[0], "discriminator", None)):
                        subject.modules[0].discriminator(torch.as_tensor(drawn).to(subject.dtype))
                else:
                    subject.log_probs(subject.random_states(8, generator), of=subject.scores)
    changed = [
        name
        for module, state in zip(subject.modules, before, strict=True)
        for name, value in module.state_dict().items()
        if not torch.equal(value, state[name])
    ]
    leaks, masked = (0, 0) if implicit else _masked_gradients(subject, generator)
    held = not changed and not leaks
    if changed:
        meaning = f"Looking at the model changes it: {', '.join(changed[:3])}."
    elif leaks:
        meaning = "Weights that the mask removes still learn: the mask is not in the expression."
    else:
        meaning = "Looking does not change the model."
    measured = f"{len(changed)} tensors changed, {leaks} of {masked} masked weights have a gradient"
    return Verdict(law, held, measured, "none", meaning)


def _masked_gradients(subject: Subject, generator: Generator) -> tuple[int, int]:
    pairs = []
    for top in subject.modules:
        pairs += top.masked_weights() if hasattr(top, "masked_weights") else []
        for module in top.modules():
            weight, mask = getattr(module, "weight", None), getattr(module, "mask", None)
            if isinstance(weight, Tensor) and isinstance(mask, Tensor):
                pairs.append((weight, mask.expand_as(weight)))
    if not pairs:
        return 0, 0
    value = subject.scores(subject.encode(subject.random_states(8, generator))).sum()
    weights = [weight for weight, _ in pairs]
    gradients = torch.autograd.grad(value, weights, allow_unused=True)
    outside = [(g, ~mask.bool()) for g, (_, mask) in zip(gradients, pairs, strict=True) if g is not None]
    return sum(int((g[off] != 0).sum()) for g, off in outside), sum(int(off.sum()) for _, off in outside)
