"""The law of losses: what training minimises is what is reported."""

import math

import torch
from torch import Generator, Tensor

from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law, not_offered

NAME = "loss_matches_target"
MOST_AVERAGED = 64  # variables of an order-agnostic model: each of 128 orders takes as many passes
BATCH, REPEATS = 8, 64


@law("loss", "scores", redrawn=True)
def loss_matches_target(subject: Subject, generator: Generator) -> Verdict:
    """The loss is minus the mean log-likelihood (or bound, or the mean error), or right about it on average.

    On average over what? A mixture over declared orders may train one of them at a time: the mean over those. An
    order-agnostic model (it has ``with_orders``) trains all D! at once: the mean over random ones. Anything else that
    is random is averaged over what it draws. Five standard errors are allowed for what is estimated. In training mode,
    too, except for a bound, of which training may weigh the terms.
    """
    if subject.log_prob is None and subject.elbo is None and subject.errors is None:
        return not_offered(NAME, "needs a likelihood, a bound or an error that the loss could be the mean of")
    ordered = subject.conditionals if subject.model is not None else None
    if ordered is not None and (len(ordered.orders) > 1 or hasattr(ordered, "with_orders")):
        return _over_orders(subject, generator)
    x = subject.encode(subject.random_states(BATCH, generator))
    worst: Verdict | None = None
    for training in (False, True) if subject.log_prob is not None and subject.elbo is None else (False,):
        with subject.training(training):
            verdict = _compared(subject, x, generator, " in training mode" if training else "")
        if not verdict.held:
            return verdict
        worst = worst or verdict
    assert worst is not None
    return worst


def _compared(subject: Subject, x: Tensor, generator: Generator, where: str) -> Verdict:
    seed = int(torch.randint(2**31, (1,), generator=generator))
    loss, target = (_values(f, x, [seed]) for f in (subject.loss, _target(subject)))
    allowed = 10 * subject.slack * (1 + target.abs().max().item())
    if loss.shape[1:] != ():
        return Verdict(NAME, False, f"a loss of shape {tuple(loss.shape[1:])}", "a scalar", "It is not one number.")
    gap = (loss - target).abs().item()
    if not gap <= allowed:  # is it random, and right on average?
        seeds = torch.randint(2**31, (REPEATS,), generator=generator).tolist()
        losses, targets = (_values(f, x, seeds) for f in (subject.loss, _target(subject)))
        spread = torch.hypot(losses.std(), targets.std()).item()
        if spread > allowed:
            loss, target = losses.mean(0, keepdim=True), targets.mean(0, keepdim=True)
            gap, allowed = (loss - target).abs().item(), 5 * spread / REPEATS**0.5 + allowed
    held = gap <= allowed
    meaning = "Training minimises what is reported." if held else (
        f"Training minimises something else than what is reported{_cause(subject, x, seed)}."
    )
    measured = f"{loss.item():.5g} nats where the likelihood says {target.item():.5g}{where}"
    if subject.log_prob is None or subject.elbo is not None:
        measured = measured.replace("the likelihood", "the bound" if subject.elbo is not None else "the error")
    return Verdict(NAME, held, measured, f"± {allowed:.1g}", meaning)


def _target(subject: Subject):
    """What the loss is compared with, on a batch: minus the mean bound if there is one, else minus the mean log p."""
    if subject.elbo is not None:
        return lambda x, *, generator: -subject.elbo(x, 1, generator=generator).mean()
    if subject.log_prob is not None:
        return lambda x: -subject.log_prob(x).mean()
    return lambda x, *, generator: subject.errors(x, generator=generator).mean()


@torch.no_grad()
def _values(function, x: Tensor, seeds: list[int]) -> Tensor:
    """A function of the batch at each seed, of its own generator and of the global one, float64."""
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        value = seeded(function, Generator().manual_seed(seed))(x)
        found.append(torch.as_tensor(value, dtype=torch.double))
    return torch.stack(found)


def _cause(subject: Subject, x: Tensor, seed: int) -> str:
    """The loss of one example after another, as a line in its target: a slope and a shift that have a name."""
    rows = [x[i : i + 1] for i in range(len(x))]
    loss, target = (torch.cat([_values(f, row, [seed]) for row in rows]) for f in (subject.loss, _target(subject)))
    whole = _values(subject.loss, x, [seed]).item()
    if abs(whole / loss.sum().item() - 1) < 1e-3 and len(x) > 1:
        return ": it is a sum over the batch, not a mean"
    centred = target - target.mean()
    if centred.square().sum() < 1e-12 * (1 + target.square().sum()):
        return ""
    slope = ((loss - loss.mean()) * centred).sum() / centred.square().sum()
    shift = (loss.mean() - slope * target.mean()).item()
    if (loss - slope * target - shift).abs().max() > 1e-3 * (1 + loss.abs().max()):
        return ": terms are weighted wrongly, counted twice or left out"
    names = {1.0: "", 1 / math.log(2): "bits called nats", -1.0: "the sign is wrong",
             1 / subject.dim: "a mean over variables where a sum is meant",
             1 / (subject.dim * math.log(2)): "bits per dimension called nats"}
    said = [text for value, text in names.items() if abs(slope.item() / value - 1) < 1e-3 and text][:1]
    said += [f"{shift:+.3g} is added, as a penalty on weights is"] if abs(shift) > 1e-3 * (1 + abs(whole)) else []
    return ": " + ", and ".join(said) if said else f": it is {slope.item():.3g} times that"


def _over_orders(subject: Subject, generator: Generator) -> Verdict:
    model = subject.model
    agnostic = hasattr(model, "with_orders")
    if agnostic and subject.dim > MOST_AVERAGED:
        return not_offered(NAME, f"{subject.dim} variables are too many to average over orders (at most "
                                 f"{MOST_AVERAGED})")
    x = subject.encode(subject.random_states(BATCH, generator))
    with torch.no_grad():
        many = x.repeat(32, *[1] * len(subject.event_shape))
        losses = torch.stack([model.loss(many, generator=generator) for _ in range(REPEATS)])
        twin = model.with_orders(128, int(torch.randint(2**31, (1,), generator=generator))) if agnostic else model
        exact = -torch.stack([twin._log_prob(x, None, m).mean() for m in range(len(twin.orders))])
    error = losses.std() / len(losses) ** 0.5
    if agnostic:
        error = torch.hypot(error, exact.std() / len(exact) ** 0.5)
    gap = (losses.mean() - exact.mean()).abs().item()
    allowed = 5 * error.item() + subject.slack * (1 + exact.abs().max().item())
    meaning = (
        "Training minimises what is reported."
        if gap <= allowed
        else "Training minimises something else than minus the log-likelihood: steps of the chain are weighted "
        "wrongly, counted twice or left out."
    )
    measured = f"{losses.mean():.4g} nats on average where the likelihood says {exact.mean():.4g}"
    return Verdict(NAME, gap <= allowed, measured, f"± {allowed:.1g} nats", meaning)
