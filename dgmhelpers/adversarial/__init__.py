"""Models that learn from a critic: no likelihood, a game between two networks."""

from dgmhelpers.adversarial import games as games
from dgmhelpers.adversarial import losses as losses
from dgmhelpers.adversarial.gan import GAN
from dgmhelpers.adversarial.listing import ListingGAN
from dgmhelpers.adversarial.minibatch import MinibatchDiscrimination as MinibatchDiscrimination
from dgmhelpers.adversarial.remedy_gan import RemedyGAN
from dgmhelpers.adversarial.spectral import SpectralLinear as SpectralLinear
from dgmhelpers.adversarial.unrolled import unrolled as unrolled

__all__ = ["GAN", "ListingGAN", "RemedyGAN"]
