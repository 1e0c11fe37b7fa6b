"""WaveNet on spoken digits: two speakers, given digit and speaker; and one word, as what a sample sees grows.

*Bits a sample* (``bits``): exact, of whole recordings of the test part, however long, each from its first sample on.
Beside it, of the same samples: order 0 (the frequencies of the levels in training), a lossless coder of sound
(:mod:`dgmhelpers.evaluation.lossless`) and xz, both on the levels.

*Heard*: a linear classifier on spectrograms (:class:`Listener`), trained on the real recordings, says which digit and
which speaker it hears in draws: a count of what a listener might recognise, not a listener.

*Training*: the first ``LENGTH`` samples of each recording, padded with silence, so that a draw begins where a word does
and ends in silence.
"""

import lzma
import math
from functools import cache, partial
from typing import Any

import torch
from torch import Generator, Size, Tensor

from dgmhelpers import data
from dgmhelpers.data import Dataset, sounds
from dgmhelpers.evaluation.lossless import rice_bits
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.training import files

LENGTH = 3584       # samples of a training example: 0.45 seconds
SILENCE = 128       # the level just above zero
WHO = ("jackson", "theo")
WORD = 7, "jackson"


@cache
def recordings(split: str, who: tuple[str, ...] = WHO, digit: int | None = None) -> tuple[list[Tensor], Tensor]:
    """Recordings of these speakers, levels ``(T_i,)``, and their classes, digit · speakers + speaker."""
    spoken, by = data.load("spoken-digits"), sounds.speakers()[split]
    chosen = [i for i, s in enumerate(by) if sounds.SPEAKERS[s] in who
              and digit in (None, int(spoken.labels[split][i]))]  # fmt: skip
    about = [int(spoken.labels[split][i]) * len(who) + who.index(sounds.SPEAKERS[by[i]]) for i in chosen]
    return [spoken.recording(i, split).long() for i in chosen], torch.tensor(about)


def words(made: Made | None = None, *, who: tuple[str, ...] = WHO, digit: int | None = None) -> Dataset:
    """The beginnings of the recordings as examples of one length; ``labels`` are the classes."""
    splits: dict[str, Any] = {}
    labels = {}
    for split in ("train", "valid", "test"):
        found, labels[split] = recordings(split, who, digit)
        splits[split] = torch.full((len(found), LENGTH), SILENCE)
        for row, x in zip(splits[split], found, strict=True):
            row[: len(x)] = x[:LENGTH]
    of = data.load("spoken-digits")
    return Dataset(
        name="spoken-digits, " + " and ".join(who) + ("" if digit is None else f", {digit}"), **splits,
        event_shape=Size([LENGTH]), levels=256, sha256=of.sha256, licence=of.licence, attribution=of.attribution,
        source=of.source, quick=False, labels=labels, sample_rate=sounds.RATE,
    )  # fmt: skip


def tones(made: Made | None = None) -> Dataset:
    """The synthesised tones, every eighth, cut to 256 samples: what the quick profile has for words."""
    whole = data.load("sounds")
    splits: dict[str, Any] = {part: x[::8, :256] for part, x in whole.splits.items()}
    return Dataset(
        name="sounds, cut", **splits, event_shape=Size([256]), levels=256, sha256=files.fingerprint(splits["train"]),
        licence=whole.licence, attribution=whole.attribution, source=whole.source, quick=True,
        labels={part: y[::8] for part, y in whole.labels.items()}, sample_rate=sounds.RATE,
    )  # fmt: skip


def examples_of(dataset: Dataset, split: str) -> tuple[list[Tensor], Tensor]:
    """What is measured of a data set: whole recordings where it was cut from recordings."""
    if dataset.quick:
        return list(dataset.split(split)), dataset.labels[split]
    name, *digit = dataset.name.removeprefix("spoken-digits, ").split(", ")
    return recordings(split, tuple(name.split(" and ")), int(digit[0]) if digit else None)


@torch.no_grad()
def bits(model: Any, found: list[Tensor], about: Tensor) -> Tensor:
    """Bits of each of the recordings, ``(N,)``, from the first sample on."""
    total = []
    for x, c in zip(found, about, strict=True):
        context = None if model.conditioned_on is None else c[None].to(model.device)
        row = x[None].to(model.device)
        total.append(-model.likelihood.log_prob(model(row, context), row).double().sum().cpu() / math.log(2))
    return torch.stack(total)


def compared(model: Any, dataset: Dataset, seed: int = 0) -> dict[str, float]:
    """Bits a sample of the test part: the model's, order 0, the coder of sound, xz."""
    found, about = examples_of(dataset, "test")
    sizes = torch.tensor([len(x) for x in found], dtype=torch.double)
    mine = bits(model, found, about)
    value = mine.sum() / sizes.sum()
    error = (mine - value * sizes).square().sum().sqrt() / sizes.sum()
    seen = torch.cat(examples_of(dataset, "train")[0]).bincount(minlength=256).double() + 1
    whole = torch.cat(found)
    order0 = -(seen / seen.sum()).log2()[whole].mean()
    packed = lzma.compress(whole.to(torch.uint8).numpy().tobytes(), preset=9 | lzma.PRESET_EXTREME)
    return {
        "bits": value.item(), "bits_error": error.item(), "order0": order0.item(), "samples": float(sizes.sum()),
        "coder": sum(rice_bits(x) for x in found) / float(sizes.sum()), "xz": 8 * len(packed) / float(sizes.sum()),
    }  # fmt: skip


UNITS = {
    "bits": "exact negative log-likelihood of whole test recordings, bits a sample",
    "bits_error": "its standard error over recordings, bits a sample",
    "order0": "order 0, frequencies of the training part, bits a sample",
    "samples": "samples of the test part",
    "coder": "best fixed predictor and Rice code of each block of 256, on the levels, bits a sample",
    "xz": "xz -9e on the levels of all recordings end to end, bits a sample",
}


def pictures(x: Tensor, rows: int = 20, columns: int = 12) -> Tensor:
    """Small log-spectrograms of levels, ``(N, T)`` to ``(N, rows · columns)``: 0 to 4 kHz by the whole length."""
    waves = data.audio.decode(x).float()
    window = torch.hann_window(200)
    power = torch.stft(waves, 200, hop_length=100, window=window, return_complex=True).abs().square()
    small = torch.nn.functional.adaptive_avg_pool2d(power[:, None], (rows, columns))[:, 0]
    return (small + 1e-4).log().flatten(1)


class Listener:
    """Softmax regression on small spectrograms: which class it hears."""

    def __init__(self, x: Tensor, classes: Tensor, steps: int = 60, penalty: float = 3e-3):
        pictured = pictures(x)
        self.mean, self.std = pictured.mean(0), pictured.std(0) + 1e-3
        self.linear = torch.nn.Linear(pictured.shape[1], int(classes.max()) + 1)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)
        moves = torch.optim.LBFGS(self.linear.parameters(), max_iter=steps, line_search_fn="strong_wolfe")
        features = (pictured - self.mean) / self.std

        def closure():
            moves.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.linear(features), classes)
            (loss + penalty * self.linear.weight.square().sum()).backward()
            return loss

        moves.step(closure)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Classes of levels ``(N, T)``, ``(N,)``."""
        return self.linear((pictures(x) - self.mean) / self.std).argmax(1)


def heard(model: Any, dataset: Dataset, seed: int = 0, each: int = 5) -> dict[str, float]:
    """How often the listener hears what was asked for: of real test words, and of draws at two temperatures."""
    listener = Listener(dataset.train, dataset.labels["train"])
    many = dataset.name.count(" and ") + 1                       # speakers
    test, about = dataset.split("test"), dataset.labels["test"]

    def right(x, c):
        said = listener(x)
        return (said // many == c // many).double().mean().item(), (said % many == c % many).double().mean().item()

    figures = dict(zip(("digits_real", "speakers_real"), right(test, about), strict=True))
    classes = torch.arange(model.conditioned_on.levels).repeat(each)
    for name, temperature in ("", 1.0), ("_cool", 0.8):
        draws = model.sample(len(classes), context=classes.to(model.device), temperature=temperature,
                             generator=Generator(model.device).manual_seed(seed)).cpu()  # fmt: skip
        figures |= dict(zip((f"digits{name}", f"speakers{name}"), right(draws, classes), strict=True))
    return figures


HEARD = {
    "digits_real": "share of real test words whose digit the listener hears; by chance 0.1",
    "speakers_real": "share of real test words whose speaker it hears; by chance 0.5",
    "digits": "share of 100 draws whose digit it hears", "speakers": "share of 100 draws whose speaker it hears",
    "digits_cool": "share of 100 draws at temperature 0.8 whose digit it hears",
    "speakers_cool": "share of 100 draws at temperature 0.8 whose speaker it hears",
}  # fmt: skip
QUICK: dict[str, Any] = {
    "source": tones, "measures": (Figures(compared, UNITS),),
    "training": dict(steps=6, batch_size=4, lr=3e-3, evaluate_every=3), "part": 5,
}  # fmt: skip
QUICK["config"] = {"length": 256, "channels": 8, "layers": 5, "skip": 16}


def _wavenet(name: str, about: str, source, config: dict, training: dict, **rest) -> Experiment:
    base = dict(batch_size=4, lr=3e-3, warmup=50, clip=1.0, ema=0.99, evaluate_batch_size=8)
    return Experiment.of(
        name, about, model="autoregressive.WaveNet", source=source, config={"length": LENGTH} | config,
        training=base | training, part=40, quick=QUICK, **rest,
    )  # fmt: skip


def reaching(layers: int) -> Experiment:
    """One word by one speaker, by a model whose samples see 2^layers samples back."""
    digit, who = WORD
    return _wavenet(
        f"wavenet-reach-{2**layers}", f"WaveNet of {layers} layers on one spoken word: a sample sees {2**layers} back",
        partial(words, who=(who,), digit=digit), {"channels": 24, "layers": layers, "skip": 48},
        dict(steps=200, evaluate_every=40), measures=(Figures(compared, UNITS),),
    )  # fmt: skip


EXPERIMENTS = (
    _wavenet("wavenet-spoken", "WaveNet of 11 layers of 32 channels given digit and speaker, spoken digits of two "
             "speakers", words, {"channels": 32, "layers": 11, "skip": 64, "classes": (10, len(WHO))},
             dict(steps=600, batch_size=8, evaluate_every=60),
             measures=(Figures(compared, UNITS), Figures(heard, HEARD))),
    *map(reaching, (3, 6, 9, 11)),
)  # fmt: skip
