r"""The GAN of a lecture's Keras listing for MNIST, layer by layer and setting by setting.

.. math::  G(z) = \tanh(W_2\, \mathrm{lrelu}(W_1 z + b_1) + b_2), \qquad
           (a_0, a_1) = V_2\, \mathrm{lrelu}(V_1 x + c_1) + c_2, \qquad D(x) = \sigma(a_1 - a_0),

with 128 hidden units in both networks, 100 noise variables uniform on [−½, ½), leaky rectifiers of slope 0.01,
uniform He initialisation, biases of zero, and one logit for each of the classes fake (0) and real (1), scored by the
cross-entropy. A softmax over two logits is a logistic function of their difference, which ``discriminator`` returns, so
that :mod:`~dgmhelpers.adversarial.losses` apply.

Source
    S. Shamsi, "Deep generative models", lecture slides, 2020.
Differs
    As constructed by default it does not. The optimiser is Keras' Adagrad with its own defaults (accumulators start at
    0.1, ε = 10⁻⁷), the discriminator sees 16 real and 16 fake examples and the generator 32 new noise vectors, and the
    discriminator's loss is the mean over all 32, which is half of ours: ``settings()`` says all this to
    ``fit_adversarial``. The two warnings of the slides are arguments: ``softmax=True`` and ``initialisation="glorot"``,
    which may be said of each layer by itself; ``width`` is that of the noise.
Cost
    214,802 parameters; a step takes a millisecond on a CPU.
"""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.adversarial.gan import noise_like
from dgmhelpers.adversarial.losses import Loss, discriminator_loss, nonsaturating_generator_loss
from dgmhelpers.arguments import at_least, positive
from dgmhelpers.model import Model, drawn

INITIALISATIONS = ("he", "glorot")


class ListingGAN(Model):
    """An implicit model over vectors in (−1, 1), with its discriminator.

    Args:
        dim: entries of an example; pixels are scaled from −1 to 1.
        latent: entries of the noise z.
        hidden: units of both hidden layers.
        slope: of the leaky rectifiers, below zero.
        initialisation: "he" (uniform, bound √(6 / inputs)), or "glorot" (uniform, bound √(6 / (inputs + outputs))),
            the default of Keras that the slides warn of; or four of these words, for the generator's first and last
            layer and the discriminator's first and last.
        softmax: put a softmax on the discriminator's two outputs, and hand the result to a loss that expects
            logits: the other thing the slides warn of.
        width: of the noise, which is uniform on [−width / 2, width / 2).

    Attributes:
        generator: ``(B, latent) → (B, dim)``.
        discriminator: ``(B, dim) → (B,)``, logits of being real.
    """

    PAPER = {"dim": 784, "latent": 100, "hidden": 128, "slope": 0.01, "initialisation": "he", "softmax": False,
             "width": 1.0}

    def __init__(
        self,
        dim: int = 784,
        latent: int = 100,
        hidden: int = 128,
        slope: float = 0.01,
        initialisation: str | Sequence[str] = "he",
        softmax: bool = False,
        width: float = 1.0,
    ):
        sizes = {"dim": dim, "latent": latent, "hidden": hidden}
        for name, size in sizes.items():
            at_least(name, size, 1)
        each = isinstance(initialisation, list | tuple)
        kinds = list(initialisation) if each else [initialisation] * 4
        if len(kinds) != 4 or not all(kind in INITIALISATIONS for kind in kinds):
            raise ValueError(f"initialisation must be one of {', '.join(INITIALISATIONS)}, or four of them, "
                             f"got {initialisation!r}")
        positive("width", width)
        if not math.isfinite(slope):
            raise ValueError(f"slope must be finite, got {slope!r}")
        config = sizes | {"slope": slope, "initialisation": kinds if each else initialisation, "softmax": bool(softmax)}
        super().__init__([dim], None, config | {"width": float(width)})
        self.latent, self.width = latent, float(width)
        self.generator = nn.Sequential(
            nn.Linear(latent, hidden), nn.LeakyReLU(slope),                        # (B, hidden)
            nn.Linear(hidden, dim), nn.Tanh(),                                     # (B, dim)
        )
        self.discriminator = nn.Sequential(
            nn.Linear(dim, hidden), nn.LeakyReLU(slope),                           # (B, hidden)
            nn.Linear(hidden, 2), *([nn.Softmax(1)] if softmax else []),           # (B, 2): fake, real
            Difference(),                                                          # (B,)
        )
        layers = [layer for layer in self.modules() if isinstance(layer, nn.Linear)]
        for layer, kind in zip(layers, kinds, strict=True):
            fan_out, fan_in = layer.weight.shape
            bound = math.sqrt(6 / (fan_in + (fan_out if kind == "glorot" else 0)))
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)

    def noise(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """``n`` draws of z, uniform on [−½, ½) if ``width`` is 1, shape ``(n, latent)``."""
        return noise_like(self, n, generator).uniform_(-self.width / 2, self.width / 2, generator=generator)

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, dim)``, entries in (−1, 1).

        Raises:
            ValueError: for a negative ``n``, or a generator on another device.
        """
        return self.generator(self.noise(n, generator=generator))

    @staticmethod
    def settings() -> dict:
        """The slides' settings, as keyword arguments of :func:`dgmhelpers.training.fit_adversarial`."""
        return {
            "loss": Loss("listing", halved_discriminator_loss, nonsaturating_generator_loss),
            "optimizer": partial(torch.optim.Adagrad, lr=0.1, initial_accumulator_value=0.1, eps=1e-7),
            "batch_size": 16,
            "generator_batch_size": 32,
            "k": 1,
        }


class Difference(nn.Module):
    """Two logits, of fake and of real, as the one logit of real: ``(B, 2) → (B,)``."""

    def forward(self, a: Tensor) -> Tensor:
        return a[:, 1] - a[:, 0]


def halved_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The mean cross-entropy over real and fake examples together: half of the sum of the two means."""
    return discriminator_loss(real_logits, fake_logits) / 2
