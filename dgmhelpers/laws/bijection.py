"""Laws of an invertible map: it comes back, and says by how much it changes volume, in both directions."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.calls import split
from dgmhelpers.laws.structure import in_double
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law

EXAMPLES = 6


@law("forward", "inverse", redrawn=True)
def inverts(subject: Subject, generator: Generator) -> Verdict:
    """``inverse(forward(x))`` is x, and ``forward(inverse(z))`` is z, in evaluation and in training mode.

    To 1e-6 in float64, to 2e-3 in float32. Random parameters may stretch so far that float32 has no digits left, which
    says nothing of the map: with them it is looked at in float64.
    """
    name, subject = "inverts", _in_double_if_redrawn(subject)
    x = subject.encode(subject.random_states(EXAMPLES, generator))
    worst, where, allowed = 0.0, "", max(1e-6, 20 * subject.slack)
    for training in (False, True):
        with subject.training(training), torch.no_grad():
            z = split(subject.forward(x))[0]
            back = split(subject.inverse(z))[0]
            if back.shape != x.shape:
                shapes = f"x of shape {tuple(x.shape)} comes back as {tuple(back.shape)}"
                return Verdict(name, False, shapes, "the same", "What comes back is of another shape.")
            again = split(subject.forward(back))[0]
        for gap, what in ((_off(back, x), "inverse(forward(x))"), (_off(again, z), "forward(inverse(z))")):
            if not gap <= worst:
                worst, where = gap, f"{what} in {'training' if training else 'evaluation'} mode"
    held = worst <= allowed
    meaning = "Each undoes the other." if held else "The inverse is not the inverse of the map."
    measured = f"off by {worst:.2g}" + (f", {where}" if where else "")
    return Verdict(name, held, measured, f"{allowed:.0g}, relative", meaning)


@law("forward", "inverse", redrawn=True)
def logdet_matches_jacobian(subject: Subject, generator: Generator) -> Verdict:
    """What each direction says of its volume is ``log |det|`` of its Jacobian, in evaluation and in training mode.

    The Jacobian comes from autograd, or from central differences where there is no gradient. In training mode the
    batch is held fixed: what other examples do to one is not counted as its own. With random parameters in float64.
    """
    name, subject = "logdet_matches_jacobian", _in_double_if_redrawn(subject)
    x = subject.encode(subject.random_states(EXAMPLES, generator))
    worst = (0.0, "", 0.0, 0.0)
    for training in (False, True):
        with subject.training(training):
            with torch.no_grad():
                z = split(subject.forward(x))[0]
            for what, function, at in (("forward", subject.forward, x), ("inverse", subject.inverse, z)):
                said = split(function(at))[1]
                where = f"{what} in {'training' if training else 'evaluation'} mode"
                if said is None or tuple(said.shape) != (len(x),):
                    shape = "no log-determinant" if said is None else f"one of shape {tuple(said.shape)}"
                    return Verdict(name, False, f"{where} gives {shape}", f"({len(x)},)",
                                   "Each direction should say log |det| for every example.")
                true, roughness = jacobian(function, at, subject.slack)
                allowed = (1e2 * subject.slack + roughness) * (1 + true.abs() + subject.dim)
                excess = ((said.detach().double() - true).abs() / allowed).nan_to_num(nan=math.inf)
                i = int(excess.argmax())
                if excess[i].item() > worst[0]:
                    worst = (excess[i].item(), where, said[i].item(), true[i].item())
    held = worst[0] <= 1
    if held:
        meaning = "Both directions know how they change volume."
    elif abs(worst[2] + worst[3]) < 1e-3 * (1 + abs(worst[3])):
        meaning = "The log-determinant has the wrong sign: it is that of the other direction."
    else:
        meaning = "The log-determinant is not that of the map: a density made with it does not integrate to one."
    measured = f"{worst[2]:.6g} where the Jacobian says {worst[3]:.6g}, {worst[1]}" if worst[1] else "equal"
    return Verdict(name, held, measured, "rounding", meaning)


def _in_double_if_redrawn(subject: Subject) -> Subject:
    return in_double(subject) if subject.redrawn and subject.model is not None else subject


def jacobian(function, x: Tensor, slack: float) -> tuple[Tensor, float]:
    """``log |det|`` of the derivative of each example's value by itself, ``(B,)``, float64, and how rough that is."""
    inputs = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = split(function(inputs))[0].flatten(1)                              # (B, D)
    if value.requires_grad:
        rows = [torch.autograd.grad(column.sum(), inputs, retain_graph=True, allow_unused=True)[0]
                for column in value.unbind(1)]
        rows = [torch.zeros_like(inputs) if row is None else row for row in rows]
        matrix, rough = torch.stack([row.flatten(1) for row in rows], 1), 0.0      # (B, D, D)
    else:
        step, rough, columns = (1e-5, 1e-6, []) if slack < 1e-6 else (1e-2, 1e-2, [])
        with torch.no_grad():
            for i in range(value.shape[1]):
                away = torch.zeros_like(x).flatten(1)
                away[:, i] = step
                ends = [split(function(x + sign * away.reshape(x.shape)))[0].flatten(1).double() for sign in (1, -1)]
                columns.append((ends[0] - ends[1]) / (2 * step))
        matrix = torch.stack(columns, 2)
    return torch.linalg.slogdet(matrix.double())[1], rough


def _off(a: Tensor, b: Tensor) -> float:
    """The largest relative difference; infinite for what is not a number."""
    return ((a - b).abs() / (1 + b.abs())).nan_to_num(nan=math.inf).max().item()
