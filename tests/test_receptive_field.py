"""Receptive fields: by gradient, by the closed form, by walking the kernels' taps, and by flipping every pixel."""

import itertools
import warnings

import pytest
import torch

from dgmhelpers import laws, masks
from dgmhelpers.autoregressive.gated_pixel_cnn import GatedPixelCNN
from dgmhelpers.autoregressive.pixel_cnn import PixelCNN
from dgmhelpers.autoregressive.pixels import ReceptiveFieldWarning
from dgmhelpers.evaluation import receptive_field
from dgmhelpers.evaluation.receptive_field import BLIND, FUTURE, OUT_OF_REACH, SEEN, SELF

SHAPES = [(1, 5, 6), (1, 7, 4), (1, 1, 6), (1, 6, 1), (3, 3, 4)]


def make(kind, shape, layers, kernel=3, first_kernel=3, **more):
    width = more.pop("channels", 2 * shape[0])
    sizes = dict(channels=width, head=width, layers=layers, kernel=kernel, first_kernel=first_kernel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReceptiveFieldWarning)
        return kind(shape, **sizes, **more)


def plain_taps(side, centre):
    """Where a masked kernel looks from its centre: rows up, columns right."""
    return {(0, -c) for c in range(1 - centre, side + 1)} | {
        (u, r) for u in range(1, side + 1) for r in range(-side, side + 1)
    }


def walk(starts, taps, height, width):
    """Every pixel that one hop takes to from any of ``starts``, within the image."""
    return {
        (row - up, column + right)
        for row, column in starts
        for up, right in taps
        if 0 <= row - up and 0 <= column + right < width
    }


def walked(kind, height, width, layers, kernel, first_kernel):
    """``seen`` of one colour by walking sets of positions from each pixel through the layers, last layer first."""
    first, side = first_kernel // 2, kernel // 2
    table = torch.zeros(height * width, height * width, dtype=torch.bool)
    for row, column in itertools.product(range(height), range(width)):
        here = {(row, column)}
        if kind is PixelCNN:
            for _ in range(layers):
                here = walk(here, plain_taps(side, centre=True) | {(0, 0)}, height, width)
            here = walk(here, plain_taps(first, centre=False), height, width)
        else:  # two places at once: on the horizontal stack (False) and on the vertical one, a row above (True)
            rows = {(u, r) for u in range(side + 1) for r in range(-side, side + 1)}
            left = {(0, -c) for c in range(side + 1)}
            flat, tall = here, set()
            for _ in range(layers - 1):
                tall = walk(tall, rows, height, width) | walk(flat, rows, height, width)
                flat = walk(flat, left, height, width)
            rows = {(u, r) for u in range(first + 1) for r in range(-first, first + 1)}
            tall = walk(tall, rows, height, width) | walk(flat, rows, height, width)
            tall = walk(tall, {(1, 0)}, height, width)
            here = tall | walk(flat, {(0, -c) for c in range(1, first + 1)}, height, width)
        for r, c in here:
            table[row * width + column, r * width + c] = True
    return table


@pytest.mark.parametrize(("kernel", "first_kernel"), [(3, 3), (3, 7), (5, 7), (1, 5), (5, 5)])
@pytest.mark.parametrize("kind", [PixelCNN, GatedPixelCNN])
def test_gradient_closed_form_and_walks_agree(kind, kernel, first_kernel):
    for (colours, height, width), layers in itertools.product(SHAPES, (1, 2, 4)):
        model = make(kind, (colours, height, width), layers, kernel, first_kernel)
        by_gradient = receptive_field.seen(model)
        past = masks.past(torch.arange(height * width))
        hidden = model.blind_spot.reshape(colours, height * width, colours, height * width)
        if colours == 1:
            assert torch.equal(by_gradient, walked(kind, height, width, layers, kernel, first_kernel))
            assert torch.equal(by_gradient, past & ~hidden[0, :, 0])
        else:  # a pixel sees another if one of its colours sees one of the other's
            by_gradient[torch.eye(height * width).bool()] = False
            assert torch.equal(by_gradient, past & ~hidden.all(2).all(0))


@pytest.mark.parametrize(("kernel", "first_kernel"), [(3, 3), (5, 5), (5, 7), (3, 5)])
@pytest.mark.parametrize("colours", [1, 2])
def test_closed_form_is_what_flipping_every_sub_pixel_finds(kernel, first_kernel, colours):
    for kind in (PixelCNN, GatedPixelCNN):
        model = make(kind, (colours, 3, 4), 1, kernel, first_kernel, channels=32)
        verdict = laws.depends_on_exactly_its_past(laws.of_model(model), torch.Generator().manual_seed(0))
        assert verdict.held, str(verdict)


def test_without_blocks_there_is_the_first_kernel_alone():
    model = make(PixelCNN, (1, 5, 5), layers=0)
    (field,) = receptive_field.fields(model, [12])
    assert (field == SEEN).nonzero().tolist() == [[1, 1], [1, 2], [1, 3], [2, 1]]
    assert field[2, 2] == SELF and (field.flatten()[13:] == FUTURE).all()
    assert (field == BLIND).nonzero().tolist() == [[1, 4]] and (field == OUT_OF_REACH).sum() == 12 - 5


@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 9), (8, 3)])
def test_counts_follow_the_triangle(height, width):
    """3 × 3, at any depth: of each row u above, the columns from u + 1 to the right."""
    row = torch.arange(height)[:, None].expand(height, width)
    column = torch.arange(width).expand(height, width)
    triangle = sum(((row >= u) * (width - 1 - column - u).clamp(min=0)) for u in range(1, height))
    for layers in (1, 3, 12):
        count = receptive_field.count(make(PixelCNN, (1, height, width), layers))
        assert torch.equal(count.blind, triangle)
        assert torch.equal(count.past, row * width + column)
        assert torch.equal(count.blind, receptive_field.triangle(height, width))
        if layers == 12:
            assert count.out_of_reach.sum() == 0
            assert count.share("blind") == pytest.approx(triangle.sum() / count.past.sum())


@pytest.mark.parametrize(("kernel", "first_kernel"), [(3, 3), (3, 7), (5, 5), (5, 7)])
def test_the_triangle_of_any_kernel(kernel, first_kernel):
    model = make(PixelCNN, (1, 6, 8), 9, kernel, first_kernel)
    assert torch.equal(receptive_field.count(model).blind, receptive_field.triangle(6, 8, kernel, first_kernel))


@pytest.mark.parametrize("layers", [1, 2, 4, 7])
def test_the_gated_model_is_never_blind(layers):
    count = receptive_field.count(make(GatedPixelCNN, (1, 6, 7), layers))
    assert count.blind.sum() == 0
    assert (count.out_of_reach.sum() == 0) == (layers >= 6)


def test_a_deep_field_is_handed_on():
    pixels, models = [3, 40, 59], [make(PixelCNN, (1, 6, 10), layers) for layers in (1, 3)]
    deepest = receptive_field.seen(receptive_field.deep(models[0]), pixels)
    for model in models:
        codes = receptive_field.fields(model, pixels, deepest=deepest)
        assert torch.equal(codes, receptive_field.fields(model, pixels))


def test_some_pixels_are_rows_of_all_and_classes_do_not_matter():
    model = make(GatedPixelCNN, (1, 4, 5), 2)
    everything = receptive_field.seen(model)
    assert torch.equal(receptive_field.seen(model, [7, 19, 0], batch_size=2), everything[[7, 19, 0]])
    assert torch.equal(receptive_field.seen(make(GatedPixelCNN, (1, 4, 5), 2, classes=3)), everything)
    assert receptive_field.seen(model, []).shape == (0, 20)


def test_the_model_is_left_as_it_was():
    model = make(PixelCNN, (1, 4, 4), 2).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    receptive_field.count(model)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items()) and model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


class Peeks(PixelCNN):
    """Its own output moved one pixel to the left: each pixel is told by the next."""

    def forward(self, x, context=None):
        return super().forward(x, context).roll(-2, -1)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="comes later"):
        receptive_field.count(make(Peeks, (1, 3, 4), 1))
    with pytest.raises(ValueError, match="pixels must be within"):
        receptive_field.seen(make(PixelCNN, (1, 3, 4), 1), [12])
    no_layers = make(PixelCNN, (1, 3, 4), 1)
    no_layers.config = {}
    with pytest.raises(ValueError, match="no number of layers"):
        receptive_field.deep(no_layers)
    with pytest.raises(ValueError, match="first_kernel must be at least 3"):
        make(GatedPixelCNN, (1, 3, 4), 1, first_kernel=1)
    with pytest.raises(ValueError, match="kernel must be odd"):
        receptive_field.triangle(4, 4, kernel=1)
