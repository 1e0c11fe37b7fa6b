"""Binary sources: probabilities sum to one, the entropy is theirs, and the sampler draws from them."""

import math

import pytest
import torch

from dgmhelpers.data import exact

SOURCES = {
    "joint": lambda: exact.random_joint(6, torch.Generator().manual_seed(0)),
    "joint of one": lambda: exact.random_joint(1, torch.Generator().manual_seed(1)),
    "joint with zeros": lambda: exact.Joint(torch.tensor([[0.0, 0.25], [0.75, 0.0]], dtype=torch.double)),
    "independent": lambda: exact.independent([[0.1, 0.5, 0.9], [0.0, 1.0, 0.3]]),
    "chain": lambda: exact.markov_chain(7, 0.8),
    "frozen chain": lambda: exact.markov_chain(5, 1.0),
    "chain of one": lambda: exact.markov_chain(1, 0.3),
    "parity": lambda: exact.parity(6),
    "parity of one": lambda: exact.parity(1),
    "bars": lambda: exact.bars_and_stripes(2),
    "more bars": lambda: exact.bars_and_stripes(3),
    "copies": lambda: exact.distant_copies(3, 4, 1, 2, 0.9),
    "copies of copies": lambda: exact.distant_copies(4, 3, 1, 1, 0.8),
    "perfect copies": lambda: exact.distant_copies(3, 3, 2, 1, 1.0),
}


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]()


def test_probabilities_sum_to_one_and_have_the_entropy_stated(source):
    log_p = source.log_prob(exact.every_image(source.event_shape))
    assert log_p.dtype == torch.double and abs(log_p.exp().sum() - 1) < 1e-12
    assert abs(torch.special.entr(log_p.exp()).sum().item() - source.entropy) < 1e-12


def test_the_sampler_draws_from_the_density(source):
    n = 20_000
    x = source.sample(n, generator=torch.Generator().manual_seed(0))
    assert x.shape == (n, *source.event_shape) and x.dtype == torch.double
    dim = source.event_shape.numel()
    codes = (x.reshape(n, dim) @ 2.0 ** torch.arange(dim - 1, -1, -1, dtype=torch.double)).long()
    observed = torch.bincount(codes, minlength=2**dim).double()
    expected = n * source.log_prob(exact.every_image(source.event_shape)).exp()
    assert (observed[expected == 0] == 0).all()
    rare = expected < 5
    observed = torch.cat([observed[~rare], observed[rare].sum()[None]])
    expected = torch.cat([expected[~rare], expected[rare].sum()[None]])
    observed, expected = observed[expected > 0], expected[expected > 0]
    chi_square, freedom = ((observed - expected) ** 2 / expected).sum(), len(expected) - 1
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom) + 10


def test_sampling_is_repeatable_and_takes_zero(source):
    draws = [source.sample(9, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*draws) and source.sample(0).shape == (0, *source.event_shape)
    with pytest.raises(ValueError, match="n must be"):
        source.sample(-1)


@pytest.mark.parametrize("dtype", [torch.bool, torch.long, torch.float32])
def test_bits_of_any_type_are_understood(source, dtype):
    x = exact.every_image(source.event_shape)
    assert torch.equal(source.log_prob(x.to(dtype)), source.log_prob(x))


def test_bad_input_is_refused(source):
    with pytest.raises(ValueError, match="shape"):
        source.log_prob(torch.zeros(2, *source.event_shape, 1))
    with pytest.raises(ValueError, match="binary"):
        source.log_prob(torch.full((2, *source.event_shape), 0.5))


def test_the_table_of_a_joint_is_its_probabilities():
    joint = exact.random_joint(4, torch.Generator().manual_seed(0))
    x = exact.every_image((4,))
    assert torch.equal(joint.log_prob(x), joint.table.flatten().log())
    assert joint.log_prob(torch.tensor([[0, 1, 1, 0]])) == joint.table[0, 1, 1, 0].log()


def test_what_makes_no_source_is_refused():
    for make in (
        lambda: exact.Joint(torch.ones(2, 2)),
        lambda: exact.Joint(torch.ones(3) / 3),
        lambda: exact.random_joint(0),
        lambda: exact.independent([1.5]),
        lambda: exact.markov_chain(0, 0.5),
        lambda: exact.markov_chain(3, 1.5),
        lambda: exact.parity(0),
        lambda: exact.bars_and_stripes(1),
        lambda: exact.every_image((21,)),
        lambda: exact.distant_copies(3, 3, 3, 1, 0.9),
        lambda: exact.distant_copies(3, 3, 1, 0, 0.9),
        lambda: exact.distant_copies(3, 3, 1, 1, 1.1),
    ):
        with pytest.raises(ValueError, match="expected|at least|between|too many"):
            make()


def test_bars_and_stripes_are_counted():
    log_p = exact.bars_and_stripes(3).log_prob(exact.every_image((1, 3, 3)))
    assert (log_p > -math.inf).sum() == 2 * 2**3 - 2
    assert abs(exact.bars_and_stripes(3).log_prob(torch.zeros(1, 1, 3, 3)) + 3 * math.log(2)) < 1e-12


def test_a_copy_is_a_fair_coin_to_whoever_does_not_see_its_source():
    """p(x_i | all of its past but its source) = ½, by enumeration; with the source it is stay or 1 − stay."""
    source = exact.distant_copies(3, 4, 1, 2, 0.9)
    assert source.copies == 4
    joint = source.log_prob(exact.every_image(source.event_shape)).exp().reshape((2,) * 12)
    for row, column in [(1, 0), (1, 1), (2, 0), (2, 1)]:
        i, above = 4 * row + column, 4 * (row - 1) + column + 2
        past = joint.sum(tuple(range(i + 1, 12))) if i < 11 else joint                # (2,) * (i + 1)
        without = past.sum(above, keepdim=True)
        assert torch.allclose(without / without.sum(i, keepdim=True), torch.tensor(0.5).double(), atol=1e-12)
        same = (past / past.sum(i, keepdim=True)).movedim((above, i), (0, 1))
        assert torch.allclose(same[0, 0], torch.tensor(0.9).double()) and torch.allclose(same[1, 0], 1 - same[0, 0])
    bound = source.entropy + source.copies * (math.log(2) - source.noise)
    assert abs(bound - 12 * math.log(2)) < 1e-12
