"""Sounds and music: what is seen, by formula and by looking; queues; players; coders; data; bad input in one line."""

import io
import math
import re
import struct
import wave
from base64 import b64decode

import numpy as np
import pytest
import torch

from dgmhelpers import data, evaluation, laws, viz
from dgmhelpers.autoregressive import TCN, FrameRNN, WaveNet
from dgmhelpers.data import audio, formats, matlab, sounds
from dgmhelpers.layers import CausalConv1d, receptive_field
from dgmhelpers.recipes import music, spoken


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kernel, layers, cycle", [(2, 4, 4), (3, 3, 3), (2, 6, 3)])
def test_a_wavenets_reach_is_what_its_gradient_and_flips_say(kernel, layers, cycle):
    model = WaveNet(length=60, levels=5, channels=4, layers=layers, cycle=cycle, kernel=kernel, skip=6).double()
    laws.redraw(model, generator())
    h = model.embedding(torch.randint(5, (1, 60), generator=generator())).transpose(1, 2).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.trunk(h)[0, -1].sum(), h)
    assert int((gradient[0] != 0).any(0).sum()) == model.reach == receptive_field(kernel, model.dilations)
    x = torch.randint(5, (60, 60), generator=generator(1))[:1].repeat(60, 1)
    flipped = x.clone()
    flipped.diagonal().copy_((x.diagonal() + 1) % 5)
    moved = (model(flipped) - model(x[:1]))[:, -1].abs().amax(-1) > 1e-12
    assert moved.nonzero()[:, 0].tolist() == list(range(59 - model.reach, 59))


def test_receptive_fields_of_strided_stacks_and_wrong_ones():
    assert receptive_field(2, [1] * 11, [2] * 11) == receptive_field(2, [2**l for l in range(11)]) == 2048
    assert receptive_field([5, 1], [4, 9], [3, 2]) == 17 and receptive_field(3, []) == 1
    with pytest.raises(ValueError, match="2 kernels, 3 dilations and 3 strides"):
        receptive_field([2, 2], [1, 2, 4])
    with pytest.raises(ValueError, match="stride must be an integer of at least 1, got 0"):
        receptive_field(2, [1], [0])


def test_walks_are_the_convolution_and_weight_norm_is_what_it_says():
    for taps, dilation, norm in [(1, 1, False), (2, 5, True), (4, 3, True)]:
        layer = CausalConv1d(3, 4, taps, dilation, norm=norm).double()
        x = torch.randn(2, 3, 20, generator=generator(), dtype=torch.double)
        walk = layer.walk(2)
        with torch.no_grad():
            assert torch.allclose(torch.stack([walk(x[..., t]) for t in range(20)], 2), layer(x), atol=1e-12)
            if norm:
                lengths = layer.kernel.flatten(1).norm(dim=1)
                layer.weight.mul_(7.0)
                now = layer.kernel.flatten(1).norm(dim=1)
                assert torch.allclose(lengths, layer.scale) and torch.allclose(now, lengths)


def test_context_of_factors_is_their_sum():
    model = WaveNet(length=8, levels=4, channels=4, layers=2, skip=4, classes=(3, 2))
    assert [model.class_of(d, s) for d in range(3) for s in range(2)] == list(range(6))
    told = model.told(torch.arange(6), 6)
    assert torch.allclose(told[0] - told[1], told[4] - told[5])        # a speaker adds the same to every digit
    with pytest.raises(ValueError, match="within 0 … 2, got 3"):
        model.class_of(3, 0)
    with pytest.raises(ValueError, match="2 factors, got 1"):
        model.class_of(1)


def test_a_curve_acts_at_its_own_time_and_after():
    model = WaveNet(length=12, levels=4, channels=4, layers=2, skip=4, curve=1).double()
    laws.redraw(model, generator())
    x, curve = torch.randint(4, (1, 12), generator=generator()), torch.zeros(1, 12, 1)
    bent = curve.clone()
    bent[0, 5] = 1.0
    moved = ((model(x, bent) - model(x, curve)).abs().amax(-1) > 1e-12)[0]
    assert not moved[:5].any() and moved[5]


def test_bad_arguments_and_short_clips_say_so_in_a_line():
    with pytest.warns(UserWarning, match="sees 1024 samples back, and examples have 100"):
        WaveNet(length=100, layers=10)
    for wrong, words in [({"classes": 2, "curve": 1}, "not on both"), ({"kernel": 1}, "kernel must be"),
                         ({"classes": (2, 0)}, "classes must be"), ({"layers": 0}, "layers must be")]:
        with pytest.raises(ValueError, match=words):
            WaveNet(length=8, **({"layers": 2} | wrong))
    with pytest.raises(ValueError, match="levels must be 2, got 5"):
        TCN(length=4, keys=3, levels=5)
    with pytest.raises(ValueError, match='cell must be "gru" or "lstm"'):
        FrameRNN(cell="rnn")
    with pytest.raises(ValueError, match="levels must be within 0 … 255, got 256"):
        WaveNet(length=8, layers=2).log_prob(torch.full((1, 8), 256))


def test_other_rates_stereo_and_loud_sounds_are_refused(tmp_path):
    for channels, rate in [(1, 44_100), (2, 8000)]:
        with wave.open(str(tmp_path / "x.wav"), "wb") as file:
            file.setparams((channels, 2, rate, 0, "NONE", ""))
            file.writeframes(bytes(4 * channels))
        with pytest.raises(data.CorruptData, match=rf"got \({channels}, 2, {rate}\)"):
            formats.pcm(tmp_path / "x.wav", 8000)
    with pytest.raises(ValueError, match="between -1 and 1"):
        audio.encode(torch.tensor([1.01]))
    assert audio.encode(torch.zeros(3)).tolist() == [spoken.SILENCE] * 3


def test_players_hold_the_sound_and_refuse_what_is_none():
    x = torch.sin(torch.arange(2000) * 0.3) * 0.5
    made = viz.sound({"a": x, "b": torch.zeros(400)}, alt="two tones", caption="c")
    page = made.to_html()
    assert page.count("<audio controls") == 2 and "http" not in page and 'role="group"' in page and made.png
    assert 'aria-label="play a, 0.25 seconds"' in page and len(page) < 20_000
    content = b64decode(re.findall(r"data:audio/wav;base64,([^\"]+)", page)[0])
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 8000, 2000)
        heard = np.frombuffer(file.readframes(2000), "<i2") / 32767
    assert np.abs(heard - x.numpy()).max() < 1e-4
    for wrong, words in [({"s": torch.zeros(2, 500)}, "one channel"), ({"s": torch.full((500,), 1.5)}, "goes beyond"),
                         ({"s": torch.zeros(100)}, "has 100 samples"), ({}, "no sound"),
                         ({"s": torch.full((500,), math.nan)}, "goes beyond")]:
        with pytest.raises(ValueError, match=words):
            viz.sound(wrong, alt="x")
    with pytest.raises(ValueError, match="rate must be"):
        viz.sound(x, rate=0, alt="x")


def test_rice_bits_are_those_of_a_code_that_can_be_read():
    x = torch.tensor([3, 3, 4, 9, 9, 8])
    best = min(
        sum((u >> r) + 1 + r for u in [2 * abs(e) - (e < 0) for e in errors]) for r in range(16)
        for errors in ([3, 3, 4, 9, 9, 8], [3, 0, 1, 5, 0, -1], [3, -3, 1, 4, -5, -1], [3, -6, 4, 3, -9, 4])
    )  # fmt: skip
    assert evaluation.rice_bits(x) == best + 6
    assert evaluation.rice_bits(torch.randint(256, (4096,), generator=generator())) > 8 * 4096
    with pytest.raises(ValueError, match="vector of whole numbers"):
        evaluation.rice_bits(x.float())


def _cells(pieces) -> bytes:
    """A MATLAB 5 file with one cell array of matrices of bytes."""
    def element(kind, body):
        return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)

    def array(family, shape, name, rest):
        return element(14, element(6, bytes([family, 0, 0, 0, 0, 0, 0, 0])) + element(5, struct.pack("<ii", *shape))
                       + element(1, name) + rest)

    inner = b"".join(array(9, p.shape, b"", element(2, p.T.astype(np.uint8).tobytes())) for p in pieces)
    return bytes(126) + b"IM" + array(1, (1, len(pieces)), b"traindata", inner)


def test_cells_of_a_matlab_file(tmp_path):
    pieces = [np.arange(6).reshape(2, 3), np.ones((1, 4))]
    (tmp_path / "m.mat").write_bytes(_cells(pieces))
    found = matlab.cells(tmp_path / "m.mat", "traindata")
    assert all(np.array_equal(a, b) for a, b in zip(found, pieces, strict=True))
    with pytest.raises(data.CorruptData, match="no cell array called 'testdata'"):
        matlab.cells(tmp_path / "m.mat", "testdata")
    with pytest.raises(data.CorruptData, match="not a real full matrix"):
        matlab.matrix(tmp_path / "m.mat", "traindata")
    (tmp_path / "m.mat").write_bytes(_cells(pieces)[:-8])
    with pytest.raises(data.CorruptData):
        matlab.cells(tmp_path / "m.mat", "traindata")


def test_padding_counts_for_nothing_and_frames_are_counted_as_said():
    chords = music.chords()
    model = TCN(length=16, keys=88, channels=8, layers=2)
    pieces = music.by_piece(model, chords, "test")
    assert [len(piece) for piece in pieces] == chords.offsets["test"].diff().tolist()
    x = chords.recording(1, "test")
    assert math.isclose(pieces[1].sum().item(), -model.of_length(len(x)).log_prob(x[None]).item(), rel_tol=1e-5)
    whole = torch.cat(pieces)
    assert math.isclose(music.per_frame(pieces).value, whole.mean().item(), rel_tol=1e-9)
    (entry,) = music.NatsOfFrames().entries(model, None, chords, 0, "test")
    assert entry["examples"] == len(whole) - len(pieces)
    padded, there = music.padded(chords, "train")
    masked = music.Masked(model, padded.shape[1:])
    longer = torch.nn.functional.pad(padded[:3], (0, 0, 0, 9)), torch.nn.functional.pad(there[:3], (0, 9))
    assert torch.allclose(masked.loss(padded[:3], there[:3]), masked.loss(*longer), atol=1e-5)


def test_the_listener_hears_notes_it_has_learnt():
    tones = data.load("sounds")
    listener = spoken.Listener(tones.train[::4], tones.labels["train"][::4])
    assert (listener(tones.test) == tones.labels["test"]).double().mean() > 0.5


def test_spoken_digits_know_their_speakers():
    assert set(spoken.WHO) <= set(sounds.SPEAKERS) and len(set(sounds.SPEAKERS)) == 6


def test_a_live_cell_says_what_is_asked_for_and_refuses_other_speakers():
    pytest.importorskip("ipywidgets")
    from dgmhelpers import live

    model = WaveNet(length=300, levels=16, channels=4, layers=2, skip=4, classes=(10, 2))
    cell = live.listen(model, ("ann", "bob"))
    before = cell.picture.markup
    cell.set(digit=3, speaker="bob")
    assert "the digit 3 by bob" in cell.picture.alt and cell.picture.markup != before and not cell.message
    cell.close()
    with pytest.raises(ValueError, match=r"factors \[10, 2\], and 1 speakers"):
        live.listen(model, ("ann",))
