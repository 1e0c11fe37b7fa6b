r"""Learning rates over a training run: any function of the rate at the start and the step, ``(lr, step) -> rate``.

Steps count from 1. Such a function is an argument of ``fit`` and ``fit_adversarial`` (``schedule=``); the one here is
what their ``warmup`` and ``decay`` mean,

.. math::  \eta_t = \eta\, t / w \quad (t \le w), \qquad
           \eta_t = \eta\, \tfrac12 \big(1 + \cos \pi \tfrac{t - 1 - w}{T - w}\big) \quad (t > w).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float, int], float]


@dataclass(frozen=True)
class Cosine:
    """A linear rise for ``warmup`` of ``steps`` steps, then half a cosine down to zero, unless ``decay`` is False."""

    steps: int
    warmup: int = 0
    decay: bool = True

    def __call__(self, lr: float, step: int) -> float:
        if step <= self.warmup:
            return lr * step / self.warmup
        if not self.decay:
            return lr
        falling = max(self.steps - self.warmup, 1)
        passed = min(step - 1 - self.warmup, falling)                    # after the last step the rate stays at zero
        return lr * (1 + math.cos(math.pi * passed / falling)) / 2


def rate_of(schedule: Schedule, lr: float, step: int) -> float:
    """What a schedule gives, if it can be a rate.

    Raises:
        ValueError: saying what it gave instead.
    """
    rate = schedule(lr, step)
    try:
        value = float(rate)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"schedule(lr, step) must give 0 or more: for {lr:g} and step {step} it gave {rate!r}")
    return value
