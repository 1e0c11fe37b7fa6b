"""Densities with closed forms, EM or exact recursions: what came before depth, and what depth is measured against."""

from dgmhelpers.classical.base import Classical
from dgmhelpers.classical.crf import CRF
from dgmhelpers.classical.deep_gmm import DeepGMM
from dgmhelpers.classical.gaussian import Gaussian, SingularCovariance
from dgmhelpers.classical.hmm import HMM
from dgmhelpers.classical.kde import KDE
from dgmhelpers.classical.mixture import BernoulliMixture, GaussianMixture, Mixture
from dgmhelpers.classical.multinomial import Multinomial
from dgmhelpers.classical.naive_bayes import BernoulliNaiveBayes, EmptyClass

__all__ = [
    "BernoulliMixture",
    "BernoulliNaiveBayes",
    "CRF",
    "Classical",
    "DeepGMM",
    "EmptyClass",
    "Gaussian",
    "GaussianMixture",
    "HMM",
    "KDE",
    "Mixture",
    "Multinomial",
    "SingularCovariance",
]
