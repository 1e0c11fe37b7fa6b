r"""Real NVP: affine couplings in turn; for images, over a chessboard, over channels, and at several scales.

For vectors, even entries stay in every second layer, odd ones in the others. For an image, each scale but the last is

.. code-block:: text

    (C, H, W)        3 couplings over a chessboard
    squeeze          each 2 × 2 square becomes 4 channels
    (4C, H/2, W/2)   3 couplings over channels
    factor out       half of the channels are left alone from here on
    (2C, H/2, W/2)   the other half: the next scale

and the last is 4 couplings over a chessboard. At the end all is put back where it came from, so that z has the shape of
x, and the entry of z at a pixel is the one that this pixel became.

Source
    L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", ICLR 2017.
Differs
    No batch normalisation: examples would see each other. ``norm`` puts a channel-wise scale initialised by data before
    each coupling instead (D. Kingma and P. Dhariwal, "Glow", 2018). The bound of a log scale is a number, not learned.
Cost
    One pass of every network in either direction.
"""

from functools import partial

from torch import Tensor

from dgmhelpers.arguments import at_least
from dgmhelpers.flows.base import Inverse, Transform, example_shape
from dgmhelpers.flows.bases import Normal
from dgmhelpers.flows.coupling import AffineCoupling, RationalQuadratic, network_of
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.maps import ActNorm, Rest, Squeeze
from dgmhelpers.flows.rules import BOUND
from dgmhelpers.masks import alternating, half


class RealNVP(Flow):
    """Exact density over real vectors or images.

    Args:
        dim: number of entries of a vector; 2 if neither is given.
        event_shape: shape of one example, instead; three sizes are an image.
        layers: couplings of a vector.
        hidden: units of each hidden layer of each network, for vectors.
        channels, blocks: features and residual blocks of each network, for images.
        scales: of images; all but the last halve both sides.
        bound: largest \\|log scale\\| of a coupling; None for no bound.
        norm: whether an :class:`ActNorm` precedes each coupling.
        bins: pieces of a spline that moves each entry, from −reach to reach; 0 for a shift and a scale, as in the
            paper.
    """

    PAPER = {"event_shape": (3, 32, 32), "channels": 64, "blocks": 8, "scales": 2}

    def __init__(self, dim: int | None = None, event_shape=None, layers: int = 6, hidden: tuple[int, ...] = (64, 64),
                 channels: int = 32, blocks: int = 1, scales: int = 2, bound: float | None = BOUND,
                 norm: bool = False, bins: int = 0, reach: float = 4.0):  # fmt: skip
        shape = example_shape(dim, event_shape)
        for name, value in {"layers": layers, "channels": channels, "scales": scales}.items():
            at_least(name, value, 1)
        at_least("blocks", blocks, 0)
        config = {"event_shape": list(shape), "layers": layers, "hidden": list(hidden), "channels": channels,
                  "blocks": blocks, "scales": scales, "bound": bound, "norm": norm} | (
            {"bins": bins, "reach": reach} if bins else {})  # fmt: skip

        def coupling(keep: Tensor) -> list[Transform]:
            network = network_of(keep, hidden, channels, blocks, 3 * bins - 1 if bins else 2)
            found = RationalQuadratic(keep.shape, keep, network, bins, reach) if bins else AffineCoupling(
                keep.shape, keep, network, bound)
            return [ActNorm(keep.shape), found] if norm else [found]

        if len(shape) == 3:
            parts = image_scales(shape, scales, coupling)
        else:
            parts = in_turn(partial(alternating, shape), layers, coupling)
        super().__init__(Normal(shape), parts, config)


def in_turn(mask, layers: int, coupling) -> list[Transform]:
    """So many couplings, of a mask and of the other half, in turn."""
    return [each for i in range(layers) for each in coupling(mask(odd=bool(i % 2)))]


def image_scales(shape, scales: int, coupling) -> list[Transform]:
    """The maps of an image of several scales; ``coupling(keep)`` makes those of one coupling."""
    if scales == 1:
        return in_turn(partial(alternating, shape), 4, coupling)
    squeeze = Squeeze(shape)
    smaller = squeeze.out_shape
    rest = Rest(smaller, image_scales((smaller[0] // 2, *smaller[1:]), scales - 1, coupling))
    return [*in_turn(partial(alternating, shape), 3, coupling), squeeze,
            *in_turn(partial(half, smaller), 3, coupling), rest, Inverse(Squeeze(shape))]  # fmt: skip
