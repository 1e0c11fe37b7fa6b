"""What the files already say: every claim and moving figure that a notebook stores.

Plain functions from files to text; ``dgm_book.py`` puts what they give on the pages.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from html.parser import HTMLParser

# --- Claims: from the stored outputs of the notebooks ---------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """One checked statement on a page.

    ``of``: labels of what it checks. ``record``: the commands that make the stored results it was read from.
    """

    label: str
    statement: str
    evidence: str
    law: str
    of: tuple[str, ...] = ()
    record: tuple[str, ...] = ()


class _ClaimReader(HTMLParser):
    """Finds ``<div class="dgm-claim" …>`` and the texts of its statement and its evidence."""

    def __init__(self):
        super().__init__()
        self.claims: list[Claim] = []
        self._fields: dict[str, str] | None = None
        self._field = None
        self._depth = 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        classes = (attrs.get("class") or "").split()
        if tag == "div" and "dgm-claim" in classes:
            self._fields = {"label": attrs.get("data-label", ""), "law": attrs.get("data-law", "")}
            self._of = (attrs.get("data-of") or "").split()
            self._record = (attrs.get("data-record") or "").splitlines()
            self._depth = 0
        if self._fields is not None:
            self._depth += tag == "div"
            for name in ("statement", "evidence"):
                if f"dgm-claim-{name}" in classes:
                    self._field = (name, tag)
                    self._fields[name] = ""

    def handle_data(self, data):
        if self._fields is not None and self._field:
            self._fields[self._field[0]] += data

    def handle_endtag(self, tag):
        if self._field and tag == self._field[1]:
            self._field = None
        if tag == "div" and self._fields is not None:
            self._depth -= 1
            if self._depth == 0:
                found = {"statement": "", "evidence": "", **self._fields}
                texts = {name: " ".join(text.split()) for name, text in found.items()}
                self.claims.append(Claim(**texts, of=tuple(self._of), record=tuple(self._record)))
                self._fields = None


def claims_of(notebook: dict) -> list[Claim]:
    """Every claim whose tick is stored in a notebook (as read from JSON), in order."""
    reader = _ClaimReader()
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html", "")
            reader.feed(markup if isinstance(markup, str) else "".join(markup))
    return reader.claims


def title_of(notebook: dict) -> str:
    """The first heading of a notebook."""
    for cell in notebook.get("cells", []):
        if cell.get("cell_type") == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return "Untitled"


def claims_html(claims: list[Claim], page: str, laws: str = "") -> str:
    """The claims of one chapter as a list, each linked to its place on ``page`` and to its law on the page ``laws``."""
    items = []
    for claim in claims:
        law = ""
        if claim.law:
            name = f"<code>{html.escape(claim.law)}</code>"
            link = f'<a href="{laws}#dgmhelpers.laws.{html.escape(claim.law)}">{name}</a>' if laws else name
            law = f' <span class="dgm-claim-law">law: {link}</span>'
        kind, mark = (' class="dgm-claim-record"', "◆") if claim.record else ("", "✓")
        items.append(
            f'<li{kind}><span class="dgm-claim-mark" aria-hidden="true">{mark}</span> '
            f'<a href="{html.escape(page)}#claim-{html.escape(claim.label)}">{html.escape(claim.statement)}</a>: '
            f"<b>{html.escape(claim.evidence)}</b>{law}</li>"
        )
    return f'<ul class="dgm-claims">{"".join(items)}</ul>'


# --- Moving figures: from the stored outputs of the notebooks --------------------------------------------------


def moving_figure(notebook: dict, label: str) -> str | None:
    """The markup of the stored moving figure whose slider is called ``label``, without its caption; None if none is."""
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html", "")
            markup = markup if isinstance(markup, str) else "".join(markup)
            if "dgm-frames" in markup and f"<span>{html.escape(label)}</span>" in markup:
                return re.sub(r"<figcaption>.*?</figcaption>", "", markup, flags=re.DOTALL)
    return None
