r"""MAF: autoregressive maps in turn, from data to noise; IAF: the same maps, from noise to data.

.. math::  \text{MAF:}\quad z = (T_L \circ \dots \circ T_1)(x), \qquad \text{IAF:}\quad x = (T_L \circ \dots \circ
           T_1)(z), \qquad T(u)_i = u_i\, e^{s_i(u_{<i})} + t_i(u_{<i}).

Forward, a map T takes one pass of its network; backward it takes D steps. So MAF scores fast and draws slowly, and IAF
draws fast and scores slowly. Every second map has the reverse order.

Source
    G. Papamakarios, T. Pavlakou and I. Murray, "Masked autoregressive flow for density estimation", NIPS 2017;
    D. Kingma et al., "Improved variational inference with inverse autoregressive flow", NIPS 2016. With ``bins``:
    C. Durkan et al., "Neural spline flows", NeurIPS 2019.
Differs
    Log scales are bounded unless ``bound=None``; ``norm`` puts a channel-wise scale initialised by data before each map
    of the flow, where MAF has batch normalisation; IAF is a density here, not the posterior of a latent variable model.
Cost
    MAF: ``log_prob`` one pass of every network, ``sample`` D steps of every network. IAF: the other way round.
"""

import torch
from torch import Generator, Size, Tensor

from dgmhelpers.arguments import at_least, closest, not_negative
from dgmhelpers.flows.base import Inverse, Transform, example_shape
from dgmhelpers.flows.bases import Normal
from dgmhelpers.flows.flow import Flow
from dgmhelpers.flows.maps import ActNorm
from dgmhelpers.flows.masked import MaskedPerceptron
from dgmhelpers.flows.rules import BOUND, rule_of
from dgmhelpers.flows.triangular import Triangular
from dgmhelpers.model import drawn
from dgmhelpers.protocols import Context


class MAF(Flow):
    """Exact density over real vectors, or images read as vectors: fast to score, slow to draw from.

    Args:
        dim: number of entries of a vector; 2 if neither is given.
        event_shape: shape of one example, instead.
        layers: autoregressive maps.
        hidden: units of each hidden layer of each network.
        bins: pieces of a spline that moves each entry; 0 for a shift and a scale.
        reach: where the splines end, on both sides.
        bound: largest \\|log scale\\| of a map; None for no bound.
        norm: whether an :class:`ActNorm` precedes each map.
        context: entries of the vector that it is conditioned on; 0 for none.
    """

    PAPER = {"dim": 63, "layers": 10, "hidden": (512, 512)}

    def __init__(self, dim: int | None = None, event_shape=None, layers: int = 5, hidden: tuple[int, ...] = (64,),
                 bins: int = 0, reach: float = 4.0, bound: float | None = BOUND, norm: bool = False,
                 context: int = 0):  # fmt: skip
        shape, maps, config = _maps(dim, event_shape, layers, hidden, bins, reach, bound, norm, context)
        super().__init__(Normal(shape), _normed(maps, shape) if norm else maps, config)
        self.conditioned_on = Context((context,)) if context else None

    @drawn
    @torch.no_grad()
    def sample(self, n: int, *, context: Tensor | None = None, temperature: float = 1.0, method: str = "cached",
               generator: Generator | None = None) -> Tensor:  # fmt: skip
        """Draw ``n`` examples, ``(n, *event_shape)``: z from the base, and back, one entry after the other.

        Args:
            context: what a conditional flow is conditioned on, one row an example.
            temperature: above 0; multiplies the spread of z.
            method: ``"cached"`` computes each unit of a network once; ``"naive"`` makes D passes of all of it.
        """
        if method not in ("cached", "naive"):
            raise ValueError(f"no method is called {method!r}: {closest(method, ('cached', 'naive'))}")
        if method == "cached":
            return super().sample(n, context=context, temperature=temperature, generator=generator)
        self._check_draw(n, generator, temperature)
        context, x = self._context(context, n), self.base._sample(n, temperature, generator)
        for part in reversed(self.bijections):
            x, _ = (part.inverse_by_passes if isinstance(part, Triangular) else part._inverse)(x, context)
        return x.to(self.dtype)


class IAF(Flow):
    """Exact density over real vectors, or images read as vectors: fast to draw from, slow to score.

    Args:
        dim, event_shape, layers, hidden, bins, reach, bound, norm, context: as for :class:`MAF`.
    """

    PAPER = {"dim": 32, "layers": 4, "hidden": (1920, 1920)}    # as a posterior, on MNIST

    def __init__(self, dim: int | None = None, event_shape=None, layers: int = 5, hidden: tuple[int, ...] = (64,),
                 bins: int = 0, reach: float = 4.0, bound: float | None = BOUND, norm: bool = False,
                 context: int = 0):  # fmt: skip
        shape, maps, config = _maps(dim, event_shape, layers, hidden, bins, reach, bound, norm, context)
        turned: list[Transform] = [Inverse(each) for each in reversed(maps)]
        super().__init__(Normal(shape), _normed(turned, shape) if norm else turned, config)
        self.conditioned_on = Context((context,)) if context else None

    @classmethod
    def mirror(cls, maf: MAF) -> "IAF":
        """The IAF with a MAF's weights: its ``inverse`` is the MAF's ``forward``. The weights are copied.

        Raises:
            ValueError: if the MAF has norms, which are no part of its maps.
        """
        if maf.config["norm"]:
            raise ValueError("a MAF with norm=True has no mirror image: its norms are not autoregressive maps")
        made = cls(**maf.config).to(device=maf.device, dtype=maf.dtype)
        for mine, theirs in zip(made.bijections, reversed(maf.bijections), strict=True):
            assert isinstance(mine, Inverse)
            mine.of.load_state_dict(theirs.state_dict())
        return made


def _maps(dim, event_shape, layers, hidden, bins, reach, bound, norm, context) -> tuple[Size, list[Triangular], dict]:
    """The shape of an example, the maps in turn, and what makes the flow again."""
    shape = example_shape(dim, event_shape)
    at_least("layers", layers, 1)
    not_negative("context", context)
    config = {"event_shape": list(shape), "layers": layers, "hidden": list(hidden), "bins": bins, "reach": reach,
              "bound": bound, "norm": norm, "context": context}  # fmt: skip
    rule, order = rule_of(bins, reach, bound), torch.arange(shape.numel())
    networks = (MaskedPerceptron(shape, tuple(hidden), rule.outputs, order.flip(0) if i % 2 else order, context)
                for i in range(layers))  # fmt: skip
    return shape, [Triangular(shape, network, rule) for network in networks], config


def _normed(maps, shape) -> list[Transform]:
    """The maps with an :class:`ActNorm` before each."""
    return [part for each in maps for part in (ActNorm(shape), each)]
