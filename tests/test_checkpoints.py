"""Checkpoints: what was stored comes back, and what cannot be trusted is refused in one line."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import dgmhelpers
from dgmhelpers.autoregressive import FVBN, MADE, NADE, CharRNN
from dgmhelpers.training import checkpoints, files
from dgmhelpers.training.checkpoints import CheckpointError

MODELS = [
    FVBN(dim=5, order=[4, 2, 0, 1, 3]),
    NADE(dim=5, hidden=7),
    MADE(dim=5, hidden=8, layers=2, masks=3, order="random", seed=4),
    CharRNN(length=5, levels=3, hidden=4, cell="lstm"),
]


def filled(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def examples(model):
    x = torch.randint(model.likelihood.levels, (9, 5), generator=torch.Generator().manual_seed(0))
    return x


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "fvbn.safetensors"
    checkpoints.save(path, filled(FVBN(dim=5)), {"seed": 3})
    return path


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_model_comes_back(tmp_path, model):
    path = tmp_path / "model.safetensors"
    checkpoints.save(path, filled(model), {"seed": 3, "dataset": {"name": "bits", "sha256": "0"}})
    again = checkpoints.load(path)
    assert type(again) is type(model)
    assert again.config == model.config
    assert not again.training
    assert torch.equal(again.log_prob(examples(model)), model.log_prob(examples(model)))
    metadata = checkpoints.read_metadata(path)
    assert metadata["model"] == f"autoregressive.{type(model).__name__}"
    assert metadata["seed"] == 3
    assert metadata["torch"] == torch.__version__


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_halves_the_file_and_rounds_the_weights(tmp_path, dtype):
    model = filled(FVBN(dim=64))
    checkpoints.save(tmp_path / "full.safetensors", model)
    checkpoints.save(tmp_path / "half.safetensors", model, dtype=dtype)
    again = checkpoints.load(tmp_path / "half.safetensors")
    assert again.weight.dtype == torch.float32
    assert torch.equal(again.weight, model.weight.to(getattr(torch, dtype)).float())
    assert again.orders.dtype == torch.long
    ratio = (tmp_path / "half.safetensors").stat().st_size / (tmp_path / "full.safetensors").stat().st_size
    assert ratio < 0.6


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    model = filled(FVBN(dim=5))
    model.weight.data[1, 0] = 1e6
    with pytest.raises(ValueError, match="weight of autoregressive.FVBN overflows float16; try bfloat16"):
        checkpoints.save(tmp_path / "x.safetensors", model, dtype="float16")
    model.weight.data[1, 0] = float("nan")
    with pytest.raises(ValueError, match="holds NaN"):
        checkpoints.save(tmp_path / "x.safetensors", model)
    assert list(tmp_path.iterdir()) == []


class Mine(nn.Linear):
    """A model of somebody's own."""

    config = {"in_features": 2, "out_features": 3}


def test_only_what_is_known_is_built(tmp_path, stored, monkeypatch):
    """A file can name a class of this package, or of a module that is imported already; nothing is run or imported."""
    tensors, metadata = files.read(stored)
    for name in ("os.system", "os:system", "autoregressive.base.Autoregressive", "autoregressive.nn", "training.fit",
                 "FVBN", None):  # fmt: skip
        files.write(stored, tensors, metadata | {"model": name})
        with pytest.raises(CheckpointError, match="does not name a model that can be built"):
            checkpoints.load(stored)
    files.write(stored, tensors, metadata | {"model": "this:That"})
    with pytest.raises(CheckpointError, match="this:That, which is not of this package: import this first"):
        checkpoints.load(stored)
    path, model = tmp_path / "mine.safetensors", Mine(**Mine.config)
    checkpoints.save(path, model)
    assert torch.equal(checkpoints.load(path).weight, model.weight)
    monkeypatch.delitem(sys.modules, __name__)
    with pytest.raises(CheckpointError, match="import test_checkpoints first"):
        checkpoints.load(path)
    with pytest.raises(ValueError, match="Linear has no config, the keyword arguments that make it again"):
        checkpoints.save(path, nn.Linear(2, 2))
    with pytest.raises(ValueError, match="not a class at the top of a module"):
        checkpoints.save(path, type("Local", (Mine,), {})(**Mine.config))


def test_config_of_another_model_is_refused(stored):
    tensors, metadata = files.read(stored)
    files.write(stored, tensors, metadata | {"config": {"dim": 5, "hidden": 3}})
    with pytest.raises(CheckpointError, match="does not name a model that can be built: .*hidden"):
        checkpoints.load(stored)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors: tensors.pop("bias"), "it lacks bias"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "the model has no extra"),
        (lambda tensors: tensors.update(bias=torch.zeros(6)), r"bias has shape \(6,\) and should have \(5,\)"),
    ],
)
def test_tensors_of_another_model_are_refused(stored, change, reason):
    tensors, metadata = files.read(stored)
    change(tensors)
    files.write(stored, tensors, metadata)
    with pytest.raises(CheckpointError, match=f"does not fit autoregressive.FVBN: .*{reason}"):
        checkpoints.load(stored)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_file_is_damaged(stored, keep):
    stored.write_bytes(stored.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="is damaged or not a safetensors file") as caught:
        checkpoints.load(stored)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError):
        checkpoints.read_metadata(stored)


def test_file_of_something_else_is_refused(tmp_path, stored):
    stored.write_bytes(b"PK\x03\x04" + bytes(200))
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.load(stored)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, foreign)
    with pytest.raises(CheckpointError, match="not what dgmhelpers stores beside them"):
        checkpoints.load(foreign)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoints.load(tmp_path / "missing.safetensors")
    files.write(stored, {}, {"kind": "training"})
    with pytest.raises(CheckpointError, match="state of a training run"):
        checkpoints.load(stored)


def test_nothing_is_pickled(stored):
    assert set(load_file(stored)) == {"weight", "bias", "orders"}   # another library reads it


def test_failed_write_leaves_the_old_file(stored, monkeypatch):
    before = stored.read_bytes()

    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(stored, filled(FVBN(dim=5)), {"seed": 4})
    assert stored.read_bytes() == before
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]


def test_metadata_must_be_json(tmp_path):
    with pytest.raises(TypeError):
        checkpoints.save(tmp_path / "x.safetensors", FVBN(dim=5), {"seed": {1, 2}})
    with pytest.raises(ValueError, match="JSON"):
        checkpoints.save(tmp_path / "x.safetensors", FVBN(dim=5), {"loss": float("nan")})
    files.write_json(tmp_path / "x.json", {"name": "ü"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"name": "ü"}


def test_trained_models_have_names(tmp_path, monkeypatch, stored):
    monkeypatch.setenv("DGM_CHECKPOINT_DIR", str(stored.parent))
    assert checkpoints.names() == ["fvbn"]
    assert dgmhelpers.load("fvbn", device="cpu").config == {"dim": 5, "order": None}
    with pytest.raises(CheckpointError, match="no trained model 'fvbm'; did you mean fvbn"):
        dgmhelpers.load("fvbm")
    with pytest.raises(CheckpointError, match="no trained model 'zzz'; there are: fvbn"):
        dgmhelpers.load("zzz")
    for name in ("../fvbn", "/etc/passwd", "", ".fvbn"):
        with pytest.raises(CheckpointError, match="not the name of a checkpoint"):
            dgmhelpers.load(name)
