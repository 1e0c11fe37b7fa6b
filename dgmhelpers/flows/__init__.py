"""Flows: densities that an invertible map carries to a simple one. One file a model.

.. code-block:: python

    flow = flows.Flow(flows.Normal(2), [flows.AffineCoupling(2), flows.Permutation(2), flows.AffineCoupling(2)])
    flow.log_prob(x), flow.loss(x)                       # exact, nats, (B,) and ()
    flow.sample(n, temperature=1.0, generator=g)         # (n, 2)
    z, logdet = flow.forward(x)                          # (B, 2), log |det dz/dx| (B,)
    x, logdet = flow.inverse(z)                          # log |det dx/dz|, minus the other
    flow.path(x), flow.inverse_path(z)                   # lists: x, after each bijection, …, z; and the way back

*Bases*: ``Normal(event_shape)``, ``Logistic(event_shape)`` (heavy tails), ``TwoNormals(event_shape,
mean=0.9)`` (light).

*Maps* (:class:`Transform`: ``forward(x, context=None)``, ``inverse(z, context=None)``, both with log-determinants):
``AffineCoupling(event_shape, keep=mask, network=None, bound=2.0)`` (``bound=None``: free, ``bound=0``: a shift alone),
``RationalQuadratic(event_shape, keep=mask, network=None, bins=8, reach=4.0)`` (a spline instead),
``Triangular(event_shape, network, rule)`` (every entry by those before it), ``Invertible1x1(event_shape)``,
``Linear(dim)``, ``Scale(event_shape)``, ``ActNorm(event_shape)``, ``Permutation(event_shape, order)``, ``Squeeze((C, H,
W))``, ``Rest(event_shape, parts)`` (half of the channels left alone), ``Logit(event_shape, alpha)``, ``Chain(parts)``,
``Inverse(of)``. Masks are ``masks.alternating`` and ``masks.half``. Your own map: derive from ``Transform`` and write
``_forward(x, context)`` and ``_inverse(z, context)``.

*Models*: ``LinearICA(dim, base="logistic" | "two normals" | "normal")`` with ``.W``, ``.mean`` and
``.initialise(x)`` (whitening); ``NICE(dim=… | event_shape=…, layers, hidden, base)``; ``RealNVP(dim=… | event_shape=…,
layers, hidden | channels, blocks, scales, bound, norm, bins)``; ``MAF(dim=… | event_shape=…, layers, hidden, bins,
bound, norm, context)``, fast to score, slow to draw from; ``IAF(…)`` the other way round, ``IAF.mirror(maf)`` with the
same weights; ``Glow(event_shape, steps, scales, channels, blocks)``. A flow with a context takes it in
``log_prob(x, context)``, ``loss(x, context)`` and ``sample(n, context=…)``.

*Levels*: ``Dequantised(event_shape, levels, flow="RealNVP" | "NICE" | "MAF" | "IAF" | "Glow" | a Flow, sizes={…},
noise="uniform" | "variational", squash="logit" | "affine")`` is a bound: ``elbo(x, k=1)``, ``terms(x)`` (flow,
squash, levels, noise), ``log_weights(x, k)``, ``bits_per_dim(x, k=1)``, ``loss``, ``sample``, ``dequantise(x)
→ (points, log q)``, ``log_density(points)``. ``plain_images(event_shape, levels)`` are grey images, one of each level.
"""

from dgmhelpers.flows.base import Chain, Inverse, Transform
from dgmhelpers.flows.bases import Base, Logistic, Normal, TwoNormals
from dgmhelpers.flows.coupling import AffineCoupling, RationalQuadratic
from dgmhelpers.flows.dequantised import Dequantised, Terms, plain_images
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.glow import Glow
from dgmhelpers.flows.invertible import Invertible1x1
from dgmhelpers.flows.linear_ica import LinearICA
from dgmhelpers.flows.maf import IAF, MAF
from dgmhelpers.flows.maps import ActNorm, Linear, Logit, Permutation, Rest, Scale, Squeeze
from dgmhelpers.flows.nice import NICE
from dgmhelpers.flows.real_nvp import RealNVP
from dgmhelpers.flows.triangular import Triangular

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Base",
    "Chain",
    "Dequantised",
    "Flow",
    "Glow",
    "IAF",
    "Inverse",
    "Invertible1x1",
    "Linear",
    "LinearICA",
    "Logistic",
    "Logit",
    "MAF",
    "NICE",
    "Normal",
    "Permutation",
    "RationalQuadratic",
    "RealNVP",
    "Rest",
    "Scale",
    "Squeeze",
    "Terms",
    "Transform",
    "Triangular",
    "TwoNormals",
    "plain_images",
]
