"""One exercise, and what is said about an answer to it."""

import html
from collections.abc import Callable
from dataclasses import dataclass

registered: dict[str, "Exercise"] = {}


@dataclass(frozen=True)
class Exercise:
    """What an exercise asks, how an answer is judged, and how to help.

    Args:
        name: chapter and number, ``"04.2"``.
        asks: what the answer is to be, in a few words; shown while there is none.
        hints: from a nudge to nearly the answer, at least one.
        praise: said of a right answer; best something that leads on.
        checker: answer → None, or a sentence that says what is wrong.
        minutes: what it takes a student who has read the page, as judged by its author; marks follow from it.
    """

    name: str
    asks: str
    hints: tuple[str, ...]
    praise: str
    checker: Callable[[object], str | None]
    minutes: int | None = None

    @property
    def marks(self) -> int:
        """One for five minutes, five for an hour."""
        return 1 + sum((self.minutes or 15) > step for step in (5, 10, 20, 40))


@dataclass(frozen=True)
class Feedback:
    """Whether an answer is right, and one sentence; true in a condition if it is."""

    name: str
    passed: bool
    message: str

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return f"{'✓' if self.passed else '✗'} {self.name}: {self.message}"

    def _repr_html_(self):
        kind, mark, word = ("right", "✓", "Right") if self.passed else ("wrong", "✗", "Not yet")
        return (
            f'<div class="dgm-feedback dgm-feedback-{kind}"><span aria-hidden="true">{mark}</span> '
            f"<b>{word}</b> ({html.escape(self.name)}): {html.escape(self.message)}</div>"
        )


def nothing(wanted: str = "") -> str:
    """What is said of a function that returns nothing; ``wanted`` is what it is to return.

    Without ``wanted``, :func:`dgmhelpers.exercises.check` says what the exercise asks for.
    """
    return "not answered yet: the function returns nothing" + (f". It is to return {wanted}" if wanted else "")


def exercise(name: str, *, asks: str, hints: list[str], praise: str, minutes: int | None = None):
    """Register the function below it as the checker of exercise ``name``."""

    def register(checker):
        registered[name] = Exercise(name, asks, tuple(hints), praise, checker, minutes)
        return checker

    return register
