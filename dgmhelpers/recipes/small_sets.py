"""What trains in seconds to minutes: the small binary sets, the 8 × 8 digits, grey patches, and Shakespeare.

*Mixtures* by EM: what a density was before it was deep. The validation split chooses how many components and how much
smoothing, and says when EM has climbed far enough. *FVBN*: each conditional is a convex problem, so what is left to
choose is the penalty. *NADE* and *MADE* in the order of the columns. *DeepNADE*, *ConvNADE*: order-agnostic models
train fast and are slow to evaluate, so they are chosen with one order, and the stored model mixes over several.
"""

from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import NatsOfText
from dgmhelpers.recipes.sets import SMALL, grid, mixed, quick

DNA_SPLIT = "trained on the public copy's 1,600 / 400 split of the training data, where the papers have 1,400 / 600"
UNTUNED = "the published figure has no such penalty"
DIRECT = "ours has direct connections from inputs to outputs, with their own weights"
WIDER = "ours has two hidden layers"
SEVERAL = {"hidden": 200, "layers": 2, "orders": 1}

FAMILIES = {  # what is the same on all three sets: in words, and as fields
    "mixture": ("Mixture of Bernoullis by EM, {}", dict(
        model="classical.BernoulliMixture", trainer="em", training=dict(steps=200, patience=10), dtype="float32",
        quick=quick(SMALL, steps=40, candidates=grid(components=(10, 20))) | {"training": {"steps": 40}})),
    "fvbn": ("One logistic regression per variable, {}", dict(
        model="autoregressive.FVBN",
        training=dict(steps=4000, batch_size=100, lr=1e-2, evaluate_every=100, patience=15),
        quick=quick(SMALL, steps=300, candidates=grid(l1=(0.0, 1e-3))))),
    "nade": ("NADE in the order of the columns, {}", dict(
        model="autoregressive.NADE", config={"hidden": 100},
        training=dict(steps=1500, batch_size=100, lr=5e-3, evaluate_every=50, patience=8),
        quick=quick(SMALL, steps=100, more={"config": {"hidden": 16}}))),
    "made": ("MADE with one mask in the order of the columns, {}", dict(
        model="autoregressive.MADE", config={"hidden": 100, "layers": 1},
        training=dict(steps=3000, batch_size=100, lr=3e-3, evaluate_every=100, patience=10),
        quick=quick(SMALL, steps=300, more={"config": {"hidden": 32, "layers": 1}}))),
    "deepnade": ("DeepNADE, an equal mixture over 16 random orders, {}", mixed(16) | dict(
        model="autoregressive.DeepNADE", config=SEVERAL,
        training=dict(steps=10_000, batch_size=100, lr=2e-3, warmup=100, evaluate_every=1000, ema=0.99),
        quick=quick(SMALL, steps=60, more={"config": SEVERAL | {"hidden": 32}, "part": 50} | mixed(2)))),
}  # fmt: skip
PUBLISHED = {"deepnade": "eonade"}                       # under another name than ours


def _small(family: str, source: str, candidates: tuple[dict, ...], differs: str = "", **training) -> Experiment:
    text, fields = FAMILIES[family]
    change = {"training": fields["training"] | training}
    change["published"] = {f"{source}-{PUBLISHED.get(family, family)}": differs}
    if family == "mixture":
        change["config"] = candidates[0]
    return Experiment.of(f"{family}-{source}", text.format(source), source=source, candidates=candidates,
                         **fields | change)  # fmt: skip


def _tiny(kind: str, model: str, what: str, config: dict, candidates: tuple[dict, ...], **training) -> Experiment:
    """On the embedded 8 × 8 digits: seconds to train, and whoever has the book can measure all of the test part."""
    return Experiment.of(
        f"{kind}-{SMALL}", f"{what}, an equal mixture over 4 random orders, 8 × 8 digits",
        model=f"autoregressive.{model}", source=SMALL, config=config | {"orders": 1},
        training=dict(steps=3000, warmup=50, evaluate_every=300, ema=0.99) | training, candidates=candidates,
        size=(8, 8), **mixed(4),
        quick={"training": dict(steps=30, batch_size=64, lr=3e-3, evaluate_every=15), "candidates": ({},), "part": 50}
        | mixed(2),
    )  # fmt: skip


def _patches(name: str, what: str, candidates: tuple[dict, ...], steps: int) -> Experiment:
    return Experiment.of(
        f"{name}-patches", f"{what}, grey patches of two photographs", model="classical.GaussianMixture",
        source="grey-patches", config={"components": 1, "ridge": 1e-6}, trainer="em",
        training=dict(steps=steps, patience=5), candidates=candidates, dtype="float32",
        quick={"training": {"steps": 3}, "candidates": candidates[:1]},
    )  # fmt: skip


EXPERIMENTS = (
    _small("mixture", "dna", grid(components=(4, 8, 16), smoothing=(0.1, 1.0)), DNA_SPLIT),
    _small("mixture", "mushrooms", grid(components=(64, 128, 256), smoothing=(0.01, 0.03))),
    _small("mixture", "nips", grid(components=(4, 8, 16), smoothing=(0.1, 0.3, 1.0))),
    _small("fvbn", "dna", grid(l1=(0.0, 1e-3, 2e-3, 3e-3, 5e-3)), f"{DNA_SPLIT}; {UNTUNED}"),
    _small("fvbn", "mushrooms", grid(l1=(0.0, 1e-5, 1e-4, 3e-4)), UNTUNED, steps=15_000, evaluate_every=500),
    _small("fvbn", "nips", grid(l1=(1e-2, 1.5e-2, 2e-2, 3e-2)), UNTUNED, lr=3e-3),
    _small("nade", "dna", grid(hidden=(100, 300), l1=(0.0, 1e-3)), DNA_SPLIT),
    _small("nade", "mushrooms", grid(hidden=(200,), l1=(0.0, 1e-4)), steps=3000),
    _small("nade", "nips", grid(hidden=(100,), l1=(1e-3, 3e-3, 1e-2))),
    _small("made", "dna", grid(hidden=(100, 500), l1=(0.0, 2e-3, 4e-3)), f"{DNA_SPLIT}; {DIRECT}"),
    _small("made", "mushrooms", grid(hidden=(500,), l1=(0.0, 1e-4, 2e-4, 4e-4)), DIRECT, steps=8000),
    _small("made", "nips", grid(l1=(3e-3, 1e-2, 2e-2, 3e-2)), DIRECT),
    _small("deepnade", "dna", grid(weight_decay=(0.1, 1.0)), f"{DNA_SPLIT}; {WIDER}", steps=6000, lr=1e-3),
    _small("deepnade", "mushrooms", grid(weight_decay=(0.01, 0.1)), WIDER, steps=12_000),
    _small("deepnade", "nips", grid(weight_decay=(0.3, 1.0)), WIDER, steps=4000, lr=1e-3),
    _tiny("deepnade", "DeepNADE", "DeepNADE, two layers of 128", {"hidden": 128, "layers": 2},
          grid(weight_decay=(0.01, 0.1)), batch_size=128, lr=5e-3),
    _tiny("convnade", "ConvNADE", "ConvNADE, four layers of 16 channels",
          {"channels": 16, "layers": 4, "dilations": (1, 2)}, grid(weight_decay=(0.01,)), batch_size=64, lr=1e-2),
    Experiment.of(
        "multinomial-nade-digits8",
        "Multinomial NADE, 64 hidden units, raster order, 8 × 8 digits with their 17 levels",
        model="autoregressive.MultinomialNADE", source="digits8", config={"levels": 17, "hidden": 64},
        training=dict(steps=1200, batch_size=100, lr=1e-2, evaluate_every=100, patience=4),
        candidates=grid(weight_decay=(0.3, 1.0)), size=(8, 8),
        quick={"training": dict(steps=30, batch_size=64, lr=1e-2, evaluate_every=15), "candidates": ({},),
               "config": {"levels": 17, "hidden": 8}},
    ),
    _patches("gaussian", "One Gaussian with a full covariance", grid(components=(1,)), steps=3),
    _patches("mixture", "Mixture of Gaussians with full covariances, by EM",
             grid(components=(5, 10, 20, 40), ridge=(1e-6, 3e-6)), steps=60),
    Experiment.of(
        "rnade-patches", "RNADE, ten Gaussians a conditional, grey patches of two photographs. The papers' figures are "
        "on other photographs: compare with the mixtures of Gaussians here",
        model="autoregressive.RNADE", source="grey-patches", config={"hidden": 128, "components": 10, "scale": 0.1},
        training=dict(steps=4000, batch_size=100, lr=2e-3, warmup=100, evaluate_every=100, ema=0.99, clip=100.0,
                      patience=8),
        candidates=grid(hidden=(64, 128), weight_decay=(0.1, 1.0)), dtype="float32",
        quick={"training": dict(steps=40, batch_size=64, lr=3e-3, evaluate_every=20), "candidates": ({},),
               "config": {"hidden": 16, "components": 3, "scale": 0.1}},
    ),
    Experiment.of(
        "char-rnn-shakespeare",
        "LSTM over characters, tiny Shakespeare; measured on the validation part in one piece",
        model="autoregressive.CharRNN", source="tiny-shakespeare",
        config={"length": 128, "hidden": 256, "layers": 1, "cell": "lstm", "dropout": 0.2},
        training=dict(steps=3000, batch_size=32, lr=4e-3, warmup=100, clip=1.0, evaluate_every=250),
        measures=(NatsOfText(),),
        quick=quick("text", steps=100, batch_size=32, more={
            "config": {"length": 64, "hidden": 64, "layers": 1, "cell": "gru", "dropout": 0.0}}),
    ),
)  # fmt: skip
