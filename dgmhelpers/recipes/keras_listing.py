"""The lecture's GAN for MNIST as it was listed, with each of the two changes that the slides warn of, and why.

How good are samples without a likelihood? Four figures, none of them enough: how near a sample is to a real digit, what
share looks real (precision), what share of the real digits the model could make (recall), and which classes occur.
"""

import math
from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.evaluation import coverage_of_labels, precision_recall
from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.recipes.train import Examples
from dgmhelpers.training import fit_adversarial

HELD_OUT = 1000     # real digits, and as many samples
REFERENCE = 4000    # training digits whose nearest one says which class a sample looks like
EPOCHS = 20         # the slides'

WARNINGS = "as listed, with a softmax, with Glorot's initialisation"
VARIANTS = {"as listed": {}, "softmax": {"softmax": True}, "Glorot": {"initialisation": "glorot"}}
QUIETER = math.sqrt(228 / 100 * 912 / 128)   # 4.03: by how much Glorot's two bounds make what enters the tanh smaller
STARTS = {
    "Glorot in D": {"initialisation": ["he", "he", "glorot", "glorot"]},
    "Glorot in G's first layer": {"initialisation": ["glorot", "he", "he", "he"]},
    "Glorot in G's last layer": {"initialisation": ["he", "glorot", "he", "he"]},
    "Glorot, noise 4.03 times as wide": {"initialisation": "glorot", "width": QUIETER},
    "as listed, noise 4.03 times as narrow": {"width": 1 / QUIETER},
}
UNITS = {
    "nearest": "mean distance to the nearest real digit, in units of what held-out training digits have; 1 is ideal",
    "precision": "share of samples near real digits (k = 3, pixels)",
    "recall": "share of real digits near samples (k = 3, pixels)",
    "classes": "classes of 10 with at least 1 % of the samples, by the nearest training digit",
    "class_kl": "KL of the classes' shares from equal ones, nats",
    "D(x)": "mean of D on real digits",
    "D(G(z))": "mean of D on samples",
}


def pixels(x: Tensor) -> Tensor:
    """Grey levels 0 … 255, ``(N, 1, 28, 28)``, as the slides scale them: ``(N, 784)`` in [−1, 1]."""
    return 2 * (x.flatten(1).float() / 255 - 0.5)


def held_out(dataset) -> Tensor:
    """1,000 digits that training has not seen, scaled."""
    return pixels(torch.cat([dataset.test, dataset.valid])[:HELD_OUT])


def train(model: Any, examples: Examples, *, epochs: int, **rest):
    """The listing's own training, of so many epochs."""
    x = pixels(examples.train)
    return fit_adversarial(model, x, steps=epochs * (len(x) // 16), **model.settings(), **rest)


@torch.no_grad()
def measure(model, dataset, seed: int = 0) -> dict[str, float]:
    """The four figures of 1,000 samples, and what the discriminator says."""
    real, reference = held_out(dataset), pixels(dataset.train[:REFERENCE])
    fake = model.sample(len(real), generator=Generator(model.device).manual_seed(seed)).float().cpu()
    shares = precision_recall(real, fake)
    nearest = torch.cdist(fake, reference).argmin(1)
    labels = dataset.labels["train"][:REFERENCE].cpu()[nearest]
    classes = coverage_of_labels(labels, 10, least=len(real) // 100)
    score = [model.discriminator(x.to(model.device)).sigmoid().mean().item() for x in (real, fake)]
    return {
        "nearest": distance(fake, real) / distance(pixels(dataset.train[-len(real) :]), real),
        "precision": shares.precision,
        "recall": shares.recall,
        "classes": classes.found,
        "class_kl": classes.reverse_kl,
        "D(x)": score[0],
        "D(G(z))": score[1],
    }


def distance(some: Tensor, others: Tensor) -> float:
    """Mean Euclidean distance from each example to the nearest of the others."""
    return torch.cdist(some, others).min(1).values.mean().item()


def _experiment(name: str, what: str, source: str, seeds: tuple[int, ...], variants=VARIANTS, keep="as listed",
                more=None) -> Experiment:
    return Experiment.of(
        name,
        f"The GAN of the Keras listing, {what}",
        model="adversarial.ListingGAN",
        source=source,
        config={"softmax": False, "initialisation": "he"} | (more or {}),
        training={"epochs": EPOCHS},
        trainer=train,
        variants=variants,
        measures=(Figures(measure, UNITS),),
        seeds=seeds,
        keep=keep,
        size=(28, 28),
        quick={"source": "digits28", "training": {"epochs": 1}, "seeds": (0,)},
    )


EXPERIMENTS = (
    _experiment("listing-gan-digits", f"5,000 embedded digits: {WARNINGS}", "digits28", (0, 1, 2, 3, 4)),
    _experiment("listing-gan-mnist", f"MNIST: {WARNINGS}", "mnist", (0,)),
    _experiment("listing-starts-digits", "5,000 embedded digits: Glorot's initialisation in some layers, and wider "
                "noise", "digits28", (0, 1, 2), STARTS, None, {"width": 1.0}),
)
