"""BernoulliNaiveBayes: small ones that are held to every law."""

from dgmhelpers.classical import BernoulliNaiveBayes
from models import TABLE, Case

CASES = [
    Case("BernoulliNaiveBayes", lambda: BernoulliNaiveBayes(dim=9, classes=3), TABLE),
]
