"""Models that take a pixel at once: their mixture against plain arithmetic, what they see, and what they refuse."""

import itertools
import math
import warnings

import pytest
import torch

from dgmhelpers import laws, likelihoods
from dgmhelpers.autoregressive import (
    MultiScalePixelCNN,
    PixelCNNpp,
    PixelSNAIL,
    ReceptiveFieldWarning,
    SpatialLSTM,
    pixel_snail,
)
from dgmhelpers.evaluation import receptive_field
from dgmhelpers.layers.shifted import DOWN, DOWN_RIGHT, ShiftedConv2d, Spread2d

DTYPES = pytest.mark.parametrize("dtype", [torch.float, torch.bfloat16, torch.half, torch.double], ids=str)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def plainly(levels, pixel, x):
    """The joint probability of one pixel's colours by differences of CDFs, in python's own floats."""
    C, total = len(x), 0.0
    logits, rest = pixel[0], pixel[1:]
    means, scales, slopes = rest[:C], rest[C : 2 * C], rest[2 * C :]
    weights = [math.exp(a) for a in logits]
    for m in range(len(logits)):
        p, used = weights[m] / sum(weights), 0
        for c in range(C):
            mean = means[c][m]
            for earlier in range(c):
                mean += math.tanh(slopes[used][m]) * (2 * x[earlier] / (levels - 1) - 1)
                used += 1

            scale = math.exp(scales[c][m])

            def cdf(k, mean=mean, scale=scale):
                edge = (2 * k + 1) / (levels - 1) - 1
                return 1.0 if k == levels - 1 else 0.0 if k < 0 else 1 / (1 + math.exp(-(edge - mean) / scale))

            p *= cdf(x[c]) - cdf(x[c] - 1)
        total += p
    return total


@pytest.mark.parametrize(("levels", "colours"), [(4, 3), (2, 3), (7, 2), (16, 1)])
def test_a_pixel_is_what_plain_arithmetic_says(levels, colours):
    likelihood = likelihoods.DiscretizedLogisticMixture(levels, 3, colours)
    pixel = torch.randn(likelihood.rows, 3, generator=seeded(), dtype=torch.double)
    states = torch.tensor(list(itertools.product(range(levels), repeat=colours)))
    together = likelihood.log_prob_of_pixel(pixel.expand(len(states), -1, -1), states)
    expected = torch.tensor([plainly(levels, pixel.tolist(), x) for x in states.tolist()], dtype=torch.double)
    torch.testing.assert_close(together.exp(), expected, rtol=1e-10, atol=1e-14)
    assert abs(together.logsumexp(0)) < 1e-12
    in_turn = likelihood.log_prob(likelihood.by_colour(pixel.expand(len(states), -1, -1), states), states).sum(-1)
    torch.testing.assert_close(in_turn, together, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("log_scale", [-1e30, -60.0, -9.0, 9.0, 60.0])
def test_a_pixel_sums_to_one_at_extreme_scales(log_scale):
    likelihood = likelihoods.DiscretizedLogisticMixture(9, 2, 3)
    pixel = torch.randn(likelihood.rows, 2, generator=seeded(1), dtype=torch.double)
    pixel[4:7] = log_scale
    states = torch.cartesian_prod(*[torch.arange(9)] * 3)
    assert abs(likelihood.log_prob_of_pixel(pixel.expand(len(states), -1, -1), states).logsumexp(0)) < 1e-12


@DTYPES
def test_every_finite_parameter_gives_a_finite_loss_and_gradient(dtype):
    """At the ends of the type, too; and a sum over a thousand such pixels is finite."""
    likelihood = likelihoods.DiscretizedLogisticMixture(256, 2, 3)
    most, least = torch.finfo(dtype).max, torch.finfo(dtype).tiny
    values = torch.tensor([0, least, 1, 20, 89, 800, 1e4, most**0.5, most, -1, -20, -89, -800, -1e4, -most],
                          dtype=torch.double)
    at = torch.randint(len(values), (4000, likelihood.rows, 2), generator=seeded())
    pixel = values[at].to(dtype).requires_grad_()
    assert pixel.isfinite().all()
    for level in (0, 1, 128, 255):
        x = torch.tensor([level, 255 - level, level]).expand(4000, 3)
        log_prob = likelihood.log_prob_of_pixel(pixel, x)
        assert log_prob.isfinite().all() and log_prob.sum().isfinite() and (log_prob <= 1e-6).all()
        (gradient,) = torch.autograd.grad(log_prob.mean(), pixel)
        assert not gradient.isnan().any()
        assert not likelihood.by_colour(pixel, x).isnan().any()


def test_the_difference_of_cdfs_underflows_and_this_one_does_not():
    """Ten scales of a level's width away, float32 has no difference left."""
    mean, log_scale, x = torch.zeros(1), torch.tensor([-5.0]), torch.arange(256)
    centre = 2 * x / 255 - 1
    cdf = torch.sigmoid((centre + 1 / 255 - mean) * torch.exp(-log_scale))
    naive = (cdf - torch.sigmoid((centre - 1 / 255 - mean) * torch.exp(-log_scale))).log()
    params = torch.stack([torch.zeros(1), mean, log_scale]).expand(256, 3, 1)
    exact = likelihoods.DiscretizedLogisticMixture(256, 1).log_prob(params.double(), x)
    assert naive[1:-1].isinf().sum() > 50
    torch.testing.assert_close(likelihoods.DiscretizedLogisticMixture(256, 1).log_prob(params, x).double(), exact,
                               rtol=1e-5, atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("window", "size"), [(DOWN_RIGHT, (5, 6)), ((1, 0, 0), (3, 3)), ((2, 1, 0), (4, 7))])
def test_pixels_in_turn_are_the_convolution(window, size, stride):
    torch.manual_seed(0)
    layer = ShiftedConv2d(3, 4, window, stride).double()
    x = torch.randn(2, 3, *size, generator=seeded(), dtype=torch.double)
    step = layer.pixels(2, size[1])
    given = [step(x[:, :, i, j]) for i in range(size[0]) for j in range(size[1])]
    made = torch.stack([y for y in given if y is not None], 2)
    torch.testing.assert_close(made, layer(x).flatten(2))
    assert len(given) - sum(y is not None for y in given) == size[0] * size[1] - made.shape[2]


@pytest.mark.parametrize("stride", [1, 2])
def test_rows_in_turn_are_the_convolution(stride):
    torch.manual_seed(0)
    layer = ShiftedConv2d(3, 4, DOWN, stride).double()
    x = torch.randn(2, 3, 5, 6, generator=seeded(), dtype=torch.double)
    step = layer.rows(2, 6)
    rows = [row for row in (step(x[:, :, i : i + 1]) for i in range(5)) if row is not None]
    torch.testing.assert_close(torch.cat(rows, 2), layer(x))


def test_a_position_fills_its_square():
    torch.manual_seed(0)
    layer = Spread2d(3, 2)
    x = torch.randn(1, 3, 2, 2)
    square = layer.pixel(x[:, :, 1, 0])                                            # (2, 2, 1, 2)
    torch.testing.assert_close(layer(x)[:, :, 2:, :2], square.permute(2, 3, 0, 1))


@pytest.mark.parametrize(("size", "scales"), [((3, 9), 2), ((5, 7), 3), ((2, 8), 1)])
def test_the_declared_blind_spot_is_what_is_not_seen(size, scales):
    """Beyond its reach PixelCNN++ declares what it cannot see; flips of the image's values find the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReceptiveFieldWarning)
        model = PixelCNNpp((1, *size), channels=4, layers=1, scales=scales).double()
    assert model.blind_spot.any()
    verdict = laws.depends_on_exactly_its_past(laws.of_model(model), seeded())
    assert verdict.held, str(verdict)


def test_it_warns_of_images_that_are_too_large():
    with pytest.warns(ReceptiveFieldWarning, match="4 columns to the side, and the images are 8 × 8"):
        PixelCNNpp(channels=4, layers=1, scales=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PixelCNNpp(channels=4)
        PixelSNAIL((1, 20, 20), channels=4)


def test_pixelsnail_has_no_blind_spot_where_its_convolutions_have_one(monkeypatch):
    model = PixelSNAIL((1, 6, 6), channels=4, layers=1, keys=2).double()
    assert not model.blind_spot.any()
    assert receptive_field.seen(model).sum() == 36 * 35 // 2
    monkeypatch.setattr(pixel_snail.CausalAttention, "forward", lambda self, h, x, places: 0 * h[:, ::2])
    assert receptive_field.seen(model).sum() < 36 * 35 // 2 - 50


def test_sight_is_a_mask_of_the_past():
    assert not MultiScalePixelCNN((3, 4, 4), channels=4, layers=1).blind_spot.diagonal().any()
    assert SpatialLSTM((1, 2, 6), hidden=3, reach=1).blind_spot.sum() == sum(max(0, 6 - 2 - j) for j in range(6))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: PixelCNNpp((3, 4, 4), components=0), "components must be 1 or more for 3 colours"),
    (lambda: PixelCNNpp((1, 4, 4), components=-1), "components must be"),
    (lambda: PixelCNNpp(dropout=1.0), "dropout must be at least 0 and below 1, got 1.0"),
    (lambda: PixelSNAIL(channels=6, heads=2), "channels must be twice a multiple of heads, 2; got 6"),
    (lambda: MultiScalePixelCNN((1, 3, 4)), "even sides, got 3 × 4"),
    (lambda: PixelCNNpp((4, 4)), "event_shape must be"),
    (lambda: PixelSNAIL().log_prob(torch.zeros(1, 1, 8, 8), torch.zeros(1)), "not conditional"),
    (lambda: PixelCNNpp((3, 4, 4), 4).log_prob(torch.full((1, 3, 4, 4), 4)), "levels must be within 0 … 3, got 4"),
])  # fmt: skip
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
