"""Laws of learning, for which a fresh model is made: it starts sane, can learn, and cannot learn the impossible."""

import math

import torch
from torch import Generator, nn

from dgmhelpers.laws.subject import Subject, of_model
from dgmhelpers.laws.verdict import Verdict, not_run

MOST_AVERAGED = 64  # variables of an order-agnostic model: each of 128 orders takes as many passes


def starts_sane(subject: Subject, generator: Generator) -> Verdict:
    """At initialisation the likelihood is near that of knowing nothing, and activations do not grow with depth.

    Near: within half of ``D log K`` nats on uniform examples; of real values, within half of the entropy of the
    standard normal on examples of it. Growth: no submodule's output has a root mean square above ten.
    """
    law = "starts_sane"
    if subject.factory is None:
        return not_run(law, "needs a factory that makes a fresh model")
    if subject.log_prob is None:
        return not_run(law, "there is no likelihood to start from")
    fresh = of_model(_fresh(subject))
    largest: dict[str, float] = {}

    def watch(name):
        def hook(module, inputs, output):
            if isinstance(output, torch.Tensor) and output.is_floating_point() and output.numel():
                largest[name] = max(largest.get(name, 0.0), output.square().mean().sqrt().item())

        return hook

    handles = [m.register_forward_hook(watch(name)) for name, m in fresh.modules[0].named_modules() if name]
    ignorant, source = _entropy(subject), "uniform" if subject.levels else "the standard normal"
    nats = -fresh.log_probs(subject.random_states(256, generator)).mean().item()
    for handle in handles:
        handle.remove()
    most = max(largest.values(), default=0.0)
    held = abs(nats - ignorant) <= ignorant / 2 and most <= 10
    meaning = (
        "A fresh model is close to knowing nothing."
        if held
        else "A fresh model is already sure of something, or its activations grow with depth: training starts badly."
    )
    measured = f"{nats:.3g} nats where {source} is {ignorant:.3g}; largest activation {most:.2g}"
    return Verdict(law, held, measured, f"{ignorant / 2:.3g} … {1.5 * ignorant:.3g} nats, 10", meaning)


def learns_a_constant(subject: Subject, generator: Generator) -> Verdict:
    """Trained on one example alone, the model gives it nearly all probability: below 0.1 nats."""
    law = "learns_a_constant"
    if subject.levels is None:
        return not_run(law, "a density of real values has no limit at a constant")
    if (reason := _cannot_train(subject)) is not None:
        return not_run(law, reason)
    model = _fresh(subject)
    x = subject.random_states(1, generator).repeat(16, 1)
    nats = _train(subject, model, lambda: x, generator, steps=1500, until=0.05)
    held = nats < 0.1
    meaning = "The model can learn by heart." if held else "It cannot even learn one example: gradients do not arrive."
    return Verdict(law, held, f"{nats:.3g} nats", "below 0.1 nats", meaning)


def loss_estimates_log_prob(subject: Subject, generator: Generator) -> Verdict:
    """What training minimises is minus the mean log-likelihood, or an estimate of it that is right on average.

    On average over what? A mixture over declared orders may train one of them at a time: the mean over those. An
    order-agnostic model (it has ``with_orders``) trains all D! at once: the mean over random ones. The estimate has an
    error, and so has a mean over random orders; five standard errors are allowed.
    """
    law, model = "loss_estimates_log_prob", subject.model
    if model is None or not hasattr(model, "loss"):
        return not_run(law, "needs a model with a loss and orders")
    agnostic = hasattr(model, "with_orders")
    if agnostic and subject.dim > MOST_AVERAGED:
        return not_run(law, f"{subject.dim} variables are too many to average over orders (at most {MOST_AVERAGED})")
    x = subject.encode(subject.random_states(8, generator))
    with torch.no_grad():
        many = x.repeat(32, *[1] * len(subject.event_shape))
        losses = torch.stack([model.loss(many, generator=generator) for _ in range(64)])
        twin = model.with_orders(128, int(torch.randint(2**31, (1,), generator=generator))) if agnostic else model
        exact = -torch.stack([twin._log_prob(x, None, m).mean() for m in range(len(twin.orders))])
    error = losses.std() / len(losses) ** 0.5
    if agnostic:
        error = torch.hypot(error, exact.std() / len(exact) ** 0.5)
    gap, allowed = (losses.mean() - exact.mean()).abs().item(), 5 * error.item() + 1e-9
    meaning = (
        "Training minimises what is reported."
        if gap <= allowed
        else "Training minimises something else than minus the log-likelihood: steps of the chain are weighted "
        "wrongly, counted twice or left out."
    )
    measured = f"{losses.mean():.4g} nats on average where the likelihood says {exact.mean():.4g}"
    return Verdict(law, gap <= allowed, measured, f"± {allowed:.1g} nats", meaning)


def never_beats_entropy(subject: Subject, generator: Generator) -> Verdict:
    """Trained on independent uniform levels, no model can score fresh ones below their entropy, ``D log K``.

    Real values are standard normal instead, of entropy ``½ D log 2πe``.

    A model that does sees what it predicts. The mean over fresh draws has an error; five standard errors are allowed.
    """
    law = "never_beats_entropy"
    if (reason := _cannot_train(subject)) is not None:
        return not_run(law, reason)
    model = _fresh(subject)
    _train(subject, model, lambda: subject.random_states(64, generator), generator, steps=200, until=-math.inf)
    values = -of_model(model).log_probs(subject.random_states(4096, generator))
    entropy, error = _entropy(subject), (values.std() / len(values) ** 0.5).item()
    held = values.mean().item() >= entropy - 5 * error - 1e-9
    meaning = (
        "The model predicts pure noise no better than chance."
        if held
        else "The model predicts pure noise better than chance: it sees it. Its likelihood is not one."
    )
    measured = f"{values.mean():.5g} nats where the entropy is {entropy:.5g}"
    return Verdict(law, held, measured, f"at least the entropy, within {5 * error:.1g}", meaning)


def _cannot_train(subject: Subject) -> str | None:
    if subject.factory is None:
        return "needs a factory that makes a fresh model"
    return None if hasattr(subject.modules[0], "loss") else "needs a model with a loss"


def _entropy(subject: Subject) -> float:
    """Of what :meth:`Subject.random_states` draws, in nats."""
    each = 0.5 * math.log(2 * math.pi * math.e) if subject.levels is None else math.log(subject.levels)
    return subject.dim * each


def _fresh(subject: Subject) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return subject.factory().to("cpu", torch.double)


def _train(subject, model, batch, generator, *, steps, until) -> float:
    """Plain Adam, small enough to be beside the point; returns the last loss in nats."""
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    nats = math.inf
    for _ in range(steps):
        loss = model.loss(subject.encode(batch()), generator=generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        nats = loss.item()
        if nats < until:
            break
    return nats
