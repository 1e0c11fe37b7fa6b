"""GAN: small ones that are held to every law, and faults that such a model really has."""

import torch
from torch import nn

from dgmhelpers.adversarial import GAN, MinibatchDiscrimination
from models import CONDITIONAL, IMPLICIT, Case, Mutant


class BatchNormGAN(GAN):
    """Statistics of the batch in the generator, in evaluation mode too: draws are not independent."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8)
        self.generator.insert(1, nn.BatchNorm1d(8, track_running_stats=False))


class CountingGAN(GAN):
    """Sampling moves a buffer."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8)
        self.register_buffer("drawn", torch.zeros(()))

    def sample(self, n, *, generator=None):
        self.drawn += n
        return super().sample(n, generator=generator)


class ClosenessGAN(GAN):
    """The comparison with the rest of the batch, put into the generator: draws know of each other."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8)
        self.generator.insert(2, MinibatchDiscrimination(8, kernels=3))
        self.generator[3] = nn.Linear(11, 8)


class AnyClassGAN(GAN):
    """Classes that there are not are counted round."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8, classes=3)

    def _check_context(self, context, n):
        return torch.zeros(n).long() if context is None else context.flatten()[:n].long() % 3


CASES = [
    Case("GAN", lambda: GAN(dim=2, latent=3, hidden=8), IMPLICIT),
    Case("GAN of one", lambda: GAN(dim=1, latent=1, hidden=3, layers=1, prior="uniform"), IMPLICIT),
    Case("GAN of signs", lambda: GAN(dim=2, latent=6, hidden=8, prior="signs"), IMPLICIT, slow=True),
    Case("GAN of classes", lambda: GAN(dim=2, latent=3, hidden=8, classes=3), (*IMPLICIT, *CONDITIONAL)),
]
MUTANTS = [
    Mutant("any class is taken by a GAN", AnyClassGAN, "refuses_wrong_contexts"),
    Mutant("closeness to the batch in the generator", ClosenessGAN, "ignores_the_batch"),
    Mutant("batch statistics when sampling", BatchNormGAN, "ignores_the_batch"),
    Mutant("a buffer that counts draws", CountingGAN, "forward_changes_nothing"),
]
