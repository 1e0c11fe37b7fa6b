"""The balance of the players, and which of the usual hacks help: the collapse protocol with one change each.

Everything not named is as in :mod:`dgmhelpers.recipes.collapse`, but for the length of 2,000 steps. *Sensitivity* is a
grid on the ring of 8: the rate of the discriminator against that of the generator, all nine pairs. *Hacks* takes the
plain GAN on the ring and changes one thing at a time. Runs of one seed share first weights and batches, so that
differences are taken seed by seed (:func:`dgmhelpers.recipes.study.gains`); no strength was tuned.

The hacks: targets of 0.9 for real examples (one-sided label smoothing); normal noise of a mode's width on the inputs of
the discriminator; a generator four times slower than the discriminator (two time scales); β₁ of Adam 0.9, not 0.5;
samples from a moving average of the generator's weights; five steps of the discriminator to one; feature matching.
"""

from dgmhelpers.adversarial import RemedyGAN
from dgmhelpers.recipes import collapse
from dgmhelpers.recipes.study import Study

RATES = (3e-4, 1e-3, 3e-3)

BALANCE = {f"D {d:g}, G {g:g}": {"discriminator_lr": d, "lr": g} for d in RATES for g in RATES}


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


def _study(name: str, description: str, dataset: str, variants: dict, seeds: tuple[int, ...]) -> Study:
    return Study(
        name=name,
        description=description,
        dataset=dataset,
        load=collapse.points,
        variants=variants,
        train=train,
        measure=collapse.measure,
        units=collapse.UNITS,
        settings=collapse.SETTINGS | {"steps": 2000},
        seeds=seeds,
        quick={"settings": collapse.SETTINGS | {"steps": 100}, "seeds": (0,)},
    )


def train(dataset, arguments, seed, settings, checkpoint, device) -> RemedyGAN:
    """As the collapse study does, with nothing watched on the way."""
    arguments = collapse.together(settings, arguments)
    model = collapse.untrained(arguments, seed)
    collapse.play(model, dataset.train, arguments, seed, device=device)
    return model


STUDIES = (
    _study("sensitivity-ring", "The balance of a GAN's players: rates of D and G on the ring of 8", "ring_of_8",
           BALANCE, (0, 1, 2)),
    _study("hacks-ring", "Usual hacks for a GAN, one at a time, on the ring of 8", "ring_of_8", hacks(0.1),
           (0, 1, 2, 3, 4)),
)
