"""Does the blind spot matter? Kinds of model of comparable size, side by side, over seeds.

On *copies*, images made so that the blind pixels carry the information (:class:`~dgmhelpers.data.exact.DistantCopies`,
synthetic, entropy known), a model with the blind spot is left with fair coins, however deep and wide. On the embedded
8 × 8 *digits* nobody knows beforehand. A plain and a gated model differ in three things: gates, a second stack, sight.
:class:`OneStack` has the gates alone, :class:`BlindTwoStacks` gates and two stacks without the sight. Sizes count what
masks leave alive. Models of one seed share their images and their batches; intervals are Student's over the seeds.
"""

import torch
from torch import Generator, Size, nn
from torch.nn.utils import parametrize

from dgmhelpers.autoregressive.gated_pixel_cnn import GAIN, GatedPixelCNN, gate
from dgmhelpers.autoregressive.pixels import PixelModel
from dgmhelpers.data import Dataset, exact
from dgmhelpers.layers import RasterConv2d
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.training import files


class OneStack(PixelModel):
    """Gates on a single stack of masked kernels: gated, and as blind as the plain model. It declares no blind spot.

    Args:
        event_shape, levels, channels, layers, kernel: as for :class:`~dgmhelpers.autoregressive.GatedPixelCNN`.
    """

    def __init__(self, event_shape=(1, 8, 8), levels: int = 2, channels: int = 16, layers: int = 7, kernel: int = 3):
        super().__init__(event_shape, levels, {"channels": channels, "layers": layers, "kernel": kernel})
        stream, image = self.features(channels), torch.arange(self.colours)
        self.look, self.mix = nn.ModuleList(), nn.ModuleList()
        for i in range(layers):
            below = stream if i else image
            self.look.append(RasterConv2d(below, stream.repeat(2), kernel, strict=not i, gain=GAIN))
            self.mix.append(RasterConv2d(stream, stream, 1, gain=1 / layers**0.5 if i else 1.0))
        head = self.features(max(channels, 32))
        self.head = RasterConv2d(stream, head, 1, gain=2**0.5)
        self.output = RasterConv2d(head, self.outputs, 1, gain=0.1)

    def forward(self, x, context=None):
        """Parameters of every conditional at once, ``(B, C, H, W)`` logits or ``(B, C, H, W, levels)``."""
        self._refuse_context(context)
        h = self.scaled(x)                                                         # (B, C, H, W)
        for i, (look, mix) in enumerate(zip(self.look, self.mix, strict=True)):
            h = (h if i else 0) + mix(gate(look(h), 1))                            # (B, channels, H, W)
        return self.arranged(self.output(self.head(h.relu()).relu()))

    def conditionals(self, n, context=None):
        """One walk through the image for every layer."""
        self._refuse_context(context)
        width = self.event_shape[2]
        looks, mixes = ([layer.walk(n, width) for layer in layers] for layers in (self.look, self.mix))
        head, output = self.head.walk(n, width), self.output.walk(n, width)
        for _ in range(len(self.order)):
            h = mixes[0](gate(looks[0].give(), 1))                                 # (n, features of the colour)
            for look, mix in zip(looks[1:], mixes[1:], strict=True):
                h = h + mix(gate(look(h), 1))
            x_i = yield self.parameters_at(output(head(h.relu()).relu()))
            looks[0].take(self.scaled(x_i)[:, None])


class HalfBlind(nn.Module):
    """A vertical kernel that sees nothing right of its centre in its own row: the weight as it is used."""

    def forward(self, weight):
        """``(outputs, inputs, rows, columns)`` with the right half of the last row zero."""
        return weight * self.mask(weight)

    @staticmethod
    def mask(weight):
        """True where the weight is used."""
        keep = torch.ones_like(weight, dtype=torch.bool)
        keep[:, :, -1, weight.shape[-1] // 2 + 1 :] = False
        return keep


class BlindTwoStacks(GatedPixelCNN):
    """Two gated stacks with exactly the blind spot of one: the arguments of a GatedPixelCNN, kernels of 3 × 3.

    Every vertical kernel but the first loses what lies right of its centre in its own row. So a path goes right where
    it goes up, and once more in the first kernel: that makes up for the shift, which goes up and not right.
    """

    def __init__(self, event_shape=(1, 8, 8), levels: int = 2, channels: int = 16, layers: int = 7, kernel: int = 3,
                 first_kernel: int = 3, head: int | None = None, classes: int | None = None):  # fmt: skip
        super().__init__(event_shape, levels, channels, layers, kernel, first_kernel, head, classes)
        if (sides := {self.config["kernel"], self.config["first_kernel"]}) != {3}:
            raise ValueError(f"kernel and first_kernel must be 3, got {sorted(sides)}")
        for layer in self.layers[1:]:
            parametrize.register_parametrization(layer.get_submodule("vertical"), "weight", HalfBlind())

    def seen(self, up, right):
        """The rectangle, without what is further right than up."""
        return super().seen(up, right) & (right <= up)

    def masked_weights(self):
        """Those of one stack's kernels, and the vertical ones."""
        originals = [layer.vertical.parametrizations.weight.original for layer in self.layers[1:]]
        return super().masked_weights() + [(weight, HalfBlind.mask(weight)) for weight in originals]


COPIES = {"height": 8, "width": 8, "up": 1, "right": 3, "stay": 0.95}
EXAMPLES = 4000
VARIANTS = {  # each pixel within reach of all others: 7 rows and columns. On copies no size helps, so none is matched
    "plain": {"class": "autoregressive.PixelCNN", "model": {"channels": 34, "layers": 6}},
    "one stack": {"class": OneStack, "model": {"channels": 15, "layers": 7}},
    "gated": {"class": "autoregressive.GatedPixelCNN", "model": {"channels": 12, "layers": 7}},
}
APART = VARIANTS | {  # the plain one as large as the gated one, counted in what masks leave alive
    "plain": {"class": "autoregressive.PixelCNN", "model": {"channels": 36, "layers": 6}},
    "two stacks, blind": {"class": BlindTwoStacks, "model": {"channels": 13, "layers": 7}},
}


def copies(made: Made, examples: int = EXAMPLES, **source) -> Dataset:
    """Images drawn by the run's seed: so many for training, half as many each for validation and test."""
    density, half = exact.distant_copies(**COPIES | source), examples // 2
    x = density.sample(4 * half, generator=Generator().manual_seed(1000 + made.seed)).float()
    return Dataset(
        name="copies", train=x[: 2 * half], valid=x[2 * half : 3 * half], test=x[3 * half :],
        event_shape=Size(x.shape[1:]), levels=2, sha256=files.fingerprint(x), licence="MIT",
        attribution="this project", source="drawn from an exact density: synthetic", quick=True,
        entropy=density.entropy,
    )  # fmt: skip


def _experiment(name: str, source, steps: int, what: str, variants: dict, **rest) -> Experiment:
    return Experiment.of(
        name,
        f"Models with and without the blind spot, of one size, {what}",
        model="autoregressive.PixelCNN",
        source=source,
        training={"batch_size": 64, "warmup": 30, "evaluate_every": 50, "steps": steps, "lr": 1e-2},
        variants=variants,
        seeds=(0, 1, 2, 3),
        keep=None,
        against="gated",
        quick={"seeds": (0, 1), "training": {"batch_size": 64, "evaluate_every": 10, "steps": 20, "lr": 1e-2}},
        **rest,
    )


EXPERIMENTS = (
    _experiment("blind-spot-copies", copies, 150, "on images whose blind pixels tell", VARIANTS,
                protocol={"source": COPIES, "examples": EXAMPLES}),
    _experiment("blind-spot-digits", "binary-digits8", 300, "on 8 × 8 digits", APART),
)  # fmt: skip
