r"""Transformer: every position looks at every earlier one directly.

Symbols, shifted by one so that a start symbol comes first, become features; each of L blocks adds to them what
attention gathers from the past, and what a network of two layers makes of each position alone:

.. math::  h \leftarrow h + \mathrm{Attention}(\mathrm{norm}(h)), \qquad
           h \leftarrow h + W_2\,\mathrm{gelu}(W_1 \mathrm{norm}(h)), \qquad
           p(x_t \mid x_{<t}) = \mathrm{softmax}(V\,\mathrm{norm}(h_t)).

The causal mask in the attention is the chain rule. An image is a sequence in raster order, whose places are rows and
columns (and colours).

Source
    A. Vaswani and others, "Attention is all you need", NIPS 2017, its decoder alone; blocks normalise first, as in
    A. Radford and others, "Language models are unsupervised multitask learners" (GPT-2), 2019, whose smallest size is
    ``PAPER``. Over pixels: N. Parmar and others, "Image Transformer", ICML 2018.
Differs
    No bias in the linear layers of a block; dropout on what a block adds and on the first features, not on the
    attention's weights; embedding and output have separate weights; every position is attended to, where the Image
    Transformer has local blocks.
Cost
    ``log_prob``: one pass, in which attention costs D² and the rest D. ``sample``: D steps that attend to at most D
    kept positions (cached), or D passes (naive).
"""

from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers import masks
from dgmhelpers.arguments import at_least, dropout_rate
from dgmhelpers.autoregressive.base import Autoregressive
from dgmhelpers.autoregressive.text import continued
from dgmhelpers.layers.attention import Attention, Memory, angles
from dgmhelpers.likelihoods import for_levels
from dgmhelpers.protocols import Context

POSITIONS = ("learned", "rotary", "none")


class Transformer(Autoregressive):
    """Exact density over sequences of symbols, or over images in raster order; given a class or not.

    Args:
        length: symbols in one example; 64 if neither this nor ``event_shape`` is given.
        event_shape: of images, ``(C, H, W)``, instead of ``length``; or ``(length,)``.
        levels: number of different symbols K; with 2 the model is binary (float 0/1), else symbols are ``long``.
        hidden: features of a position, a multiple of ``heads``.
        layers: blocks on top of each other.
        heads: of attention.
        position: how a place is known: ``"learned"`` adds a vector for it (of an image, one for its row, one for its
            column, one for its colour), ``"rotary"`` turns queries and keys, ``"none"`` leaves it to the causal mask.
        dropout: while training.
        classes: of a conditional model, whose ``context`` is the class of each example, ``(B,)``: it decides the start
            symbol; None for a model without.
    """

    blocks: Any            # a ModuleList of Block
    coordinates: Tensor    # (D, axes): the place of each position, in the model's order
    PAPER = {"length": 1024, "levels": 50257, "hidden": 768, "layers": 12, "heads": 12, "dropout": 0.1}  # GPT-2 small

    def __init__(
        self,
        length: int | None = None,
        levels: int = 65,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        position: str = "learned",
        dropout: float = 0.0,
        classes: int | None = None,
        event_shape=None,
    ):
        if length is not None and event_shape is not None:
            raise ValueError(f"give length, of sequences, or event_shape, of images; got {length} and {event_shape}")
        shape = (at_least("length", 64 if length is None else length, 1),) if event_shape is None else event_shape
        shape = tuple(at_least("event_shape", size, 1) for size in shape)
        if len(shape) not in (1, 3):
            raise ValueError(f"event_shape must be (C, H, W) or (length,), got {shape}")
        at_least("levels", levels, 2), at_least("layers", layers, 1), at_least("heads", heads, 1)
        if at_least("hidden", hidden, 1) % heads:
            raise ValueError(f"hidden must be a multiple of heads = {heads}, got {hidden}")
        if position not in POSITIONS:
            raise ValueError(f"position must be one of {', '.join(POSITIONS)}, got {position!r}")
        if position == "rotary" and hidden // heads % 2:
            raise ValueError(f"rotary positions turn pairs: hidden / heads must be even, got {hidden} / {heads}")
        dropout_rate(dropout)
        where = {"length": shape[0]} if len(shape) == 1 else {"event_shape": list(shape)}
        config = where | {"levels": levels, "hidden": hidden, "layers": layers, "heads": heads, "position": position}
        super().__init__(shape, for_levels(levels), masks.raster_order(shape) if len(shape) == 3 else None,
                         config | {"dropout": dropout, "classes": classes})
        if classes is not None:
            self.conditioned_on = Context((), at_least("classes", classes, 1))
        axes = torch.meshgrid(*(torch.arange(size) for size in shape if size > 1 or len(shape) == 1), indexing="ij")
        places = torch.stack([axis.flatten() for axis in axes], 1) if axes else self.order[:, None]
        places = places[self.order]                                                # (D, axes), in the model's order
        self.start = levels  # the embedding's last rows, one for each class: "nothing came before"
        self.embedding = nn.Embedding(levels + (classes or 1), hidden)
        self.places = nn.ModuleList(nn.Embedding(int(s), hidden) for s in places.amax(0) + 1 if position == "learned")
        for table in (self.embedding, *self.places):
            nn.init.normal_(table.weight, std=0.5)
        self.register_buffer("coordinates", places, persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(hidden, heads, dropout, (2 * layers) ** -0.5) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.output = nn.Linear(hidden, 1 if levels == 2 else levels)
        nn.init.normal_(self.output.weight, std=0.1 * hidden**-0.5)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every symbol given those before it, ``(B, *event_shape, K)``; binary ``(B, *event_shape)``.

        A sequence may be shorter than the model's length.
        """
        order = self.order[: self._fits(x.shape[1:].numel())]
        logits = self._logits(self._features(self._inputs(x, order, context)))
        return logits[:, masks.rank_of(order)].unflatten(1, x.shape[1:])

    def conditionals(self, n, context=None):
        """Keep keys and values: each draw costs one position of every layer, and a look at those before it."""
        read, inputs = Reader(self, n), self._starts(context, n)
        for _ in self.steps():
            x_i = yield self._logits(read.features(inputs))[:, 0]                  # (n,)
            inputs = x_i[:, None].long()

    def reader(self, n: int = 1) -> "Reader":
        """Reads ``n`` sequences piece by piece: see :class:`Reader`."""
        return Reader(self, n)

    def stream(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits for a piece of a longer text, in windows that overlap by half: and the state to go on from.

        Each symbol is given at least half a window of what precedes it, and less than a whole one: a density of
        the text, which the chain rule makes of these conditionals, as is that of any model with a shorter memory.

        Args:
            x: symbols, ``(B, T)``, of any T.
            state: what the previous call gave; the beginning of the text if not given.
        """
        self._refuse_images("stream")
        length = self.event_shape[0]
        half, step = length // 2, length - length // 2
        text = x if state is None else torch.cat([state, x], 1)
        known, total = text.shape[1] - x.shape[1], text.shape[1]
        count = max(1, -(-(total - half) // step))                                 # windows; the last is filled up
        padded = torch.cat([text, text.new_zeros(len(x), half + count * step - total)], 1)
        logits = self(padded.unfold(1, length, step).flatten(0, 1))                # a window's future is not seen
        logits = logits.unflatten(0, (len(x), count))                              # (B, count, length, K)
        logits = torch.cat([logits[:, 0, :half], logits[:, :, half:].flatten(1, 2)], 1)[:, known:total]
        return logits, text[:, max(0, (total - half) // step) * step :]

    def generate(self, prompt, length: int, *, dataset=None, temperature: float = 1.0, generator=None):
        """``length`` symbols more after a prompt of any length: see :func:`dgmhelpers.autoregressive.text.continued`.

        What is further back than a window is forgotten; half of a window is read again whenever one is full.
        """
        self._refuse_images("generate")
        return continued(self, prompt, length, dataset=dataset, temperature=temperature, generator=generator)

    @torch.no_grad()
    def attention(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """How much each place looks at each input, ``(B, layers, heads, D, D)``; input 0 is the start symbol."""
        order, found = self.order[: self._fits(x.shape[1:].numel())], []
        h, turn = self._embedded(self._inputs(x, order, context), 0), self._turn(0, len(order))
        for block in self.blocks:
            q, k, _ = block.attention.parts(block.norms[0](h), turn)
            found.append(block.attention.weights(q, k))
            h = block(h, turn)
        return torch.stack(found, 1)

    def _features(self, inputs: Tensor, memories: list[Memory] | None = None) -> Tensor:
        begin = memories[0].at if memories else 0
        h = self._embedded(inputs, begin)
        turn = self._turn(begin, begin + inputs.shape[1])
        for i, block in enumerate(self.blocks):
            h = block(h, turn, memories[i] if memories else None)
        return h

    def _embedded(self, inputs: Tensor, begin: int) -> Tensor:
        end = self._fits(begin + inputs.shape[1])
        h = self.embedding(inputs)                                                 # (B, t, hidden)
        for axis, table in enumerate(self.places):
            h = h + table(self.coordinates[begin:end, axis])
        return self.dropout(h)

    def _inputs(self, x: Tensor, order: Tensor, context: Tensor | None) -> Tensor:
        """Symbols in order, shifted by one: the start symbol first, the last left out, ``(B, D)``."""
        return torch.cat([self._starts(context, len(x)), x.flatten(1)[:, order[:-1]].long()], 1)

    def _fits(self, count: int) -> int:
        if count > self.event_shape.numel():
            raise ValueError(f"a sequence of {count} symbols is longer than the model's length, "
                             f"{self.event_shape.numel()}")
        return count

    def _turn(self, begin: int, end: int) -> Tensor | None:
        """Angles of the places from ``begin`` to ``end`` in the order, in float32 at least."""
        if self.config["position"] != "rotary":
            return None
        dtype = torch.promote_types(self.dtype, torch.float32)
        return angles(self.coordinates[begin:end].to(dtype), self.config["hidden"] // self.config["heads"])

    def _logits(self, h: Tensor) -> Tensor:
        logits = self.output(self.norm(h))
        return logits.squeeze(-1) if self.levels == 2 else logits

    def _starts(self, context: Tensor | None, n: int) -> Tensor:
        """The start symbols of ``n`` examples, ``(n, 1)``."""
        if self.conditioned_on is None:
            self._refuse_context(context)
            return torch.full((n, 1), self.start, device=self.device)
        return self.start + self._check_context(context, n)[:, None]

    def _refuse_images(self, what: str) -> None:
        if len(self.event_shape) > 1 or self.conditioned_on is not None:
            raise ValueError(f"{what} is for sequences without a class, and this model is of {tuple(self.event_shape)}"
                             f"{'' if self.conditioned_on is None else ' given a class'}")


class Block(nn.Module):
    """Attention over positions, then two layers at each of them; each adds to what it was given.

    Args:
        gain: how much smaller the last layer of each branch starts.
    """

    norms: Any     # a ModuleList of LayerNorm

    def __init__(self, hidden: int, heads: int, dropout: float, gain: float):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(2))
        self.attention = Attention(hidden, heads, gain)
        wide, narrow = nn.Linear(hidden, 4 * hidden, bias=False), nn.Linear(4 * hidden, hidden, bias=False)
        nn.init.normal_(wide.weight, std=hidden**-0.5)
        nn.init.normal_(narrow.weight, std=gain * (4 * hidden) ** -0.5)
        self.alone = nn.Sequential(wide, nn.GELU(), narrow)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, turn: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        h = h + self.dropout(self.attention(self.norms[0](h), turn, memory))       # (B, t, hidden)
        return h + self.dropout(self.alone(self.norms[1](h)))


class Reader:
    """Reads sequences from left to right, once: keys and values of what was read are kept.

    Attributes:
        at: how many symbols were read, the start symbol included. Set it back to forget the last ones.
        most: how many it can read.
    """

    def __init__(self, model: Transformer, n: int):
        self.model, self.most = model, model.event_shape.numel()
        self.memories = [Memory(n, self.most, block.attention) for block in model.blocks]

    @property
    def at(self) -> int:
        return self.memories[0].at

    @at.setter
    def at(self, value: int) -> None:
        for memory in self.memories:
            memory.at = value

    def features(self, inputs: Tensor) -> Tensor:
        return self.model._features(inputs, self.memories)

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits of the symbol after each input, ``(n, t, K)`` of ``(n, t)``; the first input is ``model.start``."""
        return self.model._logits(self.features(inputs))
