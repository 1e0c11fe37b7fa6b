"""PixelCNN and Gated PixelCNN on static binarised MNIST and on MNIST with its 256 levels.

Each comes in two sizes. The plain name trains on a processor core in a quarter of an hour to an hour, and its weights
come with the book; ``-large`` is what a data-centre GPU can train in some minutes, and is what the published figures
ask for.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import Nats
from dgmhelpers.recipes.sets import DIGITS, SMALLER, quick

PIXELCNN, UVA = "binarized-mnist-pixelcnn", "mnist-gated-pixelcnn-uva"
LEVELS = "digits28"             # the embedded digits, with their levels
SMALL = dict(batch_size=32, lr=2e-3, warmup=100, clip=100.0, ema=0.998)
LARGE = dict(batch_size=128, lr=2e-3, warmup=500, clip=100.0, ema=0.9995, precision="bf16", evaluate_every=2000)
PLAIN = {"channels": 32, "layers": 8, "kernel": 5, "first_kernel": 7}
GATED = {"channels": 16, "layers": 6, "kernel": 5, "first_kernel": 7}


def _recipe(name, model, dataset, config, training, about, published=None, **more) -> Experiment:
    binary = dataset == "binarized-mnist"
    tiny = {k: v for k, v in config.items() if k == "classes"} | {"channels": 8, "layers": 2, "head": 16}
    return Experiment.of(
        name=name,
        description=about,
        model=f"autoregressive.{model}",
        source=dataset,
        config=config,
        training=training,
        published=published or {},
        size=(28, 28),
        measures=(Nats("nats" if binary else "bits/dim"),),
        witness=DIGITS if binary else LEVELS,
        quick=quick(DIGITS if binary else LEVELS, steps=20, config=tiny, batch_size=16) | {"part": 100},
        **more,
    )


EXPERIMENTS = (
    _recipe(
        "pixelcnn-binarized-mnist",
        "PixelCNN",
        "binarized-mnist",
        PLAIN,
        SMALL | dict(steps=14_400, evaluate_every=2400),
        "PixelCNN, 8 blocks of 32 features, 5 × 5, static binarised MNIST, 9 epochs",
        {PIXELCNN: SMALLER},
    ),
    _recipe(
        "gated-pixelcnn-binarized-mnist",
        "GatedPixelCNN",
        "binarized-mnist",
        GATED,
        SMALL | dict(steps=14_400, evaluate_every=2400),
        "Gated PixelCNN, 6 layers of 2 × 16 features, 5 × 5, static binarised MNIST, 9 epochs",
        {PIXELCNN: SMALLER},
    ),
    _recipe(
        "pixelcnn-mnist",
        "PixelCNN",
        "mnist",
        PLAIN | {"head": 64},
        SMALL | dict(steps=800, evaluate_every=400),
        "PixelCNN, 8 blocks of 32 features, 5 × 5, MNIST at 256 levels, half an epoch",
        {UVA: SMALLER},
        part=2000,
    ),
    _recipe(
        "gated-pixelcnn-mnist",
        "GatedPixelCNN",
        "mnist",
        GATED | {"head": 64, "classes": 10},
        SMALL | dict(steps=9600, evaluate_every=1600),
        "Gated PixelCNN given the class, 6 layers of 2 × 16 features, 5 × 5, MNIST at 256 levels, 6 epochs",
        {UVA: SMALLER},
        part=2000,
    ),
    _recipe(
        "pixelcnn-large-binarized-mnist",
        "PixelCNN",
        "binarized-mnist",
        {"channels": 128, "layers": 12, "kernel": 5, "first_kernel": 7},
        LARGE | dict(steps=20_000),
        "PixelCNN, 12 blocks of 128 features, 5 × 5, static binarised MNIST: for a GPU",
        {PIXELCNN: ""},
    ),
    _recipe(
        "gated-pixelcnn-large-binarized-mnist",
        "GatedPixelCNN",
        "binarized-mnist",
        {"channels": 64, "layers": 10, "kernel": 5, "first_kernel": 7},
        LARGE | dict(steps=20_000),
        "Gated PixelCNN, 10 layers of 2 × 64 features, 5 × 5, static binarised MNIST: for a GPU",
        {PIXELCNN: ""},
    ),
    _recipe(
        "gated-pixelcnn-large-mnist",
        "GatedPixelCNN",
        "mnist",
        {"channels": 64, "layers": 10, "kernel": 5, "first_kernel": 7, "head": 128, "classes": 10},
        LARGE | dict(steps=20_000),
        "Gated PixelCNN given the class, 10 layers of 2 × 64 features, 5 × 5, MNIST at 256 levels: for a GPU",
        {UVA: ""},
    ),
)
