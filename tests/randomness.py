"""What tests draw from: a generator by its seed, and a model whose parameters were drawn anew."""

import torch

from dgmhelpers import laws


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def stirred(model, seed=0):
    """The model in float64 with random parameters: a fresh one may be uniform."""
    model = model.double().eval()
    laws.redraw(model, seeded(seed))
    return model
