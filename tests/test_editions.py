"""The editions for a class: what each holds and what it leaves out, for every chapter; and one that students run."""

import ast
import builtins
import json
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

from dgmhelpers import exercises

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]

import dgm_quiz  # noqa: E402
import editions  # noqa: E402

import notebooks as notebook_tools  # noqa: E402

CHAPTERS = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))}
EXECUTED = "01"                 # as long as DGM_EVERY_CHAPTER is not set: the chapters themselves are run anyway


def chapter(number: str):
    return nbformat.read(CHAPTERS[number], as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def is_solution(cell) -> bool:
    return editions.SOLUTION in cell.metadata.get("tags", [])


def texts_of(questions, right: bool):
    """What is asked, or what is answered, one line each."""
    for question in questions:
        number = [question["number"], *question["wrong"]] if "number" in question else []
        for entry in question.get("options", number):
            text = entry["because"] if right else entry.get("text", question["ask"])
            yield text.strip().splitlines()[0]


def test_solutions_go_and_nothing_else():
    fence = "```"
    exercise = f"Before.\n\n{fence}{{exercise}} One\n:label: one\nHow many?\n{fence}"
    solution = f"{fence}{{solution}} one\n:label: two\nSeven.\n{fence}"
    long_solution = ":::{solution-start} one\n:::\nEight.\n:::{solution-end}\n:::\n\nAfter."
    cells = [
        nbformat.v4.new_markdown_cell(f"{exercise}\n\n{solution}\n\n{long_solution}"),
        nbformat.v4.new_code_cell("answer = 7", metadata={"tags": ["solution"]}),
        nbformat.v4.new_code_cell("x = 1", execution_count=1),
        nbformat.v4.new_markdown_cell(solution),
    ]
    cells[2].outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    copy = editions.without_solutions(notebook)
    assert [cell.source for cell in copy.cells] == [f"{exercise}\n\nAfter.", "x = 1"]
    assert copy.cells[1].outputs == [] and cells[2].outputs != []


@pytest.mark.parametrize("number", CHAPTERS)
def test_students_get_the_stubs_and_no_solution(number):
    stored, copy = chapter(number), editions.for_students(chapter(number))
    kept = [cell.source for cell in code(stored) if not is_solution(cell)]
    assert [cell.source for cell in code(copy)] == kept
    assert not any(cell.outputs or cell.execution_count for cell in code(copy))
    assert not any(is_solution(cell) for cell in copy.cells) and "{solution" not in prose(copy)
    for name in (name for name in exercises.names() if name[:2] == number):
        assert sum(f'exercises.check("{name}"' in source for source in kept) == 1
    stubs = sum("exercise" in cell.metadata.get("tags", []) for cell in copy.cells)
    assert stubs == sum(name[:2] == number for name in exercises.names())


def defined_and_used(sources):
    """Names that some cells bind, and names that they read and do not bind first, however deep."""
    bound, read = set(), set()
    for source in sources:
        plain = "\n".join("pass" if line.startswith(("%", "!")) else line for line in source.splitlines())
        for node in ast.walk(ast.parse(plain)):
            if isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                bound.add(node.name)
    return bound, read


@pytest.mark.parametrize("number", CHAPTERS)
def test_nothing_that_students_run_needs_a_solution(number):
    bound, read = defined_and_used(cell.source for cell in code(editions.for_students(chapter(number))))
    assert read - bound - set(dir(builtins)) == set()


@pytest.mark.parametrize("number", CHAPTERS)
def test_students_are_asked_and_not_told(number):
    questions = dgm_quiz.load(ROOT / "book" / "quizzes" / f"{number}.yml")
    students, instructors = (prose(edition(chapter(number))) for edition in EDITIONS)
    for page in (students, instructors):
        assert "{quiz}" not in page
        assert all(text in page for text in texts_of(questions, right=False))
    answers = set(texts_of(questions, right=True))
    assert not [text for text in answers if text in students]
    assert [text for text in answers if text not in instructors] == []


EDITIONS = editions.for_students, editions.for_instructors


@pytest.mark.parametrize("number", CHAPTERS)
def test_instructors_get_all_that_is_stored_and_a_note_on_every_exercise(number):
    stored, copy = chapter(number), editions.for_instructors(chapter(number))
    added = [cell for cell in copy.cells if cell["id"].startswith("instructor-")]
    assert [cell for cell in copy.cells if cell.cell_type == "code"] == code(stored)
    assert len(copy.cells) == len(stored.cells) + len(added)
    mine = [name for name in exercises.names() if name[:2] == number]
    assert len(added) == 1 + len(mine)
    table = next(cell for cell in added if cell["id"] == "instructor-overview").source
    for name in mine:
        task = exercises._find(name)
        note = next(c for c in added if c["id"] == f"instructor-{name.replace('.', '-')}").source
        assert all(hint in note for hint in task.hints) and task.praise in note and task.asks in note
        assert " ".join(task.checker.__doc__.split()) in note and f"| {name} |" in table
        check = next(n for n, c in enumerate(copy.cells) if f'exercises.check("{name}"' in c.source)
        assert copy.cells[check + 1].source == note, "the note stands under the check"
    minutes, marks = map(int, re.search(r"\| all \| (\d+) \| (\d+) \|", table).groups())
    assert minutes == sum(editions.suggested(n)[0] for n in mine)
    assert marks == sum(editions.suggested(n)[1] for n in mine)


@pytest.mark.parametrize("kind", ["student", "instructor"])
def test_make_writes_every_chapter_and_its_links_lead_on(kind, tmp_path, capsys):
    assert notebook_tools.main([kind, str(tmp_path / "out")]) == 0
    written = sorted((tmp_path / "out").glob("*.ipynb"))
    assert [path.name for path in written] == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    for path in written:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        for link in re.findall(r"\]\(((?:\.\./)+[^)#\s]+)", prose(notebook)):
            there = path.parent / link
            assert there.exists() or there.with_suffix(".md").exists(), link


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", CHAPTERS)
def test_a_students_chapter_runs_to_its_end_with_nothing_answered(number, tmp_path, monkeypatch):
    """From a folder of its own: no traceback, every claim holds, and each check says what is asked for."""
    from nbclient import NotebookClient

    if number != EXECUTED and not os.environ.get("DGM_EVERY_CHAPTER"):
        pytest.skip(f"chapter {EXECUTED} stands for all; DGM_EVERY_CHAPTER=1 runs each")

    for name, value in {"DGM_DEVICE": "cpu", "DGM_PROFILE": "quick", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("DGM_DATA_DIR", raising=False)
    notebook = editions.for_students(chapter(number))
    NotebookClient(notebook, timeout=1500, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    checks = [cell for cell in code(notebook) if editions.CHECK.search(cell.source)]
    said = [json.dumps(cell.outputs, ensure_ascii=False) for cell in checks]
    assert len(said) == sum(name[:2] == number for name in exercises.names())
    assert all("not answered yet: " in words for words in said)


def test_for_nbgrader_every_check_is_locked_has_its_marks_and_raises(tmp_path):
    """Names and marks as nbgrader reads them; an answer that is wrong is an error that says why."""
    assert editions.write("nbgrader", tmp_path) == 0
    copy = nbformat.read(tmp_path / "source" / CHAPTERS["03"].stem / CHAPTERS["03"].name, as_version=4)
    graded = [cell for cell in copy.cells if "nbgrader" in cell.metadata]
    ids = [cell.metadata["nbgrader"]["grade_id"] for cell in graded]
    assert ids == [f"check-{name.replace('.', '-')}" for name in exercises.names() if name.startswith("03")]
    for about in (cell.metadata["nbgrader"] for cell in graded):
        assert about["grade"] and about["locked"] and not about["solution"] and about["points"] >= 1
    assert not any(is_solution(cell) for cell in copy.cells)
    right = {"exercises": exercises, "free_parameters": lambda D: (2**D - 1, D + D * (D - 1) // 2)}
    exec(graded[0].source, right)
    with pytest.raises(AssertionError, match="expected"):
        exec(graded[0].source, right | {"free_parameters": 3})
