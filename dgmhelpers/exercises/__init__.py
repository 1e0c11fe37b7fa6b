"""Exercises that answer back.

::

    from dgmhelpers import exercises
    exercises.check("04.2", my_answer)     # says at once whether it is right, and if not, what is wrong
    exercises.hint("04.2")                 # one step further each time it is called

An answer is whatever the exercise asks for: a number, a tensor, a function. A checker tries it on several cases that
the page does not show and returns None, or a sentence that names the mistake. Checkers live in ``chapter_NN``, a file
or a folder, and are found there: a chapter that is added needs no entry anywhere.
"""

import importlib
import pkgutil
from functools import cache

from dgmhelpers.exercises import compare
from dgmhelpers.exercises.feedback import Exercise, Feedback, exercise, nothing, registered
from dgmhelpers.exercises.trial import Trial

__all__ = ["Exercise", "Feedback", "check", "exercise", "hint", "names"]

SINGLY = " (right to single precision; tensors of dtype=torch.double keep nine more digits)"

_hints_given: dict[str, int] = {}


def names() -> list[str]:
    """Every exercise that has a checker, such as ``"04.2"``, in order."""
    return sorted(_all())


def check(name: str, answer) -> Feedback:
    """Say whether ``answer`` solves exercise ``name``, and if not, why. A wrong answer is no error.

    Raises:
        ValueError: if there is no exercise of that name.
    """
    task = _find(name)
    if answer is None or answer is Ellipsis:
        return Feedback(name, False, f"not answered yet: {task.asks}")
    complaint = _judged(task, answer)
    if complaint == nothing():
        complaint += f". Asked for: {task.asks}"
    praise = task.praise + ("" if not compare._coarse else SINGLY)
    return Feedback(name, complaint is None, complaint or praise)


def _judged(task: Exercise, answer) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    compare._coarse.clear()
    function = task.asks.startswith("a function")
    if function and not callable(answer):
        return f"expected {task.asks}, got {compare._kind(answer)}: hand over the function itself, without calling it"
    try:
        return task.checker(Trial(answer) if function else compare.plain(answer))
    except compare.Refused as refused:
        return str(refused)
    except Exception as error:  # what it returned cannot be worked with: that is feedback, not our failure
        return f"what came back cannot be used ({type(error).__name__}: {error}). Asked for: {task.asks}"


def hint(name: str) -> str:
    """The next hint for exercise ``name``; the last one again when there are no more."""
    task = _find(name)
    given = min(_hints_given.get(name, 0), len(task.hints) - 1)
    _hints_given[name] = given + 1
    return f"Hint {given + 1} of {len(task.hints)}: {task.hints[given]}"


def _all() -> dict[str, Exercise]:
    _import_chapters()
    return registered


@cache
def _import_chapters() -> None:
    """Import every ``chapter_NN`` and what is in it; what is imported registers itself."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        if module.name.startswith(f"{__name__}.chapter_"):
            importlib.import_module(module.name)


def _find(name: str) -> Exercise:
    found = _all()
    if name not in found:
        raise ValueError(f"no exercise {name!r}; there are {', '.join(sorted(found))}")
    return found[name]
