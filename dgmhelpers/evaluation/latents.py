r"""What a model does with its latents: how much each carries, how many are used, and what the encoder loses.

* **KL per dimension**: :math:`\mathrm{KL}_j`, averaged over examples: the nats of information in latent j. Zero in all
  of them is posterior collapse: the decoder ignores z.
* **Active units**: those whose posterior mean varies from example to example, by more than 0.01 in variance.
* **Amortisation gap**: how much the bound rises when mean and spread of q are improved for each example on its own,
  instead of being what one network gives for all.

Source
    Active units: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016. Amortisation
    gap: C. Cremer, X. Li and D. Duvenaud, "Inference suboptimality in variational autoencoders", ICML 2018.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least
from dgmhelpers.evaluation.importance import _in_batches
from dgmhelpers.evaluation.nats import Estimate, mean
from dgmhelpers.evaluation.needs import Encodes
from dgmhelpers.numerics import gradients_on, ordinary


@torch.no_grad()
def kl_per_dimension(
    model: Encodes, x: Tensor, *, context: Tensor | None = None, batch_size: int = 500
) -> Tensor:
    """``KL(q(z_j | x) ‖ p(z_j))`` in nats, averaged over the examples ``x``, shape ``(Z,)``, double precision.

    Where the model has no closed form, one estimate of the whole, ``(1,)``.
    """
    return _in_batches(model, x, batch_size, lambda some, **about: model.terms(some, **about).kl, context).mean(0)


@torch.no_grad()
def active_units(
    model: Encodes, x: Tensor, *, context: Tensor | None = None, threshold: float = 0.01, batch_size: int = 500
) -> Tensor:
    """Which latents are used: the variance over ``x`` of the posterior mean is above ``threshold``. ``(Z,)`` bool."""
    if len(x) < 2:
        raise ValueError(f"a variance needs two examples or more, got {len(x)}")
    means = _in_batches(model, x, batch_size, lambda some, **about: model.encode(some, **about)[0], context)   # (N, Z)
    return means.var(0) > threshold


@dataclass(frozen=True)
class Gap:
    """The bound with the encoder's q and with a q of each example's own.

    Attributes:
        amortised: bound with the encoder's q, ``(B,)``.
        optimised: bound with the q found for each example, ``(B,)``, on the same draws.
        gap: the mean of their difference, with its standard error.
    """

    amortised: Tensor
    optimised: Tensor
    gap: Estimate


@gradients_on()
def amortisation_gap(
    model: Encodes, x: Tensor, *, context: Tensor | None = None, steps: int = 300, lr: float = 0.03, draws: int = 8,
    score_draws: int = 200, generator: Generator | None = None,
) -> Gap:  # fmt: skip
    """Optimise mean and log standard deviation of q for each example, by Adam from what the encoder gives.

    The decoder stays as it is. An example whose q got no better keeps the encoder's: the gap is never below what was
    found, and what was found is a lower bound on the true gap of diagonal Gaussians.

    Args:
        x: examples, ``(B, *event_shape)``; all at once.
        context: of a conditional model, one row an example.
        steps, lr: of Adam; the rate falls linearly to zero.
        draws: of z in each step's estimate of the bound.
        score_draws: of z in each of two estimates of the bound afterwards: one decides which q is better, the other,
            with fresh noise, is what is reported, so that choosing the better does not flatter it.
        generator: source of randomness, on the model's device.
    """
    for name, value in {"steps": steps, "draws": draws, "score_draws": score_draws}.items():
        at_least(name, value, 1)
    x = ordinary(x)
    about = {} if context is None else {"context": context}
    training, needed = model.training, [p.requires_grad for p in model.parameters()]
    model.eval()
    model.requires_grad_(False)
    try:
        start = [t.detach() for t in model.encode(x, **about)]                        # mean, log_std: (B, Z) each
        q = [t.clone().requires_grad_() for t in start]
        optimiser = torch.optim.Adam(q, lr=lr)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = lr * (1 - step / steps)
            bounds = [model.terms_at(x, *q, **about, generator=generator).elbo for _ in range(draws)]
            value = sum(bounds[1:], bounds[0]) / draws
            optimiser.zero_grad()
            (-value.sum()).backward()
            optimiser.step()
        found = [t.detach() for t in q]
        before, after = _score(model, x, about, start, found, score_draws, generator)
        better = (after > before)[:, None]
        kept = [torch.where(better, new, old) for new, old in zip(found, start, strict=True)]
        before, after = _score(model, x, about, start, kept, score_draws, generator)
    finally:
        model.train(training)
        for parameter, was in zip(model.parameters(), needed, strict=True):
            parameter.requires_grad_(was)
    return Gap(before, after, mean(after - before))


@torch.no_grad()
def _score(model, x, about, one, other, draws, generator) -> tuple[Tensor, Tensor]:
    """The bounds of two q's on the same noise, ``(B,)`` each, double precision, on the CPU."""
    found: tuple[list[Tensor], list[Tensor]] = [], []
    for _ in range(draws):
        seed = int(torch.randint(2**31, (1,), generator=generator, device=one[0].device))
        for i, q in enumerate((one, other)):
            noise = Generator(one[0].device).manual_seed(seed)
            found[i].append(model.terms_at(x, *q, **about, generator=noise).elbo.cpu().double())
    first, second = (sum(values[1:], values[0]) / draws for values in found)
    return first, second
