"""What went wrong, in words: the usual mistakes, each tried on what was found, before a general verdict is given."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dgmhelpers.laws.subject import Subject

MOST_LEVELS = 4096      # states up to which every sampler's mistake is tried
COOLED = torch.cat([torch.linspace(0.2, 0.98, 40), torch.linspace(1.02, 3.0, 40)]).tolist()


def of_total(subject: Subject, total: Callable[[Callable[[Tensor], Tensor]], float]) -> str | None:
    """Which change of ``log_prob`` makes its total one; None if none of the usual ones does.

    Args:
        total: the sum, or the integral, of ``exp`` of a function of log p.
    """
    d = subject.dim
    changes: list[tuple[str, Callable]] = [
        ("the sign is wrong: this is minus log p", lambda v: -v),
        ("it is in bits, not in nats", lambda v: v * math.log(2)),
        ("it is minus log p, in bits", lambda v: -v * math.log(2)),
        ("it is p, not log p", lambda v: v.clamp(min=0).log()),
    ]
    if d > 1:
        changes += [
            ("it is a mean over the variables, not a sum", lambda v: v * d),
            ("it is minus the mean over the variables", lambda v: -v * d),
            ("it is bits per dimension, not nats", lambda v: v * d * math.log(2)),
            ("it is minus the bits per dimension", lambda v: -v * d * math.log(2)),
        ]
    if subject.levels is None:
        changes += [
            ("the constant ½ log 2π of each variable is missing", lambda v: v - d / 2 * math.log(2 * math.pi)),
            ("the constant ½ log 2π of each variable has the wrong sign", lambda v: v - d * math.log(2 * math.pi)),
        ]
    for text, change in changes:
        if abs(total(change) - 1) < 2e-3:
            return text
    return None


def of_draws(levels: int, shape: int, table: Tensor, observed: Tensor, fits: Callable) -> str | None:
    """Which mistake of a sampler explains what it drew; None if none of the usual ones does.

    Args:
        shape: the number of variables.
        table: the probabilities of all states, the last variable running fastest, and
        observed: how often each was drawn.
        fits: ``(observed, expected) -> bool``.
    """
    n = observed.sum()
    if not n or len(table) > MOST_LEVELS:
        return None
    table = table / table.sum()
    for text, candidate in _mistakes(levels, shape, table, observed):
        total = candidate.sum()
        if total > 0 and fits(observed, candidate / total * n):
            return text
    return None


def _mistakes(levels: int, d: int, table: Tensor, observed: Tensor) -> Iterator[tuple[str, Tensor]]:
    grid, steps = table.reshape([levels] * d), conditionals(levels, d, table)
    if d > 1:
        yield "the variables are in reverse order", grid.permute(tuple(reversed(range(d)))).reshape(-1)
    turned = "ones and zeros are exchanged" if levels == 2 else "levels are reversed"
    yield turned, grid.flip(tuple(range(d))).reshape(-1)
    if levels > 2:
        for by in (1, -1):
            yield "levels are shifted by one", grid.roll([by] * d, list(range(d))).reshape(-1)
    else:
        yield "a sigmoid is applied twice", product([torch.stack([1 - q, q], -1) for q in
                                                     (step[..., 1].sigmoid() for step in steps)])
    kept = _kept(levels, d, steps, observed)
    if kept == 1 and levels > 1:
        yield "it takes the likeliest value and draws nothing", product([_cut(step, 1) for step in steps])
    elif kept < levels:
        yield f"it draws from the {kept} likeliest values alone (top-k)", product([_cut(step, kept) for step in steps])
    best, at = -math.inf, 1.0
    for t in COOLED:
        log_p = product([cooled(step, t) for step in steps]).clamp(min=1e-300).log()
        score = (observed * log_p).sum().item()
        if score > best:
            best, at = score, t
    low, high = at * 0.95, at * 1.05
    for _ in range(30):                                                            # golden section
        a, b = high - 0.618 * (high - low), low + 0.618 * (high - low)
        values = [(observed * product([cooled(s, t) for s in steps]).clamp(min=1e-300).log()).sum() for t in (a, b)]
        low, high = (low, b) if values[0] > values[1] else (a, high)
    t = (low + high) / 2
    yield f"every conditional has a temperature of {t:.2g}", product([cooled(step, t) for step in steps])


def conditionals(levels: int, d: int, table: Tensor) -> list[Tensor]:
    """``p(x_i | x_<i)`` of a table of all states, one tensor ``(levels,) * (i + 1)`` for each variable."""
    grid, found = table.reshape([levels] * d), []
    for i in range(d):
        joint = grid.reshape(*[levels] * (i + 1), -1).sum(-1)
        found.append(joint / joint.sum(-1, keepdim=True).clamp(min=1e-300))
    return found


def product(steps: list[Tensor]) -> Tensor:
    """The table of all states from their conditionals."""
    joint = steps[0]
    for step in steps[1:]:
        joint = joint[..., None] * step
    return joint.reshape(-1)


def cooled(step: Tensor, temperature: float) -> Tensor:
    """A conditional at a temperature."""
    return (step.clamp(min=1e-300).log() / temperature).softmax(-1)


def _cut(step: Tensor, kept: int) -> Tensor:
    cut = torch.where(_rank(step) <= kept, step, 0.0)
    return cut / cut.sum(-1, keepdim=True).clamp(min=1e-300)


def _kept(levels: int, d: int, steps: list[Tensor], observed: Tensor) -> int:
    """The largest rank, from 1, that a drawn value has among its conditional's."""
    drawn, most = conditionals(levels, d, observed), 1
    for step, seen in zip(steps, drawn, strict=True):
        most = max(most, int(_rank(step)[seen > 0].max()) if (seen > 0).any() else 1)
    return most


def _rank(step: Tensor) -> Tensor:
    """1 for the likeliest level of each conditional; levels that are equally likely have one rank."""
    likelier = step[..., None, :] > step[..., :, None] * (1 + 1e-6)
    return likelier.sum(-1) + 1
