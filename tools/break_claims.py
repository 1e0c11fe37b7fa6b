"""Break what each claim of a chapter looks at, on purpose, and list the claims that stay green.

    python tools/break_claims.py [03 04 …] [--label LABEL]

A chapter runs cell by cell. When a cell claims something, this program breaks everything that the cell reads, one thing
at a time, and runs the cell again. Numbers and tensors change sign, grow by a tenth, are shuffled, or get a wrong last
entry. Networks get other weights. Functions of the page give a wrong answer. In the cell's own code, sums lose a term
and products change sign. A claim that fails has noticed. A claim that never fails tests nothing that this program can
find: narrow it, or take it out. The exit status is 1 if there is such a claim.

Not every breaking should be noticed: an identity holds for other weights too. A claim needs one that it notices. Claims
on the verdict of a law are broken by handing the law's verdict over turned round: what makes a law fail is shown by the
mutants of ``tests/models``.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("equal", "below", "above", "between", "true")
SECONDS = 40.0  # for breaking the claims of one cell; a slow cell is broken in fewer ways


@dataclass
class Found:
    """One claim: the ways in which it was broken, and those it noticed."""

    label: str
    tried: list[str] = field(default_factory=list)
    noticed: list[str] = field(default_factory=list)


# ------------------------------------------------------------------------------------------- broken values


def _numbers(x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    shuffled = x.flatten()[torch.randperm(x.numel(), generator=torch.Generator().manual_seed(1))].reshape(x.shape)
    if x.dtype == torch.bool:
        yield "turned round", ~x
    elif x.is_floating_point() or x.is_complex():
        yield "sign", -x
        yield "a tenth more", x * 1.1
        yield "half as much again", x * 1.5
    else:
        yield "one more", x + 1
        yield "one less", x - 1
    if x.numel() > 1:
        yield "shuffled", shuffled
        changed = x.clone(memory_format=torch.contiguous_format)
        changed.view(-1)[-1] = changed.view(-1)[-1] == 0    # 0 becomes 1, all else 0
        yield "last entry changed", changed


def _like(value: Any, tensor: torch.Tensor) -> Any:
    if isinstance(value, np.ndarray):
        return tensor.numpy().astype(value.dtype)
    return tensor.tolist() if isinstance(value, list) else tuple(tensor.tolist())


def broken(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The ways to break a value, each with the broken value; none for what is not understood."""
    if isinstance(value, bool):
        yield "turned round", not value
    elif isinstance(value, int):
        yield "one more", value + 1
        yield "one less", value - 1
    elif isinstance(value, float):
        yield "one more", value + 1
        for name, factor in (("sign", -1.0), ("a tenth more", 1.1), ("half as much again", 1.5)) if value else ():
            yield name, value * factor
    elif isinstance(value, torch.nn.Module):
        for name, scale in (("other weights", 1.0), ("weights off", 0.1)):
            twin, g = copy.deepcopy(value), torch.Generator().manual_seed(1)
            with torch.no_grad():
                for p in twin.parameters():
                    noise = torch.randn(p.shape, generator=g).to(p)
                    p.copy_(p + scale * noise if scale < 1 else noise)
            yield name, twin
    elif isinstance(value, torch.Tensor):
        yield from _numbers(value.detach()) if value.numel() and value.device.type == "cpu" else ()
    elif isinstance(value, np.ndarray) and value.dtype.kind in "bif" and value.size:
        for name, tensor in _numbers(torch.from_numpy(value.copy())):
            yield name, _like(value, tensor)
    elif isinstance(value, list | tuple) and value and type(value) in (list, tuple):
        if all(isinstance(v, int | float) for v in value):
            for name, tensor in _numbers(torch.tensor(value)):
                yield name, _like(value, tensor)
        elif depth < 4:
            yield from _each(list(value), lambda parts: type(value)(parts), depth)
    elif isinstance(value, dict) and value and depth < 4:
        keys = list(value)
        yield from _each(list(value.values()), lambda parts: dict(zip(keys, parts, strict=True)), depth)
    elif isinstance(value, types.FunctionType) and value.__module__ == "__main__" and depth == 0:
        for name in ("sign", "a tenth more", "turned round", "one more", "shuffled"):
            yield f"its answer: {name}", _wrong(value, name)
    elif hasattr(value, "__dict__") and not isinstance(value, type | types.ModuleType | Callable) and depth < 3:
        yield from _fields(value, depth)


def _each(parts: list, join: Callable[[list], Any], depth: int) -> Iterator[tuple[str, Any]]:
    """All parts broken in the same way; and the parts exchanged with one another."""
    ways: dict[str, list] = {}
    for i, part in enumerate(parts):
        for name, wrong in broken(part, depth + 1):
            ways.setdefault(name, list(parts))[i] = wrong
    for name, wrong in ways.items():
        yield name, join(wrong)
    if len(parts) > 1:
        yield "exchanged", join(parts[1:] + parts[:1])


def _fields(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    ways: dict[str, dict] = {}
    for key, part in vars(value).items():
        for name, wrong in broken(part, depth + 1):
            ways.setdefault(name, {})[key] = wrong
    for name, wrong in ways.items():
        try:
            twin = copy.copy(value)
            for key, part in wrong.items():
                object.__setattr__(twin, key, part)
        except (AttributeError, TypeError):
            continue
        yield name, twin


def _wrong(function: Callable, way: str) -> Callable:
    def wrong(*args: Any, **kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        return dict(broken(answer, 1)).get(way, answer)

    return wrong


# ------------------------------------------------------------------------------------------- broken code


class _Drop(ast.NodeTransformer):
    """The n-th sum of a cell without its second term, or the n-th product with its sign turned."""

    def __init__(self, target: int):
        self.target, self.seen, self.what = target, -1, ""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            return node
        self.seen += 1
        if self.seen != self.target:
            return node
        self.what = ast.unparse(node)
        return node.left if isinstance(node.op, ast.Add | ast.Sub) else ast.UnaryOp(ast.USub(), node)


def broken_code(source: str) -> Iterator[tuple[str, str]]:
    """The cell with one term dropped or one sign turned, for every place where that can be done."""
    for target in range(12):
        change = _Drop(target)
        tree = change.visit(ast.parse(source))
        if not change.what:
            return
        yield f"code: {change.what[:50]}", ast.unparse(ast.fix_missing_locations(tree))


# ------------------------------------------------------------------------------------------- a chapter


def reads(source: str) -> list[str]:
    """Names that a cell reads, in the order of their first appearance."""
    nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    return list(dict.fromkeys(node.id for node in nodes))


def split(source: str) -> tuple[str, str]:
    """A cell as what comes before its first claim, and the rest."""
    body = ast.parse(source).body
    claims = [any(isinstance(n, ast.Name) and n.id == "claim" for n in ast.walk(statement)) for statement in body]
    first = claims.index(True) if any(claims) else len(body)
    return tuple("\n".join(map(ast.unparse, part)) for part in (body[:first], body[first:]))  # type: ignore[return-value]


class Chapter:
    """A notebook that runs in this process, with the claims of the package watched."""

    def __init__(self, path: Path):
        from IPython.core.interactiveshell import InteractiveShell

        self.cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        InteractiveShell.clear_instance()
        self.shell = InteractiveShell.instance()
        self.space = self.shell.user_ns

    def run(self, source: str) -> BaseException | None:
        """Run a cell; what it raised, if anything."""
        from IPython.utils.capture import capture_output

        with capture_output():
            result = self.shell.run_cell(source, silent=True)
        return result.error_before_exec or result.error_in_exec


class Watch:
    """While it is entered, claims report whether they hold instead of stopping the cell."""

    def __init__(self) -> None:
        self.held: dict[str, bool] = {}

    def __enter__(self) -> Watch:
        from dgmhelpers import claims

        self.kept = {name: getattr(claims, name) for name in NAMES}
        for name, function in self.kept.items():
            setattr(claims, name, self._watched(function, claims.ClaimFailed))
        return self

    def __exit__(self, *_: object) -> None:
        from dgmhelpers import claims

        for name, function in self.kept.items():
            setattr(claims, name, function)

    def _watched(self, function: Callable, failed: type[Exception]) -> Callable:
        def watched(label: str, *args: Any, **kwargs: Any) -> Any:
            try:
                result = function(label, *args, **kwargs)
            except (failed, ValueError):
                self.held[label] = False
                return None
            self.held[label] = self.held.get(label, True)
            return result

        return watched


def _ways(chapter: Chapter, source: str) -> Iterator[tuple[str, str, str | None, Any]]:
    """What to run: (name of the way, source, name to replace or None, its broken value)."""
    for name in reads(source):
        for way, wrong in broken(chapter.space.get(name)):
            yield f"{name}: {way}", source, name, wrong
    if "laws." in source or "verdict" in source:
        yield "the law's verdict turned round", source, "", None
    for way, changed in broken_code(source):
        yield way, changed, None, None


def _turned(init: Callable) -> Callable:
    """A verdict that says the opposite of what its law found."""

    def turned(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        object.__setattr__(self, "held", not self.held)

    return turned


class Kept:
    """The values of the page as they are now, to be put back after a cell ran with broken ones, or in place of them."""

    def __init__(self, space: dict[str, Any]):
        self.space, self.names, self.random = space, dict(space), torch.get_rng_state()
        values = list(space.values())
        self.tensors = [(v, v.detach().clone()) for v in values if isinstance(v, torch.Tensor)]
        self.modules = [(v, copy.deepcopy(v.state_dict())) for v in values if isinstance(v, torch.nn.Module)]
        self.generators = [(v, v.get_state()) for v in values if isinstance(v, torch.Generator)]

    @torch.no_grad()
    def restore(self) -> None:
        self.space.clear()
        self.space.update(self.names)
        torch.set_rng_state(self.random)
        for tensor, value in self.tensors:
            if not torch.equal(tensor, value):              # an expanded view cannot be written, and has not been
                tensor.copy_(value)
        for module, state in self.modules:
            module.load_state_dict(state)
        for generator, state in self.generators:
            generator.set_state(state)


def break_cell(chapter: Chapter, source: str, found: dict[str, Found], kept: Kept) -> None:
    """Break what the cell reads, one way after another, and enter which claims noticed."""
    from dgmhelpers.laws import Verdict

    began = time.perf_counter()
    ways = list(_ways(chapter, source))
    random.Random(0).shuffle(ways)                          # if time runs out, every kind has had its turn
    for way, changed, name, wrong in ways:
        if time.perf_counter() - began > SECONDS:
            break
        if name:
            chapter.space[name] = wrong
        turned = patch.object(Verdict, "__init__", _turned(Verdict.__init__)) if name == "" else nullcontext()
        try:
            with turned, Watch() as watch:
                chapter.run(changed)
        finally:
            kept.restore()
        for label, held in watch.held.items():
            if label in found:
                found[label].tried.append(way)
                if not held:
                    found[label].noticed.append(way)


def examine(path: Path, only: str | None = None) -> list[Found]:
    """All claims of a chapter, each broken in every way that there is for it.

    Raises:
        SystemExit: if a cell of the chapter fails as it is.
    """
    chapter, all_found = Chapter(path), []
    os.chdir(path.parent)
    for source in chapter.cells:
        before = Kept(chapter.space)
        with Watch() as watch:
            error = chapter.run(source)
        if error is not None or not all(watch.held.values()):
            raise SystemExit(f"{path.name}: a cell fails as it is: {error or watch.held}\n{source}")
        found = {label: Found(label) for label in watch.held if only in (None, label)}
        if found and not source.lstrip().startswith("%"):
            after = Kept(chapter.space)
            before.restore()
            break_cell(chapter, source, found, before)
            preparation, claims = split(source)
            if preparation:                                 # what the cell itself made, broken before it is claimed of
                chapter.run(preparation)
                break_cell(chapter, claims, found, Kept(chapter.space))
            after.restore()
        all_found += found.values()
    return all_found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", help="beginnings of file names, such as 03; all without any")
    parser.add_argument("--label", help="this claim alone")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("MPLBACKEND", "agg")
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    paths = [p for p in paths if not asked.chapters or any(p.name.startswith(name) for name in asked.chapters)]
    silent = 0
    for path in paths:
        claims = examine(path, asked.label)
        weak = [claim for claim in claims if not claim.noticed]
        silent += len(weak)
        print(f"{path.stem}: {len(claims)} claims broken on purpose, {len(claims) - len(weak)} noticed")
        for claim in weak:
            print(f"    {claim.label}: green under all {len(claim.tried)} breakings"
                  + ("" if claim.tried else " (nothing that it reads could be broken)"))
        if asked.label:
            for claim in claims:
                print(f"    noticed {len(claim.noticed)} of {len(claim.tried)}: {'; '.join(claim.noticed)}")
                print(f"    green under: {'; '.join(w for w in claim.tried if w not in claim.noticed)}")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
