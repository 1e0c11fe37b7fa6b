"""Classes of somebody's own in checkpoints: named by whoever loads, never by what a file says."""

from pathlib import Path

import pytest
import torch
from torch import nn

import dgmhelpers
from dgmhelpers.autoregressive import NADE
from dgmhelpers.training import CheckpointError, checkpoints


class Mine(nn.Module):
    event_shape = torch.Size([2])

    def __init__(self, width=3):
        super().__init__()
        self.layer = nn.Linear(2, width)


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(checkpoints, "REGISTERED", {})


def local():
    class Local(nn.Module):
        def __init__(self, width=3):
            super().__init__()
            self.config = {"width": width}
            self.layer = nn.Linear(2, width)

    return Local


def test_a_file_of_a_script_is_loaded_by_a_class_that_is_given(tmp_path, monkeypatch):
    path = tmp_path / "mine.safetensors"
    with pytest.raises(ValueError, match="no config.*give config="):
        checkpoints.save(path, Mine(5))
    mine = Mine(5)
    checkpoints.save(path, mine, config={"width": 5})
    tensors, metadata = checkpoints.files.read(path)
    metadata["model"] = "a_script_that_is_gone:Mine"
    checkpoints.files.write(path, tensors, metadata)
    with pytest.raises(CheckpointError, match="import a_script_that_is_gone first, or give load"):
        checkpoints.load(path)
    for how in (Mine, Mine(5)):
        assert torch.equal(checkpoints.load(path, model=how).layer.weight, mine.layer.weight)
        assert torch.equal(dgmhelpers.load(path, "cpu", model=how).layer.weight, mine.layer.weight)
        assert torch.equal(dgmhelpers.load(str(path), "cpu", model=how).layer.weight, mine.layer.weight)
    with pytest.raises(CheckpointError, match="tensor layer.weight|layer was"):
        checkpoints.load(path, model=Mine(4))


def test_a_registered_class_needs_no_module(tmp_path, registry):
    kind, path = local(), tmp_path / "local.safetensors"
    with pytest.raises(ValueError, match="register it under a name"):
        checkpoints.save(path, kind())
    assert checkpoints.register(kind, "mine") is kind and checkpoints.register(local(), "mine")
    checkpoints.register(kind, "mine")
    checkpoints.save(path, kind(4))
    assert checkpoints.read_metadata(path)["model"] == "own:mine"
    assert type(checkpoints.load(path)) is kind
    with pytest.raises(ValueError, match="own:mine' is .*Local already"):
        checkpoints.register(Mine, "mine")
    with pytest.raises(ValueError, match="register takes a class"):
        checkpoints.register(kind(), "other")
    checkpoints.REGISTERED.clear()
    with pytest.raises(CheckpointError, match="register 'mine' first"):
        checkpoints.load(path)


def test_a_path_is_no_name_and_a_name_no_path(tmp_path):
    path = tmp_path / "nade.safetensors"
    checkpoints.save(path, NADE(dim=4, hidden=2))
    assert dgmhelpers.load(path).sample(2).shape == (2, 4)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        dgmhelpers.load(Path("nowhere.safetensors"))
    with pytest.raises(CheckpointError, match="not the name of a checkpoint"):
        dgmhelpers.load("../nade")
