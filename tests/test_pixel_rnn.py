"""Row LSTM and Diagonal BiLSTM: skewing, fields of sight, walking, sizes, and what they refuse."""

import warnings

import pytest
import torch
from torch import Generator

from dgmhelpers import laws, sampling
from dgmhelpers.autoregressive import DiagonalBiLSTM, ReceptiveFieldWarning, RowLSTM
from dgmhelpers.autoregressive.diagonal_bilstm import Diagonals, skew, unskew
from dgmhelpers.autoregressive.pixel_rnn import lstm
from dgmhelpers.autoregressive.row_lstm import Rows
from dgmhelpers.masks import past, rank_of

BOTH = [RowLSTM, DiagonalBiLSTM]
SHAPES = [(1, 5, 4), (1, 4, 5), (1, 1, 6), (1, 6, 1), (3, 3, 2), (2, 3, 3)]


@pytest.fixture(autouse=True)
def small_fields_are_meant():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReceptiveFieldWarning)
        yield


def images(model, n, seed=0):
    levels = model.likelihood.levels
    x = torch.randint(levels, (n, *model.event_shape), generator=Generator().manual_seed(seed))
    return x.to(model.dtype) if levels == 2 else x


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (5, 1), (3, 4), (4, 3), (4, 4)])
def test_skew_moves_every_pixel_to_its_diagonal_and_unskew_brings_it_back(height, width):
    x = torch.arange(1, 2 * 3 * height * width + 1).reshape(2, 3, height, width)
    skewed = skew(x)
    assert skewed.shape == (2, 3, height, height + width - 1)
    for row in range(height):
        for diagonal in range(height + width - 1):
            inside = 0 <= diagonal - row < width
            expected = x[..., row, diagonal - row] if inside else torch.zeros(2, 3, dtype=x.dtype)
            assert torch.equal(skewed[..., row, diagonal], expected)
    assert torch.equal(unskew(skewed), x)


def test_skew_after_unskew_keeps_all_that_is_inside():
    inside = skew(torch.ones(4, 3)).bool()
    noise = torch.randn(2, 4, 6)
    assert torch.equal(skew(unskew(noise)), torch.where(inside, noise, 0.0))
    with pytest.raises(ValueError, match="4 rows have at least 4 diagonals"):
        unskew(torch.zeros(4, 3))


def test_a_step_of_the_lstm_is_torchs_own():
    """torch orders the gates i, f, g, o."""
    cell = torch.nn.LSTMCell(3, 5).double()
    x, h, c = torch.randn(4, 3).double(), torch.randn(4, 5).double(), torch.randn(4, 5).double()
    i, f, g, o = (x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh).chunk(4, 1)
    for got, expected in zip(lstm(torch.cat([o, f, i, g], 1), c, 1), cell(x, (h, c)), strict=True):
        assert (got - expected).abs().max() < 1e-12


def one_by_one(layer: Diagonals, x):
    """The recurrence of the docstring, a pixel at a time, with no skewing: the definition."""
    n, _, height, width = x.shape
    gates = layer.input(x).chunk(2, 1)
    total = torch.zeros(n, layer.hidden, height, width, dtype=x.dtype)
    for side, weight in enumerate(layer.state.chunk(2)):
        beside, above = weight.chunk(2, 1)
        columns = range(width) if side == 0 else range(width - 1, -1, -1)
        states = {}
        for r in range(height):
            s = m = x.new_zeros(n, layer.hidden)
            for c in columns:
                up = states.get((r - 1, c), torch.zeros_like(s))
                s, m = lstm(gates[side][:, :, r, c] + s @ beside.T + up @ above.T, m, 1)
                states[r, c] = s
                if side == 0:
                    total[:, :, r, c] += s
                elif r + 1 < height:
                    total[:, :, r + 1, c] += s
    return total


@pytest.mark.parametrize(("height", "width"), [(1, 4), (4, 1), (3, 5), (5, 3)])
def test_diagonals_are_the_recurrence_pixel_by_pixel(height, width):
    layer = Diagonals(torch.zeros(6, dtype=torch.long), torch.zeros(4, dtype=torch.long)).double()
    laws.redraw(layer, Generator().manual_seed(0))
    x = torch.randn(2, 6, height, width, dtype=torch.double)
    assert (layer(x) - one_by_one(layer, x)).abs().max() < 1e-12


def test_rows_are_the_recurrence_pixel_by_pixel():
    layer = Rows(torch.zeros(6, dtype=torch.long), torch.zeros(4, dtype=torch.long), 3).double()
    laws.redraw(layer, Generator().manual_seed(0))
    x = torch.randn(2, 6, 3, 5, dtype=torch.double)
    states, cells = torch.zeros(2, 2, 4, 7).double().unbind(0)                     # a column of zeros on either side
    for r in range(3):
        after, memory = torch.zeros_like(states), torch.zeros_like(cells)
        for c in range(5):
            gates = layer.input.bias + x[:, :, r, c] @ layer.input.weight[:, :, 0, 1].T
            if c:
                gates = gates + x[:, :, r, c - 1] @ layer.input.weight[:, :, 0, 0].T
            for k in range(3):
                gates = gates + states[:, :, c + k] @ layer.state[:, :, k].T
            after[:, :, c + 1], memory[:, :, c + 1] = lstm(gates, cells[:, :, c + 1], 1)
        states, cells = after, memory
        assert (layer(x)[:, :, r] - states[:, :, 1:-1]).abs().max() < 1e-12


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.parametrize("layers", [1, 3])
def test_walking_gives_what_forward_gives(model, shape, levels, layers):
    m = model(event_shape=shape, levels=levels, hidden=7, layers=layers).double()
    laws.redraw(m, Generator().manual_seed(1))
    x = images(m, 3)
    with torch.no_grad():
        gap = sampling.replay(m, x) - sampling.parameters_of(m, x)
    assert gap.abs().max() < 1e-10
    draws = [m.sample(4, method=method, generator=Generator().manual_seed(2)) for method in ("cached", "naive")]
    assert torch.equal(*draws)


@pytest.mark.parametrize(("kernel", "first_kernel"), [(1, 3), (3, 3), (1, 5), (3, 5), (5, 5)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shape", [(1, 4, 7), (1, 2, 9), (3, 2, 4)])
def test_the_triangle_is_the_declared_one(kernel, first_kernel, layers, shape):
    m = RowLSTM(event_shape=shape, hidden=5, layers=layers, kernel=kernel, first_kernel=first_kernel)
    verdict = laws.depends_on_exactly_its_past(laws.of_model(m), Generator().manual_seed(0))
    assert verdict.held, str(verdict)


def test_the_triangle_by_hand():
    """3 × 3 kernels, two layers, the middle of the last row of 4 × 9: u columns to the right from u rows up."""
    m = RowLSTM(event_shape=(1, 4, 9), hidden=4, layers=2)
    seen = (past(torch.arange(36)) & ~m.blind_spot)[3 * 9 + 4].reshape(4, 9)
    assert [row.nonzero().flatten().tolist() for row in seen] == [
        list(range(0, 8)),
        list(range(0, 7)),
        list(range(0, 6)),
        [1, 2, 3],
    ]


@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize("shape", [(1, 2, 8), (1, 8, 2), (1, 4, 5)])
def test_the_diagonals_see_the_whole_past_at_every_depth(layers, shape):
    m = DiagonalBiLSTM(event_shape=shape, hidden=5, layers=layers)
    verdict = laws.depends_on_exactly_its_past(laws.of_model(m), Generator().manual_seed(0))
    assert verdict.held and not m.blind_spot.any()
    rank = rank_of(m.order)
    assert torch.equal(verdict.picture[0], rank[None, :] < rank[:, None])


@pytest.mark.parametrize("layers", [1, 3])
def test_without_its_margin_one_pixel_is_not_seen(layers):
    """The last of the row above, but for pixels within the first kernel of it: what the column of zeros is for."""

    class Plain(DiagonalBiLSTM):
        margin = 0

    m = Plain(event_shape=(1, 2, 6), hidden=5, layers=layers)
    verdict = laws.depends_on_exactly_its_past(laws.of_model(m), Generator().manual_seed(0))
    unseen = past(torch.arange(12)) & ~verdict.picture[0]
    assert unseen.nonzero().tolist() == [[6, 5], [7, 5], [8, 5], [9, 5]]


@pytest.mark.parametrize("model", BOTH)
def test_depth_does_not_change_the_scale_at_the_start(model):
    """The residuals' variances add up to one layer's, whatever the number of layers."""
    sizes = []
    for layers in (1, 16):
        torch.manual_seed(0)
        m, spreads = model(event_shape=(1, 9, 9), hidden=16, layers=layers), []
        for module in m.layers:
            module.register_forward_hook(lambda _, __, out, s=spreads: s.append(out.std().item()))
        m(images(m, 16))
        sizes.append(spreads[-1])
    assert 0.5 < sizes[1] / sizes[0] < 2


@pytest.mark.parametrize("model", BOTH)
def test_config_makes_the_model_again(model):
    m = model(event_shape=(3, 4, 5), levels=4, hidden=6, layers=2, first_kernel=5, head=40)
    again = type(m)(**m.config)
    again.load_state_dict(m.state_dict())
    assert torch.equal(again(images(m, 2)), m(images(m, 2)))
    assert model(hidden=8).config["head"] == 32


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"event_shape": (8, 8)}, "event_shape must be"),
        ({"levels": 1}, "levels must be an integer of at least 2"),
        ({"hidden": 0}, "hidden must be an integer of at least 1"),
        ({"hidden": 2.0}, "hidden must be an integer"),
        ({"event_shape": (3, 4, 4), "hidden": 2}, "hidden must be at least the number of colours, 3"),
        ({"layers": 0}, "layers must be an integer of at least 1"),
        ({"first_kernel": 4}, "first_kernel must be odd"),
        ({"first_kernel": 1}, "first_kernel must be at least 3"),
        ({"head": 0}, "head must be an integer of at least 1"),
    ],
)
def test_bad_sizes_are_refused(model, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        model(**arguments)


def test_bad_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel must be odd"):
        RowLSTM(kernel=2)
    with pytest.raises(ValueError, match="kernel must be at most first_kernel"):
        RowLSTM(kernel=5)


@pytest.mark.parametrize("model", BOTH)
def test_bad_input_is_refused(model):
    m = model(event_shape=(1, 3, 3), hidden=4, layers=1)
    with pytest.raises(ValueError, match="expected x of shape"):
        m.log_prob(torch.zeros(2, 9))
    with pytest.raises(ValueError, match="binary values"):
        m.log_prob(torch.full((1, 1, 3, 3), 0.5))
    with pytest.raises(ValueError, match="not conditional"):
        m.sample(1, context=torch.zeros(1))
    with pytest.raises(ValueError, match="known must be boolean"):
        m.sample(1, given=torch.zeros(1, 3, 3), known=torch.ones(1, 3, 3))


def test_a_row_that_is_too_long_warns_with_the_numbers():
    with pytest.warns(ReceptiveFieldWarning, match="sees 3 columns to its left, and the images are 28 wide"):
        RowLSTM(event_shape=(1, 28, 28), hidden=4, layers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ReceptiveFieldWarning)
        RowLSTM(event_shape=(1, 28, 8), hidden=4, layers=6)
        DiagonalBiLSTM(event_shape=(1, 28, 28), hidden=4, layers=1)
