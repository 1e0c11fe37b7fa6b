"""Stills of the stored figures, for paper: what of a figure's markup shows when nothing moves.

Plain functions from markup to markup. ``tools/pdf.py`` draws each still as a PDF, which ``dgm_latex.py`` sets.
"""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Still:
    """One figure as paper shows it.

    Attributes:
        markup: the picture: SVG, or HTML that holds some.
        alt: what it shows, in words. caption: what stands below it, or nothing.
        moves: whether there is more to see in the page.
    """

    markup: str
    alt: str
    caption: str
    moves: bool

    @property
    def name(self) -> str:
        """A file name that changes with the picture."""
        return "still-" + hashlib.sha256(self.markup.encode()).hexdigest()[:16]


_PICTURE = re.compile(r'<div(?: class="dgm-frame")? role="img" aria-label="(?P<alt>[^"]*)"(?P<hidden> hidden)?>')
_END = re.compile(r'<div class="dgm-controls"|<figcaption>|</figure>')


def still_of(markup: str) -> Still | None:
    """The still of one output of a notebook; None if it is no figure.

    Raises:
        ValueError: if a figure holds no picture that shows.
    """
    if not markup.startswith('<figure class="dgm-figure'):
        return None
    pictures = list(_PICTURE.finditer(markup))
    shown = [i for i, picture in enumerate(pictures) if not picture["hidden"]]
    if not shown:
        raise ValueError(f"a figure without a picture that shows: {markup[:80]}")
    opening = pictures[shown[0]]
    more = len(pictures) > shown[0] + 1
    stop = pictures[shown[0] + 1].start() if more else _END.search(markup, opening.end()).start()
    inner = _balanced(markup[opening.end():stop])
    caption = re.search(r"<figcaption>(.*?)</figcaption>", markup, flags=re.DOTALL)
    words = html.unescape(re.sub(r"<[^>]+>", "", caption[1])) if caption else ""
    return Still(inner, html.unescape(opening["alt"]), words, "dgm-moving" in markup[: opening.start()])


def _balanced(piece: str) -> str:
    """``piece`` up to where the ``<div>`` that it is the inside of ends."""
    depth = 1
    for tag in re.finditer(r"<(/?)div\b", piece):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return piece[: tag.start()]
    return piece


def stills_of(notebook: dict) -> list[Still]:
    """Every figure of a notebook (as read from JSON), in order."""
    found = []
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html", "")
            still = still_of(markup if isinstance(markup, str) else "".join(markup))
            if still:
                found.append(still)
    return found


def page_of(still: Still) -> str:
    """A page of HTML with this picture alone, black on white, in the style sheet's light colours."""
    style = Path(__file__).parent.with_name("_static") / "dgm.css"
    light = style.read_text(encoding="utf-8").split('html[data-theme="dark"]')[0]
    variables = "".join(re.findall(r"--dgm-\w+: #[0-9a-f]+;", light))
    return (
        f"<!doctype html><meta charset=utf-8><style>html{{{variables}}}body{{margin:0;color:#000;"
        "font-family:'DejaVu Sans',sans-serif}#still{display:inline-block;max-width:660px}"
        "svg,img{display:block}svg text{font-family:'DejaVu Sans',sans-serif!important}"
        f"</style><div id=still>{still.markup}</div>"
    )
