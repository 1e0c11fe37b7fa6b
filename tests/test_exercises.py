"""The checkers' frame: feedback instead of errors, hints in steps. Each chapter's exercises have their own file."""

import ast
import importlib
import json
import math
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from exercise_cases import ExerciseCases
from exercise_pages import CHECK, cells_of, tags

from dgmhelpers import exercises
from dgmhelpers.exercises import compare

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


@pytest.fixture
def squares():
    @exercises.exercise("99.2", asks="a function square(x) that returns a tensor", hints=["x times x"], praise="yes")
    def checker(answer):
        for n in (3, 4):
            x = torch.arange(1.0, n, dtype=torch.double) / 3
            if not compare.close(compare.tensor(answer(x), x.shape), x.square()):
                return "those are not the squares"

    yield "99.2"
    del exercises.feedback.registered["99.2"]


def test_single_precision_is_right_and_is_told_of_double(squares):
    assert exercises.check(squares, lambda x: x**2).message == "yes"
    assert exercises.check(squares, lambda x: x.float() ** 2).message == "yes" + exercises.SINGLY
    assert not exercises.check(squares, lambda x: x**2 + 1e-4)


def test_the_learners_line_is_named_and_none_of_ours(squares):
    def square(x):
        return x / nowhere  # noqa: F821

    line = square.__code__.co_firstlineno + 1
    assert exercises.check(squares, square).message == (
        f"your answer raised NameError: name 'nowhere' is not defined (line {line} of square)")
    assert "line" not in exercises.check(squares, torch.dot).message


def test_prints_of_an_answer_stay_inside(squares, capsys):
    assert exercises.check(squares, lambda x: print("here") or x**2)
    assert capsys.readouterr().out == ""


def test_a_time_limit_leaves_another_alarm_alone(squares, monkeypatch):
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    left = signal.setitimer(signal.ITIMER_REAL, 0.2)[0]
    try:
        exercises.check(squares, lambda x: x**2)
        time.sleep(0.4)
        assert rung
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left)


def test_in_a_thread_there_is_no_alarm_and_no_error(squares):
    found = []
    thread = threading.Thread(target=lambda: found.append(exercises.check(squares, lambda x: x**2)))
    thread.start()
    thread.join()
    assert found[0]


@pytest.mark.parametrize(("given", "says"), [
    (torch.ones(3, 2), "of shape (2,), got one of shape (3, 2)"), ([], "an empty list"), ("no", "a str"),
    (3.0, "the number 3.0"), ({}, "a dict"), ([1.0, "x"], "a str"), (None, "returns nothing"),
])
def test_another_kind_of_thing_is_named(given, says):
    with pytest.raises(compare.Refused, match=re.escape(says)):
        compare.tensor(given, (2,))


@pytest.mark.parametrize("given", [np.array([1, 2]), [1, 2.0], (np.float32(1), torch.tensor(2)),
                                   torch.tensor([[1.0], [2.0]]), [[1], [2]]])
def test_containers(given):
    assert compare.tensor(given, (2,)).tolist() == [1, 2]


def test_whole_numbers_stay_exact():
    assert compare.whole(2**784 - 1) == 2**784 - 1 and compare.whole(torch.tensor(3.0)) == 3
    for wrong in (2.5, math.nan, math.inf, "3", [1, 2]):
        with pytest.raises(compare.Refused):
            compare.whole(wrong)


def test_nan_agrees_with_nothing():
    assert compare.close(math.inf, math.inf) and not compare.close(math.nan, math.nan)
    assert not compare.close(1e30, math.inf) and not compare.close(math.inf, 1.0)
    assert not compare.close(torch.ones(2), torch.ones(3))


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
    assert (Path(__file__).parent / f"test_exercises_chapter_{chapter}.py").exists(), "its mistakes have no file yet"
    module = importlib.import_module(f"test_exercises_chapter_{chapter}")
    framed = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, ExerciseCases)]
    assert chapter in {cases.chapter for cases in framed}


@pytest.mark.parametrize("name", exercises.names())
def test_hints_lead_on(name):
    exercises._hints_given.clear()
    first, second = exercises.hint(name), exercises.hint(name)
    assert first.startswith("Hint 1 of") and first != second


def lines_of_code(source: str) -> set[str]:
    """What a solution returns and assigns, without its spaces; a name or a number alone is no line."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Assign, ast.Return))]
    made = [node.value for node in nodes if node.value]
    lines = {re.sub(r"\s", "", ast.unparse(value)) for value in made if not isinstance(value, (ast.Name, ast.Constant))}
    return {line for line in lines if len(line) > 9}


def gives_away(hint: str, source: str) -> set[str]:
    """The lines of a solution that a hint spells out."""
    said = re.sub(r"\s", "", hint.translate(str.maketrans("·−", "*-")))
    return {line for line in lines_of_code(source) if line in said}


@pytest.mark.parametrize("name", exercises.names())
def test_there_are_three_hints_and_the_last_is_not_the_code(name):
    hints = exercises._find(name).hints
    solution = next(cell["source"] for cell in cells_of(name[:2])
                    if "solution" in tags(cell) and (found := CHECK.search(cell["source"])) and found[1] == name)
    assert len(hints) == 3
    assert gives_away(hints[-1], solution) == set()


def test_a_hint_that_is_the_code_is_noticed():
    source = "def f(x, r):\n    total = r.sum(0)\n    return (r.T @ x) / total[:, None]"
    assert gives_away("and then r.T @ x / total[:, None]", source)
    assert gives_away("x · r.sum(0)", "y = x * r.sum(0)")
    assert gives_away("sum the responsibilities, and divide by what they sum to", source) == set()


@pytest.mark.parametrize("name", exercises.names())
def test_somebody_judged_how_long_it_takes(name):
    task = exercises._find(name)
    assert task.minutes and 5 <= task.minutes <= 120 and 1 <= task.marks <= 5


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_is_on_the_page(chapter):
    """A stub that is checked, and a solution that is."""
    (notebook,) = (Path(__file__).parents[1] / "notebooks").glob(f"{chapter}-*.ipynb")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    page = "\n".join("".join(cell["source"]) for cell in cells)
    solutions = [c for c in cells if "solution" in c["metadata"].get("tags", []) and c["cell_type"] == "code"]
    mine = [name for name in exercises.names() if name.startswith(chapter)]
    for name in mine:
        assert page.count(f'exercises.check("{name}"') == 2, f"{name} is checked after its stub and after its solution"
    assert len(solutions) == len(mine), "one code cell tagged `solution` for each exercise"
