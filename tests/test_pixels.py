"""PixelCNN and Gated PixelCNN beyond the laws: their kernels tap by tap, what they see, their samplers, bad input."""

import math
import warnings
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from dgmhelpers import laws, masks
from dgmhelpers.autoregressive import GatedPixelCNN, PixelCNN, ReceptiveFieldWarning
from dgmhelpers.layers import RasterConv2d, VerticalConv2d


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def stirred(model, seed=0):
    """The model in float64 with random parameters."""
    model = model.double().eval()
    laws.redraw(model, seeded(seed))
    return model


def images(model, n, seed=0):
    x = torch.randint(model.likelihood.levels, (n, *model.event_shape), generator=seeded(seed))
    return model.likelihood.cast(x, torch.double)


# the layers


@pytest.mark.parametrize("strict", [True, False], ids=["mask A", "mask B"])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_raster_layer_is_a_full_kernel_under_a_mask_written_out_entry_by_entry(kernel, colours, strict):
    sender, receiver = masks.colour_of(4, colours), masks.colour_of(5, colours)
    layer = stirred(RasterConv2d(sender, receiver, kernel, strict=strict))
    half = kernel // 2
    full = torch.zeros(5, 4, kernel, kernel, dtype=torch.double)
    for o, i, a, b in product(range(5), range(4), range(half + 1), range(kernel)):
        earlier = a < half or b < half
        here = (a, b) == (half, half) and (sender[i] < receiver[o] or (sender[i] == receiver[o] and not strict))
        if earlier or here:
            full[o, i, a, b] = layer.weight[o, i, a, b]
    x = torch.randn(2, 4, 6, 7, generator=seeded(), dtype=torch.double)
    expected = F.conv2d(x, full, layer.bias, padding=half)
    assert (layer(x) - expected).abs().max() < 1e-12
    along = stirred(RasterConv2d(sender, receiver, kernel, strict=strict, above=0))
    full[:, :, :half] = 0
    full[:, :, half, : half + 1] = along.mask[:, :, 0] * along.weight[:, :, 0]
    assert (along(x) - F.conv2d(x, full, along.bias, padding=half)).abs().max() < 1e-12


def test_a_vertical_layer_is_a_full_kernel_without_the_rows_below():
    layer = stirred(VerticalConv2d(3, 4, 5))
    full = torch.zeros(4, 3, 5, 5, dtype=torch.double)
    full[:, :, :3] = layer.weight
    x = torch.randn(2, 3, 6, 4, generator=seeded(), dtype=torch.double)
    assert (layer(x) - F.conv2d(x, full, layer.bias, padding=2)).abs().max() < 1e-12


def test_masks_are_the_papers():
    """A over one colour hides the centre, B shows it; over three, R sees no colour of its pixel under A, G sees R."""
    one, three = torch.zeros(1, dtype=torch.long), torch.arange(3)
    assert masks.raster(one, one, 3, strict=True)[0, 0].int().tolist() == [[1, 1, 1], [1, 0, 0]]
    assert masks.raster(one, one, 3, strict=False)[0, 0].int().tolist() == [[1, 1, 1], [1, 1, 0]]
    centre = masks.raster(three, three, 3, strict=True)[:, :, 1, 1].int().tolist()
    assert centre == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]                             # rows: who looks
    assert masks.raster(three, three, 3, strict=False)[:, :, 1, 1].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_colours_share_the_features_evenly_and_none_goes_without():
    assert masks.colour_of(7, 3).bincount().tolist() == [3, 2, 2]
    with pytest.raises(ValueError, match="2 features cannot serve 3 colours"):
        masks.colour_of(2, 3)


# what they see

DEPTHS = [
    lambda **size: PixelCNN(channels=4, layers=0, **size),
    lambda **size: PixelCNN(channels=4, layers=2, **size),
    lambda **size: PixelCNN(channels=4, layers=1, kernel=5, **size),
    lambda **size: PixelCNN(channels=4, layers=2, kernel=3, first_kernel=7, **size),
    lambda **size: PixelCNN(channels=4, layers=2, kernel=1, **size),
    lambda **size: PixelCNN(channels=4, layers=1, kernel=5, first_kernel=7, **size),
    lambda **size: GatedPixelCNN(channels=2, layers=1, **size),
    lambda **size: GatedPixelCNN(channels=2, layers=3, **size),
    lambda **size: GatedPixelCNN(channels=2, layers=2, kernel=5, first_kernel=3, **size),
    lambda **size: GatedPixelCNN(channels=2, layers=2, kernel=3, first_kernel=5, **size),
]


@pytest.mark.filterwarnings("ignore::dgmhelpers.autoregressive.ReceptiveFieldWarning")
@pytest.mark.parametrize("size", [(1, 5, 8), (1, 7, 6)], ids=str)
@pytest.mark.parametrize("make", DEPTHS)
def test_the_declared_blind_spot_is_what_gradients_find(make, size):
    """All weights positive and activations alive: a path through the kernels is a gradient, and nothing else is."""
    model = make(event_shape=size).double()
    for parameter in model.parameters():
        parameter.data.abs_().add_(0.01)
    x = torch.rand(1, *size, generator=seeded(), dtype=torch.double).requires_grad_()
    logits = model(x).flatten()
    seen = torch.stack([torch.autograd.grad(a, x, retain_graph=True)[0].flatten() != 0 for a in logits])
    past = masks.past(model.order)
    assert not (seen & ~past).any()
    assert torch.equal(model.blind_spot, past & ~seen)


@pytest.mark.filterwarnings("ignore::dgmhelpers.autoregressive.ReceptiveFieldWarning")
@pytest.mark.parametrize("make", [lambda: PixelCNN((1, 2, 4), layers=0), lambda: GatedPixelCNN((1, 2, 4), layers=1)])
def test_one_layer_keeps_every_law_that_does_not_ask_it_to_know_where_it_is(make):
    """Translated, its field looks the same to it: two pixels with equal surroundings have one conditional.

    So it cannot learn every single image by heart, which is no fault of its gradients.
    """
    report = laws.audit(factory=make)
    assert {verdict.law for verdict in report.broken} <= {"learns_a_constant"}, str(report)


def test_two_pixels_to_the_upper_right_by_enumeration_alone():
    """On 2 × 4 pixels, p(x₁₀ | row above) of the plain model ignores the last two pixels of that row; the gated not."""
    def spread(model):
        model = stirred(model)
        rows = torch.tensor(list(product([0.0, 1.0], repeat=8)), dtype=torch.double).reshape(-1, 1, 2, 4)
        joint = model.log_prob(rows).exp().reshape(4, 4, 2, 8)                     # (x₀₀ x₀₁, x₀₂ x₀₃, x₁₀, the rest)
        conditional = joint.sum(3)[:, :, 1] / joint.sum((2, 3))
        return (conditional.amax(1) - conditional.amin(1)).max().item()            # over the two pixels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReceptiveFieldWarning)
        assert spread(PixelCNN(event_shape=(1, 2, 4), layers=6)) < 1e-12
        assert spread(GatedPixelCNN(event_shape=(1, 2, 4), layers=3)) > 1e-3


def test_images_beyond_the_receptive_field_are_warned_of_with_the_numbers():
    with pytest.warns(ReceptiveFieldWarning, match="reaches 3 rows up and 3 columns to the side, .* are 5 × 8"):
        PixelCNN(event_shape=(1, 5, 8), layers=2)
    with pytest.warns(ReceptiveFieldWarning, match="reaches 4 rows up and 3 columns to the side, .* are 5 × 5"):
        GatedPixelCNN(event_shape=(1, 5, 5), layers=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PixelCNN(), GatedPixelCNN(), GatedPixelCNN(event_shape=(1, 5, 4), layers=3)


# sampling


@pytest.mark.parametrize(
    "model",
    [
        lambda: PixelCNN(event_shape=(1, 9, 9), channels=12, layers=8, head=12),
        lambda: PixelCNN(event_shape=(3, 6, 6), levels=4, channels=12, layers=5, head=12),
        lambda: GatedPixelCNN(event_shape=(1, 9, 9), channels=8, layers=8, head=8),
        lambda: GatedPixelCNN(event_shape=(3, 6, 6), levels=4, channels=9, layers=5, head=9),
    ],
)
def test_cached_sampling_multiplies_no_more_than_one_forward_pass(model):
    """Every activation once: the products of a whole sample are at most those of one pass over as many images."""
    model = stirred(model())
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        model(images(model, 4))
    with FlopCounterMode(display=False) as cached:
        model.sample(4, generator=seeded())
    assert cached.get_total_flops() <= 1.05 * forward.get_total_flops()  # rows of zeros above the first cost the rest


@pytest.mark.parametrize("make", [PixelCNN, GatedPixelCNN])
def test_completing_an_image_draws_from_the_exact_conditional(make):
    """With the first row known, frequencies of the second row follow p(second | first), by enumeration."""
    model = stirred(make(event_shape=(1, 2, 3), channels=6))
    given = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], dtype=torch.double).reshape(1, 2, 3)
    known = torch.tensor([[True] * 3, [False] * 3]).reshape(1, 2, 3)
    x = model.sample(4000, given=given, known=known, generator=seeded(1))
    assert torch.equal(x[:, :, 0], given[:, 0].expand(4000, 1, 3))
    second = torch.tensor(list(product([0.0, 1.0], repeat=3)), dtype=torch.double)
    every = given.repeat(8, 1, 1, 1)
    every[:, 0, 1] = second
    expected = model.log_prob(every).softmax(0) * 4000
    code = (x[:, 0, 1] * torch.tensor([4.0, 2.0, 1.0], dtype=torch.double)).sum(1).long()
    p_value, *_ = laws.g_test(code.bincount(minlength=8).double(), expected)
    assert p_value > 1e-6


def test_near_temperature_zero_the_likeliest_value_of_every_pixel_is_taken():
    model = stirred(GatedPixelCNN(event_shape=(1, 3, 3), levels=4, channels=6))
    x = model.sample(1, temperature=1e-9, generator=seeded())
    assert torch.equal(model(x).argmax(-1), x)


# given a class


def conditional(**more):
    return GatedPixelCNN(event_shape=(1, 3, 3), channels=6, layers=3, classes=3, **more)


@pytest.mark.parametrize("number", [0, 2])
def test_a_conditional_model_obeys_every_law_at_each_class(number):
    report = laws.audit(factory=conditional, context=number)
    assert report.held, str(report)
    assert report["cached_equals_naive"].held and report["learns_a_constant"].held


def test_the_class_matters_and_each_example_has_its_own():
    model = stirred(conditional())
    x = images(model, 1).repeat(3, 1, 1, 1)
    together = model.log_prob(x, torch.arange(3))
    alone = torch.cat([model.log_prob(x[:1], torch.tensor([c])) for c in range(3)])
    assert (together - alone).abs().max() < 1e-12 and together.std() > 1e-3
    context = torch.tensor([0, 1, 2, 0, 1, 2])
    cached, naive = (model.sample(6, context=context, method=m, generator=seeded()) for m in ("cached", "naive"))
    assert torch.equal(cached, naive)


def test_a_class_that_is_none_is_refused():
    model, x = conditional(), torch.zeros(2, 1, 3, 3)
    with pytest.raises(ValueError, match=r"classes must be within 0 … 2, got 3"):
        model.log_prob(x, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="context must give each example's class"):
        model.log_prob(x)
    with pytest.raises(ValueError, match="integers of shape"):
        model.log_prob(x, torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="2 examples were given with 1 contexts"):
        model.log_prob(x, torch.tensor([1]))
    with pytest.raises(ValueError, match="not conditional"):
        GatedPixelCNN(event_shape=(1, 3, 3)).log_prob(x, torch.tensor([0, 1]))


# bad input


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(event_shape=(8, 8)), r"event_shape must be \(C, H, W\)"),
        (dict(event_shape=(1, 0, 8)), "event_shape must be an integer of at least 1, got 0"),
        (dict(kernel=4), "kernel must be odd, .* got 4"),
        (dict(first_kernel=6), "first_kernel must be odd"),
        (dict(first_kernel=1), "first_kernel must be at least 3"),
        (dict(levels=1), "levels must be an integer of at least 2"),
        (dict(layers=-1), "layers must be an integer of at least"),
        (dict(event_shape=(3, 8, 8), channels=2), "channels must be at least"),
        (dict(event_shape=(3, 8, 8), channels=12, head=2), "head must be at least the number of colours, 3"),
    ],
)
@pytest.mark.parametrize("make", [PixelCNN, GatedPixelCNN])
def test_sizes_that_cannot_be_are_refused(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


@pytest.mark.parametrize("make", [PixelCNN, GatedPixelCNN])
def test_values_and_arguments_that_cannot_be_are_refused(make):
    model = make(event_shape=(1, 2, 2), channels=6)
    with pytest.raises(ValueError, match="binary values must be 0 or 1, got 0.5"):
        model.log_prob(torch.full((1, 1, 2, 2), 0.5))
    with pytest.raises(ValueError, match=r"expected x of shape \(B, 1, 2, 2\)"):
        model.log_prob(torch.zeros(1, 2, 2))
    for temperature in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"temperature must be above 0 and finite, got {temperature}"):
            model.sample(1, temperature=temperature)
    with pytest.raises(ValueError, match="known must be boolean"):
        model.sample(1, given=torch.zeros(1, 2, 2), known=torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="must fit the samples' shape"):
        model.sample(1, given=torch.zeros(1, 3, 2), known=torch.ones(1, 3, 2, dtype=torch.bool))


@pytest.mark.parametrize("make", [PixelCNN, GatedPixelCNN])
def test_depth_does_not_blow_up_a_fresh_model(make):
    model, found = make(event_shape=(1, 6, 6), layers=24), []
    for module in model.modules():
        if isinstance(module, RasterConv2d | VerticalConv2d):
            module.register_forward_hook(lambda m, i, y: found.append(y.square().mean().sqrt().item()))
    value = model.log_prob(model.sample(16, generator=seeded())).mean().item()
    assert max(found) < 5
    assert abs(value / (36 * math.log(0.5)) - 1) < 0.2
