"""Autoregressive flows and Glow: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.flows import (
    IAF,
    MAF,
    Dequantised,
    Glow,
    Invertible1x1,
    RationalQuadratic,
    RealNVP,
    Triangular,
)
from dgmhelpers.flows.masked import MaskedPerceptron
from dgmhelpers.flows.rules import Affine, Spline
from models import CONDITIONAL, Case, Mutant
from models.flows import LEVELS, MAP, PLANE

DRAWN = (*PLANE, "cached_equals_naive")


def small(kind=MAF, **rest):
    return lambda: kind(**{"dim": 2, "layers": 2, "hidden": (8,), "bound": 0.5} | rest)


def triangular(size=4, kind=Triangular, rule=None, **rest):
    rule = rule or Affine()
    return lambda: kind(size, MaskedPerceptron(size, (8,), rule.outputs, **rest), rule)


class SeesItself(MaskedPerceptron):
    """Mask B at the output: an entry is moved by what it is itself."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        first, *_, last = self.masks
        last |= (torch.arange(self.shape.numel())[:, None] >= self.order.argsort()).any(1).repeat(self.outputs)[:, None]
        first |= True


class Stale(MaskedPerceptron):
    """The cached steps finish each unit one step late."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.known = [[0, *each[:-1]] for each in self.known]


class UnorderedBack(Triangular):
    """The inverse puts the entries back in the order in which they were found."""

    def _inverse(self, z, context):
        x, logdet = super()._inverse(z, context)
        return x.index_select(1, self.network.order), logdet


class SlopeOfTheOther(Spline):
    """The inverse says the slope of forward."""

    def inverse(self, z, raw):
        x, log_slope = super().inverse(z, raw)
        return x, -log_slope


class MeanSlope(Spline):
    """Says the mean slope of a piece, not the slope at the point."""

    @staticmethod
    def _log_slope(s, xi, low, high, below):
        return s.log()


class OtherRoot(Spline):
    """The other root of the quadratic equation."""

    def inverse(self, z, raw):
        x, log_slope = super().inverse(z, raw)
        return 2 * z - x, log_slope


class OnePlaceMixing(Invertible1x1):
    """Forgets that the matrix is used once at every pixel: no H · W."""

    def _logdet(self):
        return super()._logdet() / self.places


class StuckMixing(Invertible1x1):
    """Goes back without undoing the permutation of the rows."""

    def __init__(self, *args):
        super().__init__(*args)
        self.order.copy_(torch.tensor([1, 2, 0]))

    def _inverse(self, z, context):
        x, logdet = super()._inverse(z, context)
        return x.index_select(1, self.order), logdet


class TransposedMixing(Invertible1x1):
    """Goes back by the transpose, which is the inverse until training has moved the rotation."""

    def _inverse(self, z, context):
        return self._mixed(self.W.T, z), -self._logdet().expand(len(z))


class ForgottenMixing(Glow):
    """Counts the volume of all layers but the 1 × 1 convolutions."""

    def forward(self, x, context=None):
        z, logdet = super().forward(x, context)
        mixings = [part for part in self.modules() if isinstance(part, Invertible1x1)]
        return z, logdet - sum(part._logdet() for part in mixings)


class ForwardDraws(IAF):
    """Takes MAF's direction for drawing: the density is that of the inverse."""

    @torch.no_grad()
    def sample(self, n, *, context=None, temperature=1.0, generator=None):
        return self.forward(self.base.sample(n, temperature=temperature, generator=generator))[0]


class DeafToContext(MAF):
    """Takes any context, and none at all: it is not listened to."""

    def _context(self, context, n):
        return None


class HotInTheNaive(MAF):
    """The naive sampler draws at another temperature."""

    @torch.no_grad()
    def sample(self, n, *, context=None, temperature=1.0, method="cached", generator=None):
        heat = 1.1 if method == "naive" else 1.0
        return super().sample(n, context=context, temperature=heat * temperature, method=method, generator=generator)


CASES = [
    Case("MAF", small(), DRAWN),
    Case("MAF with splines", small(bins=4), DRAWN),
    Case("MAF of three", small(dim=3, layers=3, hidden=(8, 8)), DRAWN, slow=True),
    Case("MAF with a context", small(context=3, norm=True), (*DRAWN, *CONDITIONAL), slow=True),
    Case("MAF of images", small(dim=None, event_shape=(1, 2, 3)), DRAWN, slow=True),
    Case("IAF", small(IAF), PLANE),
    Case("IAF of three, with splines", small(IAF, dim=3, bins=4), PLANE),
    Case("IAF with a context", small(IAF, context=2), (*PLANE, *CONDITIONAL), slow=True),
    Case("Glow", lambda: Glow((1, 2, 4), steps=2, scales=1, channels=4, blocks=0, bound=0.5), PLANE),
    Case("Glow of two scales", lambda: Glow((1, 4, 4), steps=1, channels=4, bound=0.5), PLANE, slow=True),
    Case("RealNVP with splines", small(RealNVP, dim=3, bins=4), PLANE, slow=True),
    Case("Triangular", triangular(5), MAP),
    Case("Triangular, splines", triangular(4, rule=Spline(4), order=[2, 0, 3, 1]), MAP),
    Case("RationalQuadratic", lambda: RationalQuadratic(5, bins=4, reach=2.0), MAP),
    Case("RationalQuadratic of images", lambda: RationalQuadratic((2, 2, 3), bins=3), MAP),
    Case("Invertible1x1", lambda: Invertible1x1((3, 2, 4)), MAP),
    Case("Invertible1x1 of vectors", lambda: Invertible1x1(4), MAP),
    Case("Dequantised MAF", lambda: Dequantised((2,), 5, "MAF", {"layers": 2, "hidden": (8,), "bound": 0.5}), LEVELS,
         slow=True),
]
MUTANTS = [
    Mutant("an entry that sees itself", lambda: Triangular(4, SeesItself(4, (8,))), "logdet_matches_jacobian"),
    Mutant("an entry that sees itself, on the way back", lambda: Triangular(4, SeesItself(4, (8,))), "inverts"),
    Mutant("units one step late", lambda: Triangular(4, Stale(4, (8,))), "inverts"),
    Mutant("an order that is not undone", triangular(3, UnorderedBack, order=[1, 2, 0]), "inverts"),
    Mutant("a spline's inverse with the slope of forward", triangular(3, rule=SlopeOfTheOther(4)),
           "logdet_matches_jacobian"),
    Mutant("the mean slope of a piece", triangular(3, rule=MeanSlope(4)), "logdet_matches_jacobian"),
    Mutant("the other root", triangular(3, rule=OtherRoot(4)), "inverts"),
    Mutant("H · W missing for the 1 × 1 convolution", lambda: OnePlaceMixing((2, 2, 3)), "logdet_matches_jacobian"),
    Mutant("rows that are not put back", lambda: StuckMixing((3, 2, 2)), "inverts"),
    Mutant("a transpose for the inverse", lambda: TransposedMixing((3, 2, 2)), "inverts"),
    Mutant("a forgotten layer of Glow", lambda: ForgottenMixing((1, 2, 4), steps=2, scales=1, channels=4, blocks=0),
           "logdet_matches_jacobian"),
    Mutant("draws in MAF's direction", small(ForwardDraws), "sampler_matches_density"),
    Mutant("no look at the context", small(DeafToContext, context=2), "refuses_wrong_contexts"),
    Mutant("a naive sampler of its own", small(HotInTheNaive), "cached_equals_naive"),
]
