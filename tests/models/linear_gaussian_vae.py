"""LinearGaussianVAE: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.latent import LinearGaussianVAE
from models import REAL_BOUND, Case, Mutant


class IsotropicPosterior(LinearGaussianVAE):
    """Integrates z out and forgets the noise: the covariance is W Wᵀ + I, whatever σ."""

    def log_prob(self, x, context=None):
        covariance = self.W @ self.W.T + torch.eye(len(self.b), dtype=self.dtype)
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)


CASES = [
    Case("LinearGaussianVAE", lambda: LinearGaussianVAE(dim=2, latent=1), (*REAL_BOUND, "integrates_to_one")),
    Case("LinearGaussianVAE of three", lambda: LinearGaussianVAE(dim=3, latent=2), (*REAL_BOUND, "integrates_to_one")),
]
MUTANTS = [
    Mutant("noise left out of the marginal", lambda: IsotropicPosterior(dim=2, latent=1), "sampler_matches_density"),
]
