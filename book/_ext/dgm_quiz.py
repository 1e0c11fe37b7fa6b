"""Questions that answer back in the built page, without a kernel and without network.

Directive
    ``{quiz} 03`` asks the questions of ``book/quizzes/03.yml``. What stands inside the directive is for JupyterLab,
    which shows it in place of the questions; the built page leaves it out.

A question is a mapping with an ``id``, what to ``ask`` (Markdown; its first paragraph names the group of controls), and
either ``options``, each with a ``text`` and a ``because`` and exactly one of them ``right``; or a ``number``, with a
``value``, a ``tolerance``, perhaps a ``unit``, and a ``because``, next to the ``wrong`` numbers that plausible mistakes
give, each with its ``because`` (and a ``tolerance``, if it needs its own), and an ``otherwise`` for all others.
``concept: true`` says that there is nothing to compute; the other answers are computed in tests/quiz_answers.py.

The page works in three ways. With JavaScript (``_static/dgm-quiz.js``) one chooses and checks. Without, answers and
reasons are folded away under each question. On paper, and in plain text, they are listed.
"""

from __future__ import annotations

import html
import re
import string
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

LEAST, MOST = 4, 6  # questions in a chapter


class QuizError(ValueError):
    """A file of questions that cannot be asked as it stands."""


def load(path: Path) -> list[dict]:
    """The questions of one file, checked.

    Raises:
        QuizError: naming the file and the question, if something is missing, ambiguous or unknown.
    """
    try:
        questions = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise QuizError(f"{path.name} is not YAML: {error}") from error
    if not isinstance(questions, list) or not LEAST <= len(questions) <= MOST:
        raise QuizError(f"{path.name}: a list of {LEAST} to {MOST} questions is wanted")
    taken = set()
    for question in questions:
        name = question.get("id", "?")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name in taken:
            raise QuizError(f"{path.name}: the id {name!r} is not a word in small letters, or not the only one")
        taken.add(name)
        if complaint := _complaint(question):
            raise QuizError(f"{path.name}, {name}: {complaint}")
    return questions


def _complaint(question: dict) -> str | None:
    if "number" in question:
        keys = {"id", "ask", "concept", "number", "wrong", "otherwise"}
        number, wrong = question["number"], question.get("wrong", [])
        if unknown := set(question) - keys | set(number) - {"value", "tolerance", "unit", "because"}:
            return f"unknown: {', '.join(sorted(unknown))}"
        if not {"value", "tolerance", "because"} <= set(number) or "otherwise" not in question or not wrong:
            return "a number needs value, tolerance and because, numbers that are wrong, and an otherwise"
        if any(set(slip) - {"tolerance"} != {"value", "because"} for slip in wrong):
            return "each wrong number needs a value and a because, perhaps a tolerance, and nothing else"
        known = [(entry["value"], tolerance(entry, question)) for entry in (number, *wrong)]
        if any(abs(a - b) <= s + t for i, (a, s) in enumerate(known) for b, t in known[:i]):
            return "two of the numbers are closer than their tolerances can tell apart"
        texts = [question.get("ask"), number["because"], question["otherwise"], *(slip["because"] for slip in wrong)]
    else:
        options = question.get("options", [])
        if unknown := set(question) - {"id", "ask", "concept", "options"}:
            return f"unknown: {', '.join(sorted(unknown))}"
        if not 3 <= len(options) <= 5 or sum(option.get("right", False) for option in options) != 1:
            return "between three and five options are wanted, one of them right"
        if any(set(option) - {"right"} != {"text", "because"} for option in options):
            return "each option needs a text and a because"
        texts = [question.get("ask")] + [option[key] for option in options for key in ("text", "because")]
        if len(set(texts)) < len(texts):
            return "two of its texts are the same: each option has a reason of its own"
    if wrong := [text for text in texts if not isinstance(text, str)]:
        return f"one of its texts is {wrong[0]!r} to YAML, and no words: put it in quotes"
    return None if all(text.strip() for text in texts) else "one of its texts is empty"


def tolerance(entry: dict, question: dict) -> float:
    """How far an answer may lie from a number to count as that one."""
    return entry.get("tolerance", question["number"]["tolerance"])


class quiz_part(nodes.General, nodes.Element):
    """A piece of a quiz: in HTML the markup ``before`` and ``after`` its children, elsewhere only the children."""


class quiz_text(nodes.General, nodes.TextElement):
    """The same around words; elsewhere, if it is a ``line``, a paragraph."""


def part(before: str, after: str, *children) -> quiz_part:
    """A piece of a quiz around other pieces."""
    return quiz_part("", *children, before=before, after=after)


def text(before: str, after: str, *children, line: bool = True) -> quiz_text:
    """A piece of a quiz around words."""
    return quiz_text("", "", *children, before=before, after=after, line=line)


class Quiz(SphinxDirective):
    """The questions of one chapter."""

    required_arguments = 1
    has_content = True

    def run(self):
        self.chapter = self.arguments[0]
        path = Path(self.env.srcdir) / "book" / "quizzes" / f"{self.chapter}.yml"
        self.env.note_dependency(str(path))
        try:
            questions = load(path)
        except (OSError, QuizError) as error:
            raise self.error(str(error)) from error
        asked = [self.question(number, question) for number, question in enumerate(questions, start=1)]
        score = part('<p class="dgm-quiz-score" hidden>', "</p>")
        return [part(f'<div class="dgm-quiz" data-questions="{len(asked)}">', "</div>", *asked, score)]

    def blocks(self, markdown: str) -> list[nodes.Node]:
        """Markdown as nodes."""
        holder, lines = nodes.container(), StringList(markdown.splitlines(), self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, holder)
        return holder.children

    def inline(self, markdown: str) -> list[nodes.Node]:
        """One paragraph of Markdown as what stands inside it."""
        found = self.blocks(markdown)
        if len(found) != 1 or not isinstance(found[0], nodes.paragraph):
            raise self.error(f"one paragraph is wanted here: {markdown[:60]!r}")
        return found[0].children

    def question(self, number: int, question: dict) -> quiz_part:
        name = f"quiz-{self.chapter}-{question['id']}"
        first, *more = self.blocks(question["ask"])
        legend = text("<legend>", "</legend>", *strong(f"Question {number}. "), *first.children)
        controls = self.box(question) if "number" in question else self.choices(question, name)
        answer = self.slips(question) if "number" in question else self.reasons(question)
        return part(
            f'<form class="dgm-question" id="{name}" novalidate>', "</form>",
            part("<fieldset>", "</fieldset>", legend, *more, *controls),
            part('<p class="dgm-quiz-check" hidden><button type="submit">Check</button>', "</p>"),
            part('<div class="dgm-verdict" role="status">', "</div>"),
            part(
                f'<details class="dgm-answer"><summary>Answer to question {number}</summary><ul>', "</ul></details>",
                *answer,
            ),
        )

    def choices(self, question: dict, name: str) -> list[quiz_part]:
        pieces = []
        for letter, option in lettered(question):
            before = f'<label class="dgm-option"><input type="radio" name="{name}" value="{letter}"><span>'
            words = [nodes.Text(f"({letter}) "), *self.inline(option["text"])]
            pieces.append(text(before, "</span></label>", *words))
        return pieces

    def box(self, question: dict) -> list[quiz_part]:
        unit = question["number"].get("unit", "")
        keyboard = ' inputmode="decimal"' if question["number"]["value"] >= 0 else ""
        box = f'<input type="text"{keyboard} autocomplete="off" spellcheck="false"> <span>{html.escape(unit)}</span>'
        return [part(f'<p class="dgm-number" hidden><label><span>Your answer</span> {box}</label>', "</p>")]

    def reasons(self, question: dict) -> list[quiz_part]:
        pieces = []
        for letter, option in sorted(lettered(question), key=lambda pair: not pair[1].get("right")):
            right = option.get("right", False)
            lead = f"({letter}) is right. " if right else f"({letter}) is not. "
            pieces.append(self.reason(lead, option["because"], f' data-option="{letter}"', right))
        return pieces

    def slips(self, question: dict) -> list[quiz_part]:
        number = question["number"]
        unit = f" {number['unit']}" if number.get("unit") else ""
        known = [(number, True), *((slip, False) for slip in question["wrong"])]
        pieces = []
        for entry, right in known:
            lead = f"The answer is {said(entry['value'])}{unit}. " if right else f"{said(entry['value'])} is not: "
            data = f' data-value="{entry["value"]!r}" data-tolerance="{tolerance(entry, question)!r}"'
            pieces.append(self.reason(lead, entry["because"], data, right))
        return [*pieces, self.reason("Otherwise: ", question["otherwise"], " data-otherwise", False)]

    def reason(self, lead: str, because: str, data: str, right: bool) -> quiz_part:
        """One line of the answer; the script shows its second half as feedback."""
        words = text('<span class="dgm-because">', "</span>", *self.inline(because), line=False)
        return text(f"<li{data}{' data-right' if right else ''}>", "</li>", *strong(lead), words)


def lettered(question: dict) -> list[tuple[str, dict]]:
    """The options of a question with their letters."""
    return list(zip(string.ascii_lowercase, question["options"], strict=False))


def strong(text: str) -> list[nodes.Node]:
    """Emphasised words, and the space behind them."""
    return [nodes.strong("", text.rstrip()), nodes.Text(" ")]


def said(value: float) -> str:
    """A number as one would print it: 0.25, 1,024, −1.386."""
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.4g}").replace("-", "−")


def _visit_html(self, node):
    self.body.append(node["before"])


def _depart_html(self, node):
    self.body.append(node["after"] + ("\n" if node.get("line") else ""))


def _visit_text(self, node):
    if node.get("line"):
        self.new_state(0)


def _depart_text(self, node):
    if node.get("line"):
        self.end_state()


def add_assets(app, pagename, templatename, context, doctree):
    """The script, on the pages that ask something."""
    if doctree is not None and next(doctree.findall(quiz_part), None) is not None:
        app.add_js_file("dgm-quiz.js", loading_method="defer")


def setup(app):
    """Register the directive."""
    app.add_directive("quiz", Quiz)
    for piece in (quiz_part, quiz_text):
        app.add_node(
            piece,
            html=(_visit_html, _depart_html),
            text=(_visit_text, _depart_text),
        )
    app.connect("html-page-context", add_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
