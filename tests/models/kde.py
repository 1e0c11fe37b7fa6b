"""KDE: small ones that are held to every law."""

import torch

from dgmhelpers.classical import KDE
from models import REAL, Case

CASES = [
    Case("KDE", lambda: KDE(dim=2).fit(torch.randn(30, 2, dtype=torch.double)), REAL),
    Case("KDE of one", lambda: KDE(dim=1, examples=1, bandwidth=0.7), REAL),
]
