"""Evaluation: means that batches cannot change, errors that are errors, and differences in pairs."""

import math

import pytest
import torch

from dgmhelpers import evaluation
from dgmhelpers.autoregressive import FVBN, NADE, CharRNN
from dgmhelpers.evaluation import Estimate
from dgmhelpers.evaluation.paired import student
from dgmhelpers.layers import RasterConv2d


@pytest.fixture
def model():
    torch.manual_seed(0)
    nade = NADE(dim=6, hidden=8)
    for parameter in nade.parameters():
        torch.nn.init.normal_(parameter)
    return nade


@pytest.fixture
def x():
    return torch.bernoulli(torch.full((53, 6), 0.4), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch_size", [1, 10, 53, 1000])
def test_batches_do_not_change_the_figure(model, x, batch_size):
    estimate = evaluation.nats(model, x, batch_size=batch_size)
    one_by_one = torch.stack([-model.double().log_prob(x[i : i + 1].double())[0] for i in range(len(x))])
    assert estimate.value == pytest.approx(one_by_one.mean().item(), rel=1e-6)
    assert estimate.standard_error == pytest.approx(one_by_one.std().item() / math.sqrt(53), rel=1e-5)
    assert estimate.n == 53


def test_many_examples_lose_no_digits():
    class Constant(torch.nn.Module):
        def log_prob(self, x, context=None):
            return torch.full((len(x),), -1234.5678)

    estimate = evaluation.nats(Constant(), torch.zeros(300_000, 1), batch_size=7777)
    assert estimate.value == pytest.approx(1234.5678, rel=1e-7)
    assert estimate.standard_error == 0


def test_mode_of_the_model_is_put_back(x):
    for training in (True, False):
        model = CharRNN(length=6, levels=2, hidden=4, dropout=0.5).train(training)
        assert evaluation.nats(model, x) == evaluation.nats(model, x)   # no dropout meanwhile
        assert model.training is training


def test_error_covers_the_truth_as_often_as_it_says():
    model, covered = FVBN(dim=3), 0
    model.bias.data = torch.tensor([0.5, -1.0, 2.0])
    p = model.bias.detach().double().sigmoid()
    truth = -(p * p.log() + (1 - p) * (1 - p).log()).sum().item()
    for seed in range(200):
        x = model.sample(100, generator=torch.Generator().manual_seed(seed))
        low, high = evaluation.nats(model, x).interval()
        covered += low < truth < high
    assert 180 <= covered <= 198                          # 95 % of 200, within three standard deviations


def test_one_example_has_no_error(model, x):
    estimate = evaluation.nats(model, x[:1])
    assert math.isnan(estimate.standard_error)
    assert estimate.n == 1


def test_bad_input_is_refused(model, x):
    with pytest.raises(ValueError, match="no example"):
        evaluation.nats(model, x[:0])
    with pytest.raises(ValueError, match="batch_size"):
        evaluation.nats(model, x, batch_size=0)
    with pytest.raises(ValueError, match="53 examples were given with 2 contexts"):
        evaluation.nats(model, x, x[:2])
    with pytest.raises(ValueError, match="shape"):
        evaluation.nats(model, x[:, :5])
    model.b.data[0] = float("nan")
    with pytest.raises(ValueError, match="log_prob of example 0 is NaN"):
        evaluation.nats(model, x)


def test_units():
    assert evaluation.bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
    estimate = evaluation.bits_per_dim(Estimate(784 * math.log(2), 7.84 * math.log(2), 10), 784)
    assert (estimate.value, estimate.standard_error) == pytest.approx((1, 0.01))
    assert estimate.unit == "bits/dim"
    assert evaluation.nats_per_symbol(50.0, 25) == 2
    assert str(Estimate(97.712, 0.253, 10_000)) == "97.71 ± 0.25 nats (n = 10,000)"
    with pytest.raises(ValueError, match="at least one"):
        evaluation.bits_per_dim(1.0, 0)


def test_pairs_see_what_separate_errors_hide(x):
    worse, better = FVBN(dim=6), FVBN(dim=6)
    worse.bias.data.fill_(-2.0)
    better.bias.data.fill_(-1.9)
    difference = evaluation.paired(better, worse, x)
    a, b = evaluation.nats(better, x), evaluation.nats(worse, x)
    assert difference.value == pytest.approx(b.value - a.value, abs=1e-6)
    assert difference.standard_error < a.standard_error / 10
    assert difference.sure
    assert difference.interval()[0] > 0
    back = evaluation.paired(worse, better, x)
    assert back.value == pytest.approx(-difference.value)
    assert back.wins == pytest.approx(1 - difference.wins)
    assert not evaluation.paired(worse, worse, x).sure
    assert "53 examples" in str(difference)


def test_seeds_give_students_interval():
    gains = evaluation.over_seeds(torch.tensor([[0.0, 2.0], [2.0, 2.0], [3.0, 3.0]]))
    assert (gains.each, gains.value, gains.n) == ([1.0, 2.0, 3.0], 2.0, 2)
    low, high = gains.interval()  # t of two degrees of freedom, a spread of 1 over three
    assert (high + low) / 2 == pytest.approx(2.0) and (high - low) / 2 == pytest.approx(4.302653 / 3**0.5, abs=1e-5)
    for wrong in (torch.zeros(1, 5), torch.zeros(3, 0), torch.zeros(4)):
        with pytest.raises(ValueError, match="at least two pairs"):
            evaluation.over_seeds(wrong)


def test_students_quantile_leaves_a_fortieth_above_it():
    """Against draws: a normal over the root of a mean of squares of ``freedom`` others."""
    generator = torch.Generator().manual_seed(0)
    for freedom in (1, 2, 4, 9):
        z = torch.randn(freedom + 1, 200_000, generator=generator, dtype=torch.double)
        t = z[0] / z[1:].square().mean(0).sqrt()
        above = (t > student(freedom)).double().mean().item()
        assert abs(above - 0.025) < 5 * (0.025 * 0.975 / 200_000) ** 0.5
    with pytest.raises(ValueError, match="freedom"):
        student(0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_stream_is_one_long_example(cell):
    torch.manual_seed(0)
    model = CharRNN(length=40, levels=5, hidden=8, cell=cell).double()
    text = torch.randint(5, (40,), generator=torch.Generator().manual_seed(0))
    whole = -model.log_prob(text[None])[0].item() / 40
    for chunk in (1, 7, 40, 1000):
        estimate = evaluation.stream(model, text, chunk=chunk)
        assert estimate.value == pytest.approx(whole, abs=1e-12)
        assert estimate.n == 40
    with pytest.raises(ValueError, match="one sequence"):
        evaluation.stream(model, text[None])


def test_live_parameters_leave_out_what_masks_remove():
    """By hand: an FVBN's lower triangle, a masked convolution's open taps."""
    assert evaluation.live_parameters(FVBN(dim=5)) == 5 * 4 // 2 + 5
    one = torch.zeros(1, dtype=torch.long)
    assert evaluation.live_parameters(RasterConv2d(one, one, 3, strict=True)) == 4 + 1      # of six taps that it holds
    assert evaluation.live_parameters(torch.nn.Linear(3, 2)) == 8
