r"""The perceptron GAN with a choice of remedies against mode collapse, each in its discriminator.

The generator is that of :class:`~dgmhelpers.adversarial.GAN`. The discriminator is a chain of linear layers and leaky
rectifiers that may look at packs of m examples, compare the examples of a batch, be bounded in slope, or see its inputs
through noise:

.. math::  D(x_1, \dots, x_m) = w^\top h_L + b, \qquad h_\ell = \mathrm{lrelu}(W_\ell h_{\ell-1} + b_\ell), \qquad
           h_0 = (\phi(x_1 + \varepsilon_1), \dots, \phi(x_m + \varepsilon_m)), \qquad
           \phi(x) = (x, \sin Fx, \cos Fx).

A perceptron learns what is coarse first, and detail late: the waves :math:`\phi`, with random frequencies F, let a
small discriminator see fine structure within few steps. All matrices have :math:`\lVert W \rVert = c` if ``spectral``
is c, and :math:`h_L` is extended by its closeness to the rest of the batch if ``minibatch`` is not 0. Remedies that are
losses (a gradient penalty) or ways of training (unrolling) need no network of their own.

Source
    Those of :mod:`~dgmhelpers.adversarial.minibatch` and :mod:`~dgmhelpers.adversarial.spectral`; noise on the inputs:
    M. Arjovsky and L. Bottou, "Towards principled methods for training generative adversarial networks", ICLR 2017.
    Waves: M. Tancik et al., "Fourier features let networks learn high frequency functions in low dimensional domains",
    NeurIPS 2020.
Differs
    All are put on one small network, so that they can be compared; the papers each have their own.
Cost
    As the GAN's, but for ``minibatch``, which is quadratic in the batch.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.adversarial.gan import GAN, perceptron
from dgmhelpers.adversarial.minibatch import MinibatchDiscrimination, Pack
from dgmhelpers.adversarial.spectral import SpectralLinear
from dgmhelpers.arguments import at_least, not_negative, positive

SLOPE = 0.2   # of the leaky rectifiers, below zero


class RemedyGAN(GAN):
    """An implicit model over real vectors, whose discriminator has remedies against collapse.

    Args:
        dim, latent, hidden, layers, output, prior, discriminator_hidden, discriminator_layers: as for ``GAN``.
        packing: examples m that are judged together; batches must be a multiple of it.
        minibatch: measures of closeness to the rest of the batch; 0 for none.
        spectral: the largest singular value of every layer's matrix; None for no bound.
        input_noise: standard deviation of the normal noise on the discriminator's inputs, in training mode only.
        waves: sines, and as many cosines, that the discriminator sees beside every example; 0 for none.
        frequency: standard deviation of the entries of F, radians per unit.

    Attributes:
        generator: ``(B, latent) → (B, dim)``.
        discriminator: ``(B, dim) → (B / packing,)``, logits of being real. It looks at the whole batch where
            ``packing`` or ``minibatch`` says so; the generator never does.
    """

    def __init__(
        self,
        dim: int = 2,
        latent: int = 2,
        hidden: int = 128,
        layers: int = 2,
        output: str = "identity",
        prior: str = "normal",
        discriminator_hidden: int | None = None,
        discriminator_layers: int | None = None,
        packing: int = 1,
        minibatch: int = 0,
        spectral: float | None = None,
        input_noise: float = 0.0,
        waves: int = 0,
        frequency: float = 3.0,
    ):
        super().__init__(dim, latent, hidden, layers, output, prior, discriminator_hidden, discriminator_layers)
        at_least("packing", packing, 1)
        at_least("minibatch", minibatch, 0)
        not_negative("input_noise", input_noise)
        at_least("waves", waves, 0)
        positive("frequency", frequency)
        self.config |= {"packing": packing, "minibatch": minibatch, "spectral": spectral, "input_noise": input_noise}
        self.config |= {"waves": waves, "frequency": frequency}
        hidden, layers = discriminator_hidden or hidden, discriminator_layers or layers
        inputs = (dim + 2 * waves) * packing
        chain = perceptron(inputs, hidden, layers, 1, lambda: nn.LeakyReLU(SLOPE))
        if minibatch:
            chain[-1:] = [MinibatchDiscrimination(hidden, minibatch), nn.Linear(hidden + minibatch, 1)]
        if spectral is not None:
            chain = [SpectralLinear(each.in_features, each.out_features, spectral) if isinstance(each, nn.Linear)
                     else each for each in chain]
        before: list[nn.Module] = [Noise(input_noise)] if input_noise else []
        before += [Waves(dim, waves, frequency)] if waves else []
        before += [Pack(packing)] if packing > 1 else []
        self.discriminator = nn.Sequential(*before, *chain, nn.Flatten(0))


class Noise(nn.Module):
    """Normal noise on what passes, in training mode, from PyTorch's own random numbers as dropout's is."""

    def __init__(self, std: float):
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x


class Waves(nn.Module):
    """``(n, D) → (n, D + 2 W)``: an example, and the sines and cosines of W random directions of it. Nothing is learnt.

    Args:
        dim: D.
        count: W.
        frequency: standard deviation of the directions' entries, radians per unit.
    """

    def __init__(self, dim: int, count: int, frequency: float):
        super().__init__()
        self.directions: Tensor
        self.register_buffer("directions", frequency * torch.randn(dim, count))    # (D, W)

    def forward(self, x: Tensor) -> Tensor:
        angle = x @ self.directions                                                # (n, W)
        return torch.cat([x, angle.sin(), angle.cos()], 1)
