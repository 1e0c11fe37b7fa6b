"""From PixelCNN to PixelCNN++ in colour, one change at a time, over seeds; and other models in the same table.

*The ablation* (``ablation-patches``): 8 × 8 patches of two photographs, 256 levels. Each variant changes one thing of
the one before it: 256 logits become five logistics (:class:`MixturePixelCNN`); a pixel's colours come at once and are
tied by the mixture (:class:`WholePixelCNN`); two streams of gated blocks with shifted windows take the place of one
masked stack; strides and a second scale come in, first without shortcuts (:class:`NoShortcuts`), then with; then
dropout. Models of one seed share their batches. All are stopped after as many steps, none has converged: the figures
say what each change buys in that time. Others (``rows-patches``) are trained alike, for the table.

*Discretised or dequantised* (``dequantised-patches``): one network; its mixture of logistics is either rounded to
levels, or a density over levels with uniform noise, whose mean log-density is a bound.
"""

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from dgmhelpers import classical, data, evaluation, masks
from dgmhelpers.autoregressive.pixel_cnn import Block, PixelCNN
from dgmhelpers.autoregressive.pixel_cnn_pp import PixelCNNpp
from dgmhelpers.autoregressive.whole_pixels import WholePixelModel
from dgmhelpers.data import Dataset
from dgmhelpers.layers import RasterConv2d
from dgmhelpers.layers.shifted import POINT, ShiftedConv2d
from dgmhelpers.likelihoods import DiscretizedLogisticMixture
from dgmhelpers.model import Model
from dgmhelpers.numerics import over_scale
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Figures, Nats

PP = "autoregressive.PixelCNNpp"
UNIT = 64           # levels, for densities over real numbers


class MixturePixelCNN(PixelCNN):
    """PixelCNN whose sub-pixels are mixtures of logistics, instead of a logit for each level: masks do the colours."""

    COMPONENTS = 5

    def __init__(self, event_shape=(3, 8, 8), levels: int = 256, channels: int = 32, layers: int = 6, kernel: int = 3):
        super().__init__(event_shape, levels, channels, layers, kernel)
        self.likelihood = DiscretizedLogisticMixture(levels, self.COMPONENTS)
        self.config = {k: self.config[k] for k in ("event_shape", "levels", "channels", "layers", "kernel")}
        with torch.no_grad():
            rows = self.output.bias.view(self.colours, 3, -1)
            rows[:, 1] = torch.linspace(-1, 1, self.COMPONENTS + 2)[1:-1]
            rows[:, 2] = -1.0

    @property
    def outputs(self) -> Tensor:
        """Three rows for each component, of each colour."""
        return torch.arange(self.colours).repeat_interleave(3 * self.COMPONENTS)

    def arranged(self, z: Tensor) -> Tensor:
        """``(B, C · 3M, H, W)`` as ``(B, C, H, W, 3, M)``."""
        return z.unflatten(1, (self.colours, 3, -1)).movedim((2, 3), (-2, -1))

    def parameters_at(self, z: Tensor) -> Tensor:
        """``(n, 3M)`` as ``(n, 3, M)``."""
        return z.unflatten(1, (3, -1))


class WholePixelCNN(WholePixelModel):
    """PixelCNN's masked stack without masks for colours: a pixel's colours are tied by the mixture alone."""

    def __init__(self, event_shape=(3, 8, 8), levels: int = 256, channels: int = 32, layers: int = 6, kernel: int = 3,
                 components: int | None = None):  # fmt: skip
        super().__init__(event_shape, levels, components, {"channels": channels, "layers": layers, "kernel": kernel})
        image, stream, inner, head = (masks.colour_of(size, 1) for size in
                                      (self.colours + 1, channels, max(channels // 2, 1), max(channels, 32)))
        self.first = RasterConv2d(image, stream, kernel, strict=True)
        self.blocks = nn.ModuleList(Block(stream, inner, kernel, 1 / max(layers, 1) ** 0.5) for _ in range(layers))
        self.head = RasterConv2d(stream, head, 1, gain=2**0.5)
        self.output = ShiftedConv2d(len(head), self.outputs_of_pixel, POINT)
        self.start_mixture(self.output)

    def network(self, x):
        """One stack, as in PixelCNN."""
        h = self.first(x)
        for block in self.blocks:
            h = block(h)
        return self.output(self.head(h.relu()).relu())

    def pixels(self, n):
        """One walk through the image for every layer."""
        width = self.event_shape[2]
        first, head, output = self.first.walk(n, width), self.head.walk(n, width), self.output.pixels(n, width)
        blocks = [block.walk(n, width) for block in self.blocks]
        while True:
            h = first.give()
            for block in blocks:
                h = block(h)
            first.take((yield output(head(h.relu()).relu())))


class NoShortcuts(PixelCNNpp):
    """PixelCNN++ whose blocks on the way up are told nothing of the way down: those weights are zero, and stay so.

    The last pixel of a square then knows nothing of its nearest neighbours. It declares no blind spot.
    """

    def __init__(self, event_shape=(3, 8, 8), levels: int = 256, channels: int = 24, layers: int = 1, scales: int = 2,
                 components: int | None = None, dropout: float = 0.0):  # fmt: skip
        super().__init__(event_shape, levels, channels, layers, scales, components, dropout)
        for pair in (pair for scale in self.up for pair in scale):
            for told in (pair[0].told[0], pair[1].told[1]):
                for parameter in told.parameters():
                    nn.init.zeros_(parameter).requires_grad_(False)


class LogisticDensity(DiscretizedLogisticMixture):
    """The same mixture as a density over real numbers, in units of a level: not the mass of an interval."""

    def _of_each(self, mean: Tensor, log_scale: Tensor, x: Tensor) -> Tensor:
        z = over_scale(x.unsqueeze(-1).to(mean.dtype) * 2 / (self.levels - 1) - 1 - mean, log_scale)
        return F.logsigmoid(z) + F.logsigmoid(-z) - log_scale + math.log(2 / (self.levels - 1))


class DequantisedPixelCNNpp(Model):
    """PixelCNN++ as a density over levels to which uniform noise was added: a bound on the levels' likelihood.

    Args:
        event_shape, levels, channels, layers, scales, components: as for
            :class:`~dgmhelpers.autoregressive.PixelCNNpp`.
    """

    def __init__(self, event_shape=(3, 8, 8), levels: int = 256, channels: int = 24, layers: int = 1, scales: int = 1,
                 components: int = 5):  # fmt: skip
        sizes = {"channels": channels, "layers": layers, "scales": scales, "components": components}
        super().__init__(event_shape, levels, {"event_shape": list(event_shape), "levels": levels} | sizes)
        self.density = PixelCNNpp(event_shape, levels, **sizes)
        self.density.likelihood = LogisticDensity(levels, components, event_shape[0])

    def elbo(self, x: Tensor, k: int = 1, *, generator: Generator | None = None) -> Tensor:
        """The log-density at a point of each level's interval, drawn uniformly, ``(B,)``: on average a bound."""
        if k != 1:
            raise ValueError(f"k must be 1, got {k}")
        return self._elbo(self.check(x), generator)

    def loss(self, x: Tensor, context: Tensor | None = None, *, generator: Generator | None = None) -> Tensor:
        """Minus the mean of :meth:`elbo`."""
        self._refuse_context(context)
        return -self._elbo(self._prepare(x), generator).mean()

    def _elbo(self, x, generator):
        noise = torch.empty(x.shape, dtype=self.dtype, device=x.device).uniform_(-0.5, 0.5, generator=generator)
        return self.density._log_prob(x + noise, None, 0)


def noisy(made: Made) -> Dataset:
    """Colour patches as real vectors: a level and uniform noise, in units of 64 levels."""
    patches, noise = data.load("colour-patches").flat(), Generator().manual_seed(0)

    def real(x):
        return (x + torch.rand(x.shape, generator=noise)) / UNIT

    return replace(patches, **{part: real(x) for part, x in patches.splits.items()}, levels=None)


@torch.no_grad()
def real_figure(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """The bound on the levels' bits/dim that a density of noisy levels gives, test split; and one Gaussian's."""
    gaussian = classical.Gaussian(dataset.dim).fit(dataset.train.double(), ridge=1e-4)
    bits = {name: evaluation.bits_per_dim(evaluation.nats(each, dataset.split("test")), dataset.dim).value
            for name, each in (("deep", model), ("gaussian", gaussian))}
    return {name: value + math.log2(UNIT) for name, value in bits.items()}


@torch.no_grad()
def levels_figure(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """Bits/dim over the test split, exact or ten draws of the bound, and the same on validation."""
    found = {}
    for split in ("test", "valid"):
        x = dataset.split(split)
        if hasattr(model, "elbo"):
            nats = -evaluation.elbos(model, x, draws=10, generator=Generator(model.device).manual_seed(0))
        else:
            nats = -evaluation.log_probs(model, x)
        found[split] = evaluation.bits_per_dim(evaluation.mean(nats), dataset.dim).value
    return found


ABLATION: dict[str, dict[str, Any]] = {                  # about 45,000 live parameters each
    "PixelCNN, 256 logits": {"class": "autoregressive.PixelCNN", "model": {"channels": 42, "layers": 6}},
    "logistic mixture": {"class": MixturePixelCNN, "model": {"channels": 60, "layers": 6}},
    "whole pixels": {"class": WholePixelCNN, "model": {"channels": 50, "layers": 6}},
    "shifted streams": {"class": PP, "model": {"channels": 13, "layers": 2, "scales": 1}},
    "two scales": {"class": NoShortcuts, "model": {"channels": 13, "layers": 1, "scales": 2}},
    "shortcuts": {"class": PP, "model": {"channels": 13, "layers": 1, "scales": 2}},
    "dropout": {"class": PP, "model": {"channels": 13, "layers": 1, "scales": 2, "dropout": 0.25}},
    "Gated PixelCNN": {"class": "autoregressive.GatedPixelCNN", "model": {"channels": 15, "layers": 6}},
    "PixelSNAIL": {"class": "autoregressive.PixelSNAIL", "model": {"channels": 20, "layers": 2, "blocks": 2}},
}
ROWS: dict[str, dict[str, Any]] = {
    "spatial LSTM": {"class": "autoregressive.SpatialLSTM", "model": {"hidden": 50}},
    "multi-scale": {"class": "autoregressive.MultiScalePixelCNN", "model": {"channels": 12, "layers": 1}},
}
ONE_SCALE = {"channels": 16, "layers": 1, "scales": 1, "components": 5}
TRAINING = dict(steps=120, batch_size=16, lr=5e-3, warmup=15, ema=0.95, clip=100.0, evaluate_every=60)
QUICK: dict[str, Any] = {"training": dict(steps=4, batch_size=8, lr=4e-3, evaluate_every=2), "seeds": (0,)}

EXPERIMENTS = (
    Experiment.of(
        "ablation-patches", "From PixelCNN to PixelCNN++, one change at a time, and two others, 8 × 8 colour patches",
        model=PP, source="colour-patches", training=TRAINING, variants=ABLATION, seeds=(0, 1, 2),
        measures=(Nats("bits/dim"),), keep=None, against="shortcuts", part=300, quick=QUICK,
    ),
    Experiment.of(
        "rows-patches", "Spatial LSTM and multi-scale PixelCNN, 8 × 8 colour patches: rows of the same table",
        model=PP, source="colour-patches", training=TRAINING, variants=ROWS, seeds=(0, 1, 2),
        measures=(Nats("bits/dim"),), keep=None, part=300, quick=QUICK,
    ),
    Experiment.of(
        "dequantised-patches", "A mixture of logistics rounded to levels, or as a density with uniform noise, 8 × 8 "
        "colour patches: bits/dim, exact or a bound",
        model=PP, source="colour-patches", config=ONE_SCALE, training=TRAINING, seeds=(0, 1, 2),
        variants={
            "discretised": {}, "discretised, half the rate": {"lr": 2e-3},
            "dequantised": {"class": DequantisedPixelCNNpp},
            "dequantised, half the rate": {"class": DequantisedPixelCNNpp, "lr": 2e-3},
        },
        measures=(Figures(levels_figure, {"test": "bits/dim, test split", "valid": "bits/dim, validation split"}),),
        keep=None, against="discretised", quick=QUICK,
    ),
    Experiment.of(
        "deepgmm-patches", "Deep Gaussian mixture, two layers of four maps, 8 × 8 colour patches with uniform noise: a "
        "bound on the bits/dim of their levels",
        model="classical.DeepGMM", source=noisy, config={"maps": [4, 4]},
        training=dict(steps=300, batch_size=64, lr=2e-3, warmup=20, ema=0.97, clip=100.0, evaluate_every=150),
        measures=(Figures(real_figure, {"deep": "bound on bits/dim, test split",
                                        "gaussian": "the same of one Gaussian, in closed form"}),),
        keep=None, quick={"training": QUICK["training"], "config": {"maps": [2, 1]}},
    ),
    Experiment.of(
        "pixelsnail-faces", "PixelSNAIL, two rounds of 24 features, 16 × 16 faces in colour at 256 levels",
        model="autoregressive.PixelSNAIL", source="pixel-faces",
        config={"channels": 24, "layers": 2, "blocks": 2, "keys": 8, "components": 5},
        training=TRAINING | dict(steps=600, lr=4e-3, ema=0.98, evaluate_every=300), measures=(Nats("bits/dim"),),
        size=(16, 16), part=300, quick={"training": QUICK["training"], "part": 4},
    ),
    Experiment.of(
        "pixelcnnpp-cifar-part", "PixelCNN++, two scales of 24 features, a part of CIFAR-10: 3,600 training images. "
        "Compares with nothing that was trained on the whole",
        model=PP, source="cifar10-part", config={"channels": 24, "layers": 1, "scales": 2, "components": 5},
        training=TRAINING | dict(steps=400, batch_size=8, lr=4e-3, ema=0.98, evaluate_every=200),
        measures=(Nats("bits/dim"),), size=(32, 32), part=200,
        quick={"training": QUICK["training"], "source": "colour-patches", "part": 8, "size": (8, 8)},
    ),
)  # fmt: skip
