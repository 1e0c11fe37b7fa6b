"""Mode collapse counted: two small games, one remedy at a time, on the ring of 8 and the grid of 25. One protocol.

*Networks.* Generator and discriminator have two hidden layers of 128 units, the noise is 2 normal variables.

*Training.* 50,000 points of the mixture, drawn once; 128 real and 128 made points a step, one step of the discriminator
to each of the generator; Adam with β = (0.5, 0.999) for both; the non-saturating loss.

*Two games*, which collapse for different reasons. In the *sharp* game (``collapse-ring``, ``collapse-grid``) the
discriminator sees 32 waves of a point beside it, with which it can tell the modes' width within a few hundred steps;
both rates are 0.001, for 3,000 steps of the generator. In the *hasty* game (``hasty-ring``, ``hasty-grid``) there are
no waves, and the generator's rate of 0.002 is ten times the discriminator's, for 12,000 steps.

*Remedies.* One changes the discriminator's inputs or weights, a loss, the noise or the way of training: what its
variant says, and nothing else. Its strength was chosen by looking at one or two runs of the sharp game on the grid, of
the first seeds, and is the same in the hasty game; the papers' own stand in comments where they differ. The last two
variants of each game take its cause away: the waves (then it is slower to see, and given 5,000 steps), or the haste.
The seconds on record are of a shared machine.

*Counting.* 2,500 samples of the last weights, drawn from the seed 1,000 + the run's. A sample is of high quality within
three standard deviations of a mode; 98.9 % of the mixture's own points are. ``modes`` counts a mode as found at one
such sample, as is usual, and ``held`` at a quarter of its fair share, which chance bridges do not reach. The
divergences are over the K modes and elsewhere, against the mixture's exact probabilities: ``reverse`` is KL(q ‖ p), and
``forward`` is KL(p ‖ q) with one sample added to every cell, since a mode missed would make it infinite. All in nats.

*Seeds.* Each decides first weights, batches and noise. All runs are reported, with their mean and standard error.
"""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Generator, Size, Tensor, nn

from dgmhelpers.adversarial import losses, unrolled
from dgmhelpers.adversarial import matching as feature_matching
from dgmhelpers.adversarial.losses import Loss
from dgmhelpers.data import Dataset, toys
from dgmhelpers.evaluation import Coverage, coverage
from dgmhelpers.evaluation.coverage import cells, kl
from dgmhelpers.recipes.experiment import Experiment, Made
from dgmhelpers.recipes.measures import Figures
from dgmhelpers.recipes.record import FRAME
from dgmhelpers.recipes.train import Examples
from dgmhelpers.training import GameHistory, files, fit_adversarial

EXAMPLES = 50_000
SAMPLES = 2_500
LOOKS = 20          # times that the modes are counted while training
SHARE = 0.25        # of its fair share of the samples, that a mode must have to be held

MODEL = {"dim": 2, "latent": 2, "hidden": 128, "layers": 2, "waves": 32}
TRAINING = {"steps": 3000, "batch_size": 128, "k": 1, "loss": "nonsaturating", "lr": 1e-3, "betas": [0.5, 0.999]}
PROTOCOL = {"examples": EXAMPLES, "samples": SAMPLES, "within": 3.0, "share": SHARE}
UNSEEING = {"model": {"waves": 0}}
HASTY = UNSEEING | {"steps": 12_000, "lr": 2e-3, "discriminator_lr": 2e-4}

SIGNS = {"prior": "signs", "latent": 16}
REMEDIES = {
    "plain": {},
    "unrolled": {"unroll": {"steps": 3, "lr": 0.05}},                  # 1, 5 and 10 steps
    "minibatch": {"model": {"minibatch": 4}},
    "packing": {"model": {"packing": 2}},                              # 2, 3 and 4
    "WGAN-GP": {"loss": "wasserstein", "penalty_weight": 1.0},         # 10, and five steps of the discriminator
    "spectral norm": {"model": {"spectral": 1.0}},
    "slope penalty": {"penalty": 0.01},
    "signs": {"model": SIGNS},
}
EQUAL = {"lr": 1e-3, "discriminator_lr": 1e-3}
VARIANTS = REMEDIES | {
    "no waves": {"model": {"waves": 0}, "steps": 5000},
    "signs, no waves": {"model": SIGNS | {"waves": 0}, "steps": 5000},
}
HASTY_VARIANTS = REMEDIES | {
    "equal rates": EQUAL,
    "signs, equal rates": EQUAL | {"model": SIGNS},
}

UNITS = {
    "modes": "modes with at least one sample within 3 standard deviations, of 2,500",
    "held": "modes with at least a quarter of their fair share of the samples",
    "high_quality": "share of samples within 3 standard deviations of a mode",
    "reverse": "KL(samples ‖ mixture) over the modes and elsewhere, nats",
    "forward": "KL(mixture ‖ samples) over the modes and elsewhere, one sample added to each, nats",
}


def points(name: str, made: Made | None = None) -> Dataset:
    """50,000 points of a toy mixture, as a data set; ``points(name).source`` says which."""
    x = toys.get(name).sample(EXAMPLES, Generator().manual_seed(0), dtype=torch.float32)
    return Dataset(
        name=name, train=x, valid=None, test=None, event_shape=Size([2]), levels=None, sha256=files.fingerprint(x),
        licence="MIT", attribution="this project", source="drawn from an exact density: synthetic", quick=True,
    )  # fmt: skip


def loss_of(
    loss: str, *, label: float | None = None, penalty: float | None = None, matching: bool = False,
    penalty_weight: float | None = None,
) -> Loss:  # fmt: skip
    """The losses of that name, with what a variant changes in them."""
    made = losses.get(loss)
    if label is not None:
        made = replace(made, name="smoothed", discriminator=partial(losses.smoothed_discriminator_loss, label=label))
    if penalty is not None:
        made = replace(made, name="slope penalty", penalty=losses.slope_penalty, penalty_weight=penalty)
    if matching:
        made = replace(made, name="feature matching", generator=feature_matching.distance)
    return made if penalty_weight is None else replace(made, penalty_weight=penalty_weight)


def play(
    model: nn.Module, examples: Examples, *, steps: int, loss: str, lr: float, betas: tuple[float, float],
    discriminator_lr: float | None = None, unroll: dict | None = None, matching: bool = False,
    label: float | None = None, penalty: float | None = None, penalty_weight: float | None = None,
    looks: int | None = None, progress: bool = False, **rest,
) -> GameHistory:  # fmt: skip
    """``fit_adversarial`` with the settings that a variant names; ``looks``, how often somebody watches."""
    adam = partial(torch.optim.Adam, betas=(betas[0], betas[1]), fused=True)
    made: dict[str, Any] = {"optimizer": partial(adam, lr=lr)}
    if discriminator_lr is not None:
        made["discriminator_optimizer"] = partial(adam, lr=discriminator_lr)
    if unroll is not None:
        made["opponent"] = partial(unrolled, **unroll)
    if matching:
        made["opponent"] = feature_matching.matched
    if looks is not None:
        made["evaluate_every"] = max(1, steps // looks)
    of_loss = loss_of(loss, label=label, penalty=penalty, matching=matching, penalty_weight=penalty_weight)
    return fit_adversarial(model, examples.train, steps=steps, loss=of_loss, progress=progress, **made, **rest)


def watch(model: nn.Module, dataset: Dataset, seed: int) -> dict:
    """Where the samples fall while it trains, and the first of them."""
    drawn = draw(model, seed)
    return {"counts": coverage(drawn, toys.get(dataset.name)).counts, "samples": drawn[:FRAME].tolist()}


def draw(model: Any, seed: int) -> Tensor:
    """The samples that are counted, ``(2500, 2)``."""
    return model.sample(SAMPLES, generator=Generator(model.device).manual_seed(1000 + seed)).float().cpu()


def held(counts: Tensor) -> Tensor:
    """Which modes have a quarter of their fair share or more, ``(..., K)``, by the cells' counts ``(..., K + 1)``."""
    return counts[..., :-1] >= SHARE * counts.sum(-1, keepdim=True) / (counts.shape[-1] - 1)


def figures(found: Coverage, p: Tensor) -> dict[str, float]:
    """The protocol's figures of one coverage; ``p``, the exact probabilities of its cells, ``(K + 1,)``."""
    counts = torch.tensor(found.counts, dtype=torch.double)
    return {
        "modes": found.found,
        "held": int(held(counts).sum()),
        "high_quality": found.high_quality,
        "reverse": found.reverse_kl,
        "forward": kl(p, (counts + 1) / (counts + 1).sum()),
    }


def measure(model, dataset, seed: int = 0) -> dict[str, float]:
    """The figures of the protocol, of 2,500 samples."""
    mixture = toys.get(dataset.name)
    return figures(coverage(draw(model, seed), mixture), cells(mixture))


def experiment(name: str, description: str, source: str, variants: dict, change: dict, steps: int, **rest):
    """A game on a toy mixture: this module's, with a ``change``; ``steps`` in the quick profile."""
    made = Experiment.of(
        name, description, model="adversarial.RemedyGAN", source=partial(points, source), config=MODEL,
        training=TRAINING, trainer=play, variants=variants, seeds=(0, 1, 2, 3, 4), measures=(Figures(measure, UNITS),),
        keep=None, protocol=PROTOCOL,
    ).changed(change).with_fields(**rest)  # fmt: skip
    short = {variant: {k: v for k, v in given.items() if k != "steps"} for variant, given in variants.items()}
    quick = {"training": {**made.stages[0].training, "steps": steps}, "seeds": (0,), "variants": short}
    return replace(made, quick=quick)


EXPERIMENTS = tuple(
    experiment(
        f"{name}-{source.split('_')[0]}",
        f"Mode collapse, {which} on the {source.replace('_', ' ')}: a plain GAN and remedies, modes found of "
        f"{len(cast(Any, toys.get(source)).modes)}",
        source, variants, change, steps=200, trainer=partial(play, looks=LOOKS), watch=watch,
    )
    for name, which, variants, change in (
        ("collapse", "a sharp discriminator", VARIANTS, {}),
        ("hasty", "a hasty generator", HASTY_VARIANTS, HASTY),
    )
    for source in ("ring_of_8", "grid_of_25")
)  # fmt: skip
