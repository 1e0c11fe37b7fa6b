"""What makes a run this run and no other: everything that decides it, in words that JSON holds and that compare.

Numbers and text stand for themselves; tensors for a digest of their contents; a function for its name, a digest of
its code, its defaults, what it closes over and, if it is not this package's, the globals that it reads; a partial for
its function and arguments; a model for its class, its config, the plain attributes of its modules and the shapes of
its tensors (their values are the state's business); an optimiser for its settings; any other object for its class and
attributes. What Python itself or an installed library defines is known by its name alone.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import sys
import sysconfig
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, MethodWrapperType, ModuleType

import numpy as np
import torch
from torch import Generator, Tensor, nn

from dgmhelpers.training import files

INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
PACKAGE = __name__.partition(".")[0]
DEPTH = 16                # of objects within objects; what lies deeper is known by its class


def describe(value, within: tuple = ()):
    """``value`` in words; the same for the same value in another process.

    Args:
        within: ids of the objects that are being described, so that one that holds itself comes to an end.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.generic):
        number = value if isinstance(value, float) else value.item()
        return repr(number) if isinstance(number, float) and not math.isfinite(number) else number
    if id(value) in within or len(within) > DEPTH:
        return "itself" if id(value) in within else _name(type(value))
    within = (*within, id(value))
    if isinstance(value, Tensor):
        return {"values": files.fingerprint(value)}
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {"values": files.fingerprint(torch.from_numpy(np.array(value)))}
    if isinstance(value, Generator):
        return {"values": files.fingerprint(value.get_state())}
    if isinstance(value, dict):
        return {str(k): describe(v, within) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((describe(v, within) for v in value), key=json.dumps)
    if isinstance(value, list | tuple):
        return [describe(v, within) for v in value]
    if isinstance(value, functools.partial):
        arguments = {str(i): describe(v, within) for i, v in enumerate(value.args)}
        arguments |= {k: describe(v, within) for k, v in value.keywords.items()}
        return {"class": "a partial", "of": describe(value.func, within), "argument": arguments}
    if isinstance(value, MethodType):
        return {"class": _name(value), "function": describe(value.__func__, within),
                "owner": describe(value.__self__, within)}
    if isinstance(value, FunctionType):
        return {"class": _name(value)} | ({} if _is_installed(value) else _function(value, within))
    if isinstance(value, type):
        return {"class": _name(value)} | ({} if _is_ours_or_installed(value) else {"code": _class(value, within)})
    if isinstance(value, BuiltinFunctionType | MethodWrapperType):
        owner = getattr(value, "__self__", None)         # of tensor.mul_, the tensor; of math.sqrt, a module
        # what a list collects (calls.append) comes of the run and does not decide it
        bound = owner is not None and not isinstance(owner, ModuleType | type | list | dict | set)
        return {"class": _name(value)} | ({"owner": describe(owner, within)} if bound else {})
    if isinstance(value, ModuleType):
        return {"class": _name(value)}
    kind = describe(type(value), within)
    if isinstance(value, nn.Module):
        return kind | _module(value, within)
    if isinstance(value, torch.optim.Optimizer):
        groups = [{k: v for k, v in g.items() if k != "params"} | {"sizes": [list(p.shape) for p in g["params"]]}
                  for g in value.param_groups]
        return kind | {"group": {str(i): describe(g, within) for i, g in enumerate(groups)}}
    if dataclasses.is_dataclass(value):
        return kind | {f.name: describe(getattr(value, f.name), within) for f in dataclasses.fields(value)}
    slots = {name: getattr(value, name) for each in type(value).__mro__ if not _is_ours_or_installed(each)
             for name in _slots(each) if hasattr(value, name)}  # fmt: skip
    if hasattr(value, "__dict__") or slots:
        return kind | describe(getattr(value, "__dict__", {}) | slots, within)
    words = repr(value)
    return kind if " at 0x" in words else kind | {"is": words}     # a dtype, a path; an address says nothing


def _slots(kind: type) -> tuple[str, ...]:
    """What a class declares instead of a dictionary."""
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def difference(old, new, name: str = "") -> str | None:
    """One sentence on the first thing in which two descriptions differ, or None."""
    if old == new:
        return None
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{name.strip()} was {_short(old)} and is {_short(new)}"
    if old.get("class") != new.get("class"):
        return f"{name.strip()} was {_short(old.get('kind', old))} and is {_short(new.get('kind', new))}"
    for key in [*new, *(k for k in old if k not in new)]:
        if key in ("values", "code") and old.get(key) != new.get(key):
            what = "values given as" if key == "values" else "code of"
            return f"the {what} {name.strip()} {'are' if key == 'values' else 'is'} not the same"
        found = difference(old.get(key), new.get(key), f"{name}{key} ")
        if found:
            return found
    return None


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:190]} ..."


def _name(value) -> str:
    owner = value if hasattr(value, "__qualname__") else type(value)
    if isinstance(value, ModuleType):
        return value.__name__
    return f"{owner.__module__}.{owner.__qualname__}"


def _is_installed(value) -> bool:
    """Whether Python itself, or an installed library that is not this package, defines it."""
    name = (getattr(value, "__module__", None) or "").partition(".")[0]
    if name in ("", PACKAGE, "__main__"):                # what exec makes in a bare namespace has no module
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return name in sys.builtin_module_names or (file is not None and file.startswith(INSTALLED))


def _is_ours_or_installed(value) -> bool:
    return (value.__module__ or "").partition(".")[0] == PACKAGE or _is_installed(value)


def _function(function: FunctionType, within: tuple) -> dict:
    code, cells = function.__code__, {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):            # a cell that holds nothing yet
            cells[name] = cell.cell_contents
    defaults = dict(enumerate(function.__defaults__ or ())) | (function.__kwdefaults__ or {})
    said = {"code": _digest(code), "default": describe(defaults, within), "closure": describe(cells, within)}
    if not _is_ours_or_installed(function):
        reads = {name: function.__globals__[name] for name in _names(code) if name in function.__globals__}
        said["global"] = describe(reads, within)
    return said


def _names(code: CodeType) -> list[str]:
    """All names that a function and those within it may read from outside."""
    inner = [name for each in code.co_consts if isinstance(each, CodeType) for name in _names(each)]
    return sorted({*code.co_names, *inner})


def _class(kind: type, within: tuple) -> str:
    """A digest of the code of a class and of those that it is made from, as far as they are not this package's."""
    parts = []
    for each in kind.__mro__:
        for name, member in sorted(vars(each).items()) if not _is_ours_or_installed(each) else ():
            if isinstance(member, staticmethod | classmethod):
                member = member.__func__
            elif isinstance(member, property):
                member = member.fget
            if isinstance(member, FunctionType):
                parts.append(describe(member, within))
            elif name[:2] != "__" and _is_plain(member):
                parts.append([name, describe(member, within)])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _digest(code: CodeType) -> str:
    """A digest of what a function does: not of the lines it stands on."""
    digest = hashlib.sha256(code.co_code)
    for each in code.co_consts:
        if isinstance(each, frozenset):                  # in an order that another process has, too
            each = sorted(map(repr, each))
        digest.update((_digest(each) if isinstance(each, CodeType) else repr(each)).encode())
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    return digest.hexdigest()[:16]


def _module(model: nn.Module, within: tuple) -> dict:
    attributes = {
        name: {k: v for k, v in vars(part).items() if k[0] != "_" and k != "training" and _is_plain(v)}
        for name, part in model.named_modules()
    }
    tensors = {name: f"{str(x.dtype)[6:]} {tuple(x.shape)}" for name, x in model.state_dict().items()}
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    return {"config": describe(getattr(model, "config", {}), within), "attribute": describe(attributes, within),
            "tensor": tensors, "trained": trained}


def _is_plain(value) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | np.generic)
