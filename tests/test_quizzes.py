"""The questions of the chapters: complete, each answer computed, and shown with and without a script, and on paper."""

import inspect
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import quiz_answers
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import dgm_quiz  # noqa: E402

FILES = sorted((ROOT / "book" / "quizzes").glob("*.yml"))
QUESTIONS = [(path.stem, question) for path in FILES for question in dgm_quiz.load(path)]
ANSWERS = dict(inspect.getmembers(quiz_answers, inspect.isfunction))
TO_COMPUTE = [(chapter, question) for chapter, question in QUESTIONS if not question.get("concept")]


def answer_name(chapter: str, question: dict) -> str:
    return f"answer_{chapter}_{question['id'].replace('-', '_')}"


@pytest.mark.parametrize(("chapter", "question"), TO_COMPUTE, ids=lambda v: v if isinstance(v, str) else v["id"])
def test_the_answer_is_what_computing_gives(chapter, question):
    """The right one, and each wrong number from the mistake that its text names."""
    name = answer_name(chapter, question)
    assert name in ANSWERS, f"tests/quiz_answers.py computes it, in a function {name}; or it is `concept: true`"
    found = ANSWERS[name]()
    if "options" in question:
        (right,) = [letter for letter, option in dgm_quiz.lettered(question) if option.get("right")]
        assert found == right
        return
    entries = [question["number"], *question["wrong"]]
    assert len(found) == len(entries)
    for value, entry in zip(found, entries, strict=True):
        margin = dgm_quiz.tolerance(entry, question)
        assert abs(value - entry["value"]) <= margin / 4, f"{entry['value']}: computed as {value:.6g}"


def test_every_number_is_computed_and_nothing_for_questions_that_are_gone():
    assert not [q["id"] for _, q in QUESTIONS if "number" in q and q.get("concept")]
    wanted = {answer_name(*pair) for pair in TO_COMPUTE}
    assert {name for name in ANSWERS if name.startswith("answer_")} == wanted


def test_most_questions_can_be_computed():
    assert len(TO_COMPUTE) >= 0.75 * len(QUESTIONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_chapter_asks_both_kinds_and_the_right_option_moves_about(path):
    questions = dgm_quiz.load(path)
    places = [[bool(o.get("right")) for o in q["options"]].index(True) for q in questions if "options" in q]
    assert any("number" in q for q in questions) and len(places) >= 2
    assert len(set(places)) >= 2, "always the same letter"


GOOD = yaml.safe_load(
    """
- id: one
  ask: How many?
  number: {value: 0.5, tolerance: 0.01, unit: nats, because: right so}
  wrong: [{value: 2, because: upside down}]
  otherwise: think
- id: two
  ask: "Which? With $x^2$.\\n\\n$$y = x$$"
  options: &options
  - {text: this, because: not so}
  - {text: that $x$, because: yes indeed, right: true}
  - {text: neither, because: "nor [that](other.md)"}
- {id: three, ask: "Which?", options: *options}
- {id: four, ask: "Which?", options: *options}
"""
)


def written(folder, questions) -> Path:
    path = folder / "book" / "quizzes" / "01.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(questions))
    return path


def changed(number, **change):
    questions = json.loads(json.dumps(GOOD))
    questions[number].update(change)
    return questions


@pytest.mark.parametrize(
    ("questions", "complaint"),
    [
        (GOOD[:3], "4 to 6 questions"),
        (changed(1, id="one"), "not the only one"),
        (changed(1, id="Two words"), "small letters"),
        (changed(1, options=GOOD[1]["options"][:2]), "between three and five"),
        (changed(1, options=[{"text": t, "because": t * 2} for t in "abc"]), "one of them right"),
        (changed(1, options=[*GOOD[1]["options"], {"text": "more"}]), "text and a because"),
        (changed(1, options=[*GOOD[1]["options"], {"text": "more", "because": "not so"}]), "reason of its own"),
        (changed(1, hint="no"), "unknown: hint"),
        (changed(0, wrong=[]), "numbers that are wrong"),
        (changed(0, wrong=[{"value": 0.505, "because": "near"}]), "closer than their tolerances"),
        (changed(0, otherwise=" "), "empty"),
        (changed(0, otherwise=True), "one of its texts is True to YAML"),
    ],
)
def test_a_file_that_cannot_be_asked_is_named(tmp_path, questions, complaint):
    with pytest.raises(dgm_quiz.QuizError, match=complaint):
        dgm_quiz.load(written(tmp_path, questions))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """``built("html")``: the folder that Sphinx writes for a page with a quiz and one without, warnings as errors."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'book' / '_ext')!r})\n"
        "extensions = ['myst_parser', 'dgm_quiz']\nmyst_enable_extensions = ['dollarmath']\nhtml_theme = 'basic'\n"
    )
    quiz = "## Check yourself\n\n```{quiz} 01\nIn JupyterLab only.\n```\n\nAfter.\n"
    (folder / "index.md").write_text(f"# Book\n\n{quiz}")
    (folder / "other.md").write_text("---\norphan: true\n---\n\n# Other\n")
    written(folder, GOOD)

    @cache
    def build(builder: str) -> Path:
        out = folder / "_build" / builder
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", builder, str(folder), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return out

    return build


def test_the_page_holds_questions_answers_and_reasons_without_a_script(built):
    page = (built("html") / "index.html").read_text(encoding="utf-8")
    assert "In JupyterLab only" not in page and "After." in page
    assert len(re.findall("<fieldset>", page)) == 4 and len(re.findall("<legend>", page)) == 4
    assert len(re.findall('type="radio"', page)) == 9
    assert page.count('<details class="dgm-answer">') == 4 and "<details open" not in page
    for words in ("right so", "upside down", "think", "yes indeed", "nor", "0.5 nats"):
        assert words in page
    assert 'data-option="b" data-right' in page and 'data-value="2"' in page
    hidden = re.findall(r'class="(?:dgm-number|dgm-quiz-check|dgm-quiz-score)"[^>]*', page)
    assert len(hidden) == 1 + 4 + 1 and all(tag.endswith(" hidden") for tag in hidden), "controls that need the script"
    assert 'role="status"></div>' in page, "the live region stands empty from the beginning"
    assert "dgm-quiz.js" in page


def test_as_plain_text_questions_and_answers_are_listed(built):
    page = (built("text") / "index.txt").read_text(encoding="utf-8")
    lines = [line.strip() for line in page.splitlines() if line.strip()]
    for words in ("Question 1", "(a)", "(c)", "(b) is right.", "yes indeed", "The answer is 0.5 nats.", "upside down"):
        assert sum(words in line for line in lines) >= 1, words
    options = [n for n, line in enumerate(lines) if "(a)" in line or "(b)" in line]
    assert len(options) == len(set(options)) and "<" not in page.split("Question 1")[1].split("After.")[0]
    assert "JupyterLab" not in page


def test_pages_without_questions_load_nothing(built):
    assert "dgm-quiz" not in (built("html") / "other.html").read_text(encoding="utf-8")
