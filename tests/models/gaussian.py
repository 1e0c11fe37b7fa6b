"""Gaussian: small ones that are held to every law."""

from dgmhelpers.classical import Gaussian
from models import REAL, Case

CASES = [
    Case("Gaussian", lambda: Gaussian(dim=2, mean=[0.2, 0.4], covariance=[[1.5, 0.8], [0.8, 1]]), REAL),
    Case("Gaussian of one", lambda: Gaussian(dim=1), REAL),
]
