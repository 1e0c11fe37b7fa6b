"""Row LSTM and Diagonal BiLSTM on static binarised MNIST, at the size of the paper's Diagonal BiLSTM: for a GPU.

Every layer takes H or H + W steps one after another, forwards and backwards. An epoch takes one processor core about
a third of an hour (Row LSTM) or an hour (Diagonal BiLSTM); the quick profile shows that everything works.
"""

from dgmhelpers.recipes.base import Published, Recipe
from dgmhelpers.recipes.sets import DIGITS, quick

PAPER = {"hidden": 16, "layers": 7, "first_kernel": 7, "head": 32}
TRAINING = dict(batch_size=16, lr=1e-3, warmup=500, clip=100.0, ema=0.9995, steps=60_000, evaluate_every=6000)


def _recipe(name: str, model: str, title: str, published: Published) -> Recipe:
    tiny = {"hidden": 4, "layers": 1, "first_kernel": 3, "head": 8}
    return Recipe(
        name=name,
        description=f"{title}, 7 layers of 16 units, static binarised MNIST: for a GPU",
        model=f"autoregressive.{model}",
        dataset="binarized-mnist",
        config=PAPER,
        training=TRAINING,
        published=(published,),
        size=(28, 28),
        witness=DIGITS,
        quick=quick(DIGITS, steps=10, config=tiny, batch_size=16) | {"part": 50},
    )


RECIPES = (
    _recipe(
        "row-lstm-binarized-mnist",
        "RowLSTM",
        "Row LSTM",
        Published("Row LSTM", 80.54, "oord2016pixelrnn", note="its number of layers we could not find"),
    ),
    _recipe(
        "diagonal-bilstm-binarized-mnist",
        "DiagonalBiLSTM",
        "Diagonal BiLSTM",
        Published("Diagonal BiLSTM, 7 layers", 79.20, "oord2016pixelrnn", status="read"),
    ),
)
