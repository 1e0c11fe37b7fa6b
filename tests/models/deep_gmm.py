"""DeepGMM: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.classical import DeepGMM
from models import REAL, Case, Mutant


class OneLayersVolume(DeepGMM):
    """The log-determinant of the deeper layers is left out."""

    @staticmethod
    def _inverse(lower, upper):
        inverse, log_volume = DeepGMM._inverse(lower, upper)
        return inverse, log_volume if len(lower) == 3 else torch.zeros_like(log_volume)


class ForwardSampler(DeepGMM):
    """Draws by the maps of the density, not by their inverses."""

    def _sample(self, n, generator):
        z = torch.empty(n, *self.event_shape, dtype=self.dtype).normal_(generator=generator)
        for k in range(len(self.logits)):
            z = z @ self._inverse(self.lower[k], self.upper[k])[0][0].T + self.shift[k][0]
        return z


CASES = [
    Case("DeepGMM", lambda: DeepGMM(dim=2, maps=(3, 2)), REAL),
    Case("DeepGMM of one", lambda: DeepGMM(dim=1, maps=(2, 2, 2)), REAL),
    Case("DeepGMM of one layer", lambda: DeepGMM(dim=2, maps=(3,)), REAL, slow=True),
]
MUTANTS = [
    Mutant("volume of the first layer alone", lambda: OneLayersVolume(dim=2, maps=(3, 2)), "integrates_to_one"),
    Mutant("drawn by the maps of the density", lambda: ForwardSampler(dim=2, maps=(1, 1)), "sampler_matches_density"),
]
