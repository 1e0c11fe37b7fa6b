"""Toy densities integrate to one, and each sampler draws from the density beside it."""

import math

import pytest
import torch

from dgmhelpers.data import toys

TOYS = toys.names()
ROUGH = {"two_moons": 5e-3, "two_spirals": 5e-3, "swiss_roll": 5e-3}   # a density with edges: the rule is crude
FINE = 1000


def grid(extent, n=FINE):
    """Midpoints of an n × n grid over the square, and the area of a cell."""
    line = ((torch.arange(n, dtype=torch.double) + 0.5) / n * 2 - 1) * extent
    return torch.cartesian_prod(line, line), (2 * extent / n) ** 2


def density(toy, n=FINE):
    points, area = grid(toy.extent, n)
    return torch.cat([toy.log_prob(chunk) for chunk in points.split(100_000)]).exp() * area


@pytest.fixture(params=TOYS)
def toy(request):
    return toys.get(request.param)


def test_it_integrates_to_one_and_has_the_entropy_stated(toy):
    mass = density(toy)
    assert abs(mass.sum() - 1) < ROUGH.get(toy.name, 1e-4)
    if toy.entropy is not None:
        area = (2 * toy.extent / FINE) ** 2
        assert abs(torch.special.entr(mass).sum() + mass.sum() * math.log(area) - toy.entropy) < 1e-3


def test_the_sampler_draws_from_the_density(toy):
    """Chi-square over 25 × 25 cells, each cell's probability by quadrature over 40 × 40 points."""
    n, cells = 20_000, 25
    x = toy.sample(n, torch.Generator().manual_seed(0), dtype=torch.double)
    place = ((x / toy.extent + 1) / 2 * cells).floor()
    inside = ((place >= 0) & (place < cells)).all(-1)
    place = place[inside].long()
    observed = torch.bincount(place[:, 0] * cells + place[:, 1], minlength=cells**2).double()
    mass = density(toy).reshape(cells, FINE // cells, cells, FINE // cells).sum((1, 3)).flatten()
    expected = n * mass / mass.sum()
    assert observed[mass == 0].sum() <= 2                               # a corner that every point of the grid missed
    rare = expected < 5
    observed = torch.cat([observed[~rare], observed[rare].sum()[None]])
    expected = torch.cat([expected[~rare], expected[rare].sum()[None]]).clamp(min=5)
    chi_square, freedom = ((observed - expected) ** 2 / expected).sum(), len(expected) - 1
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom) + 10


def test_the_mean_log_prob_of_samples_is_minus_the_entropy(toy):
    x = toy.sample(20_000, torch.Generator().manual_seed(1), dtype=torch.double)
    log_p = toy.log_prob(x)
    assert log_p.isfinite().all()                                       # nothing is drawn where nothing can be
    if toy.entropy is not None:
        assert abs(log_p.mean() + toy.entropy) <= 5 * log_p.std() / math.sqrt(len(x)) + 1e-12


def test_shapes_types_and_repeatability(toy):
    first, again = (toy.sample(7, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (7, 2) and first.dtype == torch.get_default_dtype()
    assert toy.log_prob(first).dtype == first.dtype and toy.log_prob(first).shape == (7,)
    assert toy.sample(0).shape == (0, 2) and toy.log_prob(toy.sample(0)).shape == (0,)
    assert not toy.log_prob(torch.zeros(1, 2)).isnan().any()
    with pytest.raises(ValueError, match="shape"):
        toy.log_prob(torch.zeros(3))
    with pytest.raises(ValueError, match="n must be"):
        toy.sample(-1)


def test_samples_stay_in_the_extent(toy):
    x = toy.sample(100_000, torch.Generator().manual_seed(2))
    assert (x.abs().amax(-1) > toy.extent).sum() <= 30


@pytest.mark.parametrize(("name", "modes"), [("ring_of_8", 8), ("grid_of_25", 25)])
def test_mixtures_say_where_their_modes_are(name, modes):
    mixture = toys.get(name)
    assert mixture.modes.shape == (modes, 2)
    x = mixture.sample(4000, torch.Generator().manual_seed(0), dtype=torch.double)
    distance, nearest = torch.cdist(x, mixture.modes).min(-1)
    assert nearest.unique().numel() == modes
    assert abs(distance.square().mean() / (2 * mixture.sigma**2) - 1) < 0.1
    far_apart = math.log(modes) + math.log(2 * math.pi * math.e * mixture.sigma**2)
    assert abs(mixture.log_prob(x).mean() + far_apart) < 0.1


def test_a_narrow_twist_and_other_sizes_integrate_too():
    for other in (toys.pinwheel(arms=3, twist=4.0), toys.ring_of_8(sigma=0.3), toys.rings((1.0,)),
                  toys.checkerboard(2), toys.banana(bend=0.0)):  # fmt: skip
        assert abs(density(other).sum() - 1) < 1e-4


def test_one_ring_has_the_entropy_that_log_radius_and_angle_give():
    """With radius 1 the Jacobian's mean logarithm is zero, so the two entropies add up."""
    ring = toys.rings((1.0,), noise=0.1)
    x = ring.sample(50_000, torch.Generator().manual_seed(0), dtype=torch.double)
    expected = math.log(2 * math.pi) + 0.5 * math.log(2 * math.pi * math.e * 0.1**2)
    assert abs(ring.log_prob(x).mean() + expected) < 0.02


def test_scores_are_finite_where_points_fall(toy):
    x = toy.sample(200, torch.Generator().manual_seed(0), dtype=torch.double).requires_grad_()
    (score,) = torch.autograd.grad(toy.log_prob(x).sum(), x)
    assert score.isfinite().all() and score.any() == (toy.name != "checkerboard")


def test_an_unknown_toy_and_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="there are ring_of_8"):
        toys.get("ring")
    with pytest.raises(ValueError, match="even"):
        toys.checkerboard(3)
    with pytest.raises(ValueError, match="arms"):
        toys.pinwheel(arms=0)


def test_a_toy_without_a_formula_or_a_sampler_cannot_be_made():
    class Unfinished(toys.Toy):
        def _log_prob(self, x):
            return x.sum(1)

    with pytest.raises(TypeError, match="_sample"):
        Unfinished("unfinished", 1.0)
