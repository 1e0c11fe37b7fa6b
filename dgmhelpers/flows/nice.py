r"""NICE: additive couplings in turn, and one scale for each entry at the end.

.. math::  z_{\text{moved}} = x_{\text{moved}} + t(x_{\text{kept}}), \qquad
           \log p(x) = \sum_i \big(\log p_Z(z_i) + s_i\big), \quad z = e^{s} \odot f(x) .

An additive coupling moves volume around and keeps it: only the last layer changes any.

Source
    L. Dinh, D. Krueger and Y. Bengio, "NICE: non-linear independent components estimation", 2015.
Differs
    SiLU where the paper has ReLU; the last layer of each network starts at zero, so that a fresh model is the base.
Cost
    One pass of every network in either direction.
"""

from dgmhelpers.arguments import at_least, closest
from dgmhelpers.flows.base import example_shape
from dgmhelpers.flows.bases import BASES
from dgmhelpers.flows.coupling import AffineCoupling
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.maps import Scale
from dgmhelpers.flows.networks import Perceptron
from dgmhelpers.masks import alternating


class NICE(Flow):
    """Exact density over vectors, or over images read as vectors.

    Args:
        dim: number of entries of a vector; 2 if neither is given.
        event_shape: shape of one example, instead.
        layers: coupling layers; even entries stay in every second, odd entries in the others.
        hidden: units of each hidden layer of each network.
        base: ``"logistic"`` as in the paper, ``"normal"`` or ``"two normals"``.
    """

    PAPER = {"dim": 784, "layers": 4, "hidden": (1000,) * 5}

    def __init__(self, dim: int | None = None, event_shape=None, layers: int = 4, hidden: tuple[int, ...] = (64, 64),
                 base: str = "logistic"):  # fmt: skip
        shape = example_shape(dim, event_shape)
        at_least("layers", layers, 1)
        hidden = tuple(at_least("hidden", units, 1) for units in hidden)
        if base not in BASES:
            raise ValueError(f"no base is called {base!r}: {closest(base, BASES)}")
        keeps = [alternating(shape, odd=bool(i % 2)) for i in range(layers)]
        couplings = [AffineCoupling(shape, keep, Perceptron(keep, hidden, 1), bound=0) for keep in keeps]
        config = {"event_shape": list(shape), "layers": layers, "hidden": list(hidden), "base": base}
        super().__init__(BASES[base](shape), [*couplings, Scale(shape)], config)
