"""ListingGAN: small ones that are held to every law."""

from dgmhelpers.adversarial import ListingGAN
from models import IMPLICIT, Case

CASES = [
    Case("ListingGAN", lambda: ListingGAN(dim=9, latent=5, hidden=8), IMPLICIT),
    Case("ListingGAN with a softmax", lambda: ListingGAN(dim=4, hidden=8, softmax=True), IMPLICIT),
]
