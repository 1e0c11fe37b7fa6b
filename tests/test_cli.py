"""The command line: what it prints, how it ends, and one clear line for every mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dgmhelpers import cli, devices

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    for name in ("RUN", "CHECKPOINT", "RESULT"):
        monkeypatch.setenv(f"DGM_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("DGM_DEVICE", "cpu")
    monkeypatch.delenv("DGM_PROFILE", raising=False)
    monkeypatch.delenv("DGM_DEBUG", raising=False)
    return tmp_path


def one_line(capsys):
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


def test_list_names_everything(capsys):
    assert cli.main(["list"]) == 0
    said = capsys.readouterr().out
    for name in ("autoregressive.NADE", "made-nips", "binarized-mnist", "Trained models:\n  none"):
        assert name in said
    assert "autoregressive.Autoregressive" not in said
    assert cli.main(["list", "recipes"]) == 0
    assert "Data sets" not in capsys.readouterr().out


def test_data_describes(capsys):
    assert cli.main(["data", "dna"]) == 0
    said = capsys.readouterr().out
    assert "sha256" in said
    assert "180 bits" in said
    assert cli.main(["data"]) == 0
    assert "spoken-digits" in capsys.readouterr().out


def test_train_evaluate_and_sample_follow_each_other(capsys, places):
    assert cli.main(["train", "fvbn-dna", "--profile", "quick"]) == 0
    assert "wrote fvbn-dna.json" in capsys.readouterr().err
    assert cli.main(["train", "fvbn-dna", "--profile", "quick"]) == 0
    assert "wrote fvbn-dna.json" in capsys.readouterr().err
    assert cli.main(["evaluate", "fvbn-dna", "--profile", "quick", "--examples", "200"]) == 0
    assert "agrees" in capsys.readouterr().out
    out = places / "made" / "samples.png"
    assert cli.main(["sample", "fvbn-dna", "--profile", "quick", "-n", "4", "--out", str(out)]) == 0
    assert out.exists()
    assert not (places / "checkpoint").exists()            # the quick profile writes beside its runs


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["train", "fvbn-dan"], "did you mean fvbn-dna"),
        (["train"], "name a recipe, or say --all"),
        (["train", "fvbn-dna", "--minutes", "0"], "--minutes must be positive"),
        (["train", "fvbn-dna", "--all"], "neither a NAME nor --minutes"),
        (["train", "--all", "--hours", "0"], "--hours must be positive"),
        (["train", "fvbn-dna", "--hours", "1"], "--hours goes with --all"),
        (["train", "fvbn-dna", "--device", "gpu"], "device=gpu: not a device"),
        (["evaluate", "nade-dna"], "there is no result nade-dna"),
        (["evaluate", "nope"], "no recipe is called 'nope'"),
        (["evaluate", "nade-dna", "--examples", "1"], "examples must be at least 2"),
        (["sample", "nade-dna"], "set DGM_CHECKPOINT_DIR to its checkpoints/, or make them: python -m dgmhelpers"),
        (["sample", "nade-dna", "--out", "x.png"], "are not pictures"),
        (["data", "mnits"], "did you mean mnist"),
        (["data", "--download"], "name the data set"),
        (["audit", "nowhere:make"], "cannot import 'nowhere'"),
        (["audit", "math:nothing"], "math has no 'nothing'"),
        (["audit", "math"], "expected MODULE:FACTORY"),
    ],
)
def test_mistakes_are_one_line(capsys, argv, reason):
    assert cli.main(argv) == 2
    assert reason in one_line(capsys)


@pytest.mark.parametrize("argv", [[], ["fly"], ["evaluate"], ["train", "fvbn-dna", "--profile", "slow"]])
def test_usage_is_explained(capsys, argv):
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 2
    assert "usage: python -m dgmhelpers" in capsys.readouterr().err


def test_missing_data_says_how_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DGM_DATA_DIR", str(tmp_path / "empty"))
    # first where it is used: a module that is imported only now must not take the substitute for the real one
    monkeypatch.setattr("dgmhelpers.data.benchmarks.fetch", _no_network)
    monkeypatch.setattr("dgmhelpers.data.fetch.fetch", _no_network)
    assert cli.main(["train", "fvbn-dna", "--profile", "full"]) == 2
    assert "DGM_DATA_DIR" in one_line(capsys)


def _no_network(*_, **__):
    from dgmhelpers.data import DataUnavailable

    raise DataUnavailable("dna.train.data is not on this machine: set DGM_DATA_DIR")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("DGM_DEVICE", "cuda")
    assert cli.main(["train", "fvbn-dna", "--profile", "quick"]) == 2
    assert "DGM_DEVICE=cuda was asked for" in one_line(capsys)


def test_damaged_checkpoint_is_one_line(capsys, places, monkeypatch):
    folder = places / "checkpoint"
    folder.mkdir()
    (folder / "nade-dna.safetensors").write_bytes(b"half a fi")
    assert cli.main(["sample", "nade-dna"]) == 2
    assert "damaged" in one_line(capsys)
    assert cli.main(["list", "checkpoints"]) == 0
    assert "damaged" in capsys.readouterr().out


AUDITED = """
import torch
from dgmhelpers.autoregressive import FVBN

def good():
    return FVBN(dim=4)

class Doubled(FVBN):
    def log_prob(self, x, context=None):
        return 2 * super().log_prob(x, context)

bad = Doubled(dim=4)
coins = {"log_prob": lambda x: -3 * torch.log(torch.full((len(x),), 2.0)), "event_shape": (3,), "levels": 2}
"""


def test_audit_judges_models_in_this_folder(capsys, tmp_path, monkeypatch):
    (tmp_path / "audited_here.py").write_text(AUDITED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert cli.main(["audit", "audited_here:good"]) == 0
    assert "sums_to_one" in capsys.readouterr().out
    assert cli.main(["audit", "audited_here:bad"]) == 1
    capsys.readouterr()
    assert cli.main(["audit", "audited_here:good", "--law", "starts_sane", "--json"]) == 0   # a factory is called
    report = json.loads(capsys.readouterr().out)
    assert report["held"] and [(v["law"], v["status"]) for v in report["verdicts"]] == [("starts_sane", "held")]
    assert cli.main(["audit", "audited_here:coins", "--law", "sums_to_one", "--seed", "3"]) == 0
    capsys.readouterr()
    assert cli.main(["audit", "audited_here:good", "--law", "sums_to_two"]) == 2
    assert "did you mean sums_to_one" in one_line(capsys)


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(places):
    process = subprocess.Popen(
        [sys.executable, "-m", "dgmhelpers", "train", "nade-binarized-mnist", "--profile", "quick"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = places / "run" / "quick" / "nade-binarized-mnist"
    deadline = time.monotonic() + 120
    while not list(folder.glob("*/candidate-0.safetensors")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same call goes on from" in said
    assert said.strip().endswith("interrupted")
    assert "Traceback" not in said
    assert list(folder.glob("only-seed-0-*/candidate-0.safetensors"))


def test_help_needs_no_torch():
    code = "import sys; from dgmhelpers import cli; cli.parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_device_and_profile_rules(monkeypatch):
    assert devices.device() == torch.device("cpu")
    assert devices.device(torch.device("cpu")).type == "cpu"
    with pytest.raises(devices.DeviceUnavailable, match="device=cuda:99"):
        devices.device("cuda:99")
    with pytest.raises(devices.DeviceUnavailable, match="only cpu, cuda and mps"):
        devices.device("meta")
    monkeypatch.delenv("DGM_DEVICE")
    assert devices.device().type in ("cpu", "cuda", "mps")
    assert devices.profile() == "quick"
    monkeypatch.setenv("DGM_PROFILE", "full")
    assert devices.profile() == "full"
    assert devices.profile("quick") == "quick"
    monkeypatch.setenv("DGM_PROFILE", "slow")
    with pytest.raises(ValueError, match="DGM_PROFILE must be"):
        devices.profile()
