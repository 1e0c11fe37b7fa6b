r"""Learning rates over a training: any function of the rate at the start and the step, ``(lr, step) -> rate``.

Steps count from 1. Such a function is an argument of ``fit`` and ``fit_adversarial`` (``schedule=``); the one here is
what their ``warmup`` and ``decay`` stand for,

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
        return lr * (1 + math.cos(math.pi * (step - 1 - self.warmup) / (self.steps - self.warmup))) / 2
