"""Games of two players: each way to play against matrices written by hand, closed forms, and what cannot be meant."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from models.games import GAME_MUTANTS, packaged

from dgmhelpers import laws
from dgmhelpers.adversarial import games, losses

XY = games.bilinear()
TURN = np.array([[0.0, 1.0], [-1.0, 0.0]])      # the field of xy: v = TURN w
ORIGIN = torch.zeros(2, dtype=torch.double)


def by_hand(method: str, eta: float, gamma: float = 1.0) -> np.ndarray:
    """The matrix of a step on xy."""
    one, zero = np.eye(2), np.zeros((2, 2))
    return {
        "simultaneous": one - eta * TURN,
        "alternating": np.array([[1, -eta], [eta, 1 - eta**2]]),
        "extragradient": one - eta * TURN + eta**2 * TURN @ TURN,
        "optimistic": np.block([[one - 2 * eta * TURN, eta * TURN], [one, zero]]),
        "consensus": one - eta * (TURN + gamma * TURN.T @ TURN),
    }[method]


@pytest.mark.parametrize("method", games.METHODS)
@pytest.mark.parametrize("eta", [0.1, 0.5, 0.8, 2.0])
def test_a_step_on_xy_is_the_matrix_of_its_formula(method, eta):
    matrix = games.update_matrix(XY, ORIGIN, method=method, rate=eta, weight=0.7)
    np.testing.assert_allclose(matrix, by_hand(method, eta, 0.7), atol=1e-14)


@pytest.mark.parametrize("method", games.METHODS)
def test_growth_is_the_largest_eigenvalue(method):
    for eta in [0.05, 0.1, 0.49, 0.51, 1 / math.sqrt(3), 1.0, 1.9, 2.1, 3.0]:
        largest = np.abs(np.linalg.eigvals(by_hand(method, eta, 0.4))).max()
        assert games.growth(method, eta, weight=0.4) == pytest.approx(largest, abs=1e-9)


@pytest.mark.parametrize("method", games.METHODS)
def test_law_of_growth_holds(method):
    verdict = laws.growth_matches_closed_form(packaged(method), lambda rate: games.growth(method, rate))
    assert verdict.held, str(verdict)


@pytest.mark.parametrize(("name", "method", "step"), GAME_MUTANTS, ids=[f"{m}: {n}" for n, m, _ in GAME_MUTANTS])
def test_mutant_of_a_method_is_caught(name, method, step):
    verdict = laws.growth_matches_closed_form(step, lambda rate: games.growth(method, rate))
    assert verdict.held is False and "another method" in verdict.meaning, str(verdict)


def test_what_is_no_step_is_told_so():
    assert laws.growth_matches_closed_form(lambda s, rate: s[:, :1], lambda rate: 1.0).held is False


def test_simultaneous_descent_grows_exactly_at_every_step():
    path = games.play(XY, [0.6, -0.8], rate=0.1, steps=300)
    wanted = math.sqrt(1.01) ** torch.arange(301, dtype=torch.double)
    torch.testing.assert_close(path.norm(dim=1), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("eta", [0.1, 1.0, 1.9])
def test_alternating_descent_keeps_its_quadratic_form_and_its_bounds(eta):
    path = games.play(XY, [1.0, 0.5], method="alternating", rate=eta, steps=400)
    x, y = path.T
    form = x**2 + y**2 - eta * x * y
    torch.testing.assert_close(form, form[:1].expand(401), rtol=1e-10, atol=0)
    square = x**2 + y**2
    assert (square <= form[0] / (1 - eta / 2) * (1 + 1e-9)).all()
    assert (square >= form[0] / (1 + eta / 2) * (1 - 1e-9)).all()


@pytest.mark.parametrize(("method", "converges", "not_"), [
    ("extragradient", 0.99, 1.01), ("optimistic", 0.999 / math.sqrt(3), 1.001 / math.sqrt(3)), ("consensus", 0.99, 1.01)
])
def test_the_largest_rate_of_each_cure(method, converges, not_):
    assert games.growth(method, converges) < 1 < games.growth(method, not_)


def test_memory_starts_as_if_nothing_had_moved():
    path = games.play(XY, [1.0, 2.0], method="optimistic", rate=0.25, steps=2)
    first = np.array([1.0, 2.0]) - 0.25 * TURN @ np.array([1.0, 2.0])
    second = first - 0.5 * TURN @ first + 0.25 * TURN @ np.array([1.0, 2.0])
    np.testing.assert_allclose(path[1:], np.stack([first, second]), atol=1e-15)


def test_players_may_own_several_entries():
    """Three against two: xᵀBy, whose step has the singular values of B for couplings."""
    b = torch.tensor([[1.0, 2.0], [0.5, -1.0], [0.0, 0.3]], dtype=torch.double)
    game = games.Game(lambda w: (w[:3] @ b @ w[3:], -w[:3] @ b @ w[3:]), first=3)
    matrix = games.update_matrix(game, torch.zeros(5), method="alternating", rate=0.3)
    x, y = torch.eye(5, dtype=torch.double)[:3], torch.eye(5, dtype=torch.double)[3:]
    moved = x - 0.3 * b @ y
    torch.testing.assert_close(matrix, torch.cat([moved, y + 0.3 * b.T @ moved]), rtol=0, atol=1e-14)
    matrix = games.update_matrix(game, torch.zeros(5), method="simultaneous", rate=0.3)
    largest = torch.linalg.eigvals(matrix).abs().max()
    top = torch.linalg.svdvals(b)[0].item()
    assert largest.item() == pytest.approx(games.growth("simultaneous", 0.3 * top), abs=1e-12)


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
@pytest.mark.parametrize(("penalty", "spread"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (0.2, 0.5)])
def test_jacobian_of_the_dirac_gan(loss, penalty, spread):
    """Coupling one half; the penalty, and half the variance of the data, damp the discriminator."""
    found = games.dirac_gan(loss, penalty=penalty, spread=spread).jacobian(ORIGIN)
    wanted = torch.tensor([[0.0, -0.5], [0.5, penalty + spread**2 / 2]], dtype=torch.double)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


def test_field_of_the_dirac_gan_against_its_formula():
    def sigmoid(a):
        return 1 / (1 + math.exp(-a))

    theta, psi, gamma = 0.7, -1.3, 0.4
    w = torch.tensor([theta, psi], dtype=torch.double)
    fake = psi * theta
    minimax = games.dirac_gan("minimax", penalty=gamma).field(w).tolist()
    assert minimax == pytest.approx([-sigmoid(fake) * psi, sigmoid(fake) * theta + gamma * psi], abs=1e-14)
    flipped = games.dirac_gan("nonsaturating").field(w).tolist()
    assert flipped == pytest.approx([-sigmoid(-fake) * psi, sigmoid(fake) * theta], abs=1e-14)


def test_a_penalty_that_pulls_the_slope_to_one_does_not_converge():
    gentle = replace(losses.get("wasserstein"), penalty_weight=0.5)
    path = games.play(games.dirac_gan(gentle), [1.0, -0.2], rate=0.05, steps=2000, method="alternating")
    assert path[1000:].norm(dim=1).min() > 1
    calm = games.play(games.dirac_gan(penalty=0.5), [1.0, -0.2], rate=0.05, steps=2000, method="alternating")
    assert calm[-1].norm() < 1e-3


def test_the_field_can_be_differentiated_and_leaves_nothing_behind():
    w = torch.tensor([0.5, 2.0], dtype=torch.double)
    assert not XY.field(w).requires_grad
    torch.testing.assert_close(XY.jacobian(w), torch.tensor(TURN), rtol=0, atol=0)
    assert not games.play(XY, w, method="consensus", steps=3).requires_grad


@pytest.mark.parametrize(("change", "complaint"), [
    ({"method": "simultanous"}, "did you mean simultaneous"),
    ({"method": "prayer"}, "there are"),
    ({"rate": 0.0}, "rate must be positive"),
    ({"rate": math.nan}, "rate must be positive"),
    ({"steps": 0}, "steps must be"),
    ({"start": [1.0]}, "more than 1 entries"),
    ({"start": [1.0, math.inf]}, "finite"),
])
def test_what_cannot_be_meant_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        games.play(**({"game": XY, "start": [1.0, 0.0]} | change))


def test_dirac_gan_refuses_a_penalty_below_zero():
    with pytest.raises(ValueError, match="penalty must be"):
        games.dirac_gan(penalty=-1.0)
    with pytest.raises(ValueError, match="did you mean"):
        games.dirac_gan("minmax")
