r"""Independent component analysis as a flow: one matrix, and a base that is not normal.

.. math::  y = W (x - \mu), \qquad \log p(x) = \sum_i \log p_i(y_i) + \log|\det W| .

If x is a mixture of independent sources, at most one of them normal, the maximum of the likelihood unmixes them up to
their order, sign and scale; often even if p is not their density, but has tails on the same side of the normal's.

Source
    A. Bell and T. Sejnowski, "An information-maximization approach to blind separation and blind deconvolution", 1995;
    J.-F. Cardoso, "Infomax and maximum likelihood for blind source separation", 1997.
Differs
    Plain gradients of the likelihood after whitening, where these use natural gradients.
Cost
    O(D²) an example and O(D³) a batch, for the determinant.
"""

from typing import cast

from torch import Tensor

from dgmhelpers.arguments import at_least, closest
from dgmhelpers.flows.bases import BASES
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.maps import Linear


class LinearICA(Flow):
    """Exact density over vectors: a linear map of independent sources.

    Args:
        dim: number of entries, and of sources.
        base: density of each source: ``"logistic"`` (heavy tails), ``"two normals"`` (light tails) or ``"normal"``,
            which makes it a Gaussian, whose W is not determined.
    """

    def __init__(self, dim: int = 2, base: str = "logistic"):
        at_least("dim", dim, 1)
        if base not in BASES:
            raise ValueError(f"no base is called {base!r}: {closest(base, BASES)}")
        super().__init__(BASES[base]([dim]), [Linear(dim)], {"dim": dim, "base": base})

    @property
    def W(self) -> Tensor:
        """The matrix that unmixes, ``(D, D)``: one row a source."""
        return cast(Linear, self.bijections[0]).W

    @property
    def mean(self) -> Tensor:
        """What is taken off first, ``(D,)``."""
        return cast(Linear, self.bijections[0]).mean
