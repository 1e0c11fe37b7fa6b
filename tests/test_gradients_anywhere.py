"""Whatever takes gradients of its own takes them too where the caller switched them off, and finds the same."""

from functools import partial

import pytest
import torch
from torch import Generator
from training_cases import QUIET, bits, same, weights

from dgmhelpers import evaluation, laws
from dgmhelpers.adversarial import GAN, games, losses, unrolled
from dgmhelpers.autoregressive import FVBN, NADE, PixelCNN
from dgmhelpers.classical import CRF
from dgmhelpers.evaluation import receptive_field
from dgmhelpers.latent import VAE
from dgmhelpers.training import fit, fit_adversarial


def seeded(make):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return make()


def points():
    return torch.randn(20, 2, generator=Generator().manual_seed(0))


NADE_OF_6, GAN_OF_2 = partial(NADE, dim=6, hidden=3), partial(GAN, dim=2, latent=2, hidden=4)
VAE_OF_6, LABELS = partial(VAE, dim=6, latent=2, hidden=(4,)), partial(CRF, length=4, levels=3)


def fitted(model, run, x, **more):
    run(model, x(), steps=3, batch_size=5, **more, **QUIET)
    return weights(model)


def crf_fitted(model):
    model.fit(torch.tensor([[0, 1, 2, 0], [0, 1, 1, 2]]), penalty=0.1, steps=3)
    return weights(model)


CASES = {  # a model made in peace, and what is asked of it
    "fit": (NADE_OF_6, lambda m: fitted(m, fit, bits, valid=bits(9))),
    "fit_adversarial": (GAN_OF_2, lambda m: fitted(m, fit_adversarial, points, loss="wasserstein")),
    "an unrolled game": (GAN_OF_2, lambda m: fitted(m, fit_adversarial, points, opponent=unrolled)),
    "gradient_penalty": (GAN_OF_2, lambda m: losses.gradient_penalty(
        m.discriminator, points(), 1 + points(), generator=Generator().manual_seed(1)).detach()),
    "slope_penalty": (GAN_OF_2, lambda m: losses.slope_penalty(m.discriminator, points(), points()).detach()),
    "unrolled": (GAN_OF_2, lambda m: unrolled(m, points(), steps=2)(1 + points()).detach()),
    "games.play": (None, lambda m: games.play(games.dirac_gan(), [1.0, 0.5], method="consensus", steps=3)),
    "games.update_matrix": (None, lambda m: games.update_matrix(
        games.bilinear(), torch.zeros(2), method="optimistic", rate=0.1)),
    "Game.jacobian": (None, lambda m: games.bilinear().jacobian(torch.ones(2))),
    "CRF.posterior": (LABELS, lambda m: m.posterior().detach()),
    "CRF.fit": (LABELS, crf_fitted),
    "amortisation_gap": (VAE_OF_6, lambda m: evaluation.amortisation_gap(
        m, bits(5), steps=2, draws=1, score_draws=2, generator=Generator().manual_seed(0)).optimised),
    "receptive_field": (partial(PixelCNN, event_shape=(1, 4, 4), channels=2, layers=2), receptive_field.seen),
    "audit": (partial(FVBN, dim=3), lambda m: torch.tensor([bool(v.held) for v in laws.audit(m).verdicts])),
}  # fmt: skip


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", CASES)
def test_gradients_are_taken_where_they_are_switched_off(name, off):
    make, ask = CASES[name]
    model, other = (make and seeded(make) for _ in range(2))
    expected = ask(model)
    with off():
        found = ask(other)
    assert same(expected, found) if isinstance(expected, dict) else torch.equal(expected, found)


def test_a_model_that_can_have_no_gradient_is_told_in_one_line():
    with torch.inference_mode():
        model = FVBN(dim=6)
    with pytest.raises(ValueError, match="FVBN was made in inference mode, so it has no gradient: build it outside"):
        fit(model, bits(), steps=1, batch_size=5, **QUIET)
