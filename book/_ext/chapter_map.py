"""Ways into the book: the map of the chapters, what a goal comes to, and courses of so many weeks.

Directives, all made from ``book/chapters.yml`` and the notebooks
    ``{chapter-map}``: the map, with a control that lights up the way to a goal.
    ``{chapter-goals}``: the same as a table.  ``{chapter-list}``: each chapter with its needs and its time.
    ``{chapter-courses}``: one section a course.
    ``{chapter-state}``: a sentence that says what is written.  ``{chapter-cards}``: the cards of the front page.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import dgm_chapters as graph  # noqa: E402
from dgm_pages import Page, relative_page  # noqa: E402
from dgm_tables import table  # noqa: E402


class _Chapters(Page):
    """A directive that knows the chapters."""

    def load(self):
        self.read(self.root / "book" / "chapters.yml")
        self.chapters, self.data = graph.load(self.root)
        for chapter in self.chapters.values():
            if chapter.stands:
                self.env.note_dependency(str(self.root / f"{chapter.docname}.ipynb"))
        self.taken = graph.times(self.root, self.chapters)

    def link(self, number: int, title: bool = False) -> str:
        """A chapter in Markdown: a link if it is written, marked if not."""
        chapter = self.chapters[number]
        text = f"{number} · {chapter.title}" if title else str(number)
        if not chapter.stands:
            return f"{text} *(not written yet)*" if title else f"*{number}*"
        return f"[{text}](../{chapter.docname}.ipynb)"

    def names(self, numbers) -> str:
        return ", ".join(self.link(number) for number in sorted(numbers)) or "–"

    def minutes(self, numbers) -> int:
        return sum(self.taken[number].reading for number in numbers if number in self.taken)


class Map(_Chapters):
    """The picture and its control."""

    def run(self):
        self.load()
        drawn = graph.picture(self.chapters, lambda docname: relative_page(self.env.docname, docname))
        control = graph.chooser(self.chapters, self.data["goals"], self.taken)
        return [self.raw(f'<div class="dgm-map">{control}<div class="dgm-map-field">{drawn}</div></div>')]


class Goals(_Chapters):
    """What a goal comes to, as a table."""

    def run(self):
        self.load()
        rows = []
        for goal in self.data["goals"]:
            path = graph.path_to(self.chapters, goal["chapters"])
            there = [number for number in path if self.chapters[number].stands]
            missing = ", ".join(str(number) for number in path if number not in there)
            rows.append([goal["want"], self.names(there), missing or "–", graph.hours(self.minutes(there))])
        return self.markdown(table(["I want", "read, in this order", "not written yet", "reading"], rows, right={3}))


class List(_Chapters):
    """Each chapter with what it needs and how long it takes."""

    def run(self):
        self.load()
        rows = []
        for number, chapter in self.chapters.items():
            taken = self.taken.get(number)
            both = [graph.hours(taken.reading), graph.hours(taken.exercises)] if taken else ["", ""]
            rows.append([self.link(number, title=True), self.names(chapter.needs), self.names(chapter.helps), *both])
        header = ["chapter", "needs", "helped by", "reading", "exercises"]
        return self.markdown(table(header, rows, right={3, 4}))


class Courses(_Chapters):
    """One section a course, week by week."""

    def run(self):
        self.load()
        return [self._course(course) for course in self.data["courses"]]

    def _course(self, course: dict):
        weeks, rows = course["weeks"], []
        for week, entry in enumerate(course["plan"], start=1):
            read = "; ".join(self.link(number, title=True) for number in entry["chapters"])
            if "until" in entry and not all(self.chapters[number].stands for number in entry["chapters"]):
                instead = entry["until"]
                if isinstance(instead, list):
                    instead = " and ".join(self.link(number, title=True) for number in instead)
                read += f". Until then: {instead}"
            reading = self.minutes(entry["chapters"])
            rows.append([str(week), read, ", ".join(entry.get("hand_in", [])), graph.hours(reading) if reading else ""])
        state = "All of its chapters are written."
        soon = sum(not self.chapters[n].stands for entry in course["plan"] for n in entry["chapters"])
        if soon:
            many = "One of its chapters is" if soon == 1 else f"{soon} of its chapters are"
            state = f"**{many} not written yet;** the plan says what to do instead."
        header = ["week", "read", "hand in", "reading"]
        text = f"{course['about'].strip()} {state}\n\n{table(header, rows, right={0, 3})}"
        return self.section(f"{weeks} weeks: {course['title'].lower()}", f"course-{weeks}", *self.markdown(text))


class State(_Chapters):
    """What is written, and what is not, in two sentences."""

    def run(self):
        self.load()
        numbers = [chapter.number for chapter in self.chapters.values() if chapter.stands]
        empty = [part for part, own in graph.by_part(self.chapters).items() if not any(each.stands for each in own)]
        said = f"{len(numbers)} of {len(self.chapters)} chapters are written: {graph.in_runs(numbers)}."
        if empty:
            said += f" Not begun: {'; '.join(part[0].lower() + part[1:] for part in empty)}."
        return self.markdown(f"**What is there.** {said}")


class Cards(_Chapters):
    """A card for each chapter that is written, part by part, and a line for those that are not."""

    def run(self):
        self.load()
        return self.markdown("\n\n".join(self._part(*each) for each in graph.by_part(self.chapters).items()))

    def _part(self, part: str, chapters: list[graph.Chapter]) -> str:
        cards = [
            f"::::{{grid-item-card}} {each.known_as}\n:link: ../{each.docname}\n:link-type: doc\n\n{each.asks}\n\n"
            f":::{{card-footer}}\nChapter {each.number} · {graph.hours(self.taken[each.number].reading)}\n:::\n::::"
            for each in chapters if each.stands
        ]
        soon = "; ".join(f"{each.number} {each.known_as}" for each in chapters if not each.stands)
        pieces = [f":::{{rubric}} {part}\n:::"]
        if cards:
            pieces.append(":::::{grid} 1 2 2 3\n:gutter: 2\n\n" + "\n".join(cards) + "\n:::::")
        if soon:
            pieces.append(f":::{{div}} dgm-soon\nNot written yet: {soon}.\n:::")
        return "\n\n".join(pieces)


def setup(app):
    """Register the directives."""
    app.add_directive("chapter-map", Map)
    app.add_directive("chapter-goals", Goals)
    app.add_directive("chapter-list", List)
    app.add_directive("chapter-courses", Courses)
    app.add_directive("chapter-state", State)
    app.add_directive("chapter-cards", Cards)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
