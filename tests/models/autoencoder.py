"""Autoencoder: small ones that are held to every law."""

from dgmhelpers.latent import Autoencoder
from models import CODE, Case

CASES = [
    Case("Autoencoder", lambda: Autoencoder(dim=9, latent=3, hidden=(12,)), CODE),
]
