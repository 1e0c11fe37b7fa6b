"""What the book's directives share: a page whose sections are made from the project's files."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class Page(SphinxDirective):
    """A directive that makes sections from files."""

    @property
    def root(self) -> Path:
        return Path(self.env.srcdir)

    def read(self, path: Path) -> str:
        self.env.note_dependency(str(path))
        return path.read_text(encoding="utf-8")

    def section(self, title: str, anchor: str, *content) -> nodes.section:
        section = nodes.section("", nodes.title(title, title), *content, ids=[anchor], names=[anchor])
        self.state.document.note_explicit_target(section)
        return section

    def markdown(self, text: str) -> list[nodes.Node]:
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), self.get_source_info()[0]), self.content_offset, holder)
        return holder.children

    def raw(self, markup: str) -> nodes.raw:
        return nodes.raw("", markup, format="html")


def relative_page(here: str, there: str) -> str:
    """The address of page ``there`` as seen from page ``here``."""
    return "../" * here.count("/") + there + ".html"
