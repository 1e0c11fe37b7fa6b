"""A thousand modes: three digits as the red, green and blue of one image, and a reader that counts the triples made.

*Data.* Every example stacks three single digits drawn independently from the training split: 1,000 modes, equally
likely but for the split's own shares. ``stacked-digits8`` uses the embedded digits of scikit-learn, 8 × 8 pixels, and
is *not* the benchmark of the literature, which stacks MNIST's 28 × 28: that is ``stacked-mnist``, a command for a GPU.

*Networks.* Two perceptrons of two hidden layers over the flat image, scaled to [−1, 1]; the noise is 32 normal
variables (100 for MNIST). A remedy changes what its variant says.

*Counting.* As published: 25,600 samples, each channel read by a classifier, a mode found at one sample;
``reverse`` is KL(samples ‖ uniform) over the 1,000 modes in nats, at most log 1,000 = 6.91. The classifier is a
perceptron trained on the single digits of the training split; ``reader`` is its accuracy on those held out. A blot is
counted as some digit, too. So there is a stricter count beside the published one: ``sure`` is the share of samples of
which the classifier gives all three digits more than 0.9, and ``sure_modes`` and ``sure_reverse`` are the modes found
and the divergence among those alone (log 1,000 if there are none).
"""

import math
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Size, Tensor, nn

from dgmhelpers import data
from dgmhelpers.evaluation import Coverage, coverage_of_labels
from dgmhelpers.recipes import collapse
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.training import files

EXAMPLES = 50_000
SAMPLES = 25_600
SHOWN = 24          # samples kept as pictures, at each of the looks
LOOKS = 5           # while training, beside the first
SURE = 0.9
UNITS = {
    "modes": "of 1,000, with at least one of 25,600 samples",
    "reverse": "KL(samples ‖ uniform) over the 1,000 modes, nats",
    "sure": "share of samples whose three digits the reader gives more than 0.9 each",
    "sure_modes": "of 1,000, with at least one of the samples that the reader is sure of",
    "sure_reverse": "KL(samples that the reader is sure of ‖ uniform) over the 1,000 modes, nats",
    "reader": "accuracy of the reader on held-out single digits",
}
VARIANTS = {
    "plain": {},
    "packing": {"model": {"packing": 2}},
    "minibatch": {"model": {"minibatch": 4}},
    "spectral norm": {"model": {"spectral": 2.0}},
    "slope penalty": {"penalty": 0.1},
    "input noise": {"model": {"input_noise": 0.3}},
}
MODEL = {"dim": 192, "latent": 32, "hidden": 256, "layers": 2, "output": "tanh"}
TRAINING = {
    "steps": 20_000, "batch_size": 128, "k": 1, "loss": "nonsaturating", "lr": 5e-4, "betas": [0.5, 0.999],
}  # fmt: skip
LARGE = {"model": {"dim": 2352, "latent": 100, "hidden": 1024}, "steps": 100_000, "lr": 2e-4}


class Reader(nn.Sequential):
    """Which digit one channel shows: ``(B, pixels) → (B, 10)`` logits. Inputs in [−1, 1]."""

    def __init__(self, pixels: int, hidden: int = 128):
        super().__init__(nn.Linear(pixels, hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 10))


def scaled(dataset: data.Dataset, split: str) -> Tensor:
    """Single digits in [−1, 1], ``(N, pixels)``."""
    return 2 * dataset.split(split).flatten(1).float() / ((dataset.levels or 2) - 1) - 1


def stack(name: str, made: Made | None = None) -> data.Dataset:
    """50,000 triples of the digits of ``name`` less "stacked-": ``(N, 3 · pixels)`` in [−1, 1], labels 0 … 999."""
    single = data.load(name.removeprefix("stacked-"))
    digits, labels = scaled(single, "train"), single.labels["train"]
    which = torch.randint(len(digits), (EXAMPLES, 3), generator=Generator().manual_seed(0))
    x = digits[which].flatten(1)                                                   # (N, 3 pixels)
    y = labels[which] @ torch.tensor([100, 10, 1])                                 # (N,)
    return replace(single, name=name, train=x, valid=None, test=None, event_shape=Size([x.shape[1]]), levels=None,
                   labels={"train": y}, sha256=files.fingerprint(x))


@cache
def reader(name: str) -> tuple[Reader, float]:
    """The classifier of the single digits of a data set, and its accuracy on those that training has not seen."""
    single = data.load(name)
    x, y = scaled(single, "train"), single.labels["train"]
    shuffler = Generator().manual_seed(0)
    with torch.random.fork_rng([]), torch.enable_grad():
        torch.manual_seed(0)
        model = Reader(x.shape[1])
        adam = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-5)
        for _ in range(max(5, 60_000 // len(x))):                                  # epochs
            for rows in torch.randperm(len(x), generator=shuffler).split(64):
                cost = F.cross_entropy(model(x[rows]), y[rows])
                adam.zero_grad()
                cost.backward()
                adam.step()
    model.eval()
    with torch.no_grad():
        right = [model(scaled(single, split)).argmax(1) == single.labels[split] for split in ("valid", "test")]
    return model, torch.cat(right).cpu().double().mean().item()


@torch.no_grad()
def read(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """The triple ``(n,)``, 0 … 999, that each image ``(n, 3 · pixels)`` shows, and how sure the reader is of all three.

    ``name`` is that of the single digits.
    """
    shares = reader(name)[0](x.unflatten(1, (3, -1))).softmax(-1)                  # (n, 3, 10)
    sure, digits = shares.max(-1)                                                  # (n, 3)
    return digits @ torch.tensor([100, 10, 1]), sure.min(1).values


def watch(model: nn.Module, dataset: data.Dataset, seed: int) -> dict:
    """How many samples show which triple while it trains, and a few of them."""
    drawn = draw(model, seed)
    counts = counted(*read(dataset.name.removeprefix("stacked-"), drawn)).counts
    return {"counts": counts, "samples": drawn[:SHOWN].tolist()}


def draw(model: Any, seed: int) -> Tensor:
    """The samples that are counted, ``(25600, 3 · pixels)``."""
    return model.sample(SAMPLES, generator=Generator(model.device).manual_seed(1000 + seed)).float().cpu()


def counted(triples: Tensor, sure: Tensor) -> Coverage:
    """The samples that the reader is sure of, by mode; all others are in no mode."""
    target = torch.cat([torch.full((1000,), 0.001, dtype=torch.double), torch.zeros(1, dtype=torch.double)])
    return coverage_of_labels(torch.where(sure > SURE, triples, 1000), target)


def figures(name: str, x: Tensor) -> dict[str, float]:
    """The protocol's figures of images ``(n, 3 · pixels)`` in [−1, 1]; ``name`` is that of the single digits."""
    triples, sure = read(name, x)
    every, strict = coverage_of_labels(triples, 1000), counted(triples, sure)
    return {
        "modes": every.found,
        "reverse": every.reverse_kl,
        "sure": strict.high_quality,
        "sure_modes": strict.found,
        "sure_reverse": coverage_of_labels(triples[sure > SURE], 1000).reverse_kl if strict.found else math.log(1000),
    }


def measure(model, dataset, seed: int = 0) -> dict[str, float]:
    """The figures of 25,600 samples, and the reader's accuracy."""
    name = dataset.name.removeprefix("stacked-")
    return figures(name, draw(model, seed)) | {"reader": reader(name)[1]}


def _experiment(name: str, digits: str, change: dict, source: str, steps: int) -> Experiment:
    made = Experiment.of(
        name,
        f"Three {digits} digits as colours: a GAN and remedies, modes found of 1,000",
        model="adversarial.RemedyGAN",
        source=partial(stack, name),
        config=MODEL,
        training=TRAINING,
        trainer=partial(collapse.play, looks=LOOKS),
        variants=VARIANTS,
        seeds=(0, 1, 2),
        measures=(Figures(measure, UNITS),),
        keep=None,
        watch=watch,
        protocol={"examples": EXAMPLES, "samples": SAMPLES},
    ).changed(change)
    quick = {"source": partial(stack, source), "training": {**made.stages[0].training, "steps": steps}, "seeds": (0,)}
    return replace(made, quick=quick)


EXPERIMENTS = (
    _experiment("stacked-digits8", "8 × 8", {}, "stacked-digits8", 100),
    _experiment("stacked-mnist", "MNIST", LARGE, "stacked-digits28", 20),
)
