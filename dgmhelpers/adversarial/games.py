r"""Smooth games of two players, the ways to play them, and how fast each way leaves or reaches the rest point.

Two players own parts of one point :math:`w`, and each has a loss of all of it. The game's *field* stacks each player's
gradient of their own loss by their own part, :math:`v(w) = (\nabla_x \ell_1, \nabla_y \ell_2)`. With rate :math:`\eta`,

.. math::  \begin{aligned}
           \text{simultaneous:}\quad & w' = w - \eta\, v(w) \\
           \text{alternating:}\quad & x' = x - \eta\, v_x(x, y), \quad y' = y - \eta\, v_y(x', y) \\
           \text{extragradient:}\quad & w' = w - \eta\, v(w - \eta\, v(w)) \\
           \text{optimistic:}\quad & w' = w - 2\eta\, v(w) + \eta\, v(w_{\text{before}}) \\
           \text{consensus:}\quad & w' = w - \eta\, \big(v(w) + \nu\, \nabla \tfrac12 \|v(w)\|^2\big).
           \end{aligned}

Near a rest point a step is a matrix, and the size of its largest eigenvalue is the factor of each step in the long run.
``growth`` gives it in closed form for :math:`\min_x \max_y xy`.

Source
    Extragradient: G. M. Korpelevich, 1976. Consensus: L. Mescheder, S. Nowozin and A. Geiger, "The numerics of GANs",
    NIPS 2017. Optimistic: C. Daskalakis, A. Ilyas, V. Syrgkanis and H. Zeng, "Training GANs with optimism", ICLR 2018.
    The Dirac-GAN: L. Mescheder, A. Geiger and S. Nowozin, "Which training methods for GANs do actually converge?",
    ICML 2018.
Differs
    Exact gradients, no noise: these are the methods on paper. Both players have one rate.
Cost
    A step evaluates the field once, twice for alternating and extragradient; consensus differentiates it once more.
"""

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dgmhelpers.adversarial.losses import Loss, get
from dgmhelpers.arguments import at_least, closest, positive
from dgmhelpers.numerics import gradients_on


@dataclass(frozen=True)
class Game:
    """Two players and what each minimises.

    Attributes:
        losses: ``w (n,) → (loss of the first player, loss of the second)``, two scalars that can be differentiated.
        first: entries of w that belong to the first player; the rest are the second's.
    """

    losses: Callable[[Tensor], tuple[Tensor, Tensor]]
    first: int = 1

    def field(self, w: Tensor) -> Tensor:
        """Each player's gradient of their own loss by their own entries, ``(n,)``; can be differentiated if w can."""
        with gradients_on():
            point = w if w.requires_grad else w.detach().clone().requires_grad_()
            mine, yours = (
                torch.autograd.grad(loss, point, create_graph=w.requires_grad, retain_graph=True)[0]
                for loss in self.losses(point)
            )
            return torch.cat([mine[: self.first], yours[self.first:]])

    @gradients_on()
    def jacobian(self, w: Tensor) -> Tensor:
        """Derivatives of the field at w, ``(n, n)``: rows are the field's entries."""
        return torch.autograd.functional.jacobian(self.field, w.detach().clone())


def bilinear(coupling: float = 1.0) -> Game:
    """min over x, max over y of ``coupling · x · y``: its only rest point is the origin."""
    return Game(lambda w: (coupling * w[0] * w[1], -coupling * w[0] * w[1]))


def dirac_gan(loss: str | Loss = "minimax", *, penalty: float = 0.0, spread: float = 0.0) -> Game:
    """The smallest GAN: w = (θ, ψ), data at 0, the generator's example at θ, the discriminator's logit ψx.

    Args:
        loss: a name in ``losses.LOSSES`` or a Loss; its own penalty, if any, is that of the discriminator's slope ψ,
            which is the same everywhere.
        penalty: γ in γ/2 · ψ², a penalty on the slope of the logit at real examples (or anywhere).
        spread: data at ± spread, half of it each, instead of at 0, and the generator's examples at θ ± spread.

    Raises:
        ValueError: for an unknown loss, or a penalty or spread below zero.
    """
    loss = get(loss) if isinstance(loss, str) else loss
    for name, value in ("penalty", penalty), ("spread", spread):
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value!r}")

    def losses(w: Tensor) -> tuple[Tensor, Tensor]:
        theta, psi = w
        places = spread * torch.tensor([-1.0, 1.0], dtype=w.dtype, device=w.device)
        real, fake = psi * places, psi * (theta + places)                          # (2,) logits
        critic = loss.discriminator(real, fake) + penalty / 2 * psi**2
        if loss.penalty is not None:
            critic = critic + loss.penalty_weight * (psi.abs() - 1) ** 2
        return loss.generator(fake), critic

    return Game(losses)


def simultaneous(game: Game, state: Tensor, rate: float, weight: float) -> Tensor:
    """Both players step from the same point."""
    return (state[0] - rate * game.field(state[0]))[None]


def alternating(game: Game, state: Tensor, rate: float, weight: float) -> Tensor:
    """The first player steps, and the second one sees it."""
    w = state[0]
    mine = torch.arange(len(w), device=w.device) < game.first
    moved = torch.where(mine, w - rate * game.field(w), w)
    return torch.where(mine, moved, moved - rate * game.field(moved))[None]


def extragradient(game: Game, state: Tensor, rate: float, weight: float) -> Tensor:
    """Both look one step ahead, and step from where they are by what they find there."""
    w = state[0]
    return (w - rate * game.field(w - rate * game.field(w)))[None]


def optimistic(game: Game, state: Tensor, rate: float, weight: float) -> Tensor:
    """Twice the present gradient less the last one: a guess of the next. The state is (present, before)."""
    now, before = state
    return torch.stack([now - 2 * rate * game.field(now) + rate * game.field(before), now])


def consensus(game: Game, state: Tensor, rate: float, weight: float) -> Tensor:
    """Both also descend half the squared length of the field, ``weight`` times."""
    with gradients_on():
        w = state[0] if state.requires_grad else state[0].detach().requires_grad_()
        v = game.field(w)
        (calm,) = torch.autograd.grad(v.square().sum() / 2, w, create_graph=state.requires_grad)
    after = w - rate * (v + weight * calm)
    return (after if state.requires_grad else after.detach())[None]


METHODS = {each.__name__: each for each in (simultaneous, alternating, extragradient, optimistic, consensus)}
MEMORY = {"optimistic": 2}      # points that a state holds; one for the others


@gradients_on()
def play(
    game: Game, start, *, method: str = "simultaneous", rate: float = 0.1, steps: int = 100, weight: float = 1.0
) -> Tensor:
    """The path of a game: ``(steps + 1, n)``, float64, the start included.

    Args:
        start: the first point, ``(n,)``; for a method that remembers, also the one before.
        method: one of ``METHODS``.
        rate: η.
        steps: how many.
        weight: ν, of consensus alone.

    Raises:
        ValueError: for an unknown method, a rate that is not positive, fewer than one step, or a start that is not a
            finite vector.
    """
    step, at = _method(method), torch.as_tensor(start, dtype=torch.double).clone()
    positive("rate", rate)
    at_least("steps", steps, 1)
    if at.ndim != 1 or len(at) <= game.first or not at.isfinite().all():
        raise ValueError(f"start must be a finite vector of more than {game.first} entries, got {tuple(at.shape)}")
    state = at.repeat(MEMORY.get(method, 1), 1)                                    # (memory, n)
    path = [at]
    for _ in range(steps):
        state = step(game, state, rate, weight).detach()
        path.append(state[0])
    return torch.stack(path)


@gradients_on()
def update_matrix(game: Game, point, *, method: str, rate: float, weight: float = 1.0) -> Tensor:
    """Derivative of one step at a rest point, by automatic differentiation: ``(memory · n, memory · n)``, float64."""
    step, at = _method(method), torch.as_tensor(point, dtype=torch.double)
    positive("rate", rate)
    state = at.repeat(MEMORY.get(method, 1), 1)
    square = torch.autograd.functional.jacobian(lambda s: step(game, s, rate, weight), state)
    return square.reshape(state.numel(), state.numel())


def growth(method: str, rate: float, *, weight: float = 1.0) -> float:
    """The factor by which the distance from the origin changes a step, in the long run, on xy: in closed form.

    It is the size of the largest eigenvalue of a step. Below one the method converges.
    """
    _method(method)
    positive("rate", rate)
    if method == "simultaneous":
        return math.sqrt(1 + rate**2)
    if method == "extragradient":
        return math.sqrt(1 - rate**2 + rate**4)
    if method == "consensus":
        return math.hypot(1 - rate * weight, rate)
    if method == "optimistic":
        return abs(1 / 2 - 1j * rate + (cmath.sqrt(1 - 4 * rate**2) / 2) * (1 if rate <= 0.5 else -1))
    half = 1 - rate**2 / 2                      # alternating: half the trace; the determinant is one
    return 1.0 if rate <= 2 else -half + math.sqrt(half**2 - 1)


def _method(name: str) -> Callable:
    if name in METHODS:
        return METHODS[name]
    raise ValueError(f"no way to play is called {name!r}: {closest(name, METHODS)}")
