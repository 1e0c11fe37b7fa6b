"""Trained models as files: the weights, what builds the model they fit, and where they come from.

A checkpoint names its model as ``family.Class`` and gives its keyword arguments; only what a family of this package
exports can be named, so that loading builds a model and runs nothing else.
"""

import difflib
import importlib
import os
import re
import warnings
from pathlib import Path

import torch
from torch import nn

from dgmhelpers import devices
from dgmhelpers.arguments import local_path
from dgmhelpers.training import files
from dgmhelpers.training.files import CheckpointError, read_metadata

__all__ = ["CheckpointError", "folder", "load", "load_named", "model_class", "model_name", "names", "path_of",
           "read_metadata", "save"]

FAMILIES = ("classical", "autoregressive", "flows", "latent", "energy", "diffusion", "adversarial")
STORED_AS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}


def model_name(model: nn.Module) -> str:
    """``"autoregressive.NADE"`` for a NADE.

    Raises:
        ValueError: if the model's class is not one that dgmhelpers exports.
    """
    package, _, rest = type(model).__module__.partition(".")
    name = f"{rest.split('.')[0]}.{type(model).__name__}"
    try:
        if package == "dgmhelpers" and model_class(name) is type(model):
            return name
    except ValueError:
        pass
    raise ValueError(f"{type(model).__module__}.{type(model).__qualname__} is not a model that dgmhelpers exports, so "
                     f"a checkpoint could not be loaded again")


def model_class(name: str) -> type[nn.Module]:
    """The class that ``"autoregressive.NADE"`` names.

    Raises:
        ValueError: if no family of models exports it.
    """
    family, _, kind = str(name).partition(".")
    if family in FAMILIES and kind.isidentifier():
        try:
            found = getattr(importlib.import_module(f"dgmhelpers.{family}"), kind, None)
        except ModuleNotFoundError as error:
            if error.name != f"dgmhelpers.{family}":
                raise
            found = None
        if isinstance(found, type) and issubclass(found, nn.Module):
            return found
    raise ValueError(f"{name!r} is not a model that dgmhelpers exports")


def save(path: str | os.PathLike, model: nn.Module, metadata: dict | None = None, *, dtype: str = "float32") -> None:
    """Write ``model`` to ``path``, atomically.

    Args:
        metadata: anything JSON can hold: seed, commit, data set and its sha256, metric, command, ...
        dtype: how weights are stored: "float16" or "bfloat16" halve the file. A metric that stands beside the
            stored weights must be measured on them: load the file again first.
    """
    if dtype not in STORED_AS:
        raise ValueError(f"dtype must be one of {', '.join(STORED_AS)}, got {dtype!r}")
    name, tensors = model_name(model), {}
    for key, tensor in model.state_dict().items():
        stored = tensor.to(STORED_AS[dtype]) if tensor.is_floating_point() else tensor
        if not stored.isfinite().all():
            reason = "is not finite" if not tensor.isfinite().all() else f"overflows {dtype}; try bfloat16"
            raise ValueError(f"tensor {key} of {name} {reason}")
        tensors[key] = stored
    description = {"kind": "weights", "model": name, "config": model.config, "dtype": dtype, "torch": torch.__version__}
    files.write(path, tensors, (metadata or {}) | description)


def load(path: str | os.PathLike, device: str | torch.device | None = None) -> nn.Module:
    """The model in ``path``, in eval mode, on ``device`` (the CPU if none is named).

    Raises:
        CheckpointError: if the file is missing, damaged, or does not fit the model that it names.
    """
    tensors, metadata = files.read(path)
    if metadata.get("kind") != "weights":
        raise CheckpointError(f"{path} is the state of a training run, not a trained model: go on with the training")
    name, config = metadata.get("model"), metadata.get("config")
    try:
        with warnings.catch_warnings():                  # what its constructor warns of was said when it was trained
            warnings.simplefilter("ignore", UserWarning)
            model = model_class(name)(**config)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not name a model that can be built: {error}") from error
    wanted = model.state_dict()
    missing, unexpected = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or unexpected:
        reasons = [f"it lacks {', '.join(missing)}"] if missing else []
        reasons += [f"the model has no {', '.join(unexpected)}"] if unexpected else []
        raise CheckpointError(f"{path} does not fit {name}: {' and '.join(reasons)}")
    for key, tensor in wanted.items():
        if tensor.shape != tensors[key].shape:
            raise CheckpointError(f"{path} does not fit {name}: tensor {key} has shape {tuple(tensors[key].shape)} and "
                                  f"should have {tuple(tensor.shape)}")
    model.load_state_dict(tensors)
    return model.to(device or "cpu").eval()


def folder() -> Path:
    """Where trained models are kept: ``DGM_CHECKPOINT_DIR``, else ``checkpoints/`` beside the package."""
    return local_path(os.environ.get("DGM_CHECKPOINT_DIR") or Path(__file__).resolve().parents[2] / "checkpoints")


def names() -> list[str]:
    """All trained models there are."""
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def path_of(name: str) -> Path:
    """The file of the trained model ``name``, which need not exist."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", str(name)):
        raise CheckpointError(f"{name!r} is not the name of a checkpoint")
    return folder() / f"{name}.safetensors"


def load_named(name: str, device: str | torch.device | None = None) -> nn.Module:
    """The trained model ``name`` from :func:`folder`, ready to use, by the project's device rule if none is named."""
    path = path_of(name)
    if not path.is_file():
        close = difflib.get_close_matches(name, names(), 3, 0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(names()) or 'none'}"
        raise CheckpointError(f"there is no trained model {name!r}; {hint}")
    return load(path, devices.device(device))
