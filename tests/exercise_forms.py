"""An exercise's solution, as the page has it, in the forms that learners hand in; and answers that are never right."""

import ast
import contextlib
import copy
import math
from functools import cache

import numpy as np
import torch
from exercise_pages import CHECK, cells_of, tags
from torch import Tensor

from dgmhelpers.exercises import Feedback


class Caught:
    """Takes the place of ``dgmhelpers.exercises`` and keeps what a cell checks."""

    def __init__(self):
        self.answers = {}

    def check(self, name, answer):
        self.answers[name] = answer
        return Feedback(name, True, "")


@cache
def page_of(chapter: str) -> dict:
    """What a chapter imports and defines, and the variables that its solutions use; nothing else is computed."""
    code = [cell for cell in cells_of(chapter) if cell["cell_type"] == "code"]
    wanted = {name for cell in code if "solution" in tags(cell) for name in _free(ast.parse(cell["source"]))}
    statements = [node for cell in code if not {"solution", "exercise"} & set(tags(cell))
                  for node in ast.parse(cell["source"]).body]
    for node in reversed(statements):
        if isinstance(node, ast.Assign) and {target.id for target in node.targets if _is_name(target)} & wanted:
            wanted |= _free(node.value)
    found: dict = {}
    for node in statements:
        assigns = isinstance(node, ast.Assign) and {target.id for target in node.targets if _is_name(target)} & wanted
        if assigns or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
            with contextlib.suppress(NameError, ValueError):  # what needs more of the page than this
                exec(compile(ast.Module([node], []), chapter, "exec"), found)
    return found


def _free(tree: ast.AST) -> set[str]:
    """Names that are used and neither assigned nor arguments."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {node.id for node in names} - bound


def _is_name(target: ast.AST) -> bool:
    return isinstance(target, ast.Name)


@cache
def solution_of(name: str):
    """The answer of the solution's cell, the one place where it stands."""
    caught = Caught()
    for cell in cells_of(name[:2]):
        check = CHECK.search(cell["source"])
        if "solution" in tags(cell) and check and check[1] == name:
            exec(cell["source"], page_of(name[:2]) | {"exercises": caught})
            return caught.answers[name]
    raise AssertionError(f"no solution of {name}: a cell tagged `solution` that checks it")


def mapped(change, value):
    """``change`` of every tensor and number in what an answer is made of; of what its functions return, too."""
    if isinstance(value, dict):
        return {key: mapped(change, part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(mapped(change, part) for part in value)
    if callable(value) and not isinstance(value, Tensor):
        return lambda *a, **k: mapped(change, value(*a, **k))
    return change(value) if isinstance(value, (Tensor, float, int)) else value


def single(value):
    """In float32."""
    if isinstance(value, float):
        return torch.tensor(value, dtype=torch.float32)
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.double else value


def array(value):
    """In numpy."""
    if isinstance(value, float):
        return np.float64(value)
    return value.detach().numpy() if isinstance(value, Tensor) else value


def zero_dimensional(value):
    """Numbers as tensors without a dimension."""
    short = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**62
    return torch.tensor(value, dtype=torch.double if isinstance(value, float) else None) if short else value


def computed_in_single(solution):
    """The solution with float32 for its tensors, throughout."""
    if not callable(solution):
        return mapped(single, solution)

    def tensors(value):
        return single(value) if isinstance(value, Tensor) else value

    return lambda *a, **k: mapped(single, solution(*map(tensors, a), **{key: tensors(v) for key, v in k.items()}))


def form(change):
    return lambda solution: mapped(change, solution)


# how a right answer may be handed in
FORMS = {
    "single": form(single),
    "computed in single": computed_in_single,
    "numpy": form(array),
    "lists": form(lambda value: value.detach().tolist() if isinstance(value, Tensor) else value),
    "zero-dimensional": form(zero_dimensional),
}


def nans(value):
    if isinstance(value, Tensor):
        return torch.full_like(value, math.nan) if value.is_floating_point() else torch.full(value.shape, math.nan)
    return math.nan


def constant(to):
    return lambda value: torch.full_like(value, to) if isinstance(value, Tensor) else type(value)(to)


class EqualsAll:
    """Says that it equals whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


def endless(*arguments, **keywords):
    while True:
        pass


def leaves(*arguments, **keywords):
    raise SystemExit(0)


def meddling(solution):
    """Right, and changes what it was given, if that can be changed."""

    def answer(*arguments, **keywords):
        found = copy.deepcopy(solution(*arguments, **keywords))
        for given in arguments:
            if isinstance(given, Tensor) and given.numel():
                given.add_(1) if given.dtype != torch.bool else given.logical_not_()
                return found
        raise LookupError("nothing that could be changed")

    return answer if callable(solution) else None


def always(value):
    return lambda solution: (lambda *a, **k: value) if callable(solution) else value


def other(change):
    """The solution's values replaced; None if it has none, as a choice of words."""

    def spoil(solution):
        spoilt = mapped(change, solution)
        return None if isinstance(spoilt, dict) and spoilt == solution else spoilt

    return spoil


# what is never right, made of a solution; None where it does not apply
SPOILT = {
    "nan": other(nans),
    "zero": other(constant(0)),
    "one": other(constant(1)),
    "text": always("no"),
    "an empty list": always([]),
    "equals all": always(EqualsAll()),
    "a number for a function": lambda solution: 3.5 if callable(solution) else None,
    "exit": lambda solution: leaves if callable(solution) else None,
    "changes its input": meddling,
}
VALUES = ("nan", "zero", "one", "text", "an empty list", "equals all")
SAYS = {"a number for a function": ["hand over the function itself"], "exit": ["SystemExit"]}


def random_form(solution, generator: torch.Generator):
    """An answer of the same kind, at random."""
    if isinstance(solution, dict):
        words = sorted(set(solution.values()))
        return {key: words[int(torch.randint(len(words), (), generator=generator))] for key in solution}
    return mapped(random_like(generator), solution)


def random_like(generator: torch.Generator):
    """Bits and labels from those that occur, permutations permuted, whole numbers up to twice, reals from a normal."""

    def change(value):
        if isinstance(value, bool):
            return bool(torch.randint(2, (), generator=generator))
        if isinstance(value, int):
            return int(torch.randint(0, min(2 * abs(value) + 2, 2**60), (), generator=generator))
        if isinstance(value, float):
            return torch.randn((), generator=generator, dtype=torch.double).item()
        if value.dtype == torch.bool:
            return torch.rand(value.shape, generator=generator) < 0.5
        if value.is_floating_point() and not (value.numel() and (value == value.round()).all()):
            return torch.randn(value.shape, generator=generator, dtype=value.dtype)
        flat = value.flatten()
        if flat.numel() > 1 and flat.unique().numel() == flat.numel():
            return flat[torch.randperm(flat.numel(), generator=generator)].reshape(value.shape)
        low, high = (int(value.min()), int(value.max())) if value.numel() else (0, 0)
        return torch.randint(low, max(high, low + 1) + 1, value.shape, generator=generator).to(value.dtype)

    return change
