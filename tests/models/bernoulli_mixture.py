"""BernoulliMixture: small ones that are held to every law."""

from dgmhelpers.classical import BernoulliMixture
from models import TABLE, Case

CASES = [
    Case("BernoulliMixture", lambda: BernoulliMixture(dim=9, components=4), TABLE),
]
