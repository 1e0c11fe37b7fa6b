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
``Linear(dim)``, ``Scale(event_shape)``, ``ActNorm(event_shape)``, ``Permutation(event_shape, order)``, ``Squeeze((C, H,
W))``, ``Rest(event_shape, parts)`` (half of the channels left alone), ``Logit(event_shape, alpha)``, ``Chain(parts)``,
``Inverse(of)``. Masks are ``masks.alternating`` and ``masks.half``. Your own map: derive from ``Transform`` and write
``_forward(x, context)`` and ``_inverse(z, context)``.

*Models*: ``LinearICA(dim, base="logistic" | "two normals" | "normal")`` with ``.W``, ``.mean`` and
``.initialise(x)`` (whitening); ``NICE(dim=… | event_shape=…, layers, hidden, base)``; ``RealNVP(dim=… | event_shape=…,
layers, hidden | channels, blocks, scales, bound, norm)``.

*Levels*: ``Dequantised(event_shape, levels, flow="RealNVP" | "NICE" | a Flow, sizes={…}, noise="uniform" |
"variational", squash="logit" | "affine")`` is a bound: ``elbo(x, k=1)``, ``terms(x)`` (flow, squash, levels, noise),
``log_weights(x, k)``, ``bits_per_dim(x, k=1)``, ``loss``, ``sample``, ``dequantise(x) → (points, log q)``,
``log_density(points)``. ``plain_images(event_shape, levels)`` are grey images, one of each level.
"""

from dgmhelpers.flows.base import Chain, Inverse, Transform
from dgmhelpers.flows.bases import Base, Logistic, Normal, TwoNormals
from dgmhelpers.flows.coupling import AffineCoupling
from dgmhelpers.flows.dequantised import Dequantised, Terms, plain_images
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.linear_ica import LinearICA
from dgmhelpers.flows.maps import ActNorm, Linear, Logit, Permutation, Rest, Scale, Squeeze
from dgmhelpers.flows.nice import NICE
from dgmhelpers.flows.real_nvp import RealNVP

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Base",
    "Chain",
    "Dequantised",
    "Flow",
    "Inverse",
    "Linear",
    "LinearICA",
    "Logistic",
    "Logit",
    "NICE",
    "Normal",
    "Permutation",
    "RealNVP",
    "Rest",
    "Scale",
    "Squeeze",
    "Terms",
    "Transform",
    "TwoNormals",
    "plain_images",
]
