r"""PixelSNAIL: shifted convolutions that look near, and causal attention that looks everywhere.

One stream of residual blocks with windows above and to the left (:class:`~dgmhelpers.layers.GatedBlock`). After every
few of them attention: the features at a pixel ask, and every *strictly earlier* pixel answers,

.. math::  y_i = \sum_{j < i} a_{ij} v_j, \qquad
           a_{i\cdot} = \operatorname{softmax}_{j < i}\Big(\tfrac{1}{\sqrt{d}}\, q_i^\top k_j\Big), \qquad y_0 = 0,

where :math:`q_i` is made of what the stream knows before pixel i, and :math:`k_j, v_j` of what it knew before j, of
pixel j itself, and of its place. A last block without a window takes y in. Convolutions alone would see what is above
and to the left and little to the right, however deep; one attention sees all of the past, at any distance.

Source
    X. Chen, N. Mishra, M. Rohaninejad and P. Abbeel, "PixelSNAIL: an improved autoregressive generative model", ICML
    2018; the authors' code, https://github.com/neocxi/pixelsnail-public.
Differs
    Keys and values are linear in ELUs of the features, where the authors' are a residual block of these. The last
    layers of blocks start small instead of weight normalisation with an initialisation by data.
Cost
    ``log_prob``: one pass, with scores of all (HW)² pairs of pixels. ``sample``: HW steps that compute every activation
    once and look back at the keys so far (cached), or HWC passes (naive).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dgmhelpers.autoregressive.whole_pixels import FirstLook, WholePixelModel
from dgmhelpers.layers import GatedBlock, ShiftedConv2d
from dgmhelpers.layers.shifted import DOWN_RIGHT, POINT


class PixelSNAIL(WholePixelModel):
    """Exact density over images of any size and number of colours, in raster order, that sees all of the past.

    Args:
        event_shape: colours, height and width ``(C, H, W)``.
        levels: values of a sub-pixel: 2 for binary images (float 0/1), else ``long`` levels.
        channels: features of the stream.
        layers: rounds of convolutions and then attention, 1 or more.
        blocks: convolutional blocks in each round.
        heads: of the attention.
        keys: features of a key of each head.
        components: logistics of a pixel's mixture; 0 for a logit of every level, of one colour alone. If not given, 0
            for binary images of one colour and 5 for others.
        dropout: share of the hidden features of each block that training drops.
    """

    layers: Any    # a ModuleList of ModuleDict
    PAPER = {"event_shape": (3, 32, 32), "levels": 256, "channels": 256, "layers": 12, "blocks": 4, "keys": 16,
             "components": 10, "dropout": 0.5}  # fmt: skip

    def __init__(
        self,
        event_shape=(1, 8, 8),
        levels: int = 2,
        channels: int = 24,
        layers: int = 2,
        blocks: int = 1,
        heads: int = 1,
        keys: int = 8,
        components: int | None = None,
        dropout: float = 0.0,
    ):
        sizes = {"channels": channels, "layers": layers, "blocks": blocks, "heads": heads, "keys": keys}
        super().__init__(event_shape, levels, components, sizes, {"dropout": dropout})
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        if channels % (2 * heads):
            raise ValueError(f"channels must be twice a multiple of heads, {heads}; got {channels}")
        _, height, width = self.event_shape
        rows, columns = ((torch.arange(size) / max(size - 1, 1) - 0.5) for size in (height, width))
        places = torch.stack([rows[:, None].expand(height, width), columns.expand(height, width)])
        self.register_buffer("places", places, persistent=False)                   # (2, H, W)
        self.places: Tensor
        inputs, gain = self.colours + 1, (layers * (blocks + 1)) ** -0.5
        self.first = FirstLook(inputs, channels)
        self.layers = nn.ModuleList(
            nn.ModuleDict({
                "blocks": nn.ModuleList(GatedBlock(channels, DOWN_RIGHT, (), dropout, gain) for _ in range(blocks)),
                "attention": CausalAttention(channels, inputs, heads, keys),
                "mix": GatedBlock(channels, POINT, (channels // 2,), dropout, gain),
            })
            for _ in range(layers)
        )  # fmt: skip
        self.output = ShiftedConv2d(channels, self.outputs_of_pixel, POINT)
        self.start_mixture(self.output)

    def network(self, x: Tensor) -> Tensor:
        """Convolutions and attention in turn."""
        places = self.places.expand(len(x), -1, -1, -1)
        h = self.first(x)                                                          # (B, channels, H, W)
        for layer in self.layers:
            for block in layer["blocks"]:
                h = block(h)
            h = layer["mix"](h, layer["attention"](h, x, places))
        return self.output(F.elu(h))

    def pixels(self, n):
        """The next pixel at every layer; attention looks back at what earlier pixels left."""
        height, width = self.event_shape[1:]
        first = self.first.pixels(n, width)
        layers = [
            ([block.pixels(n, width) for block in layer["blocks"]], Memory(layer["attention"], n, height * width),
             layer["mix"].pixels(n, width))
            for layer in self.layers
        ]  # fmt: skip
        weight, bias = self.output.weight[:, :, 0, 0], self.output.bias
        above = bias.new_zeros(n, self.colours + 1, 1, width)
        for row in range(height):
            look = first(above)
            above, left = torch.zeros_like(above), torch.zeros_like(above[:, :, 0, 0])
            for column in range(width):
                place = self.places[:, row, column].expand(n, 2)
                h = look(left, column)
                for blocks, memory, mix in layers:
                    for block in blocks:
                        h = block(h, None)
                    memory.ask(h, place)
                    h = mix(h, None, memory.answer)
                left = yield F.linear(F.elu(h), weight, bias)
                above[:, :, 0, column] = left
                for _, memory, _ in layers:
                    memory.keep(left, place)


class CausalAttention(nn.Module):
    """Every position asks all strictly earlier ones in raster order.

    Args:
        channels: features of the stream; half as many come out.
        inputs: features of the image.
        heads, keys: heads, and features of each head's keys.
    """

    def __init__(self, channels: int, inputs: int, heads: int, keys: int):
        super().__init__()
        self.heads, self.values = heads, channels // (2 * heads)
        self.query = nn.Linear(2 * (channels + 2), heads * keys)
        self.memory = nn.Linear(2 * (channels + inputs + 2), heads * (keys + self.values))

    def forward(self, h: Tensor, x: Tensor, places: Tensor) -> Tensor:
        """``(B, channels, H, W)``, the image ``(B, inputs, H, W)`` and places to ``(B, channels // 2, H, W)``."""
        shape = h.shape
        h, x, places = (each.flatten(2).transpose(1, 2) for each in (h, x, places))        # (B, HW, features) each
        q, k, v = self.queries(h, places), *self.memories(h, x, places)                    # (B, heads, HW, ·) each
        # Position 0 has nobody to ask. The others, 1 …, ask 0 … up to the one before them: the diagonal included.
        q, k, v = q[:, :, 1:], k[:, :, :-1], v[:, :, :-1]
        scores = q @ k.mT / q.shape[-1] ** 0.5                                             # (B, heads, HW − 1, HW − 1)
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=h.device).triu(1)
        y = F.pad(scores.masked_fill(future, -torch.inf).softmax(-1) @ v, (0, 0, 1, 0))    # (B, heads, HW, values)
        return y.transpose(2, 3).reshape(len(h), -1, *shape[2:])

    def queries(self, h: Tensor, places: Tensor) -> Tensor:
        """``(B, heads, T, keys)`` of positions ``(B, T, features)``."""
        return self.query(expanded(h, places)).unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def memories(self, h: Tensor, x: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Keys ``(B, heads, T, keys)`` and values ``(B, heads, T, values)``."""
        both = self.memory(expanded(h, x, places)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return both[..., : -self.values], both[..., -self.values :]


class Memory:
    """The keys and values of one attention, of the pixels so far."""

    def __init__(self, attention: CausalAttention, n: int, pixels: int):
        self.attention, self.count = attention, 0
        weight, keys = attention.query.weight, attention.query.out_features // attention.heads
        self.keys = weight.new_zeros(n, attention.heads, pixels, keys)
        self.values = weight.new_zeros(n, attention.heads, pixels, attention.values)

    def ask(self, h: Tensor, place: Tensor) -> None:
        """What the pixels so far answer to the next one's features, ``(n, channels)``: in ``answer``."""
        self.h = h[:, None]
        if not self.count:
            self.answer = h.new_zeros(len(h), self.attention.heads * self.attention.values)
            return
        q = self.attention.queries(self.h, place[:, None])                         # (n, heads, 1, keys)
        scores = q @ self.keys[:, :, : self.count].mT / q.shape[-1] ** 0.5
        self.answer = (scores.softmax(-1) @ self.values[:, :, : self.count]).flatten(1)

    def keep(self, x: Tensor, place: Tensor) -> None:
        """Remember the pixel that was just drawn."""
        k, v = self.attention.memories(self.h, x[:, None], place[:, None])
        self.keys[:, :, self.count], self.values[:, :, self.count] = k[:, :, 0], v[:, :, 0]
        self.count += 1


def expanded(*features: Tensor) -> Tensor:
    """ELUs of features and of their negatives, along the last axis."""
    x = torch.cat(features, -1)
    return F.elu(torch.cat([x, -x], -1))
