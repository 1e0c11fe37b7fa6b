r"""The variational autoencoder with fully connected networks, for vectors of bits, levels or real numbers.

Encoder and decoder are perceptrons with tanh units; the encoder's last layer gives the mean and the log standard
deviation of q(z | x), the decoder's the parameters of p(x | z).

.. math::  (\mu, \log s) = W_3\, h_2(h_1(x)) + b_3, \qquad z = \mu + s \odot \varepsilon, \qquad
           x \sim p\big(x \mid V_3\, g_2(g_1(z)) + c_3\big).

Source
    D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014. ``PAPER`` are the sizes of the one-layer
    model of Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
Differs
    The data are not centred by their mean; bits and levels enter as numbers from 0 to 1.
Cost
    ``elbo``: one pass of the encoder and k of the decoder. ``sample``: one pass of the decoder.
"""

import math
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.latent.base import LatentVariableModel, scaled
from dgmhelpers.latent.parts import Posterior
from dgmhelpers.likelihoods import Bernoulli, Categorical, DiscretizedLogisticMixture, Gaussian
from dgmhelpers.protocols import Context, Density

ACTIVATIONS = {"tanh": nn.Tanh, "silu": nn.SiLU}


class VAE(LatentVariableModel):
    """Lower bound on the density of vectors: an MLP encoder and an MLP decoder.

    Args:
        dim: number of variables D.
        latent: number of latent dimensions Z.
        hidden: units of each hidden layer of the encoder; the decoder has the same in reverse.
        levels: 2 for bits, K for levels, None for real values.
        likelihood: ``"bernoulli"`` (bits), ``"categorical"`` or ``"logistic"`` (a discretised logistic; levels),
            ``"gaussian"`` (real values). By default the first that fits, and the logistic for levels.
        std: of the Gaussian likelihood alone: a positive number fixes its standard deviation, ``"learned"`` makes it
            one parameter for all variables, ``"predicted"`` an output of the decoder for each.
        free_bits: nats in each latent dimension that training may use for nothing.
        activation: ``"tanh"`` as in the paper, or ``"silu"``, which trains faster.
        classes: number of classes that the model is conditional on; the context is then a class an example. Encoder and
            decoder take it as a one-hot vector behind x and z. None for a model that is not conditional.
        prior, posterior: parts, as in :class:`LatentVariableModel`.
    """

    PAPER = {"dim": 784, "latent": 50, "hidden": (200, 200), "levels": 2}

    def __init__(
        self,
        dim: int = 64,
        latent: int = 2,
        hidden: tuple[int, ...] = (128,),
        levels: int | None = 2,
        likelihood: str | None = None,
        std: float | str = "learned",
        free_bits: float = 0.0,
        activation: str = "tanh",
        classes: int | None = None,
        prior: Density | None = None,
        posterior: Posterior | None = None,
    ):
        at_least("dim", dim, 1)
        at_least("latent", latent, 1)
        hidden = tuple(at_least("hidden", units, 1) for units in hidden)
        config = {"dim": dim, "latent": latent, "hidden": list(hidden), "levels": levels, "likelihood": likelihood}
        config |= {"std": std, "free_bits": free_bits, "activation": activation, "classes": classes}
        about = None if classes is None else Context((), at_least("classes", classes, 1))
        super().__init__([dim], latent, likelihood_for(levels, likelihood), config, free_bits, prior, posterior, about)
        self.observation = Observation([dim], self.likelihood, std)
        self.classes, more = classes, classes or 0
        self.encoder = mlp([dim + more, *hidden, self.q.outputs], activation)
        self.decoder = mlp([latent + more, *hidden[::-1], self.observation.outputs], activation)

    def _encode(self, x, context=None):
        x = scaled(x, self.likelihood, self.dtype)
        return self.q.split(self.encoder(self._with(x, context)))             # (B, Z) each

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of ``p(x | z)``: ``(B, Z)``, and classes ``(B,)`` if any, give ``(B, D, *parameter_shape)``."""
        return self.observation(self.decoder(self._with(z, context)))

    def _with(self, values, context):
        """``values``, ``(B, …)``, with the class behind them as ``(B, classes)`` numbers."""
        return values if context is None else torch.cat([values, F.one_hot(context, self.classes).to(values)], 1)


class Observation(nn.Module):
    """From what a decoder puts out to the parameters of a likelihood.

    They are the same thing, but for a Gaussian whose standard deviation is not the decoder's to say.

    Args:
        event_shape: shape of one example.
        likelihood: from :func:`likelihood_for`.
        std: as in :class:`VAE`.

    Attributes:
        outputs: how many numbers the decoder must put out for one example.
        channels: how many for each variable.
    """

    def __init__(self, event_shape, likelihood, std: float | str = "learned"):
        super().__init__()
        self.event_shape, self.parameter_shape = torch.Size(event_shape), torch.Size(likelihood.parameter_shape)
        fixed = float(std) if isinstance(std, Real) and not isinstance(std, bool) else None
        if not (fixed is not None and fixed > 0 and math.isfinite(fixed)) and std not in ("learned", "predicted"):
            raise ValueError(f'std must be a positive number, "learned" or "predicted", got {std!r}')
        shared = isinstance(likelihood, Gaussian) and std != "predicted"
        self.channels = 1 if shared else self.parameter_shape.numel()
        self.outputs = self.event_shape.numel() * self.channels
        if shared and fixed is not None:
            self.register_buffer("log_std", torch.tensor(math.log(fixed)))
        else:
            self.log_std = nn.Parameter(torch.zeros(())) if shared else None

    def forward(self, raw: Tensor) -> Tensor:
        """``(B, outputs)``, variables first, gives ``(B, *event_shape, *parameter_shape)``."""
        if self.log_std is None:
            return raw.reshape(len(raw), *self.event_shape, *self.parameter_shape)
        mean = raw.reshape(len(raw), *self.event_shape)
        return torch.stack([mean, self.log_std.expand_as(mean)], -1)


def likelihood_for(levels: int | None, name: str | None = None):
    """The likelihood of that name for values of so many levels (None: real).

    Raises:
        ValueError: if the name and the levels do not go together.
    """
    if levels is not None:
        at_least("levels", levels, 2)
    name = name or ("gaussian" if levels is None else "bernoulli" if levels == 2 else "logistic")
    if name == "gaussian" and levels is None:
        return Gaussian()
    if name == "bernoulli" and levels == 2:
        return Bernoulli()
    if name == "categorical" and levels is not None and levels > 2:
        return Categorical(levels)
    if name == "logistic" and levels is not None and levels > 2:
        return DiscretizedLogisticMixture(levels, 1)
    fits = {None: '"gaussian"', 2: '"bernoulli"'}.get(levels, '"logistic" or "categorical"')
    raise ValueError(f"the likelihood of {'real values' if levels is None else f'{levels} levels'} is {fits}, "
                     f"got {name!r}")


def mlp(sizes: list[int], activation: str = "tanh") -> nn.Sequential:
    """Linear layers from one size to the next, ``"tanh"`` or ``"silu"`` between them."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    layers: list[nn.Module] = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(before, after), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
