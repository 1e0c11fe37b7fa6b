"""HMM: small ones that are held to every law."""

from dgmhelpers.classical import HMM
from models import TABLE, Case

CASES = [
    Case("HMM", lambda: HMM(length=4, states=6, levels=5), TABLE),
    Case("HMM binary", lambda: HMM(length=5, states=8, levels=2), TABLE),
    Case("HMM of one", lambda: HMM(length=1, states=1, levels=3), TABLE, slow=True),
]
