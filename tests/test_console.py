"""Printing stops nothing: neither an encoding that lacks a sign, nor a reader who has left, nor a missing terminal."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dgmhelpers import console
from dgmhelpers.autoregressive import NADE
from dgmhelpers.training import fit

ROOT = Path(__file__).resolve().parents[1]
SIGNS = "0 … K − 1, “x” ≤ ½ × π‖é ✓ 字"


def run(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DGM_DEVICE": "cpu"} | options.pop("env", {})
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, stderr=subprocess.PIPE, check=False,
                          timeout=300, **options)


def test_every_list_is_printed_whole_whatever_the_terminal_knows():
    said = {}
    for encoding in ("utf-8", "cp1252", "ascii"):
        ended = run("-m", "dgmhelpers", "list", env={"PYTHONIOENCODING": encoding}, stdout=subprocess.PIPE)
        assert ended.returncode == 0 and not ended.stderr
        said[encoding] = ended.stdout.decode(encoding).splitlines()
    whole = said.pop("utf-8")
    assert any(not line.isascii() for line in whole)     # or this test tests nothing
    for told in said.values():
        assert len(told) == len(whole)
        assert all(one == other for one, other in zip(told, whole, strict=True) if other.isascii())


def test_an_error_is_told_in_ascii_too():
    ended = run("-m", "dgmhelpers", "sample", "…“", env={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.PIPE)
    assert ended.returncode == 2 and ended.stderr.startswith(b"error: ") and ended.stderr.count(b"\n") == 1


def test_signs_that_an_encoding_lacks_look_like_themselves():
    assert SIGNS.encode("ascii", "plainer") == b'0 ... K - 1, "x" <= 1/2 x ?||e + ?'
    assert "± … Ω".encode("cp1252", "plainer").decode("cp1252") == "± … ?"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", "plainer")


@pytest.mark.skipif(os.name != "posix", reason="head is of POSIX")
def test_a_reader_who_leaves_is_no_error():
    pipe = subprocess.run(f"{sys.executable} -m dgmhelpers data | head -1; echo ${{PIPESTATUS[0]}}", shell=True,
                          executable="/bin/bash", cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert pipe.stdout.split()[-1] == "0" and not pipe.stderr


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def deserted():
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w", encoding="ascii")


@pytest.mark.parametrize("stream", [closed, deserted, lambda: None], ids=["closed", "deserted", "none"])
def test_training_goes_on_without_anybody_to_tell(stream, monkeypatch, tmp_path):
    monkeypatch.setattr("dgmhelpers.training.progress.LOG_EVERY", 0.0)  # a line at every step
    x, weights = torch.ones(8, 3), {}
    for name, nobody in {"told": None, "not told": stream()}.items():
        torch.manual_seed(0)
        model = NADE(3, 2)
        with monkeypatch.context() as m:
            if name == "not told":
                m.setattr(sys, "stderr", nobody)
            path = tmp_path / f"{name}.safetensors"
            for _ in range(2):                           # the second call says that it is finished
                history = fit(model, x, steps=5, batch_size=4, device="cpu", checkpoint=path)
                assert len(history.steps) == 5
        weights[name] = model.W.detach().clone()
        if nobody is not None:
            try:
                nobody.close()
            except OSError:
                pass
    assert torch.equal(weights["told"], weights["not told"])


def test_what_is_said_arrives_where_it_can(capsys):
    assert console.say("one … two")
    assert capsys.readouterr().err == "one … two\n"
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert console.say("one … two", narrow)
    assert narrow.buffer.getvalue() == b"one ... two\n"
    assert not console.say("anybody?", closed()) and not console.is_terminal(closed()) and not console.is_terminal(None)
