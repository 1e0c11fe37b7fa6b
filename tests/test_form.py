"""What every chapter has in the same form: the minutes of its sections, marks on what may be skipped, and budgets."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools"))
from check import MOST_WORDS  # noqa: E402
from yardstick import words  # noqa: E402

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
MOST_BYTES = 0.8 * 2**20
TIME = re.compile(r"\*(\d+) minutes(; you may skip (?:this section|the proof))?\.\*(?= \S|$)", flags=re.MULTILINE)
LIKE_A_TIME = re.compile(r"^\*[^*\n]*(?:minutes|skip)[^*\n]*\*", flags=re.MULTILINE)
OTHER_MARKS = re.compile(r"⏭|[Cc]an be skipped|[Yy]ou can skip")
WITHOUT_TIME = {"Check yourself", "Exercises", "Summary", "Sources"}
every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem[:2])


def prose(path: Path) -> str:
    """A chapter's Markdown, without the solutions."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells
                       if cell.cell_type == "markdown" and "solution" not in cell.metadata.get("tags", []))


def sections(text: str) -> dict[str, str]:
    """What is below each heading of the second level, labels and empty lines apart."""
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], (below.strip() for below in found[2::2]), strict=True))


def faults(text: str) -> list[str]:
    """Sections without their minutes at the head, and marks of another form."""
    found = [f"no minutes: {title}" for title, below in sections(text).items()
             if title not in WITHOUT_TIME and not TIME.match(below)]
    found += [f"another form: {mark}" for mark in LIKE_A_TIME.findall(text) if not TIME.fullmatch(mark)]
    return found + [f"another mark: {mark}" for mark in OTHER_MARKS.findall(text)]


@every_chapter
def test_a_section_says_its_minutes_and_whether_it_may_be_skipped(path):
    assert faults(prose(path)) == []


@every_chapter
def test_the_box_at_the_head_says_where_the_minutes_are_and_their_sum(path):
    text = prose(path)
    box = re.search(r"\*\*Time\*\*: (.+?)each section says its share, and which you may skip", text, flags=re.DOTALL)
    assert box, "the box says that each section has its share"
    stated = re.search(r"about (\d+) minutes", box[1])
    heads = [TIME.match(below) for title, below in sections(text).items() if title not in WITHOUT_TIME]
    assert not stated or int(stated[1]) == sum(int(head[1]) for head in heads)


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("*About 8 minutes.*\n\nText", "no minutes"),
        ("*8 minutes. Can be skipped.* Text", "another mark"),
        ("Text", "no minutes"),
        ("*8 minutes.* Text\n\n*You may skip this section.* More", "another form"),
    ],
)
def test_another_form_is_found(section, complaint):
    assert faults("## Good\n\n*5 minutes; you may skip this section.* Text\n\n## Summary\n\nText") == []
    assert any(complaint in fault for fault in faults(f"## Section\n\n{section}"))


@every_chapter
def test_a_chapter_keeps_its_budgets(path):
    assert words(path) <= MOST_WORDS
    assert path.stat().st_size <= MOST_BYTES
