"""What each chapter takes: a page from ``book/runtimes.json``, which the tools and the suite write.

Directive
    ``{runtimes}``: one row a chapter.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "tools")]
import dgm_chapters as graph  # noqa: E402
import runtimes  # noqa: E402
from dgm_pages import Page  # noqa: E402
from dgm_tables import table  # noqa: E402


def rows(chapters, known: dict, digests: dict[str, str]) -> list[list[str]]:
    """A row for each chapter that stands: its title, what it took, and when and how it was last verified.

    Args:
        digests: of the code that each notebook holds now, to tell whether it has changed since.
    """
    found = []
    for number, chapter in chapters.items():
        if not chapter.stands:
            continue
        name = Path(chapter.docname).name
        title = f"[{number} · {chapter.title}](../{chapter.docname}.ipynb)"
        entry = known.get(name)
        if entry is None:
            found.append([title, "", "", "not measured yet", ""])
            continue
        when = f"{entry['date']}, {entry['by']}"
        if runtimes.was_busy(entry):
            when += "; timed on a busy machine"
        if entry["code"] != digests[name]:
            when += "; **its code has changed since**"
        found.append([title, f"{entry['cpu_seconds']:.0f} s", f"{entry['peak_mib']:,.0f} MiB", when, entry["torch"]])
    return found


class Runtimes(Page):
    """The table."""

    def run(self):
        self.env.note_dependency(str(runtimes.FILE))
        chapters, _ = graph.load(self.root)
        digests = {}
        for chapter in chapters.values():
            if chapter.stands:
                path = self.root / f"{chapter.docname}.ipynb"
                digests[path.stem] = runtimes.code_digest(json.loads(self.read(path)))
        known = runtimes.load(self.root / "book" / "runtimes.json")["chapters"]
        total = sum(entry["cpu_seconds"] for name, entry in known.items() if name in digests)
        lines = table(["chapter", "time", "memory", "last verified", "torch"], rows(chapters, known, digests), {1, 2})
        return self.markdown(f"{lines}\n\nAll together: {total / 60:.1f} minutes.")


def setup(app):
    """Register the directive."""
    app.add_directive("runtimes", Runtimes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
