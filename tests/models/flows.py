"""Flows: small ones that are held to every law, their maps, and faults that such a model really has."""

import torch

from dgmhelpers.flows import (
    NICE,
    ActNorm,
    AffineCoupling,
    Chain,
    Dequantised,
    Flow,
    Inverse,
    Linear,
    LinearICA,
    Logistic,
    Logit,
    Normal,
    Permutation,
    RealNVP,
    Rest,
    Scale,
    Squeeze,
    TwoNormals,
)
from dgmhelpers.flows.networks import Perceptron
from dgmhelpers.flows.noise import UniformNoise
from dgmhelpers.masks import alternating, half
from models import BOUND, LOOKED_AT, REAL, Case, Mutant

MAP = ("forward_changes_nothing", "inverts", "logdet_matches_jacobian")
BASE = (*LOOKED_AT, "draws_are_sound", "integrates_to_one", "sampler_matches_density", "starts_sane")
PLANE = (*REAL, *MAP[1:])
LEVELS = (*(law for law in BOUND if law != "bound_matches_its_weights"), "bound_matches_its_weights",
          "dequantisation_is_a_bound")
MORE_LEVELS = tuple(law for law in LEVELS if law not in ("sampler_matches_density", "bound_is_below"))


def coupling(size=5, **rest):
    return AffineCoupling(size, network=Perceptron(alternating([size]), (8,)), **rest)


def small(kind=RealNVP, **rest):
    return lambda: kind(**{"dim": 2, "layers": 2, "hidden": (8,)} | rest)


def plane(*maps, base=Normal):
    return lambda: Flow(base(2), [coupling(2, bound=1.0), *[make() for make in maps]])


class WrongSignCoupling(AffineCoupling):
    """The inverse says the log-determinant of forward."""

    def _inverse(self, z, context):
        x, logdet = super()._inverse(z, context)
        return x, -logdet


class MinusCoupling(AffineCoupling):
    """The sign of the log-determinant, in both directions."""

    def _forward(self, x, context):
        z, logdet = super()._forward(x, context)
        return z, -logdet

    def _inverse(self, z, context):
        x, logdet = super()._inverse(z, context)
        return x, -logdet


class MeanCoupling(AffineCoupling):
    """A mean over entries where a sum is meant."""

    def _forward(self, x, context):
        z, logdet = super()._forward(x, context)
        return z, logdet / x[0].numel()


class ForgottenLayer(Chain):
    """Counts the volume of all layers but the first."""

    def _forward(self, x, context):
        z, logdet = super()._forward(x, context)
        return z, logdet - next(iter(self))._forward(x, context)[1]


class LastLayerOnly(Chain):
    """Assigns the log-determinant where it should be added up."""

    def _forward(self, x, context):
        for part in self:
            x, total = part._forward(x, context)
        return x, total


class StuckPermutation(Permutation):
    """Goes back by the permutation itself, not by its inverse."""

    def _inverse(self, z, context):
        return z.index_select(1, self.order), z.new_zeros(len(z))


class BatchNorm(Scale):
    """Normalises by the batch in training mode."""

    def _forward(self, x, context):
        if not self.training:
            return super()._forward(x, context)
        std = x.std(0) + 1e-3
        return (x - x.mean(0)) / std, -std.log().sum().expand(len(x))


class RunningNorm(ActNorm):
    """Is initialised by whatever comes first, evaluation included."""

    def _forward(self, x, context):
        self.initialise(x)
        return super()._forward(x, context)


class OnePlaceNorm(ActNorm):
    """Forgets that a channel has many pixels."""

    def _forward(self, x, context):
        z, logdet = super()._forward(x, context)
        return z, logdet / self.places


class WideningForgotten(Logit):
    """The derivative of α + (1 − 2α) x is left out."""

    def _forward(self, x, context):
        z, logdet = super()._forward(x, context)
        return z, logdet - self._widening()

    def _inverse(self, z, context):
        x, logdet = super()._inverse(z, context)
        return x, logdet + self._widening()


class OneWidthForTwo(TwoNormals):
    """The log-density forgets to divide by the number of normals."""

    def _each(self, z):
        return super()._each(z) + 0.1


class OtherPrior(NICE):
    """Trains with a logistic base and draws from a normal one."""

    @torch.no_grad()
    def sample(self, n, *, temperature=1.0, generator=None):
        z = torch.empty(n, *self.event_shape, dtype=self.dtype).normal_(generator=generator)
        return self.inverse(z)[0]


class ForwardSampler(RealNVP):
    """Calls forward where inverse is meant."""

    @torch.no_grad()
    def sample(self, n, *, temperature=1.0, generator=None):
        return self.forward(self.base.sample(n, generator=generator))[0]


class HalfWidth(UniformNoise):
    """Noise of half the width of a cell, called uniform on all of it."""

    def forward(self, x, *, generator=None):
        v, log_q = super().forward(x, generator=generator)
        return v / 2, log_q


class HonestHalfWidth(UniformNoise):
    """Half the width, with the density that it has: still a bound, but not one that fills the cell."""

    def forward(self, x, *, generator=None):
        v, log_q = super().forward(x, generator=generator)
        return v / 2, log_q + x[0].numel() * torch.tensor(2.0).log()


class Centred(UniformNoise):
    """Noise around the level: half of each cell is the one below."""

    def forward(self, x, *, generator=None):
        v, log_q = super().forward(x, generator=generator)
        return v - 0.5, log_q


class NoLevels(Dequantised):
    """Forgets to divide the volume by the number of levels."""

    def _terms(self, x, generator):
        found = super()._terms(x, generator)
        return found._replace(levels=torch.zeros_like(found.levels))


class NoiseAdded(Dequantised):
    """Adds log q where it should be taken off."""

    def _terms(self, x, generator):
        found = super()._terms(x, generator)
        return found._replace(noise=-found.noise)


class Rounded(Dequantised):
    """Draws the nearest level, not that of the cell."""

    @torch.no_grad()
    def sample(self, n, *, temperature=1.0, generator=None):
        self._check_draw(n, generator)
        y = self.flow.sample(n, generator=generator)
        return (self.squash.inverse(y)[0] * self.levels).round().clamp(0, self.levels - 1).long()


def levels(kind=Dequantised, shape=(2,), count=5, noise="uniform", **rest):
    sizes = {"channels": 4, "blocks": 0, "scales": 1, "layers": 2, "hidden": (8,), "bound": 0.5}

    def make():
        made = kind(shape, count, sizes=sizes, noise="variational" if noise == "variational" else "uniform", **rest)
        if isinstance(noise, type):
            made.noise = noise(shape, count)
        return made

    return make


CASES = [
    Case("RealNVP", small(bound=0.5), PLANE),
    Case("RealNVP of three", small(dim=3, layers=3), PLANE),
    Case("RealNVP of images, not square", lambda: RealNVP(event_shape=(1, 2, 4), channels=4, blocks=1, bound=0.5),
         PLANE),
    Case("RealNVP of images of odd sides", lambda: RealNVP(event_shape=(2, 3, 3), channels=4, scales=1, bound=0.5),
         PLANE, slow=True),
    Case("RealNVP with norms", small(dim=4, norm=True, layers=3), PLANE, slow=True),
    Case("NICE", small(NICE), PLANE),
    Case("NICE of five", small(NICE, dim=5, base="normal"), PLANE),
    Case("LinearICA", lambda: LinearICA(dim=2), PLANE),
    Case("LinearICA, light tails", lambda: LinearICA(dim=2, base="two normals"), PLANE),
    Case("LinearICA of three", lambda: LinearICA(dim=3, base="normal"), PLANE, slow=True),
    Case("Flow", plane(lambda: Permutation(2), lambda: coupling(2, bound=1.0)), PLANE),
    Case("Normal", lambda: Normal(2), BASE),
    Case("Logistic", lambda: Logistic(1), BASE),
    Case("TwoNormals", lambda: TwoNormals(1), BASE),
    Case("AffineCoupling", lambda: coupling(5), MAP),
    Case("AffineCoupling, no bound", lambda: coupling(4, bound=None), MAP),
    Case("AffineCoupling of channels", lambda: AffineCoupling((4, 2, 3), half((4, 2, 3), odd=True)), MAP),
    Case("Chain", lambda: Chain([coupling(3), Permutation(3), Scale(3)]), MAP),
    Case("Inverse", lambda: Inverse(Chain([coupling(3), Scale(3)])), MAP),
    Case("Linear", lambda: Linear(3), MAP),
    Case("Scale", lambda: Scale((2, 3)), MAP),
    Case("ActNorm", lambda: ActNorm((2, 3, 2)), MAP),
    Case("Permutation", lambda: Permutation((3, 2), [1, 2, 0]), MAP),
    Case("Squeeze", lambda: Squeeze((3, 2, 4)), MAP),
    Case("Rest", lambda: Rest((4, 2, 3), [AffineCoupling((2, 2, 3))]), MAP),
    Case("Logit", lambda: Logit((2, 2), alpha=0.05), MAP),
    Case("Dequantised", levels(), LEVELS),
    Case("Dequantised, variational", levels(noise="variational"), LEVELS),
    Case("Dequantised images", levels(shape=(1, 2, 2), count=6), MORE_LEVELS, slow=True),
]
MUTANTS = [
    Mutant("log-determinant of the other direction", lambda: WrongSignCoupling(5), "logdet_matches_jacobian"),
    Mutant("sign of the log-determinant", lambda: MinusCoupling(4), "logdet_matches_jacobian"),
    Mutant("sign of the log-determinant, as a density", lambda: Flow(Normal(2), [MinusCoupling(2)]),
           "integrates_to_one"),
    Mutant("mean over entries", lambda: MeanCoupling(4), "logdet_matches_jacobian"),
    Mutant("a forgotten layer", lambda: ForgottenLayer([coupling(4), Permutation(4), coupling(4)]),
           "logdet_matches_jacobian"),
    Mutant("the last layer alone", lambda: LastLayerOnly([coupling(4), Permutation(4), coupling(4)]),
           "logdet_matches_jacobian"),
    Mutant("a permutation not inverted", lambda: StuckPermutation(3, [1, 2, 0]), "inverts"),
    Mutant("statistics of the batch", lambda: Flow(Normal(2), [coupling(2), BatchNorm(2)]), "ignores_the_batch"),
    Mutant("statistics of the batch, as a map", lambda: BatchNorm(3), "logdet_matches_jacobian"),
    Mutant("initialised by whatever comes", lambda: Flow(Normal(2), [RunningNorm(2)]), "forward_changes_nothing"),
    Mutant("one pixel for all", lambda: OnePlaceNorm((2, 2, 2)), "logdet_matches_jacobian"),
    Mutant("α without its derivative", lambda: WideningForgotten(2, alpha=0.05), "logdet_matches_jacobian"),
    Mutant("a base that is no density", lambda: OneWidthForTwo(1), "integrates_to_one"),
    Mutant("draws from another base", small(OtherPrior), "sampler_matches_density"),
    Mutant("draws by forward", small(ForwardSampler, bound=0.5), "sampler_matches_density"),
    Mutant("noise of half the width", levels(noise=HalfWidth), "dequantisation_is_a_bound"),
    Mutant("noise of half the width, many entries", levels(shape=(1, 4, 4), noise=HalfWidth),
           "dequantisation_is_a_bound"),
    Mutant("noise of half the width, as weights", levels(noise=HalfWidth), "weights_average_to_p"),
    Mutant("noise of half the width, with its density", levels(noise=HonestHalfWidth), "dequantisation_is_a_bound"),
    Mutant("noise around the level", levels(noise=Centred), "dequantisation_is_a_bound"),
    Mutant("levels not divided by", levels(NoLevels), "dequantisation_is_a_bound"),
    Mutant("levels not divided by, as a bound", levels(NoLevels), "bound_is_below"),
    Mutant("noise with the wrong sign", levels(NoiseAdded, noise="variational"), "dequantisation_is_a_bound"),
    Mutant("draws rounded", levels(Rounded), "sampler_matches_density"),
]
