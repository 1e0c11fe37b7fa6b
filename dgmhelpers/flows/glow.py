r"""Glow: normalise, mix the channels, couple them; for images, at several scales.

.. code-block:: text

    (C, H, W)
    squeeze          each 2 × 2 square becomes 4 channels
    (4C, H/2, W/2)   steps × [ActNorm, invertible 1 × 1 convolution, coupling of half the channels]
    factor out       half of the channels are left alone from here on
    (2C, H/2, W/2)   the other half: the next scale

At the end all is put back where it came from, so that z has the shape of x.

Source
    D. Kingma and P. Dhariwal, "Glow: generative flow with invertible 1 × 1 convolutions", NeurIPS 2018.
Differs
    What is factored out has a standard normal density, which does not depend on what goes on, as in Real NVP; the
    networks are the residual ones of our couplings, without normalisation inside; a log scale is bounded by a tanh,
    where the authors' code has a sigmoid.
Cost
    One pass of every network in either direction.
"""

from collections.abc import Callable

from dgmhelpers.arguments import at_least, closest
from dgmhelpers.flows.base import Inverse, Transform, example_shape
from dgmhelpers.flows.bases import Normal
from dgmhelpers.flows.coupling import AffineCoupling, network_of
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.invertible import Invertible1x1
from dgmhelpers.flows.maps import ActNorm, Permutation, Rest, Squeeze
from dgmhelpers.flows.rules import BOUND
from dgmhelpers.masks import half

MIXINGS: dict[str, Callable[..., Transform]] = {"learned": Invertible1x1, "reversed": Permutation}


class Glow(Flow):
    """Exact density over real images.

    Args:
        event_shape: ``(C, H, W)``; both sides must be divisible by 2 for each scale.
        steps: of each scale.
        scales: each halves both sides.
        channels, blocks: features and residual blocks of each network.
        bound: largest \\|log scale\\| of a coupling; None for no bound.
        mixing: ``"learned"``, or ``"reversed"`` for the channels in reverse order in place of each 1 × 1 convolution.
    """

    PAPER = {"event_shape": (3, 32, 32), "steps": 32, "scales": 3, "channels": 512}

    def __init__(self, event_shape=(1, 8, 8), steps: int = 4, scales: int = 2, channels: int = 32, blocks: int = 1,
                 bound: float | None = BOUND, mixing: str = "learned"):  # fmt: skip
        shape = example_shape(None, event_shape)
        if len(shape) != 3:
            raise ValueError(f"Glow is a density over images (C, H, W), got examples of shape {tuple(shape)}")
        for name, value in {"steps": steps, "scales": scales, "channels": channels}.items():
            at_least(name, value, 1)
        at_least("blocks", blocks, 0)
        if mixing not in MIXINGS:
            raise ValueError(f"no mixing is called {mixing!r}: {closest(mixing, MIXINGS)}")
        config = {"event_shape": list(shape), "steps": steps, "scales": scales, "channels": channels,
                  "blocks": blocks, "bound": bound, "mixing": mixing}  # fmt: skip

        def step(shape) -> list[Transform]:
            keep = half(shape)
            network = network_of(keep, channels=channels, blocks=blocks)
            return [ActNorm(shape), MIXINGS[mixing](shape), AffineCoupling(shape, keep, network, bound)]

        def scale(shape, left: int) -> list[Transform]:
            squeeze = Squeeze(shape)
            smaller = squeeze.out_shape
            parts = [part for _ in range(steps) for part in step(smaller)]
            if left > 1:
                parts.append(Rest(smaller, scale((smaller[0] // 2, *smaller[1:]), left - 1)))
            return [squeeze, *parts, Inverse(Squeeze(shape))]

        super().__init__(Normal(shape), scale(shape, scales), config)
