"""RemedyGAN: small ones that are held to every law, and faults that such a model really has."""

import torch.nn.functional as F

from dgmhelpers.adversarial import RemedyGAN, SpectralLinear
from models import IMPLICIT, Case, Mutant


class RestlessLinear(SpectralLinear):
    """Turns the power iteration in evaluation too: what a discriminator answers depends on how often it was asked."""

    def forward(self, x):
        self.turn()
        return F.linear(x, self.weight * (self.bound / self.sigma()), self.bias)


class RestlessGAN(RemedyGAN):
    """Its spectral norm moves whenever it is looked at."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8, spectral=2.0)
        self.discriminator[0] = RestlessLinear(2, 8, 2.0)


CASES = [
    Case("RemedyGAN", lambda: RemedyGAN(dim=2, hidden=8), IMPLICIT),
    Case("RemedyGAN packed, with waves", lambda: RemedyGAN(dim=2, hidden=8, packing=3, waves=4), IMPLICIT),
    Case("RemedyGAN spectral", lambda: RemedyGAN(dim=3, hidden=8, spectral=2.0, input_noise=0.1), IMPLICIT, slow=True),
    Case("RemedyGAN minibatch", lambda: RemedyGAN(dim=2, hidden=8, minibatch=3), IMPLICIT, slow=True),
]
MUTANTS = [
    Mutant("power iteration in evaluation", RestlessGAN, "forward_changes_nothing"),
]
