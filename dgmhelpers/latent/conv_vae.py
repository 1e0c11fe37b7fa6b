r"""The variational autoencoder with convolutions, for images of any size.

Two strided convolutions halve the image twice on the way to q(z | x); two transposed ones bring it back to exactly the
size it had, whatever its parity:

.. math::  (H, W) \to (\lceil H/2 \rceil, \lceil W/2 \rceil) \to (\lceil H/4 \rceil, \lceil W/4 \rceil) \to z \to \dots

Source
    D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, with convolutions in the place of the
    perceptrons.
Differs
    No normalisation over the batch: the bound of an image must not depend on its company.
Cost
    ``elbo``: one pass of the encoder and k of the decoder. ``sample``: one pass of the decoder.
"""

from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.latent.base import LatentVariableModel, scaled
from dgmhelpers.latent.parts import Posterior
from dgmhelpers.latent.vae import Observation, likelihood_for
from dgmhelpers.protocols import Density


class ConvVAE(LatentVariableModel):
    """Lower bound on the density of images: a convolutional encoder and decoder.

    The sizes are ours: no paper has them, so there is no ``PAPER``.

    Args:
        event_shape: ``(C, H, W)``.
        latent: number of latent dimensions Z.
        channels: of the two convolutions.
        hidden: units between the smallest image and z.
        levels, likelihood, std, free_bits, prior, posterior: as in :class:`VAE`.
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int] = (1, 28, 28),
        latent: int = 2,
        channels: tuple[int, int] = (16, 32),
        hidden: int = 128,
        levels: int | None = 2,
        likelihood: str | None = None,
        std: float | str = "learned",
        free_bits: float = 0.0,
        prior: Density | None = None,
        posterior: Posterior | None = None,
    ):
        if len(event_shape) != 3 or len(channels) != 2:
            raise ValueError(f"expected event_shape (C, H, W) and two channels, got {event_shape} and {channels}")
        c, *sizes = (at_least("event_shape", int(size), 1) for size in event_shape)
        first, second = (at_least("channels", size, 1) for size in channels)
        at_least("hidden", hidden, 1)
        at_least("latent", latent, 1)
        config = {"event_shape": [c, *sizes], "latent": latent, "channels": [first, second], "hidden": hidden}
        config |= {"levels": levels, "likelihood": likelihood, "std": std, "free_bits": free_bits}
        super().__init__([c, *sizes], latent, likelihood_for(levels, likelihood), config, free_bits, prior, posterior)
        self.observation = Observation([c, *sizes], self.likelihood, std)
        half = [-(-size // 2) for size in sizes]
        quarter = [-(-size // 2) for size in half]
        flat = second * quarter[0] * quarter[1]
        self.encoder = nn.Sequential(
            nn.Conv2d(c, first, 3, stride=2, padding=1), nn.SiLU(),                    # (B, first, ⌈H/2⌉, ⌈W/2⌉)
            nn.Conv2d(first, second, 3, stride=2, padding=1), nn.SiLU(),               # (B, second, ⌈H/4⌉, ⌈W/4⌉)
            nn.Flatten(), nn.Linear(flat, hidden), nn.SiLU(), nn.Linear(hidden, self.q.outputs),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, flat), nn.SiLU(),
            nn.Unflatten(1, (second, *quarter)),
            _double(second, first, quarter, half), nn.SiLU(),
            _double(first, c * self.observation.channels, half, sizes),
        )  # fmt: skip

    def _encode(self, x, context=None):
        return self.q.split(self.encoder(scaled(x, self.likelihood, self.dtype)))  # (B, Z) each

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of ``p(x | z)``: ``(B, Z)`` gives ``(B, C, H, W, *parameter_shape)``."""
        raw = self.decoder(z)                                                          # (B, C·P, H, W)
        c, height, width = self.event_shape
        raw = raw.reshape(len(z), c, self.observation.channels, height, width).movedim(2, -1)  # (B, C, H, W, P)
        return self.observation(raw.flatten(1))


def _double(inputs: int, outputs: int, small: list[int], large: list[int]) -> nn.ConvTranspose2d:
    """The transposed convolution that undoes a halving from ``large`` to ``small``, rounding included."""
    rows, columns = (after - (2 * before - 1) for before, after in zip(small, large, strict=True))
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=(rows, columns))
