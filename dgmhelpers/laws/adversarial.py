r"""The law of adversarial losses: each is its closed form, from above and from below.

A loss that is only tested to fall, or to stay under something, may be wrong by a sign, a factor or a second sigmoid and
pass. Here every loss is compared with a formula for its value, for its derivative by each logit, for extreme logits in
single precision, and, for discriminators, for its least value against two given distributions: with logits
:math:`\log p/q` that is :math:`\log 4 - 2\,\mathrm{JSD}(p, q)`, so that V = −loss is :math:`2\,\mathrm{JSD} - \log 4`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.verdict import Verdict, not_offered

TOLERANCE = 1e-6        # labels in float32 are off by 1e-7; every known fault by 1e-2
EXTREME = (-90.0, -30.0, 30.0, 90.0)    # single precision: σ is 0 or 1, exp overflows beyond 88
SHARES = 60             # p and q have entries k / 60, so that a batch can hold them exactly


@dataclass(frozen=True)
class Form:
    """The closed form of one loss.

    Attributes:
        real, fake: what one logit of a real and of a fake example costs; real is None for a generator's loss.
        slope_real, slope_fake: their derivatives.
        best: for a discriminator, the logits that are best against tables p and q; and
        least: its value there.
    """

    fake: Callable[[Tensor], Tensor]
    slope_fake: Callable[[Tensor], Tensor]
    real: Callable[[Tensor], Tensor] | None = None
    slope_real: Any = None
    best: Any = None
    least: Any = None


def _minus_log_sigmoid(a: Tensor) -> Tensor:
    """By cases, from exp and log1p alone: not what the losses are made of."""
    return torch.where(a > 0, torch.log1p(torch.exp(-a.abs())), torch.log1p(torch.exp(-a.abs())) - a)


def _sigmoid(a: Tensor) -> Tensor:
    return torch.where(a > 0, 1 / (1 + torch.exp(-a.abs())), torch.exp(-a.abs()) / (1 + torch.exp(-a.abs())))


def _jsd(p: Tensor, q: Tensor) -> Tensor:
    m = (p + q) / 2
    return ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2


def _one(a: Tensor) -> Tensor:
    return torch.ones_like(a)


_CROSS_ENTROPY = Form(
    real=_minus_log_sigmoid, slope_real=lambda a: _sigmoid(a) - 1,
    fake=lambda a: _minus_log_sigmoid(-a), slope_fake=_sigmoid,
    best=lambda p, q: (p / q).log(), least=lambda p, q: math.log(4) - 2 * _jsd(p, q),
)  # fmt: skip

FORMS = {
    "discriminator_loss": _CROSS_ENTROPY,
    "minimax_generator_loss": Form(fake=lambda a: -_minus_log_sigmoid(-a), slope_fake=lambda a: -_sigmoid(a)),
    "nonsaturating_generator_loss": Form(fake=_minus_log_sigmoid, slope_fake=lambda a: _sigmoid(a) - 1),
    "wasserstein_discriminator_loss": Form(
        real=lambda a: -a, slope_real=lambda a: -_one(a), fake=lambda a: a, slope_fake=_one
    ),
    "wasserstein_generator_loss": Form(fake=lambda a: -a, slope_fake=lambda a: -_one(a)),
    "hinge_discriminator_loss": Form(
        real=lambda a: (1 - a).clamp(min=0), slope_real=lambda a: -(a < 1).to(a),
        fake=lambda a: (1 + a).clamp(min=0), slope_fake=lambda a: (a > -1).to(a),
        best=lambda p, q: (p - q).sign(), least=lambda p, q: 2 * torch.minimum(p, q).sum(),
    ),  # fmt: skip
    "hinge_generator_loss": Form(fake=lambda a: -a, slope_fake=lambda a: -_one(a)),
    "least_squares_discriminator_loss": Form(
        real=lambda a: (a - 1) ** 2, slope_real=lambda a: 2 * (a - 1), fake=lambda a: a**2, slope_fake=lambda a: 2 * a,
        best=lambda p, q: p / (p + q), least=lambda p, q: (p * q / (p + q)).sum(),
    ),  # fmt: skip
    "least_squares_generator_loss": Form(fake=lambda a: (a - 1) ** 2, slope_fake=lambda a: 2 * (a - 1)),
}


def loss_matches_closed_form(loss: Callable, kind: str | None = None, generator: Generator | None = None) -> Verdict:
    """An adversarial loss equals its closed form: value, slope, extremes, and its least value, two-sided.

    The best discriminator against p and q is worth ``2·JSD(p, q) − log 4`` to the game, no more and no less.

    Args:
        loss: a function of logits, ``(real, fake) → scalar`` or ``fake → scalar``, the batch's mean.
        kind: which closed form it should have, one of ``FORMS``; the function's own name if not given.
        generator: of the logits that are tried.
    """
    law = "loss_matches_closed_form"
    kind = kind or getattr(loss, "__name__", "")
    if kind not in FORMS:
        return not_offered(law, f"no closed form is known for {kind!r}: there are {', '.join(FORMS)}")
    form = FORMS[kind]
    generator = generator or Generator().manual_seed(0)
    gaps = {
        "value": _value_gap(loss, form, generator),
        "slope": _slope_gap(loss, form, generator),
        "extreme logits in single precision": _extreme_gap(loss, form),
    }
    if form.least is not None:
        gaps["least value"] = _least_gap(loss, form, generator)
    worst = max(gaps, key=lambda name: math.inf if math.isnan(gaps[name]) else abs(gaps[name]))
    held = abs(gaps[worst]) <= TOLERANCE
    if held:
        meaning = "The loss is what its name says." if form.least is None else (
            "The loss is what its name says, and the best discriminator is worth what theory says."
        )
    else:
        side = "too large" if gaps[worst] > 0 else "too small" if gaps[worst] < 0 else "not a number"
        meaning = (f"This is another loss: its {worst} is {side}. A sign is flipped, a half is too many or missing, "
                   f"a sum stands for a mean, or a sigmoid is applied to what is not a logit.")
    return Verdict(law, held, f"{kind}: {worst} off by {gaps[worst]:.1g}", f"± {TOLERANCE:g}", meaning)


def _call(loss, form: Form, real: Tensor, fake: Tensor) -> Tensor:
    return loss(fake) if form.real is None else loss(real, fake)


def _closed(form: Form, real: Tensor, fake: Tensor) -> Tensor:
    value = form.fake(fake).mean()
    return value if form.real is None else value + form.real(real).mean()


def _value_gap(loss, form: Form, generator: Generator) -> float:
    """Largest difference, with its sign, over batches of several sizes."""
    worst = 0.0
    for size in (1, 2, 7, 64):
        real, fake = (3 * torch.randn(size, generator=generator, dtype=torch.double) for _ in range(2))
        worst = _larger(worst, (_call(loss, form, real, fake) - _closed(form, real, fake)).item())
    return worst


def _slope_gap(loss, form: Form, generator: Generator) -> float:
    """Of the derivative of the batch's mean by each logit, times the size of the batch."""
    real, fake = (3 * torch.randn(32, generator=generator, dtype=torch.double) for _ in range(2))
    logits = [fake.requires_grad_()] if form.real is None else [real.requires_grad_(), fake.requires_grad_()]
    value = _call(loss, form, real, fake)
    if not value.requires_grad:
        return math.nan
    found = torch.autograd.grad(value, logits, allow_unused=True)
    expected = [form.slope_fake(fake)] if form.real is None else [form.slope_real(real), form.slope_fake(fake)]
    worst = 0.0
    for got, wanted in zip(found, expected, strict=True):
        gap = (torch.zeros_like(wanted) if got is None else 32 * got) - wanted
        worst = _larger(worst, gap[gap.abs().argmax()].item())
    return worst


def _extreme_gap(loss, form: Form) -> float:
    """In float32, relative to the value's size beyond its rounding: what overflows or underflows shows here."""
    worst = 0.0
    for a in EXTREME:
        single = torch.full((4,), a)
        got = _call(loss, form, single, single).double().item()
        wanted = _closed(form, single.double(), single.double()).item()
        if not abs(got - wanted) <= 1e-5 * (1 + abs(wanted)):
            worst = _larger(worst, got - wanted)
    return worst


def _least_gap(loss, form: Form, generator: Generator) -> float:
    """At the best logits against p and q: the value, and that every step away costs more."""
    worst = 0.0
    for _ in range(4):
        counts = [_shares(generator) for _ in range(2)]
        p, q = (c.double() / SHARES for c in counts)
        best = form.best(p, q)
        real, fake = (best.repeat_interleave(c) for c in counts)
        least = _call(loss, form, real, fake).item()
        worst = _larger(worst, least - form.least(p, q).item())
        away = best + 0.1 * torch.randn(best.shape, generator=generator, dtype=torch.double)
        higher = _call(loss, form, *(away.repeat_interleave(c) for c in counts)).item()
        if higher < least - TOLERANCE:
            worst = _larger(worst, higher - least)
    return worst


def _shares(generator: Generator) -> Tensor:
    """How often each of five states occurs among ``SHARES``, each at least once."""
    cuts = torch.randperm(SHARES - 1, generator=generator)[:4].sort().values + 1
    return torch.diff(torch.cat([torch.tensor([0]), cuts, torch.tensor([SHARES])]))


def _larger(a: float, b: float) -> float:
    """Whichever is further from zero; NaN if one is."""
    return a if math.isnan(a) else b if math.isnan(b) or abs(b) > abs(a) else a
