"""The balance of the players, and which of the usual hacks help: the collapse protocol with one change each.

Everything not named is as in :mod:`dgmhelpers.recipes.collapse`, on the ring of 8, in both of its games.

*Balance.* The rate of the discriminator against that of the generator, all pairs: ``sensitivity-ring`` with the sharp
discriminator (nine pairs, 2,000 steps), ``balance-ring`` with the one that sees no waves (sixteen pairs, 5,000 steps).

*Hacks.* The plain GAN with one thing changed at a time: ``hacks-ring`` in the sharp game (2,000 steps), and
``hacks-hasty-ring`` in the hasty one (6,000 steps). Runs of one seed share first weights and batches, so that
differences are taken seed by seed (:func:`dgmhelpers.recipes.gains`); no strength was tuned.

The hacks: targets of 0.9 for real examples (one-sided label smoothing); normal noise of a mode's width on the inputs of
the discriminator; a generator four times slower than the discriminator (two time scales); β₁ of Adam 0.9, not 0.5;
samples from a moving average of the generator's weights; five steps of the discriminator to one; feature matching.

*WGAN-GP at its paper's settings.* The remedy of the collapse protocol changes one thing, the loss. Its paper also gives
the critic five steps to one of the generator, and the penalty a weight of 10. ``critics-hasty-ring``
varies loss, weight and steps apart, in the hasty game, for 3,000 steps.

*Sixteen normal latents.* Signs in place of two normal latents change two things. ``normals-grid`` is the row between
them: sixteen normal latents, all else as in ``collapse-grid`` without waves.

*A critic that no longer learns.* ``frozen-ring``: both players train at equal rates for 1,000 steps; then the
discriminator keeps its weights, and the generator goes on alone for 20,000 steps, the modes counted forty times.
"""

from dgmhelpers.recipes import collapse
from dgmhelpers.recipes.collapse import UNSEEING, experiment

RATES = (3e-4, 1e-3, 3e-3)
MORE_RATES = (1e-4, *RATES)


def frozen(model, examples, *, before: int, checkpoint=None, watch=None, time_limit=None, **rest):
    """Both players for ``before`` steps, then the generator alone; watched from there on."""
    steps = rest.pop("steps")
    collapse.play(model, examples, steps=before, **rest)
    rest = rest | {"steps": steps, "discriminator_lr": 0.0, "looks": 40}
    return collapse.play(model, examples, checkpoint=checkpoint, watch=watch, time_limit=time_limit, **rest)


def balance(rates: tuple[float, ...]) -> dict[str, dict]:
    """All pairs of the discriminator's rate and the generator's."""
    return {f"D {d:g}, G {g:g}": {"discriminator_lr": d, "lr": g} for d in rates for g in rates}


def hacks(width: float) -> dict[str, dict]:
    """One change each; ``width`` is the standard deviation of a mode."""
    return {
        "plain": {},
        "label smoothing": {"label": 0.9},
        "input noise": {"model": {"input_noise": width}},
        "two time scales": {"lr": 2.5e-4, "discriminator_lr": 1e-3},
        "β₁ = 0.9": {"betas": [0.9, 0.999]},
        "EMA": {"ema": 0.99},
        "five steps of D": {"k": 5},
        "feature matching": {"matching": True},
    }


def wgan_gp(weight: float) -> dict:
    """Its loss, and the weight of its penalty."""
    return {"loss": "wasserstein", "penalty_weight": weight}


CRITICS = {
    "plain": {},
    "five steps": {"k": 5},
    "WGAN-GP, weight 1": wgan_gp(1.0),
    "WGAN-GP, weight 1, five steps": wgan_gp(1.0) | {"k": 5},
    "WGAN-GP": wgan_gp(10.0),
    "WGAN-GP, five steps": wgan_gp(10.0) | {"k": 5},
}
SHARP, PLAIN, HASTY = {"steps": 2000}, UNSEEING | {"steps": 5000}, collapse.HASTY | {"steps": 6000}
EXPERIMENTS = tuple(
    experiment(name, description, source, variants, change, steps=100, seeds=tuple(range(seeds)))
    for name, description, source, variants, change, seeds in (
        ("sensitivity-ring", "The balance of a GAN's players, a sharp discriminator: their rates on the ring of 8",
         "ring_of_8", balance(RATES), SHARP, 3),
        ("balance-ring", "The balance of a GAN's players, a plain perceptron: their rates on the ring of 8",
         "ring_of_8", balance(MORE_RATES), PLAIN, 3),
        ("hacks-ring", "Usual hacks for a GAN, one at a time, a sharp discriminator on the ring of 8",
         "ring_of_8", hacks(0.1), SHARP, 5),
        ("hacks-hasty-ring", "Usual hacks for a GAN, one at a time, a hasty generator on the ring of 8",
         "ring_of_8", hacks(0.1), HASTY, 5),
        ("critics-hasty-ring", "WGAN-GP and five steps of the discriminator, alone and together, a hasty generator on "
         "the ring of 8", "ring_of_8", CRITICS, HASTY | {"steps": 3000}, 3),
    )
)  # fmt: skip
EXPERIMENTS += (
    experiment(
        "frozen-ring", "A GAN on the ring of 8 whose discriminator is frozen: what its generator still holds",
        "ring_of_8", {"frozen": {}}, UNSEEING | {"steps": 20_000, "before": 1000}, steps=100, trainer=frozen,
        watch=collapse.watch, seeds=(0, 1, 2),
    ),
    experiment(
        "normals-grid", "Sixteen normal latents in place of two or of sixteen signs, on the grid of 25, no waves",
        "grid_of_25", {"16 normals": {"model": {"latent": 16}}}, PLAIN, steps=100,
    ),
)  # fmt: skip
