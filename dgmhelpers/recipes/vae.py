"""Variational autoencoders on static binarised MNIST: how many latents, and with convolutions.

The four perceptrons differ in nothing but the number of latents. The sizes of their layers are those of the published
one-layer model, which has 50 latents, tanh units, and a hundred times the training. A fifth, with its 50 latents, is
there to be compared with it: seven times the epochs of the four, and a fourteenth of the published.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import Elbo, ImportanceWeighted
from dgmhelpers.recipes.sets import DIGITS, quick

PUBLISHED = {"binarized-mnist-vae": "", "binarized-mnist-iwae": ""}


def _measures(part: int) -> tuple:
    """The bound, and the estimate with all its draws for so many examples."""
    return Elbo(), ImportanceWeighted(part=part)


def _perceptron(latent: int, note: str = "", **training) -> Experiment:
    return Experiment.of(
        name=f"vae-{latent}-binarized-mnist",
        description=f"VAE with {latent} latents, two hidden layers of 200 each way{note}, static binarised MNIST",
        model="latent.VAE",
        source="binarized-mnist",
        config={"latent": latent, "hidden": (200, 200), "activation": "silu"},
        training=dict(steps=16_000, batch_size=100, lr=4e-3, warmup=500, evaluate_every=2000) | training,
        published=PUBLISHED,
        size=(28, 28),
        witness=DIGITS,
        measures=_measures(500),
        quick=quick(DIGITS, steps=400, config={"latent": latent, "hidden": (100,), "activation": "silu"}, lr=3e-3)
        | {"measures": _measures(20)},
    )


EXPERIMENTS = (
    *(_perceptron(latent) for latent in (2, 5, 10, 20)),
    _perceptron(50, ", trained for 240 epochs", steps=60_000, batch_size=200, lr=2e-3, evaluate_every=5000),
    Experiment.of(
        name="conv-vae-binarized-mnist",
        description="Convolutional VAE with 20 latents, static binarised MNIST",
        model="latent.ConvVAE",
        source="binarized-mnist",
        config={"latent": 20, "channels": (16, 32), "hidden": 256},
        training=dict(steps=8_000, batch_size=100, lr=3e-3, warmup=500, evaluate_every=1000),
        published=PUBLISHED,
        size=(28, 28),
        witness=DIGITS,
        measures=_measures(200),
        quick=quick(DIGITS, steps=300, config={"latent": 5, "channels": (8, 16), "hidden": 64}, lr=3e-3)
        | {"measures": _measures(20)},
    ),
)
