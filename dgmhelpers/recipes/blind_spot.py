"""Does the blind spot matter? Three kinds of model of equal size, side by side, over seeds.

    python -m dgmhelpers.recipes.blind_spot

trains four of each on two data sets and writes ``results/comparisons/blind-spot.json``. On *copies*, images made so
that the blind pixels carry the information (:class:`~dgmhelpers.data.exact.DistantCopies`, synthetic, entropy known), a
model with the blind spot is left with fair coins, however deep and wide. On the embedded 8 × 8 *digits* nobody knows
beforehand. A plain and a gated model differ in two things, gates and sight; the third kind, :class:`OneStack`, has the
gates alone. Models of one seed share their images and their batches; intervals are Student's over the seeds.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from dgmhelpers import data, evaluation
from dgmhelpers.autoregressive import GatedPixelCNN, PixelCNN
from dgmhelpers.autoregressive.gated_pixel_cnn import GAIN, gate
from dgmhelpers.autoregressive.pixels import PixelModel
from dgmhelpers.data import exact
from dgmhelpers.evaluation import Gains, over_seeds
from dgmhelpers.layers import RasterConv2d
from dgmhelpers.recipes.run import commit, describe
from dgmhelpers.training import fit
from dgmhelpers.training.files import write_json

COMMAND = "python -m dgmhelpers.recipes.blind_spot"


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


KINDS = {"plain": PixelCNN, "one stack": OneStack, "gated": GatedPixelCNN}


@dataclass(frozen=True)
class Setting:
    """A data set, models of about the same number of parameters, and how all are trained.

    Attributes:
        data: "copies", or the name of an image set.
        models: keyword arguments of each kind, some of :data:`KINDS`.
        training: keyword arguments of :func:`~dgmhelpers.training.fit`.
        source: arguments of :func:`~dgmhelpers.data.exact.distant_copies`, for "copies".
        examples: images drawn of it for training; half as many each for validation and test.
    """

    data: str
    models: dict[str, dict]
    training: dict
    source: dict = field(default_factory=dict)
    examples: int = 4000


COPIES = {"height": 8, "width": 8, "up": 1, "right": 3, "stay": 0.95}
MODELS = {  # each pixel within reach of all others: 7 rows and columns
    "plain": {"channels": 34, "layers": 6},
    "one stack": {"channels": 15, "layers": 7},
    "gated": {"channels": 12, "layers": 7},
}
TRAINING = {"batch_size": 64, "warmup": 30, "evaluate_every": 50}
FULL = {
    "copies": Setting("copies", MODELS, TRAINING | {"steps": 150, "lr": 1e-2}, COPIES),
    "digits": Setting("binary-digits8", MODELS, TRAINING | {"steps": 300, "lr": 1e-2}),
}


def images(setting: Setting, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Training, validation and test images of a setting, ``(N, 1, H, W)``; those of "copies" are drawn by the seed."""
    if setting.data != "copies":
        digits = data.load(setting.data)
        return digits.train, digits.valid, digits.test
    half = setting.examples // 2
    x = exact.distant_copies(**setting.source).sample(4 * half, generator=Generator().manual_seed(1000 + seed)).float()
    return x[: 2 * half], x[2 * half : 3 * half], x[3 * half :]


@dataclass(frozen=True)
class Comparison:
    """What training every kind with several seeds gave.

    Attributes:
        log_probs: of the test images of each seed by each kind, nats, ``(S, N)``.
        parameters: of each kind.
    """

    log_probs: dict[str, Tensor]
    parameters: dict[str, int]

    def nats(self, kind: str) -> list[float]:
        """Mean negative log-likelihood of each seed."""
        return (-self.log_probs[kind].mean(1)).tolist()

    def gain(self, of: str, over: str) -> Gains:
        """By how much one kind is better than another, seed by seed."""
        return over_seeds(self.log_probs[of] - self.log_probs[over])


def compare(setting: Setting, seeds: int, *, progress: bool = False) -> Comparison:
    """Train every kind of a setting with ``seeds`` seeds, and measure each on its test images."""
    logs, parameters = {name: [] for name in setting.models}, {}
    for seed in range(seeds):
        train, valid, test = images(setting, seed)
        for name, config in setting.models.items():
            with torch.random.fork_rng([]):
                torch.manual_seed(seed)
                model = KINDS[name](tuple(train.shape[1:]), **config)
            fit(model, train, valid=valid, **setting.training, seed=seed, progress=progress, device="cpu")
            logs[name].append(evaluation.log_probs(model, test))
            parameters[name] = sum(p.numel() for p in model.parameters())
    return Comparison({name: torch.stack(rows) for name, rows in logs.items()}, parameters)


def record(settings: dict[str, Setting], seeds: int, say=print) -> dict:
    """All of it, as it is stored."""
    result = {"command": COMMAND, "seeds": seeds, "commit": commit(), "device": describe(torch.device("cpu"))}
    result |= {"versions": {"torch": torch.__version__}, "unit": "nats", "settings": {}}
    for name, setting in settings.items():
        started = time.perf_counter()
        found = compare(setting, seeds)
        kinds, gains = list(setting.models), {}
        for other in kinds[:-1]:
            gain = found.gain(kinds[-1], other)
            gains[other] = {"value": gain.value, "interval": list(gain.interval()), "of_each_seed": gain.each}
            say(f"{name}: {kinds[-1]} is better than {other} by {gain}")
        result["settings"][name] = {
            "setting": asdict(setting),
            "parameters": found.parameters,
            "nats": {kind: found.nats(kind) for kind in kinds},
            f"gain_of_{kinds[-1]}_over": gains,
            "test_images": gain.n,
            "seconds": round(time.perf_counter() - started, 1),
        }
        if setting.data == "copies":
            source = exact.distant_copies(**setting.source)
            coins = source.event_shape.numel() * math.log(2)
            result["settings"][name] |= {"entropy": source.entropy, "fair_coins": coins}
    return result


def path() -> Path:
    """Where the result is kept."""
    return Path(__file__).resolve().parents[2] / "results" / "comparisons" / "blind-spot.json"


def stored() -> dict:
    """The result as it is kept."""
    return json.loads(path().read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    """Train them all and write the result; gives the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4, help="how many of each kind to train, at least 2")
    parser.add_argument("--out", type=Path, default=path(), help="the file to write")
    options = parser.parse_args(arguments)
    if options.seeds < 2:
        parser.error("--seeds must be at least 2: one has no spread")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, record(FULL, options.seeds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
