"""Models that learn from a critic: no likelihood, a game between two networks."""

from dgmhelpers.adversarial import games as games
from dgmhelpers.adversarial import losses as losses
from dgmhelpers.adversarial.gan import GAN
from dgmhelpers.adversarial.listing import ListingGAN

__all__ = ["GAN", "ListingGAN"]
