"""Laws of learning, for which a fresh model is made: it starts sane, can learn, and cannot learn the impossible."""

import math

import torch
from torch import Generator

from dgmhelpers.laws.calls import seeded
from dgmhelpers.laws.subject import Subject
from dgmhelpers.laws.verdict import Verdict, law


@law("factory", "likelihood")
def starts_sane(subject: Subject, generator: Generator) -> Verdict:
    """At initialisation the likelihood is near that of knowing nothing, and activations do not grow with depth.

    Near: within half of ``D log K`` nats on uniform examples; of real values, within half of the entropy of the
    standard normal on examples of it. Growth: no submodule's output has a root mean square above ten.
    """
    fresh = _fresh(subject)
    largest: dict[str, float] = {}

    def watch(name):
        def hook(module, inputs, output):
            if isinstance(output, torch.Tensor) and output.is_floating_point() and output.numel():
                largest[name] = max(largest.get(name, 0.0), output.square().mean().sqrt().item())

        return hook

    named = [pair for top in fresh.modules for pair in top.named_modules() if pair[0]]
    handles = [module.register_forward_hook(watch(name)) for name, module in named]
    ignorant, source = _entropy(subject), "uniform" if subject.levels else "the standard normal"
    nats = -fresh.log_probs(subject.random_states(256, generator), of=fresh.scores).mean().item()
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
    return Verdict("starts_sane", held, measured, f"{ignorant / 2:.3g} … {1.5 * ignorant:.3g} nats, 10", meaning)


@law("factory", "loss", "levels", "parameters")
def learns_a_constant(subject: Subject, generator: Generator) -> Verdict:
    """Trained on one example alone, the model gives it nearly all probability: below 0.1 nats."""
    fresh = _fresh(subject)
    x = subject.random_states(1, generator).repeat(16, 1)
    nats = _train(fresh, lambda: x, generator, steps=1500, until=0.05)
    held = nats < 0.1
    meaning = "The model can learn by heart." if held else "It cannot even learn one example: gradients do not arrive."
    return Verdict("learns_a_constant", held, f"{nats:.3g} nats", "below 0.1 nats", meaning)


@law("factory", "loss", "likelihood", "parameters")
def never_beats_entropy(subject: Subject, generator: Generator) -> Verdict:
    """Trained on independent uniform levels, no model can score fresh ones below their entropy, ``D log K``.

    Real values are standard normal instead, of entropy ``½ D log 2πe``.

    A model that does sees what it predicts. The mean over fresh draws has an error; five standard errors are allowed.
    """
    trained = _fresh(subject)
    _train(trained, lambda: subject.random_states(64, generator), generator, steps=200, until=-math.inf)
    values = -trained.log_probs(subject.random_states(4096, generator), of=trained.scores)
    entropy, error = _entropy(subject), (values.std() / len(values) ** 0.5).item()
    held = values.mean().item() >= entropy - 5 * error - 1e-9
    meaning = (
        "The model predicts pure noise no better than chance."
        if held
        else "The model predicts pure noise better than chance: it sees it. Its likelihood is not one."
    )
    measured = f"{values.mean():.5g} nats where the entropy is {entropy:.5g}"
    return Verdict("never_beats_entropy", held, measured, f"at least the entropy, within {5 * error:.1g}", meaning)


def _entropy(subject: Subject) -> float:
    """Of what :meth:`Subject.random_states` draws, in nats."""
    each = 0.5 * math.log(2 * math.pi * math.e) if subject.levels is None else math.log(subject.levels)
    return subject.dim * each


def _fresh(subject: Subject) -> Subject:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return subject.fresh()


def _train(fresh: Subject, batch, generator, *, steps, until) -> float:
    """Plain Adam, small enough to be beside the point; returns the last loss in nats."""
    parameters = [p for module in fresh.modules for p in module.parameters()]
    if fresh.loss is None or not parameters:
        raise ValueError("the factory makes nothing that can be trained: it has no loss, or no parameters")
    optimiser = torch.optim.Adam(parameters, lr=0.02)
    nats = math.inf
    with fresh.training(True):
        for _ in range(steps):
            loss = seeded(fresh.loss, generator)(fresh.encode(batch()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            nats = loss.item()
            if nats < until:
                break
    return nats
