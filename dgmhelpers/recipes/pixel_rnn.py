"""Row LSTM and Diagonal BiLSTM on static binarised MNIST.

Every layer takes H or H + W steps one after another, forwards and backwards. As for the convolutional models, each
comes in two sizes: the plain name trains on a processor core in half an hour to an hour; ``-large``, at the size of the
paper's Diagonal BiLSTM, takes a core a third of an hour (Row LSTM) or an hour (Diagonal BiLSTM) for one epoch, and
wants a GPU.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.sets import DIGITS, SMALLER, quick

LARGE = {"hidden": 16, "layers": 7, "first_kernel": 7, "head": 32}
LONG = dict(batch_size=16, lr=1e-3, warmup=500, clip=100.0, ema=0.9995, steps=60_000, evaluate_every=6000)
SHORT = dict(batch_size=16, lr=2e-3, warmup=200, clip=100.0, ema=0.998, evaluate_every=3125)
ROW, DIAGONAL = "binarized-mnist-row-lstm", "binarized-mnist-diagonal-bilstm"


def _recipe(name: str, model: str, config: dict, training: dict, about: str, published: dict) -> Experiment:
    tiny = {"hidden": 4, "layers": 1, "first_kernel": 3, "head": 8}
    return Experiment.of(
        name=name,
        description=about,
        model=f"autoregressive.{model}",
        source="binarized-mnist",
        config=config,
        training=training,
        published=published,
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=10, config=tiny, batch_size=16) | {"part": 50},
    )


EXPERIMENTS = (
    _recipe(
        "row-lstm-binarized-mnist",
        "RowLSTM",
        {"hidden": 16, "layers": 4, "kernel": 5, "first_kernel": 7, "head": 32},
        SHORT | dict(steps=2 * 3125),
        "Row LSTM, 4 layers of 16 units, static binarised MNIST, 2 epochs",
        {ROW: SMALLER},
    ),
    _recipe(
        "diagonal-bilstm-binarized-mnist",
        "DiagonalBiLSTM",
        {"hidden": 32, "layers": 1, "first_kernel": 7, "head": 32},
        SHORT | dict(steps=3 * 3125),
        "Diagonal BiLSTM, one layer of 32 units, static binarised MNIST, 3 epochs",
        {DIAGONAL: SMALLER},
    ),
    _recipe(
        "row-lstm-large-binarized-mnist",
        "RowLSTM",
        LARGE,
        LONG,
        "Row LSTM, 7 layers of 16 units, static binarised MNIST: for a GPU",
        {ROW: ""},
    ),
    _recipe(
        "diagonal-bilstm-large-binarized-mnist",
        "DiagonalBiLSTM",
        LARGE,
        LONG,
        "Diagonal BiLSTM, 7 layers of 16 units, static binarised MNIST: for a GPU",
        {DIAGONAL: ""},
    ),
)
