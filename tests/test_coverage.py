"""Coverage of known mixtures, on mixtures whose modes were removed by hand."""

import math
from types import SimpleNamespace

import pytest
import torch

from dgmhelpers.data import toys
from dgmhelpers.evaluation import coverage, coverage_of_labels, precision_recall

N = 20_000
INSIDE = 1 - math.exp(-4.5)                               # of a round Gaussian in the plane, within three widths


def draw(toy, keep, n=N, seed=0, weights=None, sigma=None):
    """Points of the modes in ``keep`` alone."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.ones(len(keep)) if weights is None else torch.tensor(weights)
    which = torch.tensor(keep)[torch.multinomial(weights, n, True, generator=generator)]
    noise = torch.randn(n, 2, generator=generator, dtype=torch.double)
    return toy.modes[which] + (sigma or toy.sigma) * noise


@pytest.mark.parametrize("toy", [toys.ring_of_8(), toys.grid_of_25()], ids=lambda toy: toy.name)
def test_the_mixture_covers_itself(toy):
    found = coverage(toy.sample(N, torch.Generator().manual_seed(1)), toy)
    cells = len(toy.modes) + 1
    assert (found.found, found.modes, found.n) == (cells - 1, cells - 1, N)
    assert abs(found.high_quality - INSIDE) < 5 * math.sqrt(INSIDE * (1 - INSIDE) / N)
    # 2N times either divergence is about chi-square with `cells - 1` degrees of freedom
    for divergence in (found.forward_kl, found.reverse_kl):
        assert 0 <= divergence < (cells + 10 * math.sqrt(2 * cells)) / (2 * N)
    assert sum(found.counts) == N


@pytest.mark.parametrize("removed", [1, 3, 7])
def test_modes_removed_by_hand_are_missed(removed):
    toy = toys.ring_of_8()
    found = coverage(draw(toy, list(range(removed, 8))), toy)
    assert found.found == 8 - removed
    assert found.counts[:removed] == (0,) * removed
    assert found.forward_kl == math.inf
    # q is p on the cells that are left, scaled by 8 / left; elsewhere is as it should be
    assert found.reverse_kl == pytest.approx(INSIDE * math.log(8 / (8 - removed)), abs=0.005)
    assert found.high_quality == pytest.approx(INSIDE, abs=0.004)


def test_unequal_modes_are_all_found_and_the_divergences_say_by_how_much():
    toy = toys.ring_of_8()
    weights = [8, 1, 1, 1, 1, 1, 1, 1]
    found = coverage(draw(toy, list(range(8)), weights=[float(w) for w in weights]), toy)
    q = [w / 15 for w in weights]
    assert found.found == 8
    assert found.reverse_kl == pytest.approx(INSIDE * sum(b * math.log(8 * b) for b in q), abs=0.02)
    assert found.forward_kl == pytest.approx(INSIDE * sum(-math.log(8 * b) / 8 for b in q), abs=0.02)


def test_junk_lowers_quality_and_finds_nothing():
    toy = toys.grid_of_25()
    junk = torch.full((N // 4, 2), 0.5, dtype=torch.double)                              # between four modes
    found = coverage(torch.cat([draw(toy, [12], n=3 * N // 4), junk]), toy)
    assert found.found == 1
    assert found.high_quality == pytest.approx(0.75 * INSIDE, abs=0.01)
    wide = coverage(draw(toy, list(range(25)), sigma=3 * toy.sigma), toy)                # thrice as wide: 1 − e^−½
    assert wide.high_quality == pytest.approx(1 - math.exp(-0.5), abs=0.02)


def test_what_counts_as_found_can_be_asked_for():
    toy = toys.ring_of_8()
    x = torch.cat([draw(toy, [0], n=1000), toy.modes[1:2]])                              # one single point in mode 1
    assert coverage(x, toy).found == 2
    assert coverage(x, toy, least=2).found == 1
    assert coverage(toy.modes, toy, within=0.01).high_quality == 1.0


def test_labels_of_a_classifier():
    found = coverage_of_labels(torch.arange(500), 1000)
    assert (found.found, found.modes, found.high_quality) == (500, 1000, 1.0)
    assert found.reverse_kl == pytest.approx(math.log(2))
    assert coverage_of_labels(torch.arange(10), 10).forward_kl == pytest.approx(0, abs=1e-12)
    assert coverage_of_labels(torch.tensor([0, 1, 2]), 2).reverse_kl == math.inf         # 2 means no mode: impossible


def test_precision_falls_with_junk_and_recall_with_lost_modes():
    toy = toys.ring_of_8()
    real = toy.sample(2000, torch.Generator().manual_seed(2), dtype=torch.double)
    whole = precision_recall(real, toy.sample(2000, torch.Generator().manual_seed(3), dtype=torch.double))
    assert whole.precision > 0.9 and whole.recall > 0.9
    half = precision_recall(real, draw(toy, [0, 1, 2, 3], n=2000))
    assert half.precision > 0.9
    assert half.recall == pytest.approx(0.5, abs=0.06)
    junk = torch.cat([draw(toy, list(range(8)), n=1000), torch.randn(1000, 2, dtype=torch.double) / 10])
    spoilt = precision_recall(real, junk)                                                # half of it in the middle
    assert spoilt.precision == pytest.approx(0.5, abs=0.06)
    assert spoilt.recall > 0.9
    assert precision_recall(real, real) == type(whole)(1.0, 1.0)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_precision_and_recall_are_their_definitions_with_loops(k):
    """Unequal numbers, radii of the two sets' own, and one point in each set that no ball of the other reaches."""
    generator = torch.Generator().manual_seed(k)
    real = torch.randn(23, 3, generator=generator, dtype=torch.double)
    fake = 0.6 * torch.randn(17, 3, generator=generator, dtype=torch.double) + 0.5
    real[0], fake[0] = 100.0, -100.0

    def radii(points):
        return [sorted(math.dist(a, b) for j, b in enumerate(points) if j != i)[k - 1] for i, a in enumerate(points)]

    a, b = real.tolist(), fake.tolist()
    of_real, of_fake = radii(a), radii(b)
    near_real = [any(math.dist(x, y) <= r for x, r in zip(a, of_real, strict=True)) for y in b]
    near_fake = [any(math.dist(x, y) <= r for y, r in zip(b, of_fake, strict=True)) for x in a]
    found = precision_recall(real, fake, k=k)
    assert (found.precision, found.recall) == (sum(near_real) / 17, sum(near_fake) / 23)
    assert 0 < found.recall != found.precision < 1


def test_counts_cells_and_divergences_with_loops():
    """Ten points around two centres in space, and the ball's share of a round Gaussian from the error function."""
    modes = torch.tensor([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]], dtype=torch.double)
    mixture = SimpleNamespace(modes=modes, sigma=0.5)
    x = [[0, 0, 0], [0.9, 0, 0], [0, 0.99, 0], [0, 0, 1.01], [4.5, 0, 0], [8.1, 0, 0], [9, 0.5, 0.5], [9, 0, 0.8],
         [9, 1, 0.1], [50, 50, 50]]
    found = coverage(torch.tensor(x, dtype=torch.double), mixture, within=2.0, least=4)
    counts = [sum(math.dist(point, centre) <= 1.0 for point in x) for centre in modes.tolist()]
    counts.append(len(x) - sum(counts))
    assert found.counts == tuple(counts) == (3, 3, 4) and found.found == 0 and found.n == 10
    own = math.erf(2 / math.sqrt(2)) - 2 * math.sqrt(2 / math.pi) * math.exp(-2)    # chi with three degrees of freedom
    p, q = [own / 2, own / 2, 1 - own], [0.3, 0.3, 0.4]
    assert found.high_quality == pytest.approx(0.6, abs=1e-15)
    assert found.forward_kl == pytest.approx(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)), rel=1e-12)
    assert found.reverse_kl == pytest.approx(sum(b * math.log(b / a) for a, b in zip(p, q, strict=True)), rel=1e-12)


RING = toys.ring_of_8()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: coverage(torch.full((10, 2), math.nan), RING), "10 of 10 samples are NaN"),
        (lambda: coverage(torch.zeros(0, 2), RING), r"shape \(n, 2\) with n > 0"),
        (lambda: coverage(torch.zeros(5, 3), RING), r"shape \(n, 2\)"),
        (lambda: coverage(torch.zeros(5, 2), RING, within=0), "within must be positive"),
        (lambda: coverage(torch.zeros(5, 2), RING, within=8), "overlapping cells"),
        (lambda: coverage(torch.zeros(5, 2), toys.ring_of_8(sigma=0.25), within=2.5), "too close together"),
        (lambda: coverage(torch.zeros(5, 2), RING, least=0), "least must be"),
        (lambda: coverage_of_labels(torch.tensor([0, 3]), 2), r"0 … 2, got 0 … 3"),
        (lambda: coverage_of_labels(torch.tensor([0.5]), 2), "whole numbers"),
        (lambda: coverage_of_labels(torch.tensor([0]), torch.tensor([0.5, 0.2])), "summing to one"),
        (lambda: coverage_of_labels(torch.tensor([0]), 0), "target must be"),
        (lambda: coverage_of_labels(torch.tensor([0]), torch.tensor([math.nan, 0.5, 0.5])), "target must be"),
        (lambda: coverage_of_labels(torch.tensor([0]), torch.tensor([1.5, -0.5])), "target must be"),
        (lambda: precision_recall(torch.zeros(5, 2), torch.zeros(5, 3)), r"expected \(N, D\)"),
        (lambda: precision_recall(torch.zeros(3, 2), torch.zeros(5, 2)), "k must be"),
        (lambda: precision_recall(torch.zeros(5, 2), torch.full((5, 2), math.inf)), "fake holds NaN or infinite"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, reason):
    with pytest.raises(ValueError, match=reason):
        call()
