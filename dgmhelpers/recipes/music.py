"""Music as frames of 88 keys: independent keys, a logistic regression on the last frame, GRU, LSTM, TCN; two sets.

*Which frames count*: the published figures are sums over keys, averaged over all frames of the test part but the first
of each piece, which their models do not predict. ``nll_frames`` is that mean. ``nll_all_frames`` has the first ones
too. The standard error of both treats pieces as independent, not frames.

*Training*: whole chorales, padded to the longest; tunes in pieces of at most 256 frames. What is padded counts for
nothing. The weights with the best figure on validation (whole pieces, frames 2 … T) are kept.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Size, Tensor, nn

from dgmhelpers.arguments import at_least
from dgmhelpers.autoregressive.frames import FrameModel
from dgmhelpers.data import Dataset
from dgmhelpers.evaluation import Estimate
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Measure
from dgmhelpers.recipes.train import Examples
from dgmhelpers.training import files, fit

LONGEST = 256       # frames of a training example


class LastFrame(FrameModel):
    """Every key by a logistic regression on the frame before: what any memory has to beat.

    Args:
        length: frames T of one example. keys: binary values of one frame.
        past: False for keys that are independent of everything.
    """

    reach = 1

    def __init__(self, length: int = 64, keys: int = 88, past: bool = True):
        super().__init__(length, 2, at_least("keys", keys, 1), {"keys": keys, "past": past})
        self.output, self.past = nn.Linear(keys, keys), past

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of every key given the frame before, ``(B, T, keys)``."""
        return self.output(self.before(x) * self.past)

    def walk(self, n, context=None):
        """Nothing to remember."""
        return lambda last: self.output(last * self.past)


class Masked(nn.Module):
    """A model of frames as ``fit`` trains it: the mean over those frames that its context says are there."""

    def __init__(self, model: FrameModel, event_shape: Size):
        super().__init__()
        self.model, self.event_shape = model, event_shape

    def loss(self, x: Tensor, context: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Nats a frame, a scalar; ``context`` is 1 for frames that count, ``(B, T)``."""
        each = self.model.likelihood.log_prob(self.model(x), x).sum(-1)            # (B, T)
        return -(each * context).sum() / context.sum()


def padded(dataset: Dataset, split: str) -> tuple[Tensor, Tensor]:
    """Pieces of at most ``LONGEST`` frames, padded with silence, ``(N, T, 88)``, and which frames are there."""
    recordings = [dataset.recording(i, split) for i in range(len(dataset.offsets[split]) - 1)]
    pieces = [part for piece in recordings for part in piece.split(LONGEST)]
    there = [torch.ones(len(piece)) for piece in pieces]
    return (nn.utils.rnn.pad_sequence(pieces, batch_first=True), nn.utils.rnn.pad_sequence(there, batch_first=True))


@torch.no_grad()
def by_piece(model: Any, dataset: Dataset, split: str, most: int | None = None) -> list[Tensor]:
    """Nats of each frame of each piece of a split, all of a piece in its model's sight: tensors ``(T_i,)``."""
    count = len(dataset.offsets[split]) - 1
    training, found = model.training, []
    model.eval()
    for i in range(count if most is None else min(most, count)):
        x = dataset.recording(i, split)[None].to(model.device, model.dtype)
        found.append(-model.likelihood.log_prob(model(x), x).sum(-1)[0].double().cpu())
    model.train(training)
    return found


def per_frame(pieces: list[Tensor], unit: str = "nats per frame") -> Estimate:
    """The mean over all frames; its standard error from pieces, as for any ratio of sums."""
    sums, sizes = (torch.tensor(each, dtype=torch.double) for each in zip(*((p.sum(), len(p)) for p in pieces),
                                                                             strict=True))  # fmt: skip
    value = sums.sum() / sizes.sum()
    error = (sums - value * sizes).square().sum().sqrt() / sizes.sum() * math.sqrt(len(pieces) / (len(pieces) - 1))
    return Estimate(value.item(), error.item(), int(sizes.sum()), unit)


@dataclass(frozen=True)
class NatsOfFrames(Measure):
    """Exact negative log-likelihood in nats a frame, of pieces of any length.

    Attributes:
        first: whether the first frame of each piece counts, which the published figures leave out.
    """

    unit: str = "nats per frame"
    first: bool = False

    def __post_init__(self):
        words = "all frames" if self.first else "frames 2 … T of each piece"
        object.__setattr__(self, "name", "nll_all_frames" if self.first else "nll_frames")
        object.__setattr__(self, "words", f"negative log-likelihood, {words}")

    def entries(self, model, experiment, dataset, seed, split, examples=None):
        """As for any measure, of pieces; ``examples`` are the first so many."""
        pieces = [piece if self.first else piece[1:] for piece in by_piece(model, dataset, split, examples)]
        first = {"examples": min(10, len(pieces)), "value": per_frame(pieces[:10]).value}
        return [self.entry(dataset, split, per_frame(pieces), first)]


def by_mask(model: FrameModel, examples: Examples, *, watch=None, part: int = 60, **training):
    """``fit`` on padded pieces, validated on ``part`` whole ones."""
    x, there = padded(examples.dataset, "train")

    def valid(masked):
        return per_frame([piece[1:] for piece in by_piece(masked.model, examples.dataset, "valid", part)]).value

    return fit(Masked(model, x.shape[1:]), x, context=there, valid=valid, **training)


def chords(made: Made | None = None) -> Dataset:
    """Forty pieces of four chords in turn, made here: what the quick profile has for music."""
    draw = Generator().manual_seed(0)
    tones = torch.tensor([[40, 44, 47], [45, 49, 52], [47, 51, 54], [42, 45, 49]])
    keys = torch.zeros(4, 88).scatter_(1, tones, 1.0)
    pieces = []
    for _ in range(40):
        length, start = int(torch.randint(24, 49, (), generator=draw)), int(torch.randint(4, (), generator=draw))
        pieces.append(keys[(start + torch.arange(length) // 2) % 4])
    splits = {"train": pieces[:30], "valid": pieces[30:35], "test": pieces[35:]}
    ends = {name: torch.tensor([0, *(len(p) for p in of)]).cumsum(0) for name, of in splits.items()}
    whole: dict[str, Any] = {name: torch.cat(of) for name, of in splits.items()}
    return Dataset(
        name="chords", **whole, event_shape=Size([88]), levels=2, sha256=files.fingerprint(whole["train"]),
        licence="CC0 1.0", attribution="this project", source="made here: synthetic", quick=True, offsets=ends,
    )  # fmt: skip


KEYS: dict[str, Any] = {"length": 64, "keys": 88}
VARIANTS: dict[str, dict] = {
    "independent": {"class": LastFrame, "model": {"past": False}, "steps": 600, "lr": 2e-1},
    "last frame": {"class": LastFrame, "steps": 400, "lr": 1e-2},
    "GRU": {"class": "autoregressive.FrameRNN", "model": {"hidden": 150, "cell": "gru", "dropout": 0.3}},
    "LSTM": {"class": "autoregressive.FrameRNN", "model": {"hidden": 150, "cell": "lstm", "dropout": 0.3}},
    "TCN": {"model": {"channels": 100, "layers": 4, "kernel": 3, "dropout": 0.4}},
}
MEASURES = (NatsOfFrames(), NatsOfFrames(first=True))


def _music(name: str, source: str, steps: int, published: tuple[str, ...]) -> Experiment:
    training = dict(steps=steps, batch_size=16, lr=2e-3, warmup=50, clip=1.0, evaluate_every=max(50, steps // 10))
    tiny = {k: dict(v, steps=20) for k, v in VARIANTS.items()}
    return Experiment.of(
        name, f"TCN, GRU, LSTM and a logistic regression on the last frame, {source}: nats a frame",
        model="autoregressive.TCN", source=source, config=KEYS, training=training, trainer=by_mask,
        variants=VARIANTS, measures=MEASURES, keep="TCN", against="TCN",
        protocol={"frames": "2 … T of each piece, all frames of the test part together"},
        published=dict.fromkeys(published, "ours is smaller and trained for minutes"),
        quick={"source": chords, "training": training | dict(steps=20, evaluate_every=10, warmup=5), "variants": tiny,
               "published": {}},
    )  # fmt: skip


EXPERIMENTS = (
    _music("frames-jsb", "jsb-chorales", 600, ("jsb-tcn", "jsb-gru", "jsb-lstm")),
    _music("frames-nottingham", "nottingham", 400, ("nottingham-tcn", "nottingham-gru", "nottingham-lstm")),
)
