"""What every chapter's exercises are held to, once for all chapters.

A chapter's file derives a class, gives plausible wrong answers, and inherits the tests. A solution stands once, in
the notebook: it is taken from there, handed in in several forms, and spoilt in several ways::

    class TestExercises(ExerciseCases):
        chapter = "04"
        wrong = [("04.1", lambda D, H: 3, "expected two numbers"), …]      # which, what, and words of what is said

Words that may differ from machine to machine are separated by ``|``.

The untouched stubs are those on the page.
"""

import itertools
import re
import time

import exercise_forms as forms
import pytest
import torch
from exercise_pages import CHECK, cells_of, tags

from dgmhelpers import exercises
from dgmhelpers.exercises import trial

KINDS = {"form": forms.FORMS, "spoilt": forms.SPOILT}
LONG = 2000  # characters of feedback that nobody reads


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


def each(names: list[str], kinds: list[str]):
    """Every exercise with every kind, of which two at a time are tried each time and the others in ``make thorough``.

    Each kind is tried in every chapter that has a few exercises, and each exercise with two kinds.
    """
    for (n, name), (k, kind) in itertools.product(enumerate(names), enumerate(kinds)):
        often = (k - 2 * n) % len(kinds) < 2
        yield pytest.param(name, kind, marks=[] if often else [pytest.mark.thorough])


def says_something(message: str) -> bool:
    """Whether a line of feedback has words enough to say what is wrong: numbers and symbols are none."""
    return 4 <= len(re.findall(r"[^\W\d_]{2,}", message)) and len(message) < LONG


class ExerciseCases:
    """Solutions pass; untouched stubs and plausible mistakes do not, and each is told why."""

    chapter = ""
    wrong: list[tuple] = []
    asked_once: tuple[str, ...] = ()    # exercises whose checker calls the answer a single time, because it trains
    double_only: tuple[str, ...] = ()   # whose cases single precision cannot hold: 10⁻¹² apart, or 900 nats
    any_value: tuple[str, ...] = ()     # whose answer returns nothing that is looked at

    def pytest_generate_tests(self, metafunc):
        mine = [name for name in exercises.names() if name.startswith(self.chapter)]
        if "answer" in metafunc.fixturenames:
            ids = [f"{name}-{says}" for name, _, says in self.wrong]
            metafunc.parametrize(("name", "answer", "says"), self.wrong, ids=ids)
        elif kinds := KINDS.keys() & metafunc.fixturenames:
            (kind,) = kinds
            names = [name for name in mine if name not in self.asked_once]
            metafunc.parametrize(("name", kind), each(names, list(KINDS[kind])))
        elif "name" in metafunc.fixturenames:
            metafunc.parametrize("name", mine)

    def test_every_exercise_has_mistakes(self):
        assert {name for name, *_ in self.wrong} == {n for n in exercises.names() if n.startswith(self.chapter)}

    def test_the_solution_passes_several_cases(self, name):
        solution, calls = forms.solution_of(name), []

        def counted(*arguments, **keywords):
            calls.append(None)
            return solution(*arguments, **keywords)

        found = exercises.check(name, counted if callable(solution) else solution)
        assert found.passed, found.message
        if callable(solution):
            assert len(calls) >= (1 if name in self.asked_once else 2), "one case is soon guessed"

    def test_a_right_answer_in_another_form_is_right(self, name, form):
        if form == "computed in single" and name in self.double_only:
            pytest.skip("single precision does not hold its cases")
        found = exercises.check(name, forms.FORMS[form](forms.solution_of(name)))
        assert found.passed, found.message

    def test_what_is_never_right_is_refused_in_words(self, name, spoilt):
        solution = forms.solution_of(name)
        bad = forms.SPOILT[spoilt](solution)
        if bad is None or name in self.any_value and spoilt in forms.VALUES:
            pytest.skip("does not apply")
        found = exercises.check(name, bad)
        assert not found.passed
        assert says_something(found.message)
        assert "cannot be used" not in found.message, (
            f'{found.message} (where a function is asked for, asks= begins with "a function name(…)")')
        for words in forms.SAYS.get(spoilt, ()):
            assert words in found.message

    def test_an_endless_loop_ends(self, monkeypatch):
        monkeypatch.setattr(trial, "SECONDS", 0.2)
        for name in exercises.names():
            if name.startswith(self.chapter) and callable(forms.solution_of(name)):
                assert "not finished" in exercises.check(name, forms.endless).message

    def test_chance_does_not_win(self, name):
        """No random answer of the right kind passes: in 3,000 tries if an answer is a few whole numbers, else in 30."""
        solution = forms.solution_of(name)
        if name in self.asked_once or name in self.any_value:
            pytest.skip("judged by what it does")
        generator = torch.Generator().manual_seed(0)
        began, tries = time.process_time(), 0
        while tries < 3000 and time.process_time() < began + 0.2:
            guess = forms.random_form(solution, generator)
            assert guess is not None and not exercises.check(name, guess).passed
            tries += 1

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
        assert len({says for which, _, says in self.wrong if which == name}) >= 2, "each with words of its own"

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
