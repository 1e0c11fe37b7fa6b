"""Models with latent variables: an encoder, a decoder, and a bound on the likelihood. One file a model."""

from dgmhelpers.latent.autoencoder import Autoencoder, DenoisingAutoencoder
from dgmhelpers.latent.base import LatentVariableModel, Terms
from dgmhelpers.latent.conv_vae import ConvVAE
from dgmhelpers.latent.linear_gaussian import LinearGaussianVAE
from dgmhelpers.latent.parts import DiagonalNormal, Posterior, StandardNormal, gaussian_kl
from dgmhelpers.latent.vae import VAE

__all__ = [
    "Autoencoder",
    "ConvVAE",
    "DenoisingAutoencoder",
    "DiagonalNormal",
    "LatentVariableModel",
    "LinearGaussianVAE",
    "Posterior",
    "StandardNormal",
    "Terms",
    "VAE",
    "gaussian_kl",
]
