"""The whole book as a PDF, good to print: `make pdf`, after `make book`.

    python tools/pdf.py [FILE]       by default into _build; says where it is, and what is wrong with it

Chromium, the one that the browser tests use, prints each page of the built book with the style sheet ``pdf.css``:
solutions open, one still of a figure that moves. The prints become one file, whose links lead to its own pages.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag

import yaml

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
FILE = ROOT / "_build" / "deep-generative-models-checked.pdf"
STYLE = Path(__file__).with_suffix(".css")
BOOK = "https://book.invalid/"          # where the pages seem to lie while they are printed
FLAGS = ["--no-sandbox", "--disable-gpu"]
SCALE = 0.8                             # of a page's pixels, so that letters are of a book's size
WIDTH = round(166 / 25.4 * 96 / SCALE)  # of the type area, in pixels of the page

# Opens what is folded, makes what is too wide smaller, and links to every place that a link from elsewhere may want,
# since Chromium puts no others into the PDF. Gives the headings (words, with formulas as words, and anchor), the
# chapter's first, and what sticks out into the margin nevertheless.
PREPARE = """([number]) => {
    document.querySelectorAll('details').forEach(each => { each.open = true; });
    document.querySelectorAll('.toggle-hidden').forEach(each => each.classList.remove('toggle-hidden'));
    const title = document.querySelector('article h1');
    if (number && title) title.dataset.number = number;
    const room = document.documentElement.clientWidth;
    for (const wide of document.querySelectorAll('article div.math, article table, article .dgm-figure > div')) {
        const limit = wide.parentElement.clientWidth || room;
        const own = Math.max(wide.scrollWidth, ...[...wide.children].map(child => child.scrollWidth));
        if (own > limit + 1) wide.style.zoom = limit / (own + 1);
    }
    for (const place of document.querySelectorAll('main [id]:not(svg *)')) {
        const link = document.body.appendChild(document.createElement('a'));
        Object.assign(link, {href: '#' + encodeURIComponent(place.id), hidden: true});
    }
    const words = heading => {
        const copy = heading.cloneNode(true);
        copy.querySelectorAll('.headerlink').forEach(each => each.remove());
        for (const formula of copy.querySelectorAll('.math'))
            formula.replaceWith(formula.querySelector('.katex-mathml semantics > *')?.textContent ?? '');
        return copy.textContent.trim().replace(/\\s+/g, ' ');
    };
    const shown = [...document.querySelectorAll('article *:not(svg *, .katex *)')];
    return {
        headings: [...document.querySelectorAll('article h1, article section > h2')]
            .map(heading => [words(heading), heading.closest('section')?.id ?? '']),
        wide: shown.filter(each => each.getBoundingClientRect().right > room + 2 && each.checkVisibility())
            .slice(0, 3).map(each => each.outerHTML.slice(0, 80)),
    };
}"""


@dataclass
class Leaf:
    """One page of the book.

    Attributes:
        part: it belongs to, empty for the first page. path: below the book's root.
        title: as the table of contents has it, "3 · The chain rule"; filled from the page where it has none.
        start: its first sheet, counted from the book's first. headings: words and anchor of each section.
        wide: what is wider than the paper. pdf: as printed.
    """

    part: str
    path: str
    title: str
    start: int = 0
    headings: list[tuple[str, str]] = field(default_factory=list)
    wide: list[str] = field(default_factory=list)
    pdf: bytes = b""

    @property
    def number(self) -> str:
        """The chapter's, or nothing."""
        found = re.match(r"(\d+) · ", self.title)
        return found[1] if found else ""


def leaves(toc: dict) -> list[Leaf]:
    """The pages of ``_toc.yml`` in order."""
    found = [Leaf("", f"{toc['root']}.html", "")]
    for part in toc["parts"]:
        found += [Leaf(part["caption"], f"{c['file']}.html", c.get("title", "")) for c in part["chapters"]]
    return found


def find_chromium() -> str | None:
    """Where Chromium is: ``DGM_CHROMIUM``, or the first of the usual names that is installed."""
    named = os.environ.get("DGM_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def serving(folder: Path):
    """What answers a page's requests from the files of the built book, and no others."""
    def answer(route):
        path = folder / unquote(urldefrag(route.request.url)[0].split("?")[0].removeprefix(BOOK))
        if route.request.url.startswith(BOOK) and path.is_file():
            route.fulfill(path=path)
        else:
            route.abort()

    return answer


def print_page(page, leaf: Leaf) -> None:
    """Fill in how a page looks on paper, and its title and headings."""
    page.goto(BOOK + leaf.path, wait_until="load")
    page.add_style_tag(path=STYLE)
    page.evaluate("() => document.fonts.ready.then(() => 0)")
    found = page.evaluate(PREPARE, [leaf.number])
    (title, _), *leaf.headings = found["headings"]
    leaf.title, leaf.wide = leaf.title or title, found["wide"]
    leaf.pdf = to_paper(page, leaf.part, leaf.title, leaf.start)


def to_paper(page, part: str = "", title: str = "", before: int = 0, style: str = "") -> bytes:
    """The page that is open as a PDF, with its running heads and with numbers that go on after ``before``."""
    said = {"--dgm-part": json.dumps(part, ensure_ascii=False), "--dgm-title": json.dumps(title, ensure_ascii=False)}
    variables = "".join(f"{name}:{value};" for name, value in {**said, "--dgm-before": before}.items())
    page.add_style_tag(content=f"html{{{variables}}}{style}")
    return page.pdf(prefer_css_page_size=True, print_background=True, scale=SCALE)


def contents(every: list[Leaf], project: str, author: str) -> str:
    """The title page and the table of contents, as HTML."""
    lines, part = [], ""
    for leaf in every:
        if leaf.part != part:
            part = leaf.part
            lines.append(f"<h2>{html.escape(part)}</h2>")
        title = html.escape(leaf.title)
        lines.append(f'<a href="{BOOK}{leaf.path}">{title}<i></i>{leaf.start + 1}</a>')
    logo = "data:image/svg+xml," + quote((ROOT / "book" / "_static" / "logo.svg").read_text(encoding="utf-8"))
    return (
        f"<!doctype html><html lang=en><div class=dgm-front><img alt='' src='{logo}'>"
        f"<h1>{html.escape(project)}</h1><p>{html.escape(author)}</p></div>"
        f"<main class=dgm-contents><h1>Contents</h1>{''.join(lines)}</main>"
    )


def bind(front: bytes, every: list[Leaf], project: str, author: str, file: Path) -> list[str]:
    """Make one file of the prints, with outline, page labels and links inside; gives the links that lead nowhere."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.annotations import Link
    from pypdf.generic import Fit, NameObject, TextStringObject

    writer, links, places = PdfWriter(), [], {}
    for path, data in [("", front), *((leaf.path, leaf.pdf) for leaf in every)]:
        reader, first = PdfReader(BytesIO(data)), len(writer.pages)
        places[path] = (first, Fit.xyz(top=842))
        for name, where in reader.named_destinations.items():
            number = reader.get_destination_page_number(where)
            places[f"{path}#{unquote(name.removeprefix('/'))}"] = first + number, Fit.xyz(where.left, where.top)
        for number, sheet in enumerate(reader.pages, first):
            for annotation in (each.get_object() for each in sheet.pop("/Annots", ())):
                if "/Dest" in annotation:
                    links.append((number, annotation["/Rect"], f"{BOOK}{path}#{annotation['/Dest'].removeprefix('/')}"))
                elif "/URI" in annotation.get("/A", {}):
                    links.append((number, annotation["/Rect"], str(annotation["/A"]["/URI"])))
        writer.append(reader, import_outline=False)
    lost = set()
    for number, box, address in links:
        inside = unquote(address.removeprefix(BOOK)).removesuffix("#") if address.startswith(BOOK) else None
        if inside in places:
            target, fit = places[inside]
            writer.add_annotation(number, Link(rect=box, border=[0, 0, 0], target_page_index=target, fit=fit))
        elif inside is None:
            writer.add_annotation(number, Link(rect=box, border=[0, 0, 0], url=address))
        else:
            lost.add(inside)
    sheets = len(PdfReader(BytesIO(front)).pages)
    parts = {"": None}
    for leaf in every:
        if leaf.part not in parts:
            parts[leaf.part] = writer.add_outline_item(title=leaf.part, page_number=sheets + leaf.start)
        own = writer.add_outline_item(
            title=leaf.title, page_number=sheets + leaf.start, parent=parts[leaf.part], is_open=False
        )
        for words, anchor in leaf.headings:
            target, fit = places.get(f"{leaf.path}#{anchor}", places[leaf.path])
            writer.add_outline_item(title=words, page_number=target, parent=own, fit=fit)
    writer.set_page_label(0, sheets - 1, style="/r")
    writer.set_page_label(sheets, len(writer.pages) - 1, style="/D", start=1)
    writer.page_mode = "/UseOutlines"
    writer.root_object[NameObject("/Lang")] = TextStringObject("en")
    writer.add_metadata({"/Title": project, "/Author": author})
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    writer.write(file)
    return sorted(lost)


def make(every: list[Leaf], project: str, author: str, folder: Path = HTML, file: Path = FILE) -> list[str]:
    """Print the pages of a built book in ``folder`` into ``file``; gives what is wrong with it.

    Raises:
        SystemExit: if the book is not built, or there is no Chromium, with what to do.
    """
    from playwright.sync_api import sync_playwright
    from pypdf import PdfReader

    chromium = find_chromium()
    if not (folder / every[0].path).exists():
        raise SystemExit("The book is not built: make book")
    if not chromium:
        raise SystemExit("No Chromium: apt-get install chromium, or set DGM_CHROMIUM to a Chromium or Chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 1100}, color_scheme="light")
        page.set_default_timeout(240_000)
        page.route("**/*", serving(folder))
        page.emulate_media(media="print")
        sheets = 0
        for leaf in every:
            leaf.start = sheets
            print_page(page, leaf)
            sheets += len(PdfReader(BytesIO(leaf.pdf)).pages)
        page.set_content(contents(every, project, author))
        page.add_style_tag(path=STYLE)
        front = to_paper(page, title="Contents", style="@page{@bottom-center{content:counter(page,lower-roman)}}")
        browser.close()
    lost = bind(front, every, project, author, file)
    wide = [f"wider than the paper, in {leaf.path}: {markup}" for leaf in every for markup in leaf.wide]
    return [*(f"a link leads nowhere: {address}" for address in lost), *wide]


def main(arguments: list[str]) -> int:
    """Print the whole book; gives the exit status."""
    file = Path(arguments[0]) if arguments else FILE
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    faults = make(leaves(toc), config["title"], config["author"], file=file)
    print(*faults, file, sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
