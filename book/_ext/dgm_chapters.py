"""The chapters as a graph: what each needs, what a goal comes to, how long it takes. From ``book/chapters.yml``.

Plain functions, from the data file and the notebooks to numbers and markup; ``chapter_map.py`` puts them on pages.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

WORDS_A_MINUTE, MINUTES_A_CELL, MINUTES_AN_EXERCISE = 130, 1, 20
WIDTH, ROW, BOX, HEIGHT = 120, 88, 106, 58  # of the picture, in its own units: columns, rows, and boxes in them


@dataclass(frozen=True)
class Chapter:
    """One chapter, written or not.

    Attributes:
        part: the part of the book that it belongs to.
        needs, helps: numbers of the chapters without which it cannot be read, and with which it is easier.
        docname: of its page; None if it is not written yet.
        word: what people search for, if the title has another word for it.
        asks: its question, for the front page.
    """

    number: int
    title: str
    part: str
    short: tuple[str, ...]
    needs: tuple[int, ...]
    helps: tuple[int, ...]
    at: tuple[float, float]
    docname: str | None
    word: str = ""
    asks: str = ""

    @property
    def stands(self) -> bool:
        return self.docname is not None

    @property
    def known_as(self) -> str:
        """The title with the known word first: ``GANs: the minimax game``, ``Audio: WaveNet``."""
        first, *others = self.title.split()
        if first[1:] == first[1:].lower():                                     # not a name with capitals inside
            first = first.lower()
        return f"{self.word}: {' '.join([first, *others])}" if self.word else self.title


def load(root: Path) -> tuple[dict[int, Chapter], dict]:
    """The chapters by number, and the whole data file."""
    data = yaml.safe_load((root / "book" / "chapters.yml").read_text(encoding="utf-8"))
    there = {int(path.name[:2]): f"notebooks/{path.stem}" for path in (root / "notebooks").glob("[0-9][0-9]-*.ipynb")}
    chapters = {
        entry["number"]: Chapter(
            entry["number"], entry["title"], entry["part"], tuple(entry["short"]),
            tuple(entry["needs"]), tuple(entry.get("helps", ())), tuple(entry["at"]), there.get(entry["number"]),
            entry.get("word", ""), entry.get("asks", ""),
        )
        for entry in data["chapters"]
    }  # fmt: skip
    return chapters, data


def path_to(chapters: dict[int, Chapter], goals: list[int]) -> list[int]:
    """The goals and all that they need, in the order of the book.

    Raises:
        ValueError: if chapters need each other in a circle.
    """
    found: set[int] = set()

    def walk(number, above):
        if number in above:
            raise ValueError(f"chapters {', '.join(map(str, sorted(above)))} need each other")
        for needed in chapters[number].needs:
            walk(needed, above | {number})
        found.add(number)

    for goal in goals:
        walk(goal, frozenset())
    return sorted(found)


@dataclass(frozen=True)
class Time:
    """Minutes that a chapter takes: to read, and to do the exercises."""

    reading: int
    exercises: int


def time_of(notebook: dict) -> Time:
    """Estimated from what the page holds: words, cells of code, exercises; solutions are not counted."""
    words = cells = exercises = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if "solution" in cell.get("metadata", {}).get("tags", []):
            continue
        if cell["cell_type"] == "markdown":
            exercises += len(re.findall(r"^(?:`{3,}|:{3,})\{exercise(?:-start)?\}", source, flags=re.MULTILINE))
            words += len(re.sub(r"(?s)(`{3,}|:{3,})\{solution\}.*?\n\1", "", source).split())
        elif source.strip():
            cells += 1
    return Time(round(words / WORDS_A_MINUTE + cells * MINUTES_A_CELL), exercises * MINUTES_AN_EXERCISE)


def times(root: Path, chapters: dict[int, Chapter]) -> dict[int, Time]:
    """The time of every chapter that stands."""
    found = {}
    for number, chapter in chapters.items():
        if chapter.stands:
            notebook = json.loads((root / f"{chapter.docname}.ipynb").read_text(encoding="utf-8"))
            found[number] = time_of(notebook)
    return found


def hours(minutes: float) -> str:
    """A time in half hours: ``1½ h``."""
    halves = max(1, round(minutes / 30))
    whole, half = divmod(halves, 2)
    return (str(whole) if whole else "") + ("½" if half else "") + "\N{NO-BREAK SPACE}h"


def in_words(chapters: dict[int, Chapter], path: list[int], taken: dict[int, Time]) -> str:
    """What to read for a goal, as a sentence: ``Read 3, 4 and 5, about 6 h. Not written yet: 7.``"""
    there = [str(n) for n in path if chapters[n].stands]
    missing = [str(n) for n in path if not chapters[n].stands]
    said = ""
    if there:
        plural = "s" if len(there) > 1 else ""
        said = f"Read chapter{plural} {_and(there)}: about {hours(sum(taken[int(n)].reading for n in there))}."
    if missing:
        said += f" Not written yet: {_and(missing)}."
    return said.strip()


def _and(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def in_runs(numbers: list[int]) -> str:
    """Numbers in order, neighbours as a range: ``1–4, 6 and 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [f"{run[0]}–{run[-1]}" if len(run) > 2 else None for run in runs]
    return _and([text for run, span in zip(runs, shown, strict=True) for text in ([span] if span else map(str, run))])


def by_part(chapters: dict[int, Chapter]) -> dict[str, list[Chapter]]:
    """The chapters of each part, in order."""
    parts: dict[str, list[Chapter]] = {}
    for chapter in chapters.values():
        parts.setdefault(chapter.part, []).append(chapter)
    return parts


# --- The picture ----------------------------------------------------------------------------------------------


def _edge(one: Chapter, other: Chapter) -> str:
    """A path from the lower edge of one box to the upper edge of another; round the boxes in between."""
    (c, r), (d, s) = one.at, other.at
    x0, y0 = c * WIDTH + WIDTH / 2, r * ROW + HEIGHT + 6
    x1, y1 = d * WIDTH + WIDTH / 2, s * ROW + 2
    if r == s:  # side by side
        y = r * ROW + 4 + HEIGHT / 2
        x0, x1 = (x0 + BOX / 2 + 2, x1 - BOX / 2 - 4) if d > c else (x0 - BOX / 2 - 2, x1 + BOX / 2 + 4)
        return f"M{x0:g} {y:g}L{x1:g} {y:g}"
    if c == d and abs(s - r) == 1:
        return f"M{x0:g} {y0:g}L{x1:g} {y1:g}"
    # leave downwards, run down the gap between two columns, arrive from above
    gap = (d + (0 if c < d or (c == d and d > 0) else 1)) * WIDTH
    if c == d == 0:
        gap = 4
    top, low = r * ROW + HEIGHT + 18, s * ROW - 10
    if abs(s - r) == 1:
        return f"M{x0:g} {y0:g}C{x0:g} {y1 - 2:g} {x1:g} {y0 + 2:g} {x1:g} {y1:g}"
    side = 1 if gap > x0 else -1
    back = 1 if x1 > gap else -1
    return (
        f"M{x0:g} {y0:g}Q{x0:g} {top:g} {x0 + 10 * side:g} {top:g}L{gap - 8 * side:g} {top:g}"
        f"Q{gap:g} {top:g} {gap:g} {top + 8:g}L{gap:g} {low - 8:g}"
        f"Q{gap:g} {low:g} {gap + 8 * back:g} {low:g}L{x1 - 10 * back:g} {low:g}Q{x1:g} {low:g} {x1:g} {y1:g}"
    )


def picture(chapters: dict[int, Chapter], address) -> str:
    """The map as an SVG: a box a chapter, an arrow to it from each that it needs, unless another leads there already.

    Args:
        address: from a docname to what its link should say.
    """
    columns = max(chapter.at[0] for chapter in chapters.values()) + 1
    rows = max(chapter.at[1] for chapter in chapters.values()) + 1
    parts = []
    for chapter in chapters.values():
        for number in chapter.needs:
            others = [other for other in chapter.needs if other != number]
            if number not in path_to(chapters, others):
                edge = _edge(chapters[number], chapter)
                parts.append(f'<path data-from="{number}" data-to="{chapter.number}" d="{edge}"/>')
    for chapter in chapters.values():
        parts.append(_box(chapter, address))
    size = f"0 0 {columns * WIDTH:g} {(rows - 1) * ROW + HEIGHT + 10:g}"
    head = (
        '<marker id="dgm-map-head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path class="dgm-map-tip" d="M0 0L8 4L0 8z"/></marker>'
    )
    return (
        f'<svg class="dgm-map-picture" viewBox="{size}" role="group" aria-label="Map of the chapters. An arrow leads '
        f'from a chapter to one that needs it. The table below says the same.">'
        f'<defs>{head}</defs>{"".join(parts)}</svg>'
    )


def _box(chapter: Chapter, address) -> str:
    x, y = chapter.at[0] * WIDTH + (WIDTH - BOX) / 2, chapter.at[1] * ROW + 4
    middle = chapter.at[0] * WIDTH + WIDTH / 2
    lines = [f'<text class="dgm-map-number" x="{x + 9:g}" y="{y + 17:g}">{chapter.number}</text>']
    if not chapter.stands:
        lines.append(f'<text class="dgm-map-when" x="{x + BOX - 7:g}" y="{y + 16:g}">not written</text>')
    first = y + 50 - 7 * len(chapter.short)
    for place, line in enumerate(map(html.escape, chapter.short)):
        lines.append(f'<text class="dgm-map-title" x="{middle:g}" y="{first + 13.5 * place:g}">{line}</text>')
    inner = f'<rect x="{x:g}" y="{y:g}" width="{BOX}" height="{HEIGHT}" rx="7"/>{" ".join(lines)}'
    label = html.escape(f"Chapter {chapter.number}: {chapter.title}", quote=True)
    group = f'class="dgm-map-box" data-chapter="{chapter.number}"'
    if chapter.stands:
        return f'<a {group} href="{html.escape(address(chapter.docname))}">{inner}</a>'
    return f'<g {group} data-soon="" role="img" aria-label="{label}, not written yet">{inner}</g>'


def chooser(chapters: dict[int, Chapter], goals: list[dict], taken: dict[int, Time]) -> str:
    """The control above the picture: "I want …"; hidden until the script is there."""
    groups = []
    topics = [(goal["want"], goal["chapters"]) for goal in goals]
    titles = [(f"{chapter.number} · {chapter.title}", [chapter.number]) for chapter in chapters.values()]
    for name, entries in (("A topic", topics), ("A chapter", titles)):
        options = []
        for text, wanted in entries:
            path = path_to(chapters, wanted)
            said = html.escape(in_words(chapters, path, taken), quote=True)
            numbers = " ".join(map(str, path))
            options.append(f'<option value="{numbers}" data-says="{said}">{html.escape(text)}</option>')
        groups.append(f'<optgroup label="{name}">{"".join(options)}</optgroup>')
    return (
        '<div class="dgm-map-chooser" hidden><label><span>I want</span> '
        f'<select><option value="" data-says="">… (choose)</option>{"".join(groups)}</select></label>'
        '<p class="dgm-map-says" aria-live="polite"></p></div>'
    )
