r"""What is done to a model's conditionals before a symbol is drawn, and how a small model saves calls of a large one.

*Truncation* draws from another model: its conditionals are cut and normalised again. So it is one, with its own density
(:func:`truncated`), which a law can hold against its sampler.

*Speculation* draws from the same model, faster: a small model drafts, the large one reads all drafts in one call. With
q the small model's conditional and p the large one's, a draft x is kept with probability :math:`\min(1, p(x)/q(x))`;
the first that is not is replaced by a draw from :math:`(p - q)^+` normalised; all that follow are dropped.

.. math::  q(x)\min\Big(1, \frac{p(x)}{q(x)}\Big) + \Big(1 - \sum_y \min(p(y), q(y))\Big)
           \frac{(p(x) - q(x))^+}{\sum_y (p(y) - q(y))^+} = p(x).

Source
    Y. Leviathan, M. Kalman and Y. Matias, "Fast inference from transformers via speculative decoding", ICML 2023.
    Nucleus: A. Holtzman, J. Buys, L. Du, M. Forbes and Y. Choi, "The curious case of neural text degeneration",
    ICLR 2020. Top-k: A. Fan, M. Lewis and Y. Dauphin, "Hierarchical neural story generation", ACL 2018.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least
from dgmhelpers.likelihoods import Categorical

__all__ = ["Speculated", "Truncated", "outcomes", "speculative", "truncated", "verify"]

Choose = Callable[[Tensor], int]     # an index, drawn with the probabilities it is given


class Truncated(Categorical):
    """A softmax over the likeliest levels alone.

    Args:
        top_k: keep that many of the likeliest levels; more, if several tie for the last place.
        top_p: keep the likeliest levels up to the first with which they have this probability together (nucleus).
    """

    def __init__(self, levels: int, top_k: int | None = None, top_p: float | None = None):
        super().__init__(levels)
        if top_k is not None:
            at_least("top_k", top_k, 1)
        if top_p is not None and not 0 < top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {top_p!r}")
        self.top_k, self.top_p = top_k, top_p

    def cut(self, params: Tensor) -> Tensor:
        """Logits with those of the levels that are not kept at −∞."""
        ordered = params.sort(-1, descending=True).values
        least = ordered[..., -1:]
        if self.top_k is not None:
            least = ordered[..., min(self.top_k, self.levels) - 1].unsqueeze(-1)
        if self.top_p is not None and self.top_p < 1:
            before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)          # of those that are likelier
            last = (before < self.top_p).sum(-1, keepdim=True) - 1
            least = torch.maximum(least, ordered.gather(-1, last))
        return params.masked_fill(params < least, -math.inf)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Log of the softmax over what is kept, at ``x``; −∞ elsewhere."""
        return super().log_prob(self.cut(params), x)

    def sample(self, params: Tensor, temperature: float = 1.0, generator: Generator | None = None) -> Tensor:
        """Levels, ``long``: the temperature comes first, then the cut."""
        return super().sample(self.cut(params / temperature), 1.0, generator)

    def mean(self, params: Tensor) -> Tensor:
        """Expected level, a real number."""
        return super().mean(self.cut(params))


def truncated(model: Any, *, top_k: int | None = None, top_p: float | None = None) -> Any:
    """The same weights as another model: each conditional is cut to its likeliest levels and normalised again.

    ``top_k=1`` is greedy decoding. Its ``log_prob`` and ``sample`` are those of the cut conditionals, and its ``loss``
    is infinite wherever the data has a level that was cut.

    Args:
        model: an autoregressive model with a softmax over three levels or more.
        top_k, top_p: see :class:`Truncated`.
    """
    if not isinstance(getattr(model, "likelihood", None), Categorical):
        raise ValueError(f"truncation needs conditionals with a logit for each level, and {type(model).__name__} has "
                         f"{type(getattr(model, 'likelihood', None)).__name__}")
    if isinstance(model.likelihood, Truncated):
        raise ValueError("this model is truncated already: give top_k and top_p together")
    twin = copy.copy(model)
    twin.likelihood = Truncated(model.likelihood.levels, top_k, top_p)
    return twin


def verify(p: Tensor, q: Tensor, drafts: list[int], choose: Choose) -> list[int]:
    """One round: the drafts that are kept, and one symbol more.

    Args:
        p: the large model's conditionals at each draft and after the last, ``(k + 1, K)``.
        q: the small model's, that drew the drafts, ``(k, K)``.
    """
    for i, x in enumerate(drafts):
        keep = (p[i, x] / q[i, x]).clamp(max=1)
        if choose(torch.stack([1 - keep, keep])) == 0:
            left = (p[i] - q[i]).clamp(min=0)
            return [*drafts[:i], choose(left / left.sum() if left.sum() > 0 else p[i])]      # p = q, to rounding
    return [*drafts, choose(p[-1])]


class Speculated(NamedTuple):
    """A draw from the large model, ``(T,)``, and the rounds that made it: what was drafted, and what was found."""

    x: Tensor
    rounds: list[tuple[list[int], list[int]]]

    @property
    def calls(self) -> int:
        """How often the large model was asked."""
        return len(self.rounds)

    @property
    def kept(self) -> float:
        """Share of the drafts kept, of those examined: what follows a refusal is dropped unseen; NaN if none was."""
        kept = [len(found) - 1 for _, found in self.rounds]
        examined = sum(min(n + 1, len(drafts)) for n, (drafts, _) in zip(kept, self.rounds, strict=True))
        return sum(kept) / examined if examined else math.nan


@torch.no_grad()
def speculative(
    large: Any, small: Any, *, drafts: int = 4, length: int | None = None, choose: Choose | None = None,
    generator: Generator | None = None,
) -> Speculated:  # fmt: skip
    """One sequence drawn from ``large``, with fewer calls of it.

    Args:
        large, small: models with ``reader()``, over the same levels, three or more.
        drafts: symbols that the small model draws before the large one is asked.
        length: of the sequence; all of the large model's if not given.
        choose: how an index is drawn with given probabilities; by ``generator``, if not given.

    Raises:
        ValueError: for models over different levels, of images or given a class, or a sequence longer than one of
            them can read.
    """
    levels = large.likelihood.levels
    at_least("drafts", drafts, 1)
    if small.likelihood.levels != levels:
        raise ValueError(f"the models are over {levels} and {small.likelihood.levels} levels: drafts need the same")
    if not all(type(m.likelihood) in (Categorical, Truncated) for m in (large, small)):
        raise ValueError("speculation needs conditionals with a logit for each level")
    for m in (large, small):
        if len(m.event_shape) > 1 or m.conditioned_on is not None:
            raise ValueError(f"speculation is for sequences without a class, and {type(m).__name__} is of "
                             f"{tuple(m.event_shape)}{'' if m.conditioned_on is None else ' given a class'}")
    length = large.event_shape[0] if length is None else at_least("length", length, 0)
    ahead, behind = large.reader(), small.reader()
    for read in (ahead, behind):
        if read.most is not None and length > read.most:
            raise ValueError(f"a sequence of {length} symbols is longer than the model's length, {read.most}")

    def by_chance(probabilities: Tensor) -> int:
        return int(torch.multinomial(probabilities, 1, generator=generator))

    def after(read, model, symbols: list[int]) -> Tensor:
        logits = read(torch.tensor([symbols], device=model.device))[0]             # (t, K)
        return (model.likelihood.cut(logits) if hasattr(model.likelihood, "cut") else logits).softmax(-1)

    choose, rounds = choose or by_chance, []
    text: list[int] = []
    while len(text) < length:
        count = min(drafts, length - len(text) - 1)        # the last symbol needs no draft
        guesses: list[int] = []
        q = []
        for _ in range(count):
            seen = [large.start, *text, *guesses]
            q.append(after(behind, small, seen[behind.at :])[-1])
            guesses.append(choose(q[-1]))
        seen = [large.start, *text, *guesses]
        p = after(ahead, large, seen[ahead.at :])[-count - 1 :]                    # (count + 1, K), in one call
        found = verify(p, torch.stack(q) if q else p[:0], guesses, choose)
        text += found
        rounds.append((guesses, found))
        ahead.at, behind.at = min(ahead.at, len(text)), min(behind.at, len(text))  # what was dropped is forgotten
    return Speculated(torch.tensor(text, dtype=torch.long, device=large.device), rounds)


def outcomes(run: Callable[[Choose], Any]) -> Iterator[tuple[Any, float]]:
    """Every way in which ``run(choose)`` can go, and its probability: a random procedure, enumerated.

    ``choose`` gives an index, and here gives each that has a probability in turn. What ``run`` does must be decided by
    what is chosen.
    """
    scripts: list[list[int]] = [[]]
    while scripts:
        choose = _Script(scripts.pop())
        yield run(choose), choose.probability
        scripts += choose.others


class _Script:
    """Chooses by a list of indices; beyond its end the first that has a probability, and notes the others."""

    def __init__(self, script: list[int]):
        self.script, self.taken, self.probability = script, 0, 1.0
        self.others: list[list[int]] = []

    def __call__(self, probabilities: Tensor) -> int:
        if self.taken == len(self.script):
            first, *rest = [i for i, p in enumerate(probabilities.tolist()) if p > 0]
            self.others += [[*self.script, i] for i in rest]
            self.script = [*self.script, first]
        index = self.script[self.taken]
        self.taken += 1
        self.probability *= float(probabilities[index])
        return index
