"""What a coupling reads its shift and scale with: networks from the kept entries to two numbers for each other one.

Both start at zero, so that a fresh coupling is the identity, and both read and write no entry that they need not.
"""

import torch
from torch import Tensor, nn

from dgmhelpers.numerics import single


class Perceptron(nn.Module):
    """A perceptron over the kept entries of an example of any shape.

    Args:
        keep: boolean mask of the entries that are read, of the shape of one example; it writes for the others.
        hidden: units of each hidden layer.
        outputs: numbers for each entry: 1 for a shift, 2 for a log scale beside it.
        context: entries of what it is conditioned on, if anything.
    """

    kept: Tensor
    moved: Tensor

    def __init__(self, keep: Tensor, hidden: tuple[int, ...], outputs: int = 2, context: int = 0):
        super().__init__()
        flat = keep.flatten()
        self.shape, self.outputs = keep.shape, outputs
        self.register_buffer("kept", flat.nonzero()[:, 0], persistent=False)
        self.register_buffer("moved", (~flat).nonzero()[:, 0], persistent=False)
        sizes = [len(self.kept) + context, *hidden]
        layers: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(before, after), nn.SiLU()]
        self.layers = nn.Sequential(*layers, zero(nn.Linear(sizes[-1], outputs * len(self.moved))))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """``(B, *shape)`` gives ``(outputs, B, *shape)``, zero at the kept entries."""
        seen = x.flatten(1).index_select(1, self.kept)                                 # (B, kept)
        if context is not None:
            seen = torch.cat([seen, context.flatten(1)], 1)
        written = self.layers(in_type_of(self.layers[-1], seen))                       # (B, outputs · moved)
        written = written.reshape(len(x), self.outputs, -1)
        whole = written.new_zeros(*written.shape[:2], self.shape.numel()).index_copy(2, self.moved, written)
        return single(whole).transpose(0, 1).reshape(self.outputs, *x.shape)


class Convolutional(nn.Module):
    """Residual blocks of 3 × 3 convolutions over the kept entries of an image.

    Args:
        keep: boolean mask, ``(C, H, W)``: a chessboard, or whole channels.
        channels: features of each layer.
        blocks: residual blocks.
        outputs: numbers for each entry.
        context: channels of what it is conditioned on, an image of the same size, if anything.
    """

    keep: Tensor
    kept: Tensor
    moved: Tensor

    def __init__(self, keep: Tensor, channels: int, blocks: int, outputs: int = 2, context: int = 0):
        super().__init__()
        self.outputs = outputs
        some = keep.flatten(1)
        self.register_buffer("keep", keep, persistent=False)
        self.register_buffer("kept", some.any(1).nonzero()[:, 0], persistent=False)        # channels that are read
        self.register_buffer("moved", (~some).any(1).nonzero()[:, 0], persistent=False)    # and those it writes for
        self.first = nn.Conv2d(len(self.kept) + context, channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
                          nn.SiLU(), nn.Conv2d(channels, channels, 1))
            for _ in range(blocks)
        )  # fmt: skip
        self.last = zero(nn.Conv2d(channels, outputs * len(self.moved), 3, padding=1))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """``(B, C, H, W)`` gives ``(outputs, B, C, H, W)``, zero at the kept entries."""
        seen = (x * self.keep).index_select(1, self.kept)
        seen = seen if context is None else torch.cat([seen, context], 1)
        h = self.first(in_type_of(self.first, seen))                                   # (B, channels, H, W)
        for block in self.blocks:
            h = h + block(h)
        written = self.last(nn.functional.silu(h)).unflatten(1, (self.outputs, -1))    # (B, outputs, moved, H, W)
        whole = written.new_zeros(*written.shape[:2], *x.shape[1:]).index_copy(2, self.moved, written)
        return single(whole).transpose(0, 1) * ~self.keep


def in_type_of(layer, x: Tensor) -> Tensor:
    """``x`` in the type of a layer's weights."""
    return x.to(layer.weight.dtype)


def zero(layer):
    """A layer whose parameters are 0."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
