r"""WaveNet: a sound one sample after the other, by dilated causal convolutions.

The dilation doubles from layer to layer, so that what a sample sees grows exponentially with depth. Layer l is gated,
feeds the next by a residual path and the output by a skip path: with :math:`*_d` a causal convolution of dilation d,

.. math::  a^l, b^l = W^l *_{d_l} h^l + V^l c, \qquad z^l = \tanh(a^l) \odot \sigma(b^l), \qquad
           h^{l+1} = h^l + P^l z^l, \qquad s = \sum_l S^l z^l,

.. math::  p(x_t \mid x_{<t}) = \mathrm{softmax}\big(U_2 \max(0, U_1 \max(0, s_t))\big),

where :math:`h^0` has the embedded sample before, and c is what the sound is conditioned on: a class the same at all
times (*global*), or a curve with a value for every sample (*local*).

Source
    A. van den Oord, S. Dieleman, H. Zen, K. Simonyan, O. Vinyals, A. Graves, N. Kalchbrenner, A. Senior and K.
    Kavukcuoglu, "WaveNet: a generative model for raw audio", arXiv 1609.03499, 2016. Cached sampling: T. Le Paine and
    others, "Fast WaveNet generation algorithm", arXiv 1611.09482, 2016.
Differs
    The paper does not say how many channels it has. The last layer has no residual path, which nothing would read. All
    layers' skip paths are one product. A class may be made of factors (digit and speaker), each with its own vector.
Cost
    ``log_prob``: one pass. ``sample``: T steps in which each activation is computed once (cached); T passes (naive).
"""

import warnings
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.frames import FrameModel
from dgmhelpers.autoregressive.gated_pixel_cnn import GAIN, gate
from dgmhelpers.layers.causal import CausalConv1d, receptive_field
from dgmhelpers.protocols import Context


class WaveNet(FrameModel):
    """Exact density over sequences of levels, such as a sound in mu-law levels, given a class, a curve or nothing.

    Args:
        length: samples T of one example.
        levels: values of a sample: 256 for 8 bits.
        channels: features of the residual path.
        layers: gated layers.
        cycle: layer l has the dilation 2^(l mod cycle); as many as layers if not given.
        kernel: taps of each dilated convolution, at least 2.
        skip: features of the skip path.
        head: features between it and the logits; as many as ``skip`` if not given.
        classes: number of classes; or the numbers of values of several factors, such as ``(10, 6)`` for ten digits by
            six speakers. ``context`` is then the number of each example's class, ``(B,)``: see :meth:`class_of`.
        curve: numbers that are known for every sample, such as the pitch: ``context`` is ``(B, T, curve)``.

    Warns:
        UserWarning: if an example is shorter than what a sample can see: layers that see only silence.
    """

    layers: Any      # a ModuleList of Layer
    by_class: Any    # a ModuleList of Embedding
    PAPER = {"levels": 256, "layers": 30, "cycle": 10, "kernel": 2}      # 30 layers: three times 1, 2, …, 512

    def __init__(self, length: int = 1024, levels: int = 256, channels: int = 32, layers: int = 10,
                 cycle: int | None = None, kernel: int = 2, skip: int = 64, head: int | None = None,
                 classes: int | Sequence[int] | None = None, curve: int | None = None):  # fmt: skip
        sizes = {"channels": channels, "layers": layers, "cycle": cycle or layers, "skip": skip, "head": head or skip}
        channels, layers, cycle, skip, head = (at_least(name, value, 1) for name, value in sizes.items())
        kernel = at_least("kernel", kernel, 2)
        if classes is not None and curve is not None:
            raise ValueError("a sound is conditioned on classes or on a curve, not on both")
        config = {"levels": levels, **sizes, "kernel": kernel, "classes": classes, "curve": curve}
        super().__init__(length, levels, None, config)
        self.dilations = [2 ** (l % cycle) for l in range(layers)]
        self.reach = receptive_field(kernel, self.dilations)
        self.embedding = nn.Embedding(levels + 1, channels)       # the last row: nothing came before
        self.layers = nn.ModuleList(
            Layer(channels, kernel, d, 1 / layers**0.5, last=l + 1 == layers) for l, d in enumerate(self.dilations)
        )
        self.skip = nn.Linear(layers * channels, skip)
        self.head, self.output = nn.Linear(skip, head), nn.Linear(head, self.outputs)
        for linear, gain in (self.skip, 1.0), (self.head, 2**0.5), (self.output, 0.1):
            nn.init.normal_(linear.weight, std=gain * linear.in_features**-0.5)
            nn.init.zeros_(linear.bias)
        given: Any = classes
        factors = [] if given is None else list(given) if hasattr(given, "__len__") else [given]
        self.factors = [at_least("classes", factor, 1) for factor in factors]
        told = layers * 2 * channels                              # what the gates of all layers are told
        self.by_class = nn.ModuleList(nn.Embedding(f, told) for f in self.factors)
        for embedding in self.by_class:
            nn.init.normal_(embedding.weight, std=0.01)
        curve = None if curve is None else at_least("curve", curve, 1)
        self.by_curve = None if curve is None else nn.Linear(curve, told, bias=False)
        if self.factors:
            self.conditioned_on = Context((), prod(self.factors))
        elif curve is not None:
            self.conditioned_on = Context((self.event_shape[0], curve))
        if self.event_shape[0] < self.reach // 2:
            warnings.warn(f"a sample sees {self.reach} samples back, and examples have {length}: some layers see "
                          "nothing but the silence before", stacklevel=2)  # fmt: skip

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every sample given those before it, ``(B, T, levels)``, binary ``(B, T)``; T may be any."""
        return self.trunk(self.embedding(self.before(x)).transpose(1, 2), self.told(context, len(x)))

    def trunk(self, h: Tensor, told: Tensor | None = None) -> Tensor:
        """The same from embedded samples, ``(B, channels, T)``, and what the gates are told."""
        gated = []
        for l, layer in enumerate(self.layers):
            a = layer.dilated(h)                                                   # (B, 2 · channels, T)
            z = gate(a if told is None else a + told[:, l].transpose(1, 2), 1)     # (B, channels, T)
            gated.append(z)
            h = h if layer.residual is None else h + layer.residual(z)
        return self.arranged(self._head(torch.cat(gated, 1).transpose(1, 2)))

    def walk(self, n, context=None):
        """Each layer keeps the features that it will still need: see :class:`Steps`."""
        told, steps, now = self.told(context, n), Steps(self, n), 0

        def step(last: Tensor) -> Tensor:
            nonlocal now
            about = None if told is None else told[:, :, min(now, told.shape[2] - 1)]
            now += 1
            return self._head(steps(self.embedding(last), about))

        return step

    def told(self, context: Tensor | None, n: int) -> Tensor | None:
        """What the context adds to the gates, ``(n, layers, 1 or T, 2 · channels)``; None for a model without."""
        if self.conditioned_on is None:
            self._refuse_context(context)
            return None
        about = self._check_context(context, n)
        if self.by_curve is not None:
            return self.by_curve(about).unflatten(2, (len(self.layers), -1)).transpose(1, 2)
        parts = []
        for embedding in reversed(self.by_class):                 # the last factor changes fastest
            parts.append(embedding(about % embedding.num_embeddings))
            about = about // embedding.num_embeddings
        return sum(parts[1:], parts[0]).unflatten(1, (len(self.layers), 1, -1))

    def class_of(self, *factors: int) -> int:
        """The number of the class with these values of the factors, such as a digit and a speaker."""
        if len(factors) != len(self.factors):
            raise ValueError(f"the class has {len(self.factors)} factors, got {len(factors)}")
        number = 0
        for value, count in zip(factors, self.factors, strict=True):
            if not 0 <= value < count:
                raise ValueError(f"values must be within 0 … {count - 1}, got {value}")
            number = number * count + int(value)
        return number

    def _head(self, gated: Tensor) -> Tensor:
        """All layers' gated features, ``(..., layers · channels)``, to outputs, ``(..., outputs)``."""
        return self.output(self.head(self.skip(gated).relu()).relu())


class Layer(nn.Module):
    """The weights of one gated layer: both taps' gates, and the way to the next layer."""

    def __init__(self, channels: int, kernel: int, dilation: int, scale: float, last: bool):
        super().__init__()
        self.dilated = CausalConv1d(channels, 2 * channels, kernel, dilation, gain=GAIN)
        self.residual = None if last else CausalConv1d(channels, channels, 1, gain=scale, bias=False)


class Steps:
    """All layers one sample at a time, for ``n`` sounds; each activation once.

    A layer's convolution sees its input now, and inputs of earlier samples. The earlier ones are known before the new
    sample is, in *all* layers: one product for the whole network gives their share. What is left for each layer is the
    share of now, which has to wait for the layer below. All queues lie in one memory: of layer l, (k − 1) d rows, in
    which sample t finds the oldest input it needs where it leaves its own.
    """

    def __init__(self, model: WaveNet, n: int):
        layers = list(model.layers)
        kernels = torch.stack([layer.dilated.kernel for layer in layers])          # (L, 2C, C, k)
        count, _, channels, taps = kernels.shape
        self.biases = torch.stack([layer.dilated.bias for layer in layers])[:, None]               # (L, 1, 2C)
        self.earlier = kernels[..., :-1].permute(0, 3, 2, 1).reshape(count, -1, 2 * channels)      # (L, (k-1)C, 2C)
        self.now = kernels[..., -1].transpose(1, 2).contiguous().unbind(0)                         # L × (C, 2C)
        self.residual = [layer.residual.kernel[:, :, 0].T.contiguous() for layer in layers[:-1]]   # (C, C)
        device = kernels.device
        dilations = torch.tensor(model.dilations, device=device)[:, None]                          # (L, 1)
        self.sizes = (taps - 1) * dilations
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.apart = dilations * torch.arange(taps - 1, device=device)                             # (L, k - 1)
        self.memory = kernels.new_zeros((taps - 1) * sum(model.dilations), n, channels)   # the host need not ask
        self.t = 0

    def __call__(self, h: Tensor, told: Tensor | None) -> Tensor:
        """Gated features of all layers, ``(n, L · C)``, from the embedded sample before, ``(n, C)``."""
        places = self.starts + (self.t + self.apart) % self.sizes                  # (L, k - 1), the oldest first
        past = self.memory[places].transpose(1, 2).flatten(2)                      # (L, n, (k - 1) C)
        biases = self.biases if told is None else self.biases + told.transpose(0, 1)
        known = torch.baddbmm(biases.expand(-1, len(h), -1), past, self.earlier)   # (L, n, 2C)
        inputs, gated = [h], []
        for l, (share, weight) in enumerate(zip(known.unbind(0), self.now, strict=True)):
            z = gate(torch.addmm(share, h, weight), 1)
            gated.append(z)
            if l < len(self.residual):
                inputs.append(h := torch.addmm(h, z, self.residual[l]))
        self.memory[places[:, 0]] = torch.stack(inputs)
        self.t += 1
        return torch.cat(gated, 1)
