"""From equation to function to law: what of the package each statement of the chapters is, and what checks it.

Directive
    ``{equations}``: one section a chapter, from ``book/equations.yml``.
"""

from __future__ import annotations

import html
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))
import dgm_chapters as graph  # noqa: E402
import dgm_stored as stored  # noqa: E402
from dgm_pages import Page, relative_page  # noqa: E402

DATA = "book/equations.yml"


@dataclass(frozen=True)
class Statement:
    """One statement: where it stands, the code that is it, and what checks it."""

    label: str | None
    at: str | None
    title: str | None
    code: tuple[str, ...]
    laws: tuple[str, ...]
    claims: tuple[str, ...]
    tests: tuple[str, ...]


def load(root: Path) -> dict[int, list[Statement]]:
    """The statements of each chapter, by its number."""
    data = yaml.safe_load((root / DATA).read_text(encoding="utf-8"))
    lists = ("code", "laws", "claims", "tests")
    return {
        int(number): [
            Statement(entry.get("label"), entry.get("at"), entry.get("title"),
                      *(tuple(entry.get(name, ())) for name in lists))
            for entry in entries
        ]
        for number, entries in data.items()
    }  # fmt: skip


_BLOCK = re.compile(r"^(?:`{3,}|:{3,})\{prf:(theorem|definition|lemma|corollary|proposition)\}[ ]*(.*)\n((?::.*\n)*)",
                    flags=re.MULTILINE)  # fmt: skip


def labelled(notebook: dict) -> dict[str, str]:
    """Label and title of each theorem and definition of a notebook, in order.

    Raises:
        ValueError: for one without a label.
    """
    found = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        for kind, title, options in _BLOCK.findall("".join(cell["source"]) + "\n"):
            label = re.search(r"^:label: *(\S+)", options, flags=re.MULTILINE)
            if label is None:
                raise ValueError(f"a {kind} without a label: {title or 'without a title'}")
            found[label[1]] = title.strip()
    return found


class Equations(Page):
    """The index."""

    def run(self):
        self.read(self.root / DATA)
        chapters, _ = graph.load(self.root)
        sections = []
        for number, statements in load(self.root).items():
            chapter = chapters[number]
            if not chapter.stands:
                continue
            notebook = json.loads(self.read(self.root / f"{chapter.docname}.ipynb"))
            self.titles = labelled(notebook)
            self.claims = {claim.label: claim.statement for claim in stored.claims_of(notebook)}
            self.page = relative_page(self.env.docname, chapter.docname)
            text = "\n\n".join(self.entry(statement, chapter.docname) for statement in statements)
            title = f"{number} · {chapter.title}"
            sections.append(self.section(title, f"equations-{number:02d}", *self.markdown(text)))
        return sections

    def entry(self, statement: Statement, docname: str) -> str:
        """One statement in Markdown: a term, and a line for the code and for each kind of check."""
        if statement.label:
            head = f"{{prf:ref}}`{statement.label}` · {self.titles[statement.label]}"
        else:
            head = f"[{statement.title}](../{docname}.ipynb#{statement.at})"
        lines = []
        if statement.code:
            names = [f"{{py:obj}}`{name.split('.', 1)[1]} <dgmhelpers.{name}>`" for name in statement.code]
            lines.append(f"code: {', '.join(names)}")
        if statement.laws:
            lines.append("laws: " + ", ".join(f"{{py:func}}`{law} <dgmhelpers.laws.{law}>`" for law in statement.laws))
        if statement.claims:
            lines.append("checked on the page: " + "; ".join(self.claim(label) for label in statement.claims))
        if statement.tests:
            lines.append("tested: " + "; ".join(in_words(test) for test in statement.tests))
        return head + "\n" + "\n".join(f": {line}" for line in lines)

    def claim(self, label: str) -> str:
        address = f"{self.page}#claim-{label}"
        return f'<a href="{html.escape(address)}">{html.escape(self.claims[label])}</a>'


def in_words(test: str) -> str:
    """``test_nade.py::test_it_sums`` as ``it sums (tests/test_nade.py)``, the name a sentence."""
    file, name = test.split("::")
    return f"{name.removeprefix('test_').replace('_', ' ')} (`tests/{file}`)"


def setup(app):
    """Register the directive."""
    app.add_directive("equations", Equations)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
