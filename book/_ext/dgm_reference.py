"""What the package offers, read from the package: public names, their signatures, their docstrings as reStructuredText.

Plain functions; ``dgm_api.py`` puts what they give on the pages.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package of this tree, whichever is installed

_PAGES = {  # page: its title, and the modules on it, those that are there
    "autoregressive": ("Autoregressive models", ("dgmhelpers.autoregressive",)),
    "latent": ("Latent variables", ("dgmhelpers.latent",)),
    "adversarial": ("Adversarial models", (
        "dgmhelpers.adversarial", "dgmhelpers.adversarial.losses", "dgmhelpers.adversarial.games",
        "dgmhelpers.adversarial.minibatch", "dgmhelpers.adversarial.spectral", "dgmhelpers.adversarial.unrolled")),
    "classical": ("Classical models", ("dgmhelpers.classical",)),
    "laws": ("Laws", ("dgmhelpers.laws",)),
    "evaluation": ("Evaluation", ("dgmhelpers.evaluation", "dgmhelpers.evaluation.receptive_field")),
    "training": ("Training", ("dgmhelpers.training", "dgmhelpers.training.loop", "dgmhelpers.training.schedules",
                              "dgmhelpers.training.checkpoints", "dgmhelpers.training.files")),
    "recipes": ("Recipes", ("dgmhelpers", "dgmhelpers.recipes")),
    "data": ("Data", ("dgmhelpers.data", "dgmhelpers.data.toys", "dgmhelpers.data.exact", "dgmhelpers.data.audio")),
    "viz": ("Pictures", ("dgmhelpers.viz",)),
    "live": ("Live cells", ("dgmhelpers.live",)),
    "exercises": ("Exercises and claims", ("dgmhelpers.exercises", "dgmhelpers.claims")),
    "parts": ("Parts of models", ("dgmhelpers.protocols", "dgmhelpers.likelihoods", "dgmhelpers.masks",
                                  "dgmhelpers.layers", "dgmhelpers.sampling", "dgmhelpers.devices")),
}  # fmt: skip

PAGES = {page: (title, tuple(filter(find_spec, modules))) for page, (title, modules) in _PAGES.items()}


@dataclass(frozen=True)
class Item:
    """One public name.

    Attributes:
        name: as a reader imports it, ``dgmhelpers.autoregressive.NADE``.
        kind: ``class``, ``exception``, ``function``, ``method`` or ``property``.
        module: that defines it; ``path`` and ``line`` of the definition, relative to the project.
    """

    name: str
    kind: str
    module: str
    signature: str
    doc: str
    path: str
    line: int
    methods: tuple[Item, ...] = ()
    inherits: tuple[tuple[str, tuple[str, ...]], ...] = ()


def public(module: ModuleType) -> dict[str, object]:
    """The classes and functions that a module offers: those in ``__all__``, else those that it defines."""
    names = getattr(module, "__all__", None) or [
        name for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]  # fmt: skip
    found = {name: getattr(module, name) for name in names}
    return {name: thing for name, thing in found.items() if inspect.isclass(thing) or inspect.isfunction(thing)}


def items(name: str, root: Path) -> list[Item]:
    """Everything that module ``name`` offers, in the order of the files that define it."""
    module = importlib.import_module(name)
    offered = public(module)
    exported = {thing: f"{name}.{short}" for short, thing in offered.items() if inspect.isclass(thing)}
    found = [_item(f"{name}.{short}", thing, exported, root) for short, thing in offered.items()]
    return sorted(found, key=lambda item: (item.path, item.line))


def _item(name: str, thing, exported: dict, root: Path) -> Item:
    if not inspect.isclass(thing):
        return Item(name, "function", thing.__module__, signature_of(thing), inspect.getdoc(thing) or "",
                    *_place(thing, root))  # fmt: skip
    own, inherited, seen = [], [], set()
    for base in thing.__mro__:
        if not base.__module__.startswith("dgmhelpers"):
            continue
        methods = [
            (short, value) for short, value in vars(base).items()
            if not short.startswith("_") and short not in seen and _callable(value) is not None
        ]  # fmt: skip
        seen |= {short for short, _ in methods}
        if base is thing or base not in exported:
            own += [_member(f"{name}.{short}", base.__module__, value, root) for short, value in methods]
        elif methods:
            inherited.append((exported[base], tuple(short for short, _ in methods)))
    kind = "exception" if issubclass(thing, BaseException) else "class"
    signature = "" if kind == "exception" else signature_of(thing)
    doc = inspect.cleandoc(vars(thing).get("__doc__") or "")
    if doc.startswith(f"{thing.__name__}("):  # a dataclass without words of its own
        doc = ""
    return Item(name, kind, thing.__module__, signature, doc, *_place(thing, root), tuple(own), tuple(inherited))


def _member(name: str, module: str, value, root: Path) -> Item:
    """A method, or a property, which is not called and so has no signature."""
    function = _callable(value)
    kind = "property" if isinstance(value, property) else "method"
    signature = signature_of(function, bound=True) if kind == "method" else ""
    return Item(name, kind, module, signature, inspect.cleandoc(function.__doc__ or ""), *_place(function, root))


def _callable(value):
    """The function behind a method, property or static method; None for what is none."""
    value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    return value if inspect.isfunction(value) else None


def _place(thing, root: Path) -> tuple[str, int]:
    thing = inspect.unwrap(thing)
    path = Path(inspect.getsourcefile(thing))
    line = inspect.getsourcelines(thing)[1]
    return (path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name), line


_QUALIFIED = re.compile(r"\b(?:torch|typing|collections|dgmhelpers|pathlib|numpy|matplotlib|os)(?:\.\w+)*\.(\w+)")


def signature_of(function, bound: bool = False) -> str:
    """``(dim: int = 64, *, order=None) -> Tensor``, types by their last names; empty where there is nothing to say."""
    if getattr(function, "_is_protocol", False):
        return ""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    plain = inspect.Signature.empty
    parameters = [
        each.replace(annotation=_Type(each.annotation)) if isinstance(each.annotation, str) else each
        for each in signature.parameters.values()
        if not (bound and each.name == "self")
    ]
    gives = signature.return_annotation
    gives = _Type(gives) if isinstance(gives, str) else plain if gives is None else gives
    text = str(signature.replace(parameters=parameters, return_annotation=gives))
    text = re.sub(r"<(?:function|class) '?(?:[\w.]*\.)?(\w+)'?(?: at 0x[0-9a-f]+)?>", r"\1", text)
    text = re.sub(r"<object object at 0x[0-9a-f]+>|<factory>", "…", text)
    return _QUALIFIED.sub(r"\1", text).removesuffix(" -> None")


class _Type(str):
    """An annotation that was written as text: shown without quotation marks."""

    __repr__ = str.__str__


def arguments_of(signature: str) -> list[str]:
    """The pieces of a signature between the commas that separate its arguments."""
    inside, depth, parts = signature[1 : signature.rindex(")")], 0, [""]
    for sign in inside:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


_SECTIONS = {"Args": "Arguments", "Arguments": "Arguments", "Attributes": "Attributes", "Raises": "Raises"}
_ENTRY = re.compile(r"^(\w[\w., *]*?)(?: \([^)]*\))?: (.*)$")


def to_rst(doc: str) -> str:
    """A docstring with its ``Args:``, ``Raises:`` and ``Attributes:`` as definition lists; the rest is left alone."""
    lines, result, number = doc.splitlines(), [], 0
    while number < len(lines):
        heading = lines[number].rstrip().removesuffix(":")
        if lines[number].rstrip().endswith(":") and heading in _SECTIONS:
            block, number = _block(lines, number + 1)
            result += ["", f"**{_SECTIONS[heading]}**", "", *_definitions(block), ""]
            continue
        result.append(lines[number])
        number += 1
    return "\n".join(result)


def _block(lines: list[str], start: int) -> tuple[list[str], int]:
    """The indented lines from ``start`` on, without their indent, and the number of the line after them."""
    end = start
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" ")):
        end += 1
    return inspect.cleandoc("\n" + "\n".join(lines[start:end])).splitlines(), end


def _definitions(block: list[str]) -> list[str]:
    result = []
    for line in block:
        entry = None if line.startswith(" ") else _ENTRY.match(line)
        if entry:
            names = ", ".join(f"``{name.strip()}``" for name in entry[1].split(","))
            result += [names, f"    {entry[2]}"]
        else:
            result.append(f"    {line.strip()}" if line.strip() else "")
    return result
