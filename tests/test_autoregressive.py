"""What the models promise beyond the laws: shapes, dtypes, errors, orders, inpainting, temperature."""

import models
import pytest
import torch
from randomness import seeded, stirred

from dgmhelpers import laws, sampling
from dgmhelpers.autoregressive import FVBN, MADE, NADE, CharRNN
from dgmhelpers.autoregressive.nade import _SharedHidden

MODELS = [entry for entry in models.MODELS
          if "depends_on_exactly_its_past" in entry.laws and "refuses_wrong_contexts" not in entry.laws]


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.name)
def test_shapes_dtypes_and_config(entry):
    model = entry.make().eval()
    draws = model.sample(3, generator=seeded())
    levels = model.likelihood.levels
    assert draws.shape == (3, *model.event_shape)
    assert draws.dtype == (torch.float32 if levels in (None, 2) else torch.long)
    assert model(draws).shape == (3, *model.event_shape, *model.likelihood.parameter_shape)
    assert model.log_prob(draws).shape == (3,)
    assert model.loss(draws, generator=seeded()).shape == ()
    assert model.sample(0).shape == (0, *model.event_shape)
    twin = type(model)(**model.config)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin.eval().log_prob(draws), model.log_prob(draws))


@pytest.mark.parametrize("dtype", [torch.bool, torch.long, torch.uint8, torch.float32, torch.float64])
def test_binary_values_of_any_type_are_understood(dtype):
    model = stirred(NADE(dim=5, hidden=4))
    x = (torch.rand(6, 5, generator=seeded()) < 0.5).to(dtype)
    assert torch.equal(model.log_prob(x), model.log_prob(x.double()))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(2, 6), r"expected x of shape \(B, 5\), got \(2, 6\)"),
        (torch.zeros(5), r"expected x of shape \(B, 5\), got \(5,\)"),
        (torch.full((2, 5), 0.5), "0 or 1, got 0.5"),
        (torch.full((2, 5), float("nan")), "0 or 1, got nan"),
        (torch.full((2, 5), -1), "0 or 1, got -1"),
    ],
)
@pytest.mark.parametrize("method", ["log_prob", "loss"])
def test_bad_binary_input_is_refused_with_a_reason(method, bad, message):
    with pytest.raises(ValueError, match=message):
        getattr(MADE(dim=5, hidden=8), method)(bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.full((1, 4), 5), r"0 … 4, got 5"),
        (torch.full((1, 4), -1), r"0 … 4, got -1"),
        (torch.zeros(1, 4), "integers 0 … 4, got dtype torch.float32"),
    ],
)
def test_bad_levels_are_refused_with_a_reason(bad, message):
    with pytest.raises(ValueError, match=message):
        CharRNN(length=4, levels=5).log_prob(bad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FVBN(dim=0), "dim must be an integer of at least 1, got 0"),
        (lambda: NADE(dim=3, hidden=0), "hidden"),
        (lambda: NADE(dim=3.0), "dim must be an integer"),
        (lambda: MADE(dim=3, layers=0), "layers"),
        (lambda: MADE(dim=3, masks=0), "masks"),
        (lambda: MADE(dim=3, order="raster"), 'permutation or "random", got \'raster\''),
        (lambda: FVBN(dim=3, order=[0, 1, 1]), r"permutation of 0 … 2, got \[0, 1, 1\]"),
        (lambda: FVBN(dim=3, order=[0, 1]), "permutation"),
        (lambda: CharRNN(levels=1), "levels"),
        (lambda: CharRNN(cell="rnn"), 'cell must be "gru" or "lstm"'),
        (lambda: CharRNN(dropout=1.0), "dropout"),
    ],
)
def test_bad_sizes_are_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n must be 0 or more, got -1"),
        ({"n": 1, "method": "fast"}, '"cached" or "naive"'),
        ({"n": 1, "temperature": -1.0}, "temperature"),
        ({"n": 1, "temperature": float("nan")}, "temperature"),
        ({"n": 1, "given": torch.zeros(5)}, "come together"),
        ({"n": 1, "given": torch.zeros(5), "known": torch.ones(5)}, "known must be boolean"),
        ({"n": 1, "given": torch.zeros(4), "known": torch.ones(4, dtype=torch.bool)}, "must fit"),
        ({"n": 1, "given": torch.full((5,), 0.5), "known": torch.ones(5, dtype=torch.bool)}, "0 or 1"),
        ({"n": 1, "context": torch.zeros(1)}, "not conditional"),
    ],
)
def test_bad_sampling_arguments_are_refused_with_a_reason(arguments, message):
    with pytest.raises(ValueError, match=message):
        NADE(dim=5).sample(**arguments)


def test_a_generator_on_another_device_is_a_clear_error():
    class Elsewhere:
        device = torch.device("cuda")

    with pytest.raises(ValueError, match="the generator is on cuda and the model on cpu"):
        NADE(dim=5).sample(1, generator=Elsewhere())


def test_nade_equals_its_definition_conditional_by_conditional():
    """From scratch for every k: h = σ(c + Σ_{j<k} W_j x_j), and no recursion."""
    model = stirred(NADE(dim=6, hidden=5, order=[4, 0, 5, 2, 1, 3]))
    x = (torch.rand(7, 6, generator=seeded()) < 0.5).double()
    expected = torch.empty(7, 6, dtype=torch.double)
    for k, i in enumerate(model.order.tolist()):
        before = model.order[:k]
        hidden = torch.sigmoid(model.c + x[:, before] @ model.W[before])
        expected[:, i] = model.b[i] + hidden @ model.V[i]
    assert (model(x) - expected).abs().max() < 1e-14


def test_nade_backward_equals_autograd():
    inputs = [torch.rand(3, 5, generator=seeded(), dtype=torch.double)]
    inputs += [torch.randn(*shape, generator=seeded(), dtype=torch.double) for shape in [(5, 4), (5, 4), (4,)]]
    assert torch.autograd.gradcheck(_SharedHidden.apply, [tensor.requires_grad_() for tensor in inputs])


def test_made_mixture_is_the_log_of_the_mean_and_its_loss_has_the_stated_expectation():
    model = stirred(MADE(dim=6, hidden=8, masks=3, order="random"))
    x = (torch.rand(5, 6, generator=seeded()) < 0.5).double()
    each = torch.stack([model.likelihood.log_prob(model(x, component=m), x).sum(1) for m in range(3)])
    assert (model.log_prob(x) - each.exp().mean(0).log()).abs().max() < 1e-12
    values = {round(model.loss(x, generator=seeded(seed)).item(), 10) for seed in range(60)}
    assert values == {round(-row.mean().item(), 10) for row in each}  # one mask a draw, each of the three
    assert -each.mean() >= -model.log_prob(x).mean()  # Jensen


@pytest.mark.parametrize("seed", range(3))
def test_made_sees_all_of_its_past_without_direct_connections_if_wide_enough(seed):
    wide = MADE(dim=9, hidden=8, layers=3, direct=False, masks=3, order="random", seed=seed)
    narrow = MADE(dim=9, hidden=7, layers=1, direct=False)
    assert not wide.blind_spot.any()
    assert narrow.blind_spot.any()
    assert not MADE(dim=9, hidden=7).blind_spot.any()


def test_char_rnn_streams_a_text_in_pieces():
    model = stirred(CharRNN(length=8, levels=5, hidden=6, layers=2, cell="lstm"))
    text = torch.randint(5, (2, 23), generator=seeded())
    whole, _ = model.stream(text)
    state, pieces = None, []
    for piece in text.split([1, 7, 15], dim=1):
        logits, state = model.stream(piece, state)
        pieces.append(logits)
    assert (torch.cat(pieces, 1) - whole).abs().max() < 1e-12


def test_char_rnn_of_another_length_has_the_same_conditionals():
    model = stirred(CharRNN(length=8, levels=5, hidden=6))
    longer = model.of_length(11)
    x = torch.randint(5, (3, 11), generator=seeded())
    assert longer.event_shape == (11,) and not longer.training
    assert torch.equal(longer(x)[:, :8], model(x[:, :8]))


@pytest.mark.parametrize("method", ["cached", "naive"])
@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.name)
def test_known_entries_are_kept_and_the_rest_drawn_from_the_conditional(entry, method):
    model = stirred(entry.make())
    shape, levels = model.event_shape, model.likelihood.levels
    given = torch.randint(levels or 5, shape, generator=seeded(5))
    known = torch.rand(shape, generator=seeded(6)) < 0.5
    draws = model.sample(20, given=given, known=known, method=method, generator=seeded())
    assert (draws[:, known] == given[known]).all()
    again = model.sample(4, given=draws[:4], known=known.expand(4, *shape))
    assert torch.equal(again[:, known], draws[:4, known])


def test_inpainting_is_exact_when_the_known_come_first():
    model = stirred(NADE(dim=6, hidden=5, order=[2, 5, 0, 1, 4, 3]))
    known = torch.zeros(6, dtype=torch.bool)
    known[model.order[:2]] = True
    given = torch.tensor([0, 0, 1, 0, 0, 1])
    states = laws.of_model(model).every_state()
    fits = (states[:, known] == given[known]).all(1)
    conditional = model.log_prob(states[fits]).softmax(0)  # p(unknown | known), by enumeration
    draws = model.sample(20_000, given=given, known=known, generator=seeded()).long()
    codes = (draws * 2 ** torch.arange(5, -1, -1)).sum(1)
    expected = torch.zeros(64, dtype=torch.double)
    expected[fits] = conditional.detach()
    p_value, _, _ = laws.g_test(torch.bincount(codes, minlength=64).double()[fits], expected[fits] * 20_000)
    assert p_value > 1e-6


def test_near_temperature_zero_the_mode_of_each_conditional_is_taken_and_low_is_sharper():
    model = stirred(CharRNN(length=6, levels=4, hidden=8))
    greedy = model.sample(5, temperature=1e-9, generator=seeded())
    assert (greedy == greedy[0]).all()
    assert torch.equal(model(greedy).argmax(-1), greedy)
    cool, plain = (model.log_prob(model.sample(500, temperature=t, generator=seeded())).mean() for t in (0.5, 1.0))
    assert cool > plain


def test_cached_sampling_computes_each_hidden_activation_of_made_once():
    """Rows of hidden weights used in one cached pass: exactly those of one forward pass."""
    model = stirred(MADE(dim=9, hidden=16, layers=2))
    used = []
    original = torch.nn.functional.linear

    def counting(inputs, weight, *rest):
        used.append(weight.shape[0])
        return original(inputs, weight, *rest)

    torch.nn.functional.linear = counting
    try:
        model.sample(2, generator=seeded())
    finally:
        torch.nn.functional.linear = original
    assert sum(used) == 2 * 16


def test_mixture_over_orders_draws_every_order():
    model = stirred(MADE(dim=4, hidden=8, masks=3, order="random"))
    given, known = torch.ones(4), torch.tensor([True, False, False, False])
    assert model.sample(50, given=given, known=known, generator=seeded())[:, 0].eq(1).all()
    assert sampling.replay(model, torch.zeros(2, 4).double(), component=2).shape == (2, 4)
