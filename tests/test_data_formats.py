"""The loaders, on small files of the real formats that the tests make themselves and serve by DGM_DATA_DIR."""

import gzip
import struct
import wave
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from dgmhelpers import data
from dgmhelpers.data import fetch, formats, matlab, registry

RANDOM = np.random.RandomState(0)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """An empty DGM_DATA_DIR, a registry that follows what is put there, and no network."""
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("DGM_DATA_DIR", str(folder))
    monkeypatch.setenv("DGM_CACHE_DIR", str(tmp_path / "cache"))

    def no_network(url, path, progress):
        raise ConnectionError("no network")

    monkeypatch.setattr(fetch, "download", no_network)

    def put(name, contents):
        files = []
        for file in registry.FILES[name]:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            contents[path.name](path) if callable(contents[path.name]) else path.write_bytes(contents[path.name])
            files.append(replace(file, sha256=fetch.digest(path)))
        monkeypatch.setitem(registry.FILES, name, tuple(files))

    return put


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes())


def mat(name, array, compressed=True):
    """A MATLAB 5 file of one uint8 matrix, written by hand; scipy checks it below."""

    def element(kind, body):
        if len(body) <= 4:
            return struct.pack("<HH4s", kind, len(body), body)
        return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)

    body = element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack(f"<{array.ndim}i", *array.shape))
    body += element(1, name.encode()) + element(2, array.tobytes(order="F"))
    whole = element(14, body)
    if compressed:
        packed = zlib.compress(whole)
        whole = struct.pack("<II", 15, len(packed)) + packed
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM") + whole


def csv(bits):
    return "".join(",".join(map(str, row)) + "\n" for row in bits.tolist()).encode()


def bits(*shape):
    return RANDOM.randint(0, 2, shape).astype(np.uint8)


def mnist_files(n_train=12, n_test=4):
    images = {"train": RANDOM.randint(0, 256, (n_train, 28, 28)), "t10k": RANDOM.randint(0, 256, (n_test, 28, 28))}
    labels = {"train": RANDOM.randint(0, 10, n_train), "t10k": RANDOM.randint(0, 10, n_test)}
    images, labels = ({k: v.astype(np.uint8) for k, v in of.items()} for of in (images, labels))
    files = {f"{part}-images-idx3-ubyte.gz": idx(array) for part, array in images.items()}
    return images, labels, files | {f"{part}-labels-idx1-ubyte.gz": idx(array) for part, array in labels.items()}


def test_mnist(given):
    images, labels, files = mnist_files()
    given("mnist", files)
    mnist = data.load("mnist")
    assert mnist.event_shape == (1, 28, 28) and mnist.levels == 256 and not mnist.quick
    assert mnist.train.dtype == torch.long and mnist.sha256 == registry.set_digest("mnist")
    whole = torch.cat([mnist.train, mnist.valid])
    assert len(mnist.train) == 10 and torch.equal(whole[:, 0], torch.tensor(images["train"]).long())
    assert torch.equal(mnist.test[:, 0], torch.tensor(images["t10k"]).long())
    assert torch.cat([mnist.labels["train"], mnist.labels["valid"]]).tolist() == labels["train"].tolist()
    assert mnist.labels["test"].tolist() == labels["t10k"].tolist()
    assert data.load("mnist", dtype=torch.uint8).test.dtype == torch.uint8


def test_mnist_with_a_label_too_few_is_refused(given):
    *_, files = mnist_files()
    given("mnist", files | {"t10k-labels-idx1-ubyte.gz": idx(np.zeros(3, np.uint8))})
    with pytest.raises(data.CorruptData, match="3 labels for 4 images"):
        data.load("mnist")


def binarized(**changes):
    splits = {"train": bits(6, 784), "valid": bits(3, 784), "test": bits(2, 784)} | changes
    return splits, {f"binarized_mnist_{part}.amat": mat("X", rows) for part, rows in splits.items()}


def test_binarized_mnist(given):
    splits, files = binarized()
    given("binarized-mnist", files)
    digits = data.load("binarized-mnist")
    assert digits.event_shape == (1, 28, 28) and digits.levels == 2 and digits.labels == {}
    for part, rows in splits.items():
        assert torch.equal(digits.flat().split(part), torch.tensor(rows).float())
        assert torch.equal(digits.split(part)[0, 0, 1], torch.tensor(rows[0, 28:56]).float())


@pytest.mark.parametrize("rows", [bits(3, 783), bits(3, 784) * 2])
def test_binarized_mnist_of_the_wrong_shape_or_values_is_refused(given, rows):
    given("binarized-mnist", binarized(valid=rows)[1])
    with pytest.raises(data.CorruptData, match="valid"):
        data.load("binarized-mnist")


@pytest.mark.parametrize("name", ["dna", "mushrooms", "nips"])
def test_density_estimation_sets(given, name):
    splits = {"train": bits(5, 7), "valid": bits(1, 7), "test": bits(3, 7)}
    given(name, {f"{name}.{part}.data": csv(rows) for part, rows in splits.items()})
    loaded = data.load(name, dtype=torch.double)
    assert loaded.event_shape == (7,) and loaded.train.dtype == torch.double
    for part, rows in splits.items():
        assert torch.equal(loaded.split(part), torch.tensor(rows).double())


def test_density_estimation_with_a_column_too_few_is_refused(given):
    given("dna", {"dna.train.data": csv(bits(5, 7)), "dna.valid.data": csv(bits(2, 6)), "dna.test.data": b"1,0\n"})
    with pytest.raises(data.CorruptData, match="dna.valid.data.*6 columns, expected 7"):
        data.load("dna")


def test_tiny_shakespeare(given):
    text = "To be, or not to be:\nthat is the question"
    given("tiny-shakespeare", {"input.txt": text.encode()})
    play = data.load("tiny-shakespeare")
    assert play.test is None and list(play.splits) == ["train", "valid"] and play.levels == len(set(text))
    assert play.symbols == tuple(sorted(set(text))) and play.event_shape == ()
    assert play.decode(torch.cat([play.train, play.valid])) == text
    assert len(play.train) == len(text) * 9 // 10
    assert torch.equal(play.encode(text[:10]), play.train[:10])
    with pytest.raises(ValueError, match="no symbol for 'Z'"):
        play.encode("Zounds")


def wav(path, samples, channels=1, width=2, rate=8000):
    with wave.open(str(path), "wb") as stream:
        stream.setparams((channels, width, rate, 0, "NONE", ""))
        stream.writeframes(samples.astype("<i2").tobytes())


def test_spoken_digits(given):
    takes = {f"{digit}_{who}_{take}.wav": RANDOM.randint(-32768, 32768, 5 + digit + take)
             for digit, who, take in [(3, "ann", 0), (3, "ann", 4), (1, "bob", 5), (9, "bob", 9), (7, "ann", 10),
                                      (0, "bob", 11)]}  # fmt: skip

    def recordings(folder):
        folder.mkdir()
        for name, samples in takes.items():
            wav(folder / name, samples)

    given("spoken-digits", {"recordings": recordings})
    spoken = data.load("spoken-digits")
    assert spoken.sample_rate == 8000 and spoken.levels == 256 and spoken.event_shape == ()
    assert {part: labels.tolist() for part, labels in spoken.labels.items()} == {
        "train": [0, 7], "valid": [1, 9], "test": [3, 3]
    }  # fmt: skip
    expected = data.audio.encode(torch.tensor(takes["7_ann_10.wav"]) / 32768)
    assert torch.equal(spoken.recording(1), expected) and torch.equal(spoken.recording(-1), expected)
    assert spoken.offsets["train"].tolist() == [0, 16, 16 + 22] and len(spoken.train) == 38


def test_uncompressed_matlab_files_are_read_too(tmp_path):
    array = bits(3, 5)
    (tmp_path / "m.mat").write_bytes(mat("name", array, compressed=False))
    assert np.array_equal(matlab.matrix(tmp_path / "m.mat", "name"), array)


def test_matlab_files_read_as_scipy_reads_and_writes_them(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    array = RANDOM.randn(4, 3)
    scipy_io.savemat(tmp_path / "s.mat", {"other": np.arange(3), "X": array}, do_compression=True)
    assert np.array_equal(matlab.matrix(tmp_path / "s.mat", "X"), array)
    ours = bits(3, 5)
    (tmp_path / "o.mat").write_bytes(mat("X", ours))
    assert np.array_equal(scipy_io.loadmat(tmp_path / "o.mat", appendmat=False)["X"], ours)


MAT, IDX = mat("X", bits(9, 9)), idx(bits(9, 9))
BROKEN = {
    "idx cut short": (formats.idx, IDX[:-9]),
    "idx not gzip": (formats.idx, b"plain"),
    "idx empty": (formats.idx, b""),
    "idx of nothing": (formats.idx, gzip.compress(b"")),
    "idx of floats": (formats.idx, gzip.compress(b"\0\0\x0d\x01" + struct.pack(">I", 1) + b"\0" * 4)),
    "idx with missing bytes": (formats.idx, gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 5) + b"\0" * 4)),
    "idx with half a header": (formats.idx, gzip.compress(b"\0\0\x08\x03" + struct.pack(">I", 5))),
    "bits with a two": (formats.bits, b"0,1\n2,0\n"),
    "bits with words": (formats.bits, b"0,one\n"),
    "bits of different lengths": (formats.bits, b"0,1\n0\n"),
    "bits cut short": (formats.bits, b"0,1\n0,"),
    "wav empty": (lambda path: formats.pcm(path, 8000), b""),
    "wav of nothing known": (lambda path: formats.pcm(path, 8000), b"RIFF" + b"\0" * 60),
    "mat cut short": (lambda path: matlab.matrix(path, "X"), MAT[:-9]),
    "mat header alone": (lambda path: matlab.matrix(path, "X"), MAT[:128]),
    "mat of another name": (lambda path: matlab.matrix(path, "Y"), MAT),
    "mat that is none": (lambda path: matlab.matrix(path, "X"), b"x" * 300),
    "mat garbled": (lambda path: matlab.matrix(path, "X"), MAT[:136] + b"\1\2\3" + MAT[139:]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_in_one_line(tmp_path, case):
    read, content = BROKEN[case]
    path = tmp_path / "broken-file"
    path.write_bytes(content)
    with pytest.raises(data.CorruptData, match="broken-file is corrupt or truncated") as failure:
        read(path)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("change", [{"channels": 2}, {"width": 1}, {"rate": 44100}])
def test_a_wav_file_of_another_kind_is_refused(tmp_path, change):
    wav(tmp_path / "x.wav", np.arange(8), **change)
    with pytest.raises(data.CorruptData, match="expected"):
        formats.pcm(tmp_path / "x.wav", 8000)


def test_a_wav_file_cut_short_is_refused(tmp_path):
    wav(tmp_path / "x.wav", np.arange(100))
    (tmp_path / "x.wav").write_bytes((tmp_path / "x.wav").read_bytes()[:-50])
    with pytest.raises(data.CorruptData, match="100 samples announced"):
        formats.pcm(tmp_path / "x.wav", 8000)
