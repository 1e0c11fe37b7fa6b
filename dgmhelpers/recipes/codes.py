"""What a few numbers say of a digit: three studies of chapter 13.

``codes-digits8``: autoencoders and VAEs with the same networks, trained alike. An autoencoder becomes a density by a
mixture of ten normals, fitted to the codes of the training digits by EM. With two latents log p(x) is a quadrature,
so they are compared in exact nats. The standard normal in the mixture's place shows what the fit is worth.

``collapse-digits8``: a VAE whose decoder also reads the pixels before the one it predicts, through a MADE that was
trained beforehand. Plain training, warm-up and free bits differ in nothing else and share first weights and batches.

``rate-distortion-digits8``: VAEs of grey digits with pixel noise of variance v, the β of a β-VAE up to a factor:
the rate and the squared error that each v buys, on test digits.
"""

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from dgmhelpers import data, evaluation
from dgmhelpers.autoregressive import MADE
from dgmhelpers.classical import GaussianMixture
from dgmhelpers.latent import VAE, Autoencoder, StandardNormal
from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.training import fit

POINTS = 401            # of the grid, in each latent dimension
COMPONENTS, EM_STEPS = 10, 100


@torch.no_grad()
def nats(decoder, x: Tensor, prior, low: Tensor, high: Tensor) -> float:
    """Exact mean ``−log p(x)`` of bits, by a sum over a grid between two corners of the plane of codes.

    Args:
        decoder: from ``(B, 2)`` to logits.
        x: bits, ``(N, D)``.
        prior: a density of codes.
        low, high: the corners, ``(2,)`` each.
    """
    axes = [torch.linspace(a, b, POINTS) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    cell = sum(math.log(axis[1] - axis[0]) for axis in axes)
    parts = []
    for z in torch.cartesian_prod(*axes).split(8192):
        logits = decoder(z)                                                            # (G, D)
        likelihood = x @ logits.T - F.softplus(logits).sum(1)                          # (N, G)
        parts.append((likelihood.double() + prior.log_prob(z).double()).logsumexp(1))
    return -(torch.stack(parts).logsumexp(0) + cell).mean().item()


def mixture_of_codes(codes: Tensor, seed: int = 0) -> GaussianMixture:
    """Ten normals fitted to codes ``(N, Z)`` by EM, the best of three starts."""
    codes, found = codes.double(), []
    for start in range(3):
        mixture = GaussianMixture(dim=codes.shape[1], components=COMPONENTS)
        mixture.start(codes, Generator().manual_seed(10 * seed + start))
        for _ in range(EM_STEPS):
            mixture.em_step(codes)
        found.append(mixture)
    return max(found, key=lambda one: one.log_prob(codes).mean().item())


@torch.no_grad()
def nats_of_codes(model: Autoencoder, dataset: data.Dataset, seed: int) -> dict[str, float]:
    """Exact nats of test digits under an autoencoder's decoder with two densities of its codes."""
    codes, eight = model.encode(dataset.train), torch.full((2,), 8.0)
    low, high = codes.amin(0) - 2 * codes.std(0), codes.amax(0) + 2 * codes.std(0)
    return {"nats_fitted": nats(model.decoder, dataset.split("test"), mixture_of_codes(codes, seed), low, high),
            "nats_blind": nats(model.decoder, dataset.split("test"), StandardNormal(2), -eight, eight)}


def look_at(model, dataset: data.Dataset, seed: int) -> dict[str, float]:
    """The figures of one trained model of either study."""
    dataset = dataset.flat()
    if isinstance(model, Autoencoder):
        return nats_of_codes(model, dataset, seed)
    draws = Generator().manual_seed(seed)
    rate = evaluation.kl_per_dimension(model, dataset.split("test"))
    found = {"elbo": evaluation.elbo(model, dataset.split("test"), draws=20, generator=draws).value,
             "estimate": evaluation.log_likelihood(model, dataset.split("test"), 500, generator=draws).value,
             "rate": rate.sum().item(), "live": float((rate > 0.1).sum())}
    if model.latent == 2:
        parts = {"test": dataset.split("test"), "train": dataset.train[:250]}
        for name, x in parts.items():
            exact = -nats(model.decode, x, model.prior, torch.full((2,), -8.0), torch.full((2,), 8.0))
            gap = evaluation.amortisation_gap(model, x, steps=100, lr=0.05, generator=draws)
            found |= {f"nats_{name}": -exact, f"amortisation_{name}": gap.gap.value,
                      f"approximation_{name}": exact - gap.optimised.mean().item()}
    return found


UNITS = {
    "nats_fitted": "exact nats, codes as a mixture of ten normals", "nats_blind": "exact nats, codes as N(0, I)",
    "elbo": "minus the ELBO, nats", "estimate": "importance-weighted estimate, k = 500, nats",
    "rate": "rate in nats", "live": "latents with a rate above 0.1 nats",
} | {f"{what}_{part}": f"{words} on {part} digits, nats" for part in ("test", "train") for what, words in (
    ("nats", "exact negative log-likelihood"), ("amortisation", "amortisation gap"),
    ("approximation", "approximation gap"))}  # fmt: skip


def grey(made) -> data.Dataset:
    """The digits with pixels from 0 to 1, as real values."""
    digits = data.load("digits8").flat()
    parts: dict[str, Any] = {split: x.float() / 16 for split, x in digits.splits.items()}
    return replace(digits, name="digits8 as real values", levels=None, **parts)


@torch.no_grad()
def rate_and_distortion(model: Any, dataset: data.Dataset, seed: int) -> dict[str, float]:
    """Mean rate in nats and mean squared error of test digits, codes drawn from q."""
    x, draws = dataset.flat().split("test"), Generator().manual_seed(seed)
    found = {"rate": evaluation.kl_per_dimension(model, x).sum().item()}
    errors = [(x - model.reconstruct(x, draws)).square().sum(1).mean().item() for _ in range(20)]
    return found | {"distortion": sum(errors) / len(errors)}


class Reader(VAE):
    """A VAE of bits whose decoder adds to its logits those of a MADE, which reads the pixels before each.

    Args:
        reader: hidden units of the MADE.

    The other arguments are some of :class:`~dgmhelpers.latent.VAE`. It draws nothing: it is there to be measured.
    """

    sample: Any = None

    def __init__(self, dim: int = 64, latent: int = 5, hidden: tuple[int, ...] = (128, 64), levels: int | None = 2,
                 free_bits: float = 0.0, reader: int = 128):  # fmt: skip
        super().__init__(dim=dim, latent=latent, hidden=hidden, levels=levels, free_bits=free_bits)
        self.reader = MADE(dim=self.config["dim"], hidden=reader)
        self.config["reader"] = reader

    def _log_likelihood(self, x, z):
        by_code = self.decode(z.flatten(0, -2)).unflatten(0, z.shape[:-1])             # (..., D)
        by_past = self.reader(x.reshape(-1, *self.event_shape)).reshape(x.shape)
        return self.likelihood.log_prob(by_code + by_past, x).sum(-1)


def train_reader(model: Reader, examples, *, seed, checkpoint, time_limit, device, watch, reading: int, **training):
    """The MADE alone for ``reading`` steps, then all of it: as one starts from a trained language model."""
    train, valid = (x.flatten(1) for x in (examples.train, examples.valid))
    common = {"valid": valid, "seed": seed, "device": device, "time_limit": time_limit, "progress": False}
    fit(model.reader, train, steps=reading, batch_size=training["batch_size"], lr=0.01, **common)
    return fit(model, train, checkpoint=checkpoint, **common, **training)


def _study(name: str, description: str, variants, training, **given) -> Experiment:
    few = {"reading": 20} if "reading" in training else {}
    return Experiment.of(
        name, description, source="binary-digits8", variants=variants, training=training, keep=None,
        measures=(Figures(look_at, UNITS),),
        quick={"seeds": (0,), "training": training | {"steps": 20, "evaluate_every": 10} | few}, **given,
    )  # fmt: skip


SIZES = {"dim": 64, "latent": 2, "hidden": [128, 64]}
EXPERIMENTS = (
    _study(
        "codes-digits8", "Autoencoders with a density of their codes, and VAEs, on 8 × 8 digits",
        {"VAE": {}, "autoencoder": {"class": Autoencoder}},
        {"steps": 3000, "batch_size": 128, "lr": 4e-3, "evaluate_every": 100}, model="latent.VAE", config=SIZES,
        seeds=(0, 1, 2, 3, 4),
    ),
    _study(
        "collapse-digits8", "A decoder that reads: plain training, warm-up and free bits, on 8 × 8 digits",
        {"plain": {}, "warm-up": {"anneal": 600}, "free bits": {"model": {"free_bits": 0.3}}},
        {"steps": 1500, "batch_size": 128, "lr": 2e-3, "evaluate_every": 100, "reading": 350},
        model=Reader, config=SIZES | {"latent": 5}, trainer=train_reader, seeds=(0, 1, 2),
    ),
    Experiment.of(
        "rate-distortion-digits8", "VAEs of grey digits with pixel noise of variance v: rate and squared error",
        model="latent.VAE", source=grey, config=SIZES | {"latent": 10, "levels": None}, keep=None, seeds=(0, 1),
        training={"steps": 1000, "batch_size": 128, "lr": 4e-3, "evaluate_every": 100},
        variants={f"v = {v:g}": {"model": {"std": v**0.5}} for v in (0.5, 0.2, 0.08, 0.03)},
        measures=(Figures(rate_and_distortion, {"rate": "rate in nats", "distortion": "squared error of a digit"}),),
        quick={"seeds": (0,), "training": {"steps": 20, "batch_size": 128, "lr": 4e-3, "evaluate_every": 10}},
    ),
)  # fmt: skip
