"""GaussianMixture: small ones that are held to every law."""

from dgmhelpers.classical import GaussianMixture
from models import REAL, Case

CASES = [
    Case("GaussianMixture", lambda: GaussianMixture(dim=2, components=3), REAL),
    Case("GaussianMixture of one", lambda: GaussianMixture(dim=1, components=4), REAL),
]
