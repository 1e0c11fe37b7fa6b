"""Multinomial: small ones that are held to every law."""

from dgmhelpers.classical import Multinomial
from models import TABLE, Case

CASES = [
    Case("Multinomial", lambda: Multinomial(levels=6), TABLE),
    Case("Multinomial of two", lambda: Multinomial(levels=2), TABLE),
]
