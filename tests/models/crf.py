"""CRF: small ones that are held to every law."""

from dgmhelpers.classical import CRF
from models import CONDITIONAL, TABLE, Case

CASES = [
    Case("CRF of observations", lambda: CRF(length=3, levels=3, features=2), (*TABLE, *CONDITIONAL)),
    Case("CRF", lambda: CRF(length=2, levels=4), TABLE),
]
