"""The Transformer beyond its laws, and what is done to its conditionals."""

import math
from collections import Counter

import pytest
import torch

from dgmhelpers import data, decoding, laws
from dgmhelpers.autoregressive import MADE, CharRNN, Transformer
from dgmhelpers.data import pairs
from dgmhelpers.layers.attention import Attention, angles, rotate
from dgmhelpers.likelihoods import Categorical


def small(**config):
    torch.manual_seed(0)
    model = Transformer(**({"length": 4, "levels": 3, "hidden": 8, "heads": 2} | config)).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model


def readers():
    torch.manual_seed(1)
    return small(length=3), CharRNN(length=3, levels=3, hidden=4).double().eval()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"hidden": 9}, "hidden must be a multiple of heads = 2, got 9"),
        ({"hidden": 6, "position": "rotary"}, "must be even, got 6 / 2"),
        ({"position": "sinus"}, "position must be one of learned, rotary, none, got 'sinus'"),
        ({"event_shape": (1, 2, 2)}, "give length, of sequences, or event_shape, of images; got 4"),
        ({"length": None, "event_shape": (2, 2)}, r"event_shape must be \(C, H, W\) or \(length,\), got \(2, 2\)"),
        ({"length": 0}, "length must be an integer of at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must be within \[0, 1\), got 1.0"),
    ],
)
def test_arguments_that_cannot_be_meant(config, words):
    with pytest.raises(ValueError, match=words):
        small(**config)


def test_bad_input_is_named():
    model = small()
    with pytest.raises(ValueError, match=r"expected x of shape \(B, 4\), got \(1, 5\)"):
        model.log_prob(torch.zeros(1, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="a sequence of 5 symbols is longer than the model's length, 4"):
        model(torch.zeros(1, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="levels must be within 0 … 2, got 3"):
        model.log_prob(torch.full((1, 4), 3))
    with pytest.raises(ValueError, match="not conditional: context must be None"):
        model.sample(1, context=torch.zeros(1, dtype=torch.long))
    with pytest.raises(ValueError, match="context must be integers of shape"):
        small(classes=2).sample(1, context=torch.zeros(1, 4))
    with pytest.raises(ValueError, match="levels must be within 0 … 2, got 7"):
        model.generate(torch.tensor([0, 7]), 2)
    with pytest.raises(ValueError, match="top_k must be an integer of at least 1, got 0"):
        decoding.truncated(model, top_k=0)
    with pytest.raises(ValueError, match="top_p must be above 0 and at most 1, got 1.5"):
        decoding.truncated(model, top_p=1.5)
    with pytest.raises(ValueError, match="a logit for each level, and MADE has Bernoulli"):
        decoding.truncated(MADE(dim=3), top_k=1)
    with pytest.raises(ValueError, match="over 3 and 5 levels"):
        decoding.speculative(model, CharRNN(length=4, levels=5, hidden=4))
    with pytest.raises(ValueError, match="a sequence of 9 symbols is longer than the model's length, 4"):
        decoding.speculative(model, CharRNN(length=4, levels=3, hidden=4), length=9)
    for other in (small(length=None, event_shape=(1, 2, 2)), small(classes=2)):
        with pytest.raises(ValueError, match="speculation is for sequences without a class"):
            decoding.speculative(other, other)
    with pytest.raises(ValueError, match="truncated already"):
        decoding.truncated(decoding.truncated(model, top_k=2), top_p=0.9)
    with pytest.raises(ValueError, match="generate is for sequences without a class"):
        small(length=None, event_shape=(1, 2, 2)).generate(torch.tensor([0]), 2)


@pytest.mark.parametrize("position", ["learned", "rotary"])
@pytest.mark.parametrize("length", [1, 4, 5])
def test_a_text_is_read_in_windows_that_overlap(position, length):
    model, text = small(length=length, position=position), torch.randint(3, (1, 23))
    half, step, found = length // 2, length - length // 2, []
    for t in range(23):                                    # the window that begins at a multiple of `step`
        begin = max(0, (t - half) // step * step)
        found.append(model(text[:, begin : begin + length])[0, t - begin])
    whole, _ = model.stream(text)
    torch.testing.assert_close(whole[0], torch.stack(found))
    state, parts = None, []
    for piece in text.split([1, 6, 2, 9, 5], 1):
        logits, state = model.stream(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_a_reader_gives_what_forward_gives_and_forgets():
    for model in readers():
        x = torch.tensor([[2, 0, 1]])
        read = model.reader()
        read(torch.tensor([[model.start, 1, 1]]))
        read.at = 1                                        # all but the start symbol is forgotten
        logits = torch.cat([model.reader()(torch.tensor([[model.start]])), read(x[:, :2])], 1)
        torch.testing.assert_close(logits, model(x).detach())


def test_generated_text_goes_on_when_the_window_is_full():
    model = small(position="rotary")
    assert len(model.generate(torch.tensor([1, 2]), 20, generator=0)) == 20
    greedy = decoding.truncated(model, top_k=1)
    text = [1, 2]
    for _ in range(9):
        window = text if len(text) < 4 else None
        if window is None:
            break
        x = torch.tensor([[*window, 0]])
        text.append(int(model(x)[0, len(window)].argmax()))
    assert greedy.generate(torch.tensor([1, 2]), len(text) - 2).tolist() == text[2:]
    assert model.generate("", 0, dataset=data.load("text")) == ""


def test_scores_under_rotation_depend_on_the_difference_alone():
    q, k = torch.randn(2, 8, dtype=torch.double)
    turn = angles(torch.arange(100, dtype=torch.double)[:, None], 8)
    scores = rotate(q.expand(100, 8), turn) @ rotate(k.expand(100, 8), turn).T
    for gap in (0, 3, 50):
        line = scores.diagonal(-gap)
        torch.testing.assert_close(line, line[:1].expand_as(line), rtol=0, atol=1e-12)
    assert (scores[50, 0] - scores[0, 50]).abs() > 1e-3    # and it is no function of the distance


def test_one_block_without_positions_sees_a_set_and_two_see_an_order():
    x, y = torch.tensor([[0, 1, 2, 1]]), torch.tensor([[1, 0, 2, 1]])              # the first two in another order
    one, two = small(layers=1, position="none"), small(layers=2, position="none")
    torch.testing.assert_close(one(x)[0, 3], one(y)[0, 3])
    assert (two(x)[0, 3] - two(y)[0, 3]).abs().max() > 1e-3
    assert (small(layers=1)(x)[0, 3] - small(layers=1)(y)[0, 3]).abs().max() > 1e-3


def test_attention_without_a_mask_is_blind_to_order():
    layer, h = Attention(8, 2, causal=False).double(), torch.randn(1, 5, 8, dtype=torch.double)
    order = torch.randperm(5)
    torch.testing.assert_close(layer(h)[:, order], layer(h[:, order]))


def test_attention_looks_at_the_past_alone():
    looks = small(layers=3).attention(torch.tensor([[0, 1, 2, 1]]))                # (1, layers, heads, 4, 4)
    assert looks.shape == (1, 3, 2, 4, 4)
    torch.testing.assert_close(looks.sum(-1), torch.ones(1, 3, 2, 4, dtype=torch.double))
    assert looks.triu(1).max() == 0


@pytest.mark.parametrize("cut", [{"top_k": 2}, {"top_p": 0.6}, {"top_k": 2, "top_p": 0.9}])
def test_a_truncated_model_is_a_model(cut):
    model = decoding.truncated(small(), **cut)
    held = laws.audit(model, only=("sums_to_one", "sampler_matches_density", "cached_equals_naive"))
    assert held.held, held


def test_truncation_keeps_the_likeliest():
    logits = torch.tensor([0.5, 0.2, 0.2, 0.1]).log()
    kept = {
        (1, None): [1, 0, 0, 0], (2, None): [5 / 9, 2 / 9, 2 / 9, 0],              # a tie for the last place: both
        (9, None): [0.5, 0.2, 0.2, 0.1], (None, 0.5): [1, 0, 0, 0], (None, 0.6): [5 / 9, 2 / 9, 2 / 9, 0],
        (None, 1.0): [0.5, 0.2, 0.2, 0.1], (1, 0.95): [1, 0, 0, 0],
    }  # fmt: skip
    for (top_k, top_p), expected in kept.items():
        found = decoding.Truncated(4, top_k, top_p).cut(logits).softmax(-1)
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float), msg=f"{top_k}, {top_p}")
    with pytest.raises(ValueError, match="top_p"):
        decoding.Truncated(4, top_p=math.nan)


def law_of(large, small, verify, drafts=2):
    """The law of a sequence of speculation, by enumeration of all that can be chosen."""
    law: Counter = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "verify", verify)
        for drawn, p in decoding.outcomes(lambda c: decoding.speculative(large, small, drafts=drafts, choose=c)):
            law[tuple(drawn.x.tolist())] += p
    x = torch.cartesian_prod(*[torch.arange(3)] * 3)
    return torch.tensor([law[tuple(row)] for row in x.tolist()], dtype=torch.double), large.log_prob(x).exp().detach()


def draw_again_from_p(p, q, drafts, choose):
    """The popular bug: a draft that is refused is replaced by a draw from p, not from what p has more of."""
    for i, x in enumerate(drafts):
        keep = (p[i, x] / q[i, x]).clamp(max=1)
        if choose(torch.stack([1 - keep, keep])) == 0:
            return [*drafts[:i], choose(p[i])]
    return [*drafts, choose(p[-1])]


@pytest.mark.parametrize("drafts", [1, 2, 3])
def test_speculation_draws_exactly_from_the_large_model(drafts):
    found, expected = law_of(*readers(), decoding.verify, drafts)
    assert (found - expected).abs().max() < 1e-12
    assert abs(found.sum() - 1) < 1e-12


def test_to_draw_again_from_p_is_another_law():
    found, expected = law_of(*readers(), draw_again_from_p)
    assert (found - expected).abs().sum() / 2 > 0.01


def test_a_draft_by_the_model_itself_is_never_refused():
    large, _ = readers()
    drawn = decoding.speculative(large, large, drafts=2, generator=torch.Generator().manual_seed(0))
    assert drawn.kept == 1 and drawn.calls == 1 and drawn.rounds[0][0] == drawn.x[:2].tolist()


def test_all_of_the_probability_is_no_cut():
    logits = torch.tensor([20.0, 0, 0, -5])                                        # in float32 the first has all of it
    assert torch.equal(decoding.Truncated(4, top_p=1.0).cut(logits), logits)


def test_a_refusal_where_both_agree_to_rounding_draws_from_p():
    p, q = torch.tensor([[0.1, 0.2, 0.7]] * 2), torch.tensor([[0.1, 0.2, 0.70000005]])
    assert decoding.verify(p, q, [2], lambda probabilities: int(not probabilities.isfinite().all())) == [0]


def test_kept_counts_what_was_examined():
    rounds = [([1, 2, 3], [1, 5]), ([4], [4, 0]), ([], [2])]   # one kept and one refused, one kept, no draft
    assert decoding.Speculated(torch.zeros(5), rounds).kept == pytest.approx(2 / 3)


def test_truncated_models_speculate_too():
    large, small_one = readers()
    cut = decoding.truncated(large, top_k=1)
    drawn = decoding.speculative(cut, small_one, generator=torch.Generator().manual_seed(0))
    assert cut.log_prob(drawn.x[None]).item() == 0


def test_outcomes_of_two_coins():
    law = Counter()
    for heads, p in decoding.outcomes(lambda choose: sum(choose(torch.tensor([0.25, 0.75])) for _ in range(2))):
        law[heads] += p
    assert law == {0: 0.0625, 1: 0.375, 2: 0.5625}


def test_byte_pairs():
    assert pairs.learn("aaabdaaabac", 3) == [(97, 97), (256, 97), (257, 98)]
    assert pairs.learn("abcdef", 5) == []
    text = "low lower lowest; Größe und groß"
    merges = pairs.learn(text, 12)
    symbols = pairs.encode(text, merges)
    assert pairs.decode(symbols, merges) == text
    assert len(symbols) < len(text.encode()) and symbols.max() < 256 + len(merges)
    assert pairs.decode(pairs.encode("anything else", merges), merges) == "anything else"
    assert pairs.encode("", merges).shape == (0,)
    with pytest.raises(ValueError, match="count must be an integer of at least 0, got -1"):
        pairs.learn(text, -1)


def test_the_cut_comes_after_the_temperature():
    hot = decoding.Truncated(3, top_p=0.5).sample(torch.tensor([[3.0, 2.0, 1.0]]).repeat(4000, 1), 100.0,
                                                  torch.Generator().manual_seed(0))
    assert set(hot.tolist()) == {0, 1}                     # at a high temperature two are needed for a half
    assert set(Categorical(3).sample(torch.tensor([[3.0, 2.0, 1.0]]).repeat(4000, 1), 100.0).tolist()) == {0, 1, 2}
