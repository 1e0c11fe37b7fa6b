"""The glossary, and links to it: the first use of each term in a chapter leads to its definition.

Directive
    ``{terms}``: the glossary, from ``book/glossary.yml``.

The rule of the links: running text alone (paragraphs, lists, theorems), so not in headings, code, formulas, tables,
other links or the box that opens a chapter; whole words; the longer of two terms at one place; each entry once a page.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.util.index_entries import split_index_msg
from sphinx.util.nodes import make_refnode

sys.path.insert(0, str(Path(__file__).parent))
import dgm_chapters as graph  # noqa: E402
from dgm_pages import Page  # noqa: E402

DATA = "book/glossary.yml"


@dataclass(frozen=True)
class Entry:
    """One definition: its names, the chapter that treats it, the text, and what to look for."""

    terms: tuple[str, ...]
    chapter: int
    says: str
    find: tuple[str, ...]

    @property
    def plain(self) -> str:
        """The text without markup, for a tooltip."""
        text = self.says.replace("$", "").replace(r"\,", "").replace(r"\|", "‖")
        text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", text)
        for command, sign in _SIGNS.items():
            text = re.sub(rf"\\{command}(?![a-z])\s?", sign, text)
        return re.sub(r"_(\d)", lambda found: "₀₁₂₃₄₅₆₇₈₉"[int(found[1])], text)


_SIGNS = {"log": "log ", "tanh": "tanh ", "mid": "| ", "cdot": "· ", "sigma": "σ", "mu": "μ", "varepsilon": "ε"}


def load(root: Path) -> list[Entry]:
    """Every entry, in the order of the file."""
    return [
        Entry(tuple(e["terms"]), e["chapter"], e["says"], tuple(e.get("find", e["terms"])))
        for e in yaml.safe_load((root / DATA).read_text(encoding="utf-8"))
    ]


class Finder:
    """Finds terms in text, in order, the longer of two at one place."""

    def __init__(self, entries: list[Entry]):
        wanted = {text: entry for entry in entries for text in entry.find}
        self._entries = [wanted[text] for text in sorted(wanted, key=len, reverse=True)]
        pieces = [f"({self._pattern(text)})" for text in sorted(wanted, key=len, reverse=True)]
        self._regex = re.compile(rf"(?<![\w\-–])(?:{'|'.join(pieces)})(?![\w]|-\w)")

    @staticmethod
    def _pattern(text: str) -> str:
        first, rest = text[0], text[1:]
        head = f"[{first}{first.upper()}]" if first.islower() else re.escape(first)
        rest = re.escape(rest).replace(r"\ ", r"\s+").replace("'", "['’]")
        return head + rest + ("" if text.endswith("s") else "s?")

    def __call__(self, text: str):
        """Start, end and entry of each term in ``text``, without overlap."""
        for found in self._regex.finditer(text):
            yield found.start(), found.end(), self._entries[found.lastindex - 1]


_NOT_IN = (
    nodes.title, nodes.literal, nodes.literal_block, nodes.reference, nodes.math, nodes.math_block, nodes.raw,
    nodes.table, nodes.caption, nodes.footnote, nodes.citation, nodes.rubric, nodes.term, addnodes.pending_xref,
)  # fmt: skip


def is_running_text(text: nodes.Text) -> bool:
    """Is this text a reader's sentence, rather than a heading, code, a formula, a link or a table?"""
    paragraph = False
    above = text.parent
    while above is not None:
        if isinstance(above, _NOT_IN) or (isinstance(above, nodes.Admonition) and "tip" in above.get("classes", [])):
            return False
        paragraph = paragraph or isinstance(above, nodes.paragraph)
        above = above.parent
    return paragraph


def link_first_uses(doctree: nodes.Node, entries: list[Entry], make) -> list[Entry]:
    """Replace the first use of each entry by ``make(entry, text)``; gives the entries that were used, in order."""
    finder, used = Finder(entries), []
    for text in [node for node in doctree.findall(nodes.Text) if is_running_text(node)]:
        parts, done, words = [], 0, text.astext()
        for start, end, entry in finder(words):
            if entry in used:
                continue
            used.append(entry)
            parts += [nodes.Text(words[done:start]), make(entry, words[start:end])]
            done = end
        if parts:
            text.parent.replace(text, [part for part in (*parts, nodes.Text(words[done:])) if part.astext()])
    return used


class Terms(Page):
    """The glossary itself."""

    def run(self):
        self.read(self.root / DATA)
        chapters, _ = graph.load(self.root)
        lines = [":::{glossary}", ":sorted:"]
        for entry in load(self.root):
            chapter = chapters[entry.chapter]
            where = f"[Chapter {entry.chapter}](../{chapter.docname}.ipynb)" if chapter.stands else "Chapter to come"
            lines += ["", *entry.terms, f"    {entry.says} {where}."]
        return self.markdown("\n".join([*lines, ":::"]))


def note_data(app, doctree):
    """A chapter is written again when the glossary changes."""
    if app.env.docname.startswith("notebooks/"):
        app.env.note_dependency(str(Path(app.srcdir) / DATA))


def link_chapter(app, doctree, docname):
    """Link the terms of a chapter."""
    places = app.env.domaindata["std"]["objects"]
    if not docname.startswith("notebooks/") or app.builder.format != "html":
        return
    entries = [entry for entry in load(Path(app.srcdir)) if ("term", entry.terms[0]) in places]

    def make(entry, words):
        page, anchor = places["term", entry.terms[0]]
        link = make_refnode(app.builder, docname, page, anchor, nodes.Text(words), entry.plain)
        link["classes"].append("dgm-term")
        return link

    link_first_uses(doctree, entries, make)


def keep_index_entries(app):
    """Terms stay findable when only some pages are built again: Sphinx forgets the index entries of the others."""
    indexer = getattr(app.builder, "indexer", None)
    if indexer is not None:
        for docname, entries in app.env.get_domain("index").entries.items():
            found = {(part, target, main) for kind, value, target, main, _ in entries if kind == "single"
                     for part in split_index_msg(kind, value)}  # fmt: skip
            indexer._index_entries.setdefault(docname, sorted(found))
    return []


def setup(app):
    """Register the directive and the links."""
    app.add_directive("terms", Terms)
    app.connect("doctree-read", note_data)
    app.connect("html-collect-pages", keep_index_entries)
    app.connect("doctree-resolved", link_chapter, priority=800)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
