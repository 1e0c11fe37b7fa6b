"""Trained models as files: the weights, what builds the model they fit, and where they come from.

A checkpoint names its model as ``family.Class`` and gives its keyword arguments; or as ``module:Class``, for a model of
somebody's own. Loading imports nothing that a file names, and builds a model and runs nothing else. Whoever loads says
which class an own name stands for::

    checkpoints.load("mine.safetensors", model=MyModel)          # a class, or a model that is built already
    checkpoints.register(MyModel, "mine")                        # or once, for every file that names it
"""

import difflib
import importlib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from dgmhelpers import devices, places
from dgmhelpers.arguments import plain
from dgmhelpers.training import files
from dgmhelpers.training.files import CheckpointError, read_metadata
from dgmhelpers.training.identity import difference

__all__ = ["CheckpointError", "folder", "load", "load_named", "model_class", "name_of", "names", "path_of",
           "read_metadata", "register", "save"]

FAMILIES = ("classical", "autoregressive", "flows", "latent", "energy", "diffusion", "adversarial")
STORED_AS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
REGISTERED: dict[str, type[nn.Module]] = {}


def register(kind: type[nn.Module], name: str | None = None) -> type[nn.Module]:
    """Have checkpoints know a class of your own by a name, wherever it is defined; gives the class.

    Args:
        name: its own by default. A file then says ``own:NAME``, whichever module the class is moved to.

    Raises:
        ValueError: for what is not a class of modules, or a name that another class has.
    """
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ValueError(f"register takes a class of modules, got {kind!r}")
    name = f"own:{name or kind.__name__}"
    if REGISTERED.get(name, kind).__qualname__ != kind.__qualname__:       # the same cell, run again, is no clash
        raise ValueError(f"{name!r} is {REGISTERED[name].__qualname__} already: give another name")
    REGISTERED[name] = kind
    return kind


def name_of(model: str | type[nn.Module] | nn.Module) -> str:
    """``"autoregressive.NADE"`` for a NADE or its class, ``"my_module:MyModel"`` for what is not this package's.

    Raises:
        ValueError: if its class could not be found again: one defined inside a function, for instance.
    """
    if isinstance(model, str):
        return name_of(model_class(model))
    kind = model if isinstance(model, type) else type(model)
    own = next((name for name, known in REGISTERED.items() if known is kind), None)
    if own is not None:
        return own
    package, _, rest = kind.__module__.partition(".")
    name = f"{rest.split('.')[0]}.{kind.__name__}"
    if package == "dgmhelpers" and _exported(name) is kind:
        return name
    if getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind:
        return f"{kind.__module__}:{kind.__qualname__}"
    raise ValueError(f"{kind.__module__}.{kind.__qualname__} is not a class at the top of a module, so a checkpoint "
                     f"could not be loaded again: training.checkpoints.register it under a name")


def model_class(name: str | type[nn.Module]) -> type[nn.Module]:
    """The class that ``"autoregressive.NADE"`` or ``"my_module:MyModel"`` names; a class is itself.

    Raises:
        ValueError: if no family of models exports it, or the module has no such class.
    """
    found = name if isinstance(name, type) else REGISTERED.get(str(name))
    if found is None and ":" in str(name):
        module, _, kind = str(name).partition(":")
        try:
            found = getattr(importlib.import_module(module), kind, None)
        except ModuleNotFoundError as error:
            raise ValueError(f"{name!r}: {error}") from None
    elif found is None:
        found = _exported(str(name))
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    raise ValueError(f"{name!r} is not a model that dgmhelpers exports, nor the module:Class of one")


def _exported(name: str) -> type | None:
    family, _, kind = name.partition(".")
    if family not in FAMILIES or not kind.isidentifier():
        return None
    try:
        return getattr(importlib.import_module(f"dgmhelpers.{family}"), kind, None)
    except ModuleNotFoundError as error:
        if error.name != f"dgmhelpers.{family}":
            raise
        return None


def save(
    path: str | os.PathLike, model: nn.Module, metadata: dict | None = None, *, dtype: str | None = None,
    stages: Mapping[str, nn.Module] | None = None, config: Mapping | None = None,
) -> None:  # fmt: skip
    """Write ``model`` to ``path``, atomically.

    Args:
        config: the keyword arguments that make the model again, for a class that does not keep them as ``config``.
        metadata: anything JSON can hold: seed, commit, data set and its sha256, metric, command, ...
        dtype: how weights are stored: as they are by default; "float16" or "bfloat16" halve the file of a model in
            float32, which it is again when it is loaded. A metric that stands beside the stored weights must be
            measured on them: load the file again first.
        stages: models that ``model``'s class takes as keyword arguments, by name, and that are built before it.

    Raises:
        ValueError: for weights that are NaN, or too large for ``dtype``; an infinite one is a value like any other.
    """
    if dtype is not None and dtype not in STORED_AS:
        raise ValueError(f"dtype must be one of {', '.join(STORED_AS)}, got {dtype!r}")
    name, tensors, stages = name_of(model), {}, stages or getattr(model, "parts", None)
    for key, tensor in model.state_dict().items():
        stored = tensor.to(STORED_AS[dtype]) if dtype is not None and tensor.is_floating_point() else tensor
        if stored.isnan().any():
            raise ValueError(f"tensor {key} of {name} holds NaN")
        if (stored.isinf() & ~tensor.isinf()).any():
            raise ValueError(f"tensor {key} of {name} overflows {dtype}; try bfloat16")
        tensors[key] = stored
    dtypes = sorted({str(x.dtype).removeprefix("torch.") for x in tensors.values() if x.is_floating_point()})
    config = getattr(model, "config", {} if stages else None) if config is None else dict(config)
    if config is None:
        raise ValueError(f"{name} has no config, the keyword arguments that make it again: give config=")
    description = {"kind": "weights", "model": name, "config": config, "dtype": ", ".join(dtypes),
                   "built": built(model)}  # fmt: skip
    description["torch"] = torch.__version__
    if stages:
        description["stages"] = {key: {"model": name_of(each), "config": each.config}
                                 for key, each in stages.items()}  # fmt: skip
    files.write(path, tensors, (metadata or {}) | description)


def load(
    path: str | os.PathLike, device: str | torch.device | None = None, *, classes: Iterable[type[nn.Module]] = (),
    model: type[nn.Module] | nn.Module | None = None,
) -> nn.Module:  # fmt: skip
    """The model in ``path``, in eval mode, in the precision it was stored in, single at least.

    It is on ``device``: the CPU if none is named, or if the model is in double precision and the device has none.

    Loading runs nothing that a file names: its classes are of this package, registered, among ``classes``, or of
    modules that have been imported already.

    Args:
        classes: of your own that the file may name.
        model: the class to build, whatever the file calls it; or a model that is built already, which is given the
            weights: for networks that no keyword arguments make again.

    Raises:
        CheckpointError: if the file is missing, damaged, or does not fit the model that it names.
    """
    tensors, metadata = files.read(path)
    if metadata.get("kind") != "weights":
        if not isinstance(model, nn.Module):
            raise CheckpointError(f"{path} is the state of a training run, not a trained model: go on with it, or "
                                  f"give load(..., model=a model that is built like it) for its best weights so far")
        tensors = {key[5:]: tensor for key, tensor in tensors.items() if key.startswith("kept/")}
        metadata = {"model": type(model).__name__}
    name, known = metadata.get("model"), {name_of(kind): kind for kind in classes}
    if isinstance(model, type):
        known[str(name)], model = model, None
    try:
        with warnings.catch_warnings():                  # what its constructor warns of was said when it was trained
            warnings.simplefilter("ignore", UserWarning)
            stages = {key: _known(each["model"], known)(**each["config"])
                      for key, each in metadata.get("stages", {}).items()}  # fmt: skip
            if model is None:
                model = _known(str(name), known)(**metadata["config"], **stages)
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} does not name a model that can be built: {error}") from error
    differs = difference(metadata.get("built", {}), built(model)) if "built" in metadata else None
    if differs:
        raise CheckpointError(f"{path} does not fit {name}: {differs}. If parts of it were replaced after it was "
                              f"built, replace them again and give load(..., model=that model)")
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
        if tensor.is_floating_point() and tensors[key].dtype == torch.double != model.state_dict()[key].dtype:
            model.double()                               # it was in double precision when it was stored
    model.load_state_dict(tensors)
    if metadata.get("symbols") and not hasattr(model, "symbols"):
        setattr(model, "symbols", tuple(metadata["symbols"]))  # noqa: B010 (torch types attributes as tensors)
    return model.to(devices.for_model(model, torch.device(device or "cpu"))).eval()


def _known(name: str, known: Mapping[str, type[nn.Module]]) -> type[nn.Module]:
    """The class of that name, if it is one to be trusted."""
    module, colon, _ = str(name).partition(":")
    known = {**REGISTERED, **known}
    if colon and name not in known and module not in sys.modules and not module.startswith("dgmhelpers."):
        first = f"register {name[4:]!r} first" if module == "own" else f"import {module} first"
        raise ValueError(f"its class is {name}, which is not of this package: {first}, or give load(..., model=…)")
    return known.get(name) or model_class(name)


def built(model: nn.Module) -> dict[str, str]:
    """What tells two models of one class with the same tensors apart: the kind of each part, and its settings.

    Of PyTorch's own modules what they print, of others their words, whole numbers and functions. A part whose class
    keeps a ``config`` is known by that.
    """
    return {name or "the model": _built(part, name) for name, part in model.named_modules()}


def _built(part: nn.Module, name: str) -> str:
    kind = type(part)
    if kind.__module__.startswith("torch."):
        said = re.sub(r"np[.]\w+[(]([^()]*)[)]", r"\1", part.extra_repr())     # numpy's numbers as numbers
        return f"{kind.__name__}({said})"
    if not name or hasattr(kind, "config"):              # which says the rest
        return kind.__name__
    settings = [f"{key}={getattr(value, '__name__', value)}" for key, value in sorted(plain(vars(part)).items())
                if key[0] != "_" and key != "training" and (callable(value) or isinstance(value, str | int))
                and not isinstance(value, nn.Module)]  # fmt: skip
    return f"{kind.__name__}({', '.join(settings)})"


def folder() -> Path:
    """Where trained models are kept: see :mod:`dgmhelpers.places`."""
    return places.checkpoints()


def names() -> list[str]:
    """All trained models there are."""
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def path_of(name: str) -> Path:
    """The file of the trained model ``name``, which need not exist."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", str(name)):
        raise CheckpointError(f"{name!r} is not the name of a checkpoint")
    return folder() / f"{name}.safetensors"


def load_named(
    name: str | os.PathLike, device: str | torch.device | None = None, *,
    model: type[nn.Module] | nn.Module | None = None,
) -> nn.Module:  # fmt: skip
    """The trained model ``name`` from :func:`folder`, or of a file, by the project's device rule if none is named."""
    if is_path(name):
        return load(name, devices.device(device), model=model)
    path = path_of(str(name))
    if not path.is_file():
        close = difflib.get_close_matches(str(name), names(), 3, 0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(names())}"
        if not names():
            hint = (f"none lies in {folder()}. The weights come with a checkout of the book: set DGM_CHECKPOINT_DIR to "
                    f"its checkpoints/, or make them: python -m dgmhelpers train {name} --profile full")
        raise CheckpointError(f"there is no trained model {name!r}; {hint}")
    return load(path, devices.device(device), model=model)


def is_path(name: str | os.PathLike) -> bool:
    """Whether this is a file's path, not a name."""
    return isinstance(name, os.PathLike) or str(name).endswith(".safetensors")
