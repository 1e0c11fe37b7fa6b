"""The chapters for a class: without solutions for students, with solutions and notes for instructors.

    python tools/notebooks.py student FOLDER
    python tools/notebooks.py instructor FOLDER
    python tools/notebooks.py nbgrader FOLDER

All are ordinary notebooks that run wherever the folder is. Students get every stub with its check, and the questions
of "Check yourself" without answers. Instructors get what the chapter stores (outputs, solutions), the answers to those
questions, a table of the exercises, and under each check what it tries, its hints, and what it says of a right answer.
For nbgrader each chapter is an assignment: the students' edition, in which every check is a locked cell with its marks,
and raises what the checker says of a wrong answer. That takes metadata alone, and not nbgrader itself.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat

import notebooks

sys.path[:0] = [str(notebooks.ROOT), str(notebooks.ROOT / "book" / "_ext")]

SOLUTION = "solution"  # the tag of cells that the students' edition leaves out
CHECK = re.compile(r'^exercises\.check\("(\d\d\.\d+)"', re.MULTILINE)
QUIZ = re.compile(r"^(`{3,})\{quiz\} (\d\d)\n.*?^\1$", re.MULTILINE | re.DOTALL)


def write(kind: str, folder: Path) -> int:
    """Write one edition of every chapter; gives the exit status."""
    make = {"student": for_students, "instructor": for_instructors, "nbgrader": for_students}[kind]
    for path in notebooks.chapters([]):
        copy = make(nbformat.read(path, as_version=4))
        place = folder / "source" / path.stem if kind == "nbgrader" else folder
        place.mkdir(parents=True, exist_ok=True)
        _relink(copy, place)
        notebooks.tidy(copy)
        if kind == "nbgrader":
            _grade(copy)
        notebooks.write(copy, place / path.name)
        print(place / path.name)
    return 0


def _grade(notebook) -> None:
    """Make every check a test of nbgrader's: locked, worth its marks, and an error if the answer is wrong."""
    for cell in notebook.cells:
        found = CHECK.search(cell.source) if cell.cell_type == "code" else None
        if found:
            cell.source = CHECK.sub(r'said = exercises.check("\1"', cell.source)
            cell.source += "\nassert said, said.message\nprint(said)"
            cell.metadata["nbgrader"] = {
                "schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False,
                "grade_id": f"check-{found[1].replace('.', '-')}", "points": suggested(found[1])[1],
            }  # fmt: skip


def for_students(notebook):
    """A copy without solutions and outputs, with the questions of the quiz and without their answers."""
    copy = without_solutions(notebook)
    _ask(copy, answers=False)
    return copy


def for_instructors(notebook):
    """A copy with all that is stored, and notes on every exercise."""
    copy = nbformat.from_dict(notebook)
    _ask(copy, answers=True)
    names, cells = [], []
    for cell in copy.cells:
        cells.append(cell)
        found = CHECK.search(cell.source) if cell.cell_type == "code" and SOLUTION not in _tags(cell) else None
        if found:
            names.append(found[1])
            cells.append(nbformat.v4.new_markdown_cell(_note(found[1]), id=f"instructor-{found[1].replace('.', '-')}"))
    copy.cells = cells
    if names:
        place = next(n for n, cell in enumerate(copy.cells) if f"instructor-{names[0].replace('.', '-')}" == cell["id"])
        titled = [n for n in range(place) if re.search(r"^## Exercises", copy.cells[n].source, re.MULTILINE)]
        heading = max(titled, default=place)
        table = nbformat.v4.new_markdown_cell(_table(names), id="instructor-overview")
        copy.cells.insert(heading, table)
    return copy


def _note(name: str) -> str:
    """What an instructor wants to know of one exercise."""
    from dgmhelpers import exercises

    task, (minutes, marks) = exercises._find(name), suggested(name)
    tries = " ".join((task.checker.__doc__ or "").split())
    hints = "\n".join(f"{n}. {hint}" for n, hint in enumerate(task.hints, start=1))
    return (
        f"**Instructor's note on {name}** (suggestion: {minutes} minutes, {_marks(marks)})\n\n"
        f"*Asked for*: {_sentence(task.asks)}\n\n"
        f"*The hidden check*: {tries}\n\n"
        f'*Hints*, one at a time by `exercises.hint("{name}")`:\n\n{hints}\n\n'
        f"*Said of a right answer*: {_sentence(task.praise)}"
    )


def _table(names: list[str]) -> str:
    """All exercises of a chapter at a glance."""
    from dgmhelpers import exercises

    rows = [(name, exercises._find(name).asks.replace("|", "\\|"), *suggested(name)) for name in names]
    lines = [f"| {name} | {asks} | {minutes} | {marks} |" for name, asks, minutes, marks in rows]
    total = f"| | all | {sum(row[2] for row in rows)} | {sum(row[3] for row in rows)} |"
    return "\n".join([
        "**For the instructor.** The exercises below go from recall to research. Minutes and marks are a suggestion,",
        "made from an exercise's place in that row and from nothing else; the last one is open-ended.",
        "",
        "| exercise | asks for | minutes | marks |",
        "|---|---|---:|---:|",
        *lines,
        total,
    ])


def suggested(name: str) -> tuple[int, int]:
    """Minutes and marks of an exercise, as its author judged them."""
    from dgmhelpers import exercises

    task = exercises._find(name)
    return task.minutes or 15, task.marks


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _marks(marks: int) -> str:
    return "1 mark" if marks == 1 else f"{marks} marks"


def _ask(notebook, answers: bool) -> None:
    """Put the questions of the quiz where the built page asks them."""
    import dgm_quiz

    def listed(found: re.Match) -> str:
        path = notebooks.ROOT / "book" / "quizzes" / f"{found[2]}.yml"
        return "\n\n".join(_question(n, q, answers) for n, q in enumerate(dgm_quiz.load(path), start=1))

    for cell in notebook.cells:
        if cell.cell_type == "markdown" and "{quiz}" in cell.source:
            cell.source = QUIZ.sub(listed, cell.source)


def _question(number: int, question: dict, answers: bool) -> str:
    """One question as Markdown."""
    import dgm_quiz

    pieces = [f"**Question {number}.** {question['ask'].strip()}"]
    if "options" in question:
        options = dgm_quiz.lettered(question)
        pieces.append("\n".join(f"- ({letter}) {option['text'].strip()}" for letter, option in options))
        reasons = [
            f"- ({letter}) is {'right' if option.get('right') else 'not'}: {option['because'].strip()}"
            for letter, option in options
        ]
    else:
        value, unit = question["number"], question["number"].get("unit", "")
        reasons = [f"- {dgm_quiz.said(value['value'])} {unit}".rstrip() + f" is right: {value['because'].strip()}"]
        reasons += [f"- {dgm_quiz.said(slip['value'])} is not: {slip['because'].strip()}" for slip in question["wrong"]]
    return "\n\n".join([*pieces, "*Answers*\n\n" + "\n".join(reasons)] if answers else pieces)


def _relink(notebook, folder: Path) -> None:
    """Links that lead out of notebooks/ lead to the same place from ``folder``."""
    away = Path(os.path.relpath(notebooks.ROOT, folder.resolve())).as_posix()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\(\.\./", f"]({away}/", cell.source)


def _tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def without_solutions(notebook):
    """A copy with no solution cells, no solution blocks, no outputs."""
    copy = nbformat.from_dict(notebook)
    copy.cells = [cell for cell in copy.cells if SOLUTION not in _tags(cell)]
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = _strip_solutions(cell.source)
        else:
            cell.outputs, cell.execution_count = [], None
    copy.cells = [cell for cell in copy.cells if cell.cell_type != "markdown" or cell.source.strip()]
    return copy


_OPENING = re.compile(r"^(?P<fence>`{3,}|:{3,})\{solution(-start)?\}")


def _strip_solutions(source: str) -> str:
    kept, closing = [], None
    for line in source.splitlines():
        if closing is None:
            opening = _OPENING.match(line)
            if opening is None:
                kept.append(line)
                continue
            fence = re.escape(opening["fence"])
            # a solution block ends with its own fence; one written as start … end with the fence after {solution-end}
            closing = re.compile(rf"^{fence}\s*$") if not opening[2] else re.compile(r"^(`{3,}|:{3,})\{solution-end\}")
        elif closing.match(line):
            ended_by_name = "solution-end" in line
            closing = re.compile(r"^(`{3,}|:{3,})\s*$") if ended_by_name else None
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
