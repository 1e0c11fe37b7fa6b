"""What every chapter's exercises are held to, once for all chapters.

A chapter's file derives a class, gives its solutions and plausible wrong answers, and inherits the tests::

    class TestExercises(ExerciseCases):
        chapter = "04"
        solutions = {"04.1": parameters, …}
        wrong = [("04.1", lambda D, H: 3, "expected two numbers"), …]      # which, what, and words of what is said

Words that may differ from machine to machine are separated by ``|``.

The untouched stubs are those on the page.
"""

import itertools
import json
import re
from functools import cache
from pathlib import Path

from dgmhelpers import exercises

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CHECK = re.compile(r'exercises\.check\("(\d\d\.\d+)", (.+)\)')
LONG = 2000  # characters of feedback that nobody reads


@cache
def cells_of(chapter: str) -> list[dict]:
    """The cells of a chapter, with ``source`` as one string."""
    (path,) = NOTEBOOKS.glob(f"{chapter}-*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def stub_of(name: str):
    """The stub of an exercise as it stands on the page, and the cell that checks it."""
    cells = cells_of(name[:2])
    for stub, check in itertools.pairwise(cells):
        found = CHECK.search(check["source"])
        if "exercise" in tags(stub) and found and found[1] == name:
            made: dict = {}
            exec(stub["source"], made)
            return made[found[2]], check
    raise AssertionError(f"no stub of {name}, tagged `exercise`, just before its check")


def says_something(message: str) -> bool:
    """Whether a line of feedback has words enough to say what is wrong: numbers and symbols are none."""
    return 4 <= len(re.findall(r"[^\W\d_]{2,}", message)) and len(message) < LONG


class ExerciseCases:
    """Solutions pass; untouched stubs and plausible mistakes do not, and each is told why."""

    chapter = ""
    solutions: dict = {}
    wrong: list[tuple] = []
    asked_once: tuple[str, ...] = ()  # exercises whose checker calls the answer a single time, because it trains

    def pytest_generate_tests(self, metafunc):
        if "name" in metafunc.fixturenames and "answer" not in metafunc.fixturenames:
            metafunc.parametrize("name", sorted(self.solutions))
        if "answer" in metafunc.fixturenames:
            ids = [f"{name}-{says}" for name, _, says in self.wrong]
            metafunc.parametrize(("name", "answer", "says"), self.wrong, ids=ids)

    def test_every_exercise_is_here(self):
        assert sorted(self.solutions) == [name for name in exercises.names() if name.startswith(self.chapter)]
        assert {name for name, *_ in self.wrong} == set(self.solutions)

    def test_the_solution_passes_several_cases(self, name):
        solution, calls = self.solutions[name], []

        def counted(*arguments, **keywords):
            calls.append(None)
            return solution(*arguments, **keywords)

        found = exercises.check(name, counted if callable(solution) else solution)
        assert found.passed, found.message
        if callable(solution):
            assert len(calls) >= (1 if name in self.asked_once else 2), "one case is soon guessed"

    def test_the_untouched_stub_is_told_what_is_asked(self, name):
        stub, cell = stub_of(name)
        for nothing in (stub, None, ...):
            found = exercises.check(name, nothing)
            assert not found.passed and found.message.startswith("not answered yet: "), found.message
            assert len(found.message.split()) >= 8, f"not helpful: {found.message}"
        (stored,) = [output for output in cell["outputs"] if "text/plain" in output.get("data", {})]
        assert "".join(stored["data"]["text/plain"]) == repr(exercises.check(name, stub)), "as stored on the page"

    def test_a_mistake_is_named(self, name, answer, says):
        found = exercises.check(name, answer)
        assert not found.passed
        assert any(words in found.message for words in says.split("|")), found.message
        assert says_something(found.message)

    def test_two_mistakes_are_named_by_lines_of_their_own(self, name):
        assert len({says for which, _, says in self.wrong if which == name}) >= 2

    def test_the_text_calls_the_answer_what_the_stub_calls_it(self, name):
        """Who writes the function that the text names has answered the cell that checks it."""
        cells = cells_of(self.chapter)
        here = next(n for n, cell in enumerate(cells) if f'exercises.check("{name}"' in cell["source"])
        text = next(cell["source"] for cell in reversed(cells[:here]) if "{exercise}" in cell["source"])
        named = re.findall(r"[Ww]rite\s+`(\w+)", text)
        asked = re.match(r"a function (\w+)\(", exercises._find(name).asks)
        checked = CHECK.search(cells[here]["source"])[2]
        assert named in ([], [checked]), f"the text says {named}, the cell checks {checked}"
        assert asked is None or asked[1] == checked, f"asked for {asked[1]}, the cell checks {checked}"
