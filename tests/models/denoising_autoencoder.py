"""DenoisingAutoencoder: small ones that are held to every law."""

from dgmhelpers.latent import DenoisingAutoencoder
from models import CODE, Case

CASES = [
    Case("DenoisingAutoencoder", lambda: DenoisingAutoencoder(dim=9, latent=12, hidden=()), CODE),
]
