"""Static binarised MNIST, and MNIST with its 256 levels.

Convolutional and recurrent models come in two sizes. The plain name trains on a processor core in ten minutes to two
hours, and its weights come with the book; ``-large`` is what a data-centre GPU can train in some minutes, and what
the published figures ask for. Every layer of the recurrent ones takes H or H + W steps one after another, forwards and
backwards: at the size of the paper's Diagonal BiLSTM an epoch takes a core a third of an hour (Row LSTM) or an hour.

The four VAEs of perceptrons differ in nothing but the number of latents. The sizes of their layers are those of the
published one-layer model, which has 50 latents, tanh units, and a hundred times the training. A fifth, with its 50
latents, is there to be compared with it: seven times the epochs of the four, and a fourteenth of the published.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.lead import Lead
from dgmhelpers.recipes.measures import Elbo, ImportanceWeighted, Nats
from dgmhelpers.recipes.sets import DIGITS, LEVELS, grid, mixed, quick
from dgmhelpers.recipes.small_sets import DIRECT, UNTUNED

SMALLER = "ours has fewer than 80,000 parameters and trained for nine epochs at most, on a processor"
SHORT = "on the whole test split; ours with 16 orders, on 200 test digits spread over it, after half of its steps"


def _binary(name: str, description: str, model: str, quickly: dict, published: dict[str, str], **rest) -> Experiment:
    return Experiment.of(
        f"{name}-binarized-mnist", description.replace("binarised", "static binarised MNIST"), model=model,
        source="binarized-mnist", published={f"binarized-mnist-{key}": text for key, text in published.items()},
        size=(28, 28), witness=DIGITS, quick=quick(DIGITS, **quickly), **rest,
    )  # fmt: skip


def _vae(name: str, what: str, model: str, config: dict, part: int, quickly: dict, **training) -> Experiment:
    def measures(part):
        return Elbo(), ImportanceWeighted(part=part)

    small = {"config": quickly.pop("config"), "measures": measures(20)}
    return _binary(
        name, f"{what}, binarised", model, quickly | {"lr": 3e-3, "more": small}, {"vae": "", "iwae": ""},
        config=config,
        training=dict(steps=16_000, batch_size=100, lr=4e-3, warmup=500, evaluate_every=2000) | training,
        measures=measures(part),
    )  # fmt: skip


def _perceptron(latent: int, note: str = "", **training) -> Experiment:
    config = {"latent": latent, "hidden": (200, 200), "activation": "silu"}
    return _vae(
        f"vae-{latent}", f"VAE with {latent} latents, two hidden layers of 200 each way{note}", "latent.VAE", config,
        500, {"steps": 400, "config": config | {"hidden": (100,)}}, **training,
    )  # fmt: skip


SMALL = dict(batch_size=32, lr=2e-3, warmup=100, clip=100.0, ema=0.998)
LARGE = dict(batch_size=128, lr=2e-3, warmup=500, clip=100.0, ema=0.9995, precision="bf16", evaluate_every=2000)
PLAIN = {"channels": 32, "layers": 8, "kernel": 5, "first_kernel": 7}
GATED = {"channels": 16, "layers": 6, "kernel": 5, "first_kernel": 7}
WIDE = {"channels": 64, "layers": 10, "kernel": 5, "first_kernel": 7}


OVER_PLAIN = Lead(over="pixelcnn-binarized-mnist")


def _pixels(name: str, model: str, config: dict, training: dict, about: str, differs: str, binary=True, more=(),
            **rest):
    tiny = {k: v for k, v in config.items() if k == "classes"} | {"channels": 8, "layers": 2, "head": 16}
    what, source, witness = (("static binarised MNIST", "binarized-mnist", DIGITS) if binary else
                             ("MNIST at 256 levels", "mnist", LEVELS))  # fmt: skip
    own = (Nats("nats" if binary else "bits/dim"),)
    return Experiment.of(
        f"{name}-{source}", about.format(what), model=f"autoregressive.{model}", source=source, config=config,
        training=training, size=(28, 28), witness=witness, measures=(*own, *more),
        published={"binarized-mnist-pixelcnn" if binary else "mnist-gated-pixelcnn-uva": differs},
        quick=quick(witness, steps=20, batch_size=16, more={"config": tiny, "part": 100, "measures": own}),
        **rest,
    )  # fmt: skip


RNN = {"hidden": 16, "layers": 7, "first_kernel": 7, "head": 32}
LONG = dict(batch_size=16, lr=1e-3, warmup=500, clip=100.0, ema=0.9995, steps=60_000, evaluate_every=6000)
BRIEF = dict(batch_size=16, lr=2e-3, warmup=200, clip=100.0, ema=0.998, evaluate_every=3125)


def _recurrent(name: str, model: str, config: dict, training: dict, about: str, published: dict, **rest):
    tiny = {"config": {"hidden": 4, "layers": 1, "first_kernel": 3, "head": 8}, "part": 50, "measures": (Nats(),)}
    return _binary(name, about, f"autoregressive.{model}", dict(steps=10, batch_size=16, more=tiny), published,
                   config=config, training=training, **rest)  # fmt: skip


EXPERIMENTS = (
    _binary("mixture", "Mixture of 500 Bernoullis by EM, binarised", "classical.BernoulliMixture",
            dict(steps=20, more={"config": {"components": 20, "smoothing": 0.1}, "training": {"steps": 20}}),
            {"mixture": ""}, config={"components": 500, "smoothing": 0.1}, trainer="em",
            training=dict(steps=60, patience=3)),
    _binary("fvbn", "One logistic regression per pixel, binarised", "autoregressive.FVBN",
            dict(steps=400, candidates=grid(l1=(1e-3,))), {"fvbn": UNTUNED}, candidates=grid(l1=(0.0, 2e-4)),
            training=dict(steps=12_000, batch_size=200, lr=3e-3, evaluate_every=500)),
    _binary("nade", "NADE, 500 hidden units, raster order, binarised", "autoregressive.NADE",
            dict(steps=60, more={"config": {"hidden": 16}}), {"nade": ""}, config={"hidden": 500},
            training=dict(steps=9000, batch_size=100, lr=3e-3, warmup=200, evaluate_every=500, ema=0.998)),
    _binary("made", "MADE, one hidden layer of 500, one mask, raster order, binarised", "autoregressive.MADE",
            dict(steps=300, lr=3e-3, more={"config": {"hidden": 64, "layers": 1}}),
            {"made-8000": f"ours has 500 units; {DIRECT}"}, config={"hidden": 500, "layers": 1},
            training=dict(steps=16_000, batch_size=100, lr=2e-3, warmup=200, evaluate_every=1000, ema=0.999)),
    _binary("deepnade", "DeepNADE, two layers of 500, an equal mixture over 16 random orders, binarised",
            "autoregressive.DeepNADE",
            dict(steps=60, more={"config": {"hidden": 64, "layers": 2, "orders": 1}, "part": 20} | mixed(2)),
            {"eonade": SHORT}, config={"hidden": 500, "layers": 2, "orders": 1}, part=200, **mixed(16),
            training=dict(steps=100_000, batch_size=100, lr=1e-3, warmup=500, evaluate_every=10_000, ema=0.999)),
    _binary("convnade", "ConvNADE, eight dilated layers of 16 channels, an equal mixture over 2 random orders, "
            "binarised", "autoregressive.ConvNADE",
            dict(steps=20, more={"config": {"channels": 4, "layers": 2, "dilations": (1, 4), "orders": 1}, "part": 4}
                 | mixed(2)), {},
            config={"channels": 16, "layers": 8, "dilations": (1, 2, 4, 8), "orders": 1}, part=100, **mixed(2),
            training=dict(steps=20_000, batch_size=50, lr=2e-3, warmup=200, evaluate_every=4000, ema=0.999)),
    *(_perceptron(latent) for latent in (2, 5, 10, 20)),
    _perceptron(50, ", trained for 240 epochs", steps=60_000, batch_size=200, lr=2e-3, evaluate_every=5000),
    _vae("conv-vae", "Convolutional VAE with 20 latents", "latent.ConvVAE",
         {"latent": 20, "channels": (16, 32), "hidden": 256}, 200,
         {"steps": 300, "config": {"latent": 5, "channels": (8, 16), "hidden": 64}},
         steps=8_000, lr=3e-3, evaluate_every=1000),
    _pixels("pixelcnn", "PixelCNN", PLAIN, SMALL | dict(steps=14_400, evaluate_every=2400),
            "PixelCNN, 8 blocks of 32 features, 5 × 5, {}, 9 epochs", SMALLER),
    _pixels("gated-pixelcnn", "GatedPixelCNN", GATED, SMALL | dict(steps=14_400, evaluate_every=2400),
            "Gated PixelCNN, 6 layers of 2 × 16 features, 5 × 5, {}, 9 epochs", SMALLER, more=(OVER_PLAIN,)),
    _pixels("pixelcnn", "PixelCNN", PLAIN | {"head": 64}, SMALL | dict(steps=800, evaluate_every=400),
            "PixelCNN, 8 blocks of 32 features, 5 × 5, {}, half an epoch", SMALLER, False, part=2000),
    _pixels("gated-pixelcnn", "GatedPixelCNN", GATED | {"head": 64, "classes": 10},
            SMALL | dict(steps=9600, evaluate_every=1600),
            "Gated PixelCNN given the class, 6 layers of 2 × 16 features, 5 × 5, {}, 6 epochs", SMALLER, False,
            part=2000),
    _pixels("pixelcnn-large", "PixelCNN", PLAIN | {"channels": 128, "layers": 12}, LARGE | dict(steps=20_000),
            "PixelCNN, 12 blocks of 128 features, 5 × 5, {}: for a GPU", ""),
    _pixels("gated-pixelcnn-large", "GatedPixelCNN", WIDE, LARGE | dict(steps=20_000),
            "Gated PixelCNN, 10 layers of 2 × 64 features, 5 × 5, {}: for a GPU", ""),
    _pixels("gated-pixelcnn-large", "GatedPixelCNN", WIDE | {"head": 128, "classes": 10}, LARGE | dict(steps=20_000),
            "Gated PixelCNN given the class, 10 layers of 2 × 64 features, 5 × 5, {}: for a GPU", "", False),
    _recurrent("row-lstm", "RowLSTM", {"hidden": 16, "layers": 4, "kernel": 5, "first_kernel": 7, "head": 32},
               BRIEF | dict(steps=2 * 3125), "Row LSTM, 4 layers of 16 units, binarised, 2 epochs",
               {"row-lstm": SMALLER}, measures=(Nats(), OVER_PLAIN)),
    _recurrent("diagonal-bilstm", "DiagonalBiLSTM", {"hidden": 32, "layers": 1, "first_kernel": 7, "head": 32},
               BRIEF | dict(steps=3 * 3125), "Diagonal BiLSTM, one layer of 32 units, binarised, 3 epochs",
               {"diagonal-bilstm": SMALLER}, measures=(Nats(), OVER_PLAIN)),
    _recurrent("row-lstm-large", "RowLSTM", RNN, LONG, "Row LSTM, 7 layers of 16 units, binarised: for a GPU",
               {"row-lstm": ""}),
    _recurrent("diagonal-bilstm-large", "DiagonalBiLSTM", RNN, LONG,
               "Diagonal BiLSTM, 7 layers of 16 units, binarised: for a GPU", {"diagonal-bilstm": ""}),
)  # fmt: skip
