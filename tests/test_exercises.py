"""The checkers' frame: feedback instead of errors, hints in steps. Each chapter's exercises have their own file."""

import importlib
import json
from pathlib import Path

import pytest
from exercise_cases import ExerciseCases

from dgmhelpers import exercises

CHAPTERS = sorted({name[:2] for name in exercises.names()})


@pytest.fixture
def sample():
    @exercises.exercise("99.1", asks="a number", hints=["think", "it is 4"], praise="yes")
    def checker(answer):
        if answer == 5:
            return "that is one too many"
        return None if answer + 0 == 4 else "no"

    yield "99.1"
    del exercises.feedback.registered["99.1"]


def test_feedback(sample):
    assert exercises.check(sample, 4)
    assert not exercises.check(sample, 5)
    assert "one too many" in exercises.check(sample, 5).message
    for nothing in (None, ...):
        assert exercises.check(sample, nothing).message == "not answered yet: a number"


def test_an_answer_that_crashes_is_feedback(sample):
    feedback = exercises.check(sample, "four")
    assert not feedback and "TypeError" in feedback.message


def test_hints_come_in_steps_and_the_last_stays(sample):
    shown = [exercises.hint(sample) for _ in range(3)]
    assert shown == ["Hint 1 of 2: think", "Hint 2 of 2: it is 4", "Hint 2 of 2: it is 4"]
    exercises._hints_given.clear()


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="no exercise '00.0'"):
        exercises.check("00.0", 1)


def test_feedback_renders_escaped():
    shown = exercises.Feedback("99.1", False, "a < b")._repr_html_()
    assert "a &lt; b" in shown and "Not yet" in shown


def test_every_chapter_that_has_checkers_is_found():
    chapters = {path.stem.removeprefix("chapter_") for path in Path(exercises.__file__).parent.glob("chapter_*")}
    assert chapters and {name[:2] for name in exercises.names()} == chapters


def test_every_checker_says_what_it_tries():
    silent = [name for name in exercises.names() if not exercises._find(name).checker.__doc__]
    assert not silent


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_is_held_to_the_frame(chapter):
    """A solution, a stub that is told what is asked, and two mistakes that are named: for every exercise."""
    module = importlib.import_module(f"test_exercises_chapter_{chapter}")
    framed = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, ExerciseCases)]
    assert chapter in {cases.chapter for cases in framed}


@pytest.mark.parametrize("name", exercises.names())
def test_hints_lead_on(name):
    exercises._hints_given.clear()
    first, second = exercises.hint(name), exercises.hint(name)
    assert first.startswith("Hint 1 of") and first != second


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_is_on_the_page(chapter):
    """A stub that is checked, and a solution that is."""
    (notebook,) = (Path(__file__).parents[1] / "notebooks").glob(f"{chapter}-*.ipynb")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    page = "\n".join("".join(cell["source"]) for cell in cells)
    solutions = [c for c in cells if "solution" in c["metadata"].get("tags", []) and c["cell_type"] == "code"]
    mine = [name for name in exercises.names() if name.startswith(chapter)]
    for name in mine:
        assert page.count(f'exercises.check("{name}"') == 2, name
    assert len(solutions) == len(mine)
