"""Transformer: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers import decoding, masks
from dgmhelpers.autoregressive import Transformer
from dgmhelpers.autoregressive.transformer import Reader
from dgmhelpers.likelihoods import Categorical
from models import CONDITIONAL, ORDERED, Case, Mutant


class UnmaskedTransformer(Transformer):
    """The attention sees the future, too."""

    def __init__(self, **config):
        super().__init__(**config)
        for block in self.blocks:
            block.attention.causal = False


class UnshiftedTransformer(Transformer):
    """Feeds symbol t to predict symbol t: the shift by one is missing."""

    def forward(self, x, context=None):
        return self._logits(self._features(x.long()))


class LateMaskTransformer(Transformer):
    """The first block's mask lets each position see one more."""

    def __init__(self, **config):
        super().__init__(**config)
        attention = self.blocks[0].attention

        def weights(q, k):
            later = masks.past(torch.arange(k.shape[2])).T.triu(2)
            scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(later[-q.shape[2]:], -torch.inf)
            return scores.softmax(-1)

        attention.weights = weights


class UnturnedTransformer(Transformer):
    """The cached sampler turns each position as if it were the first."""

    def conditionals(self, n, context=None):
        read, inputs = Reader(self, n), self._starts(context, n)
        for _ in self.steps():
            h, first = self._embedded(inputs, read.at), self._turn(0, 1)
            for block, memory in zip(self.blocks, read.memories, strict=True):
                h = block(h, first, memory)
            x_i = yield self._logits(h)[:, 0]
            inputs = x_i[:, None].long()


class ForgetfulTransformer(Transformer):
    """The cached sampler keeps the last three positions alone."""

    def conditionals(self, n, context=None):
        read, inputs = Reader(self, n), self._starts(context, n)
        for _ in self.steps():
            x_i = yield self._logits(read.features(inputs))[:, 0]
            inputs = x_i[:, None].long()
            for memory in read.memories:
                memory.both[:, :, :, : max(0, memory.at - 3)] = 0


def small(**config):
    return Transformer(**({"hidden": 8, "heads": 2} | config))


def cut_in_its_sampler():
    """Draws from cut conditionals, and has the density of the whole ones: what options of a sampler do."""
    model = decoding.truncated(small(length=4, levels=4), top_k=3)
    model.likelihood.log_prob = Categorical(4).log_prob
    return model
SIZES = dict(length=7, levels=2, hidden=8, heads=2)
TURNED = SIZES | {"position": "rotary"}

CASES = [
    Case("Transformer", lambda: small(length=4, levels=4)),
    Case("Transformer over pixels of classes", lambda: small(event_shape=(1, 2, 3), levels=2, classes=3),
         (*ORDERED, *CONDITIONAL)),
    Case("Transformer with rotary positions", lambda: small(length=9, levels=2, position="rotary", dropout=0.2)),
    Case("Transformer without positions", lambda: small(length=5, levels=3, position="none")),
    Case("Transformer over RGB", lambda: small(event_shape=(3, 2, 1), levels=3), slow=True),
    Case("Transformer over RGB, rotary", lambda: small(event_shape=(3, 1, 2), levels=3, position="rotary"), slow=True),
    Case("Transformer of one", lambda: small(length=1, levels=7), slow=True),
]
MUTANTS = [
    Mutant("no mask", lambda: UnmaskedTransformer(**SIZES), "depends_on_exactly_its_past"),
    Mutant("a mask that is late by one", lambda: LateMaskTransformer(**SIZES), "depends_on_exactly_its_past"),
    Mutant("no shift by one", lambda: UnshiftedTransformer(**SIZES), "depends_on_exactly_its_past"),
    Mutant("cache without angles", lambda: UnturnedTransformer(**TURNED), "cached_equals_naive"),
    Mutant("truncated in its sampler alone", cut_in_its_sampler, "sampler_matches_density"),
    Mutant("cache of three", lambda: ForgetfulTransformer(**SIZES), "cached_equals_naive"),
]
