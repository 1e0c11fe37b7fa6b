"""A deck for each chapter, from its headings, theorems, figures and claims: HTML that needs no network.

    python tools/slides.py FOLDER [NN …]       all chapters of the built book (make book), or those named

Arrow keys, space and a tap turn the pages; figures that move do so here, too. Printing gives one slide a sheet. The
teacher says the rest: a deck holds what one wants to point at, and nothing else of the page.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
LEFT_OUT = {"set-up", "setup", "check-yourself", "exercises"}  # sections that a lecture does not show
STATEMENTS = "theorem definition proposition lemma corollary".split()
CLAIMS = 5          # on one slide
WORDS = 45          # of a paragraph that is short enough for a slide

STYLE = """
html{scroll-padding-top:0} body{margin:0;overflow:hidden} .slide{box-sizing:border-box;height:100vh;padding:5vh 7vw 7vh;
display:flex;flex-direction:column;justify-content:center;overflow:auto;--fit:1;
font-size:calc(var(--fit)*clamp(1rem,2.1vw,1.9rem))}
.slide[hidden]{display:none} .slide h1{font-size:2em} .slide h2{font-size:1.35em;margin:0 0 .8em}
.slide figure.dgm-figure svg{width:auto!important;max-width:100%!important;height:auto;max-height:calc(var(--fit)*62vh)}
.slide .dgm-moving svg{max-height:calc(var(--fit)*48vh)} .slide .proof{width:100%;box-sizing:border-box}
.slide figcaption{font-size:.75em} .slide .dgm-claim{margin:.7em 0;font-size:.85em}
.at{position:fixed;right:1rem;bottom:.5rem;color:#666;font:0.8rem sans-serif}
@media print{body{overflow:visible}.slide,.slide[hidden]{display:flex;break-after:page}.at{display:none}
@page{size:297mm 167mm}}
"""
SCRIPT = """
const slides = [...document.querySelectorAll('.slide')], at = document.querySelector('.at');
function show(n) {
    n = Math.max(0, Math.min(n, slides.length - 1));
    slides.forEach((slide, i) => { slide.hidden = i !== n; });
    const slide = slides[n];
    for (let fit = 1; fit > 0.4; fit *= 0.93) {                 // what is too much for the screen gets smaller
        slide.style.setProperty('--fit', fit);
        if (slide.scrollHeight <= slide.clientHeight + 1 && slide.scrollWidth <= slide.clientWidth + 1) break;
    }
    at.textContent = `${n + 1} / ${slides.length}`;
    history.replaceState(null, '', `#${n + 1}`);
    return n;
}
addEventListener('resize', () => show(now));
let now = show((parseInt(location.hash.slice(1)) || 1) - 1);
addEventListener('keydown', event => {
    if (event.target.matches('input, button, select, summary, a')) return;
    const step = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1,
                  Home: -Infinity, End: Infinity}[event.key];
    if (step) { event.preventDefault(); now = show(now + step); }
});
addEventListener('click', event => {
    if (!event.target.closest('a, input, button, label, summary, figure'))
        now = show(now + (event.clientX < innerWidth / 3 ? -1 : 1));
});
"""


def slides_of(article: Tag) -> Iterator[str]:
    """The inside of each slide, in the order of the page."""
    chapter = article.find("section")
    assert chapter is not None
    title, first = chapter.find("h1"), chapter.find("p")
    yield f"<h1>{_heading(title)}</h1>{first}"
    yield from _of_section(chapter, _heading(title))


def _of_section(section: Tag, heading: str) -> Iterator[str]:
    top = f"<h2>{heading}</h2>"
    own = [child for child in section.find_all(recursive=False) if child.name not in ("section", "h1", "h2", "h3")]
    statements = [each for child in own for each in _statements(child)]
    lead = next((child for child in own if child.name == "p"), None)
    words = lead.get_text().split() if lead is not None and section.find("h1", recursive=False) is None else []
    short = lead if 0 < len(words) <= WORDS and words[-1].endswith((".", "?", "!")) else None
    lists = [child for child in own if child.name == "ul"] if section.get("id") == "summary" else []
    if short or statements or lists:
        yield top + (str(short) if short else "") + "".join(map(str, [*statements[:1], *lists]))
    for statement in statements[1:]:
        yield top + str(statement)
    for child in own:
        for figure in child.select("figure.dgm-figure"):
            if "This is a still" in figure.get_text():  # of a live cell, which a deck does not have
                continue
            script = figure.find_next_sibling("script")
            yield top + str(figure) + (str(script) if script else "")
    claims = [claim for child in own for claim in child.select(".dgm-claim")]
    for start in range(0, len(claims), CLAIMS):
        yield top + "".join(map(str, claims[start : start + CLAIMS]))
    for part in section.find_all("section", recursive=False):
        if part.get("id") not in LEFT_OUT and not part.select(".exercise"):
            yield from _of_section(part, _heading(part.find(["h2", "h3", "h4"])))


def _statements(child: Tag) -> list[Tag]:
    kinds = set(child.get("class") or ())
    return [child] if "proof" in kinds and kinds & set(STATEMENTS) else []


def _heading(tag: Tag | None) -> str:
    return "" if tag is None else tag.decode_contents()


def deck(page: Path) -> str:
    """The deck of a built chapter, as one page that stands beside a copy of ``_static``."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    if article is None:
        raise ValueError(f"{page} is not a page of the built book")
    for link in article.select("a.headerlink"):
        link.decompose()
    for link in article.select("a[href]"):  # the deck goes alone: its links lead nowhere
        link.name, link.attrs = "span", {"class": link.get("class", [])}
    styles = "".join(f'<link rel="stylesheet" href="{link["href"].removeprefix("../")}">'
                     for link in soup.select("link[rel=stylesheet]"))
    inner = "\n".join(f'<section class="slide">{slide}</section>' for slide in slides_of(article))
    title = soup.title.get_text() if soup.title else page.stem
    return (f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width,initial-scale=1">{styles}<style>{STYLE}</style></head>'
            f'<body><article class="bd-article">{inner}</article><div class="at" aria-hidden="true"></div>'
            f"<script>{SCRIPT}</script></body></html>")


def write(folder: Path, wanted: list[str]) -> list[Path]:
    """Write a deck for each chapter named, all if none is, and what they need beside them."""
    pages = sorted((HTML / "notebooks").glob("[0-9][0-9]-*.html"))
    if not pages:
        raise SystemExit("the book is not built: make book")
    pages = [page for page in pages if 'class="exercise' in page.read_text(encoding="utf-8")]  # not those that lead on
    chosen = [page for page in pages if not wanted or page.name[:2] in wanted]
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(HTML / "_static" / "book", folder / "_static" / "book", dirs_exist_ok=True)
    written = []
    for page in chosen:
        written.append(folder / page.name)
        written[-1].write_text(deck(page), encoding="utf-8")
    return written


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in write(Path(sys.argv[1]), sys.argv[2:]):
        print(path)
