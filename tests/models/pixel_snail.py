"""PixelSNAIL: small ones that are held to every law, and faults that such a model really has."""

import torch

from dgmhelpers.autoregressive import PixelSNAIL, pixel_snail
from models import Case, Mutant


class SelfAttention(pixel_snail.CausalAttention):
    """A position asks itself, too; and what it remembers contains the pixel."""

    def forward(self, h, x, places):
        shape = h.shape
        h, x, places = (each.flatten(2).transpose(1, 2) for each in (h, x, places))
        q, k, v = self.queries(h, places), *self.memories(h, x, places)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        y = scores.masked_fill(future, -torch.inf).softmax(-1) @ v
        return y.transpose(2, 3).reshape(len(h), -1, *shape[2:])


class LargeNegative(pixel_snail.CausalAttention):
    """Hidden by −10,000 instead of −∞, and the first row not set to zero: it looks at everything alike."""

    def forward(self, h, x, places):
        shape = h.shape
        h, x, places = (each.flatten(2).transpose(1, 2) for each in (h, x, places))
        q, k, v = self.queries(h, places), *self.memories(h, x, places)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(0)
        y = scores.masked_fill(hidden, -1e4).softmax(-1) @ v
        return y.transpose(2, 3).reshape(len(h), -1, *shape[2:])


class NoAttention(pixel_snail.CausalAttention):
    """Nobody answers: convolutions alone, with what they cannot see."""

    def forward(self, h, x, places):
        return 0 * super().forward(h, x, places)


class ForgetfulMemory(pixel_snail.Memory):
    """Remembers a pixel as it was before it was drawn."""

    def keep(self, x, place):
        super().keep(torch.zeros_like(x), place)


class ForgetfulPixelSNAIL(PixelSNAIL):
    """The cached sampler remembers nothing of the image itself."""

    def pixels(self, n):
        kept, pixel_snail.Memory = pixel_snail.Memory, ForgetfulMemory
        step = super().pixels(n)
        z = next(step)
        pixel_snail.Memory = kept
        while True:
            z = step.send((yield z))


def attending(kind, **sizes):
    def make():
        model = PixelSNAIL(**sizes)
        for layer in model.layers:
            layer["attention"].__class__ = kind
        return model

    return make


SMALL = dict(event_shape=(1, 3, 3), channels=4, layers=1, keys=3)
WIDE = dict(event_shape=(1, 2, 6), channels=4, layers=1, keys=3)
RGB = dict(event_shape=(3, 1, 2), levels=4, channels=4, layers=1, keys=2, components=2)

CASES = [
    Case("PixelSNAIL", lambda: PixelSNAIL(**SMALL)),
    Case("PixelSNAIL RGB of 4 levels", lambda: PixelSNAIL(**RGB)),
    Case("PixelSNAIL wide", lambda: PixelSNAIL(**WIDE | {"channels": 8}), slow=True),
    Case("PixelSNAIL of two heads", lambda: PixelSNAIL((1, 2, 4), channels=8, layers=2, blocks=2, heads=2), slow=True),
    Case("PixelSNAIL RGB", lambda: PixelSNAIL((3, 2, 2), channels=4, layers=1, keys=2, components=2), slow=True),
    Case("PixelSNAIL of a softmax", lambda: PixelSNAIL((1, 2, 3), 4, channels=4, layers=1, components=0), slow=True),
    Case("PixelSNAIL of one", lambda: PixelSNAIL((1, 1, 1), channels=4, layers=1), slow=True),
]
MUTANTS = [
    Mutant("attention to oneself", attending(SelfAttention, **SMALL), "depends_on_exactly_its_past"),
    Mutant("the future at −10,000", attending(LargeNegative, **SMALL), "depends_on_exactly_its_past"),
    Mutant("convolutions alone", attending(NoAttention, **WIDE), "depends_on_exactly_its_past"),
    Mutant("a memory without the image", lambda: ForgetfulPixelSNAIL(**SMALL), "cached_equals_naive"),
]
