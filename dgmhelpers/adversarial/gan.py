r"""Generative adversarial network of two small perceptrons, for vectors.

A generator G turns noise z into an example, a discriminator D gives the logit of its being real. G is trained through
D alone:

.. math::  \min_G \max_D\; \mathbb E_{x \sim p}[\log D(x)] + \mathbb E_{z}[\log(1 - D(G(z)))].

Source
    I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville and Y. Bengio,
    "Generative adversarial nets", NIPS 2014. Sizes in ``PAPER`` are those of the authors' code for MNIST.
Differs
    The discriminator's hidden units are leaky rectifiers, not maxout, and there is no dropout.
Cost
    ``sample``: one pass of G, whatever the number of dimensions. There is no ``log_prob``: where z has fewer
    dimensions than x there is no density to evaluate, and elsewhere none that is known.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.model import Model, drawn
from dgmhelpers.protocols import Context

OUTPUTS = {"identity": nn.Identity, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
PRIORS = ("normal", "uniform", "signs")


class GAN(Model):
    """An implicit model over real vectors, with the discriminator it is trained by.

    Args:
        dim: entries of an example D.
        latent: entries of the noise z.
        hidden: units of each hidden layer, of the discriminator too unless ``discriminator_hidden`` is given.
        layers: hidden layers, likewise.
        output: what G's last layer passes through: "identity", "tanh" for (−1, 1) or "sigmoid" for (0, 1).
        prior: of z: "normal", or with the same variance "uniform" on (−√3, √3), or "signs", −1 and 1 equally likely:
            noise in 2^latent pieces, of which G can make examples that are apart with nothing between them.
        discriminator_hidden, discriminator_layers: the discriminator's own sizes.
        classes: number of classes that the model is conditional on; the context is then a class an example, which both
            networks get as one number a class behind their input (M. Mirza and S. Osindero, 2014).

    Attributes:
        generator: ``(B, latent) → (B, dim)``; with classes, of noise and context.
        discriminator: ``(B, dim) → (B,)``, logits of being real; with classes, of example and context.
    """

    PAPER = {"latent": 100, "hidden": 1200, "layers": 2, "output": "sigmoid", "discriminator_hidden": 240}

    def __init__(
        self,
        dim: int = 2,
        latent: int = 2,
        hidden: int = 64,
        layers: int = 2,
        output: str = "identity",
        prior: str = "normal",
        discriminator_hidden: int | None = None,
        discriminator_layers: int | None = None,
        classes: int | None = None,
    ):
        sizes = {"dim": dim, "latent": latent, "hidden": hidden, "layers": layers}
        own = {"discriminator_hidden": discriminator_hidden, "discriminator_layers": discriminator_layers}
        for name, value in (sizes | {k: v for k, v in own.items() if v is not None}).items():
            at_least(name, value, 1)
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, got {output!r}")
        if prior not in PRIORS:
            raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
        config = sizes | {"output": output, "prior": prior} | own
        network: Any = nn.Sequential
        if classes is not None:
            config["classes"], network = at_least("classes", classes, 1), partial(OfClass, classes)
        super().__init__([dim], None, config)
        self.latent, self.prior, more = latent, prior, classes or 0
        self.conditioned_on = None if classes is None else Context((), classes)
        self.generator = network(*perceptron(latent + more, hidden, layers, dim, nn.ReLU), OUTPUTS[output]())
        self.discriminator = network(
            *perceptron(dim + more, discriminator_hidden or hidden, discriminator_layers or layers, 1, _leaky),
            nn.Flatten(0),                                                         # (B, 1) to (B,)
        )

    def noise(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """``n`` draws of z, shape ``(n, latent)``, of the parameters' dtype and on their device."""
        z = noise_like(self, n, generator)
        if self.prior == "normal":
            return z.normal_(generator=generator)
        if self.prior == "signs":
            return z.bernoulli_(0.5, generator=generator).mul_(2).sub_(1)
        return z.uniform_(-math.sqrt(3), math.sqrt(3), generator=generator)

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, context: Tensor | None = None, generator: Generator | None = None) -> Tensor:
        """Draw ``n`` independent examples, shape ``(n, dim)``; of classes ``context``, ``(n,)``, if it has classes.

        Raises:
            ValueError: for a negative ``n``, a generator on another device, or a context that cannot be one.
        """
        z = self.noise(n, generator=generator)
        if self.conditioned_on is None:
            self._refuse_context(context)
            return self.generator(z)
        return self.generator(z, self._check_context(context, n))


class OfClass(nn.Sequential):
    """Layers that get ``(B, F)`` and behind it the class of each example, ``(B,)``, as one number a class."""

    def __init__(self, classes: int, *layers: nn.Module):
        super().__init__(*layers)
        self.classes = classes

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        if context is None:
            last = self.classes - 1
            raise ValueError(f"the model is conditional: context must give each example's class, 0 … {last}")
        return super().forward(torch.cat([x, nn.functional.one_hot(context.long(), self.classes).to(x)], 1))


def perceptron(inputs: int, hidden: int, layers: int, outputs: int, activation) -> list[nn.Module]:
    """Linear layers with ``activation()`` between them, ``layers`` of them hidden."""
    sizes = [inputs, *[hidden] * layers]
    made = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        made += [nn.Linear(before, after), activation()]
    return [*made, nn.Linear(sizes[-1], outputs)]


def noise_like(model, n: int, generator: Generator | None) -> Tensor:
    """Room for ``n`` draws of a model's noise, ``(n, latent)``, once ``n`` and ``generator`` are found to be in order.

    Raises:
        ValueError: for a negative ``n``, or a generator on another device.
    """
    model._check_draw(n, generator)
    return torch.empty(n, model.latent, dtype=model.dtype, device=model.device)


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)
