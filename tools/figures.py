"""Every figure of the chapters as SVG and PNG, with its words, for slides and handouts.

    python tools/figures.py FOLDER [NN …]      all chapters, or those named

A figure that moves gives the frame that the page shows first. ``index.html`` in the folder shows them all, each with
its caption, what it shows in words, the chapter it comes from and its licence.
"""

from __future__ import annotations

import html
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pdf
from playwright.sync_api import sync_playwright

import notebooks

LICENCE = "CC BY 4.0, the authors of Deep Generative Models, Checked"
FIGURE = re.compile(r'<figure class="dgm-figure.*?</figure>', re.DOTALL)
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Figures</title>
<style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}
figure{margin:3rem 0;border-top:1px solid #aaa;padding-top:1rem}small{color:#555}</style><h1>Figures</h1>
"""


@dataclass(frozen=True)
class Figure:
    """One figure as a notebook stores it."""

    name: str
    svg: str
    caption: str   # HTML
    words: str     # what the picture shows, for who cannot see it
    chapter: str


def figures_of(path: Path) -> list[Figure]:
    """The figures of a chapter, in order; moving ones by the frame that is shown first."""
    found = []
    notebook = nbformat.read(path, as_version=4)
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for markup in FIGURE.findall(output.get("data", {}).get("text/html", "")):
                number = len(found) + 1
                shown = re.sub(r'<div class="dgm-frame"[^>]* hidden>.*?</svg>', "", markup, flags=re.DOTALL)
                caption = re.search(r"<figcaption>(.*?)</figcaption>", shown, re.DOTALL)
                words = re.search(r'aria-label="([^"]*)"', shown)
                svg = re.search(r"<svg.*</svg>", shown, re.DOTALL)
                if svg:
                    found.append(Figure(f"{path.stem}-{number:02}", standalone(svg[0]), caption[1] if caption else "",
                                        html.unescape(words[1]) if words else "", title[1] if title else path.stem))
    return found


def standalone(svg: str) -> str:
    """An SVG that needs no page round it: colours by their values, and black where a page would say."""
    svg = re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", svg)
    return svg.replace("currentColor", "#000000").replace(' aria-hidden="true"', "", 1)


def write(folder: Path, wanted: list[str], chromium) -> int:
    """Write the figures of the chapters named, all if none is, drawn by a Chromium of playwright; gives how many."""
    figures = [figure for path in notebooks.chapters(wanted) for figure in figures_of(path)]
    folder.mkdir(parents=True, exist_ok=True)
    page = chromium.new_page(device_scale_factor=2)
    for figure in figures:
        (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
        page.set_content(f'<body style="margin:0;background:white;display:inline-block">{figure.svg}')
        page.locator("svg").first.screenshot(path=folder / f"{figure.name}.png")
    page.close()
    listing = [
        f'<figure id="{figure.name}"><img src="{figure.name}.svg" alt="{html.escape(figure.words)}">'
        f"<figcaption><p>{figure.caption}</p><small>{html.escape(figure.chapter)} · {figure.name} "
        f'(<a href="{figure.name}.svg">SVG</a>, <a href="{figure.name}.png">PNG</a>) · {LICENCE}</small>'
        f"</figcaption></figure>"
        for figure in figures
    ]
    (folder / "index.html").write_text(HEAD + "\n".join(listing), encoding="utf-8")
    return len(figures)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with sync_playwright() as play:
        with play.chromium.launch(executable_path=pdf.find_chromium(), args=["--no-sandbox"]) as started:
            count = write(Path(sys.argv[1]), sys.argv[2:], started)
    print(f"{count} figures: {sys.argv[1]}/index.html")
