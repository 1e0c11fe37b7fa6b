"""Old addresses: where a page used to be, the built book keeps a small one that leads to where it is now.

Made from ``moved`` in ``book/chapters.yml``, which maps a notebook's old name to its new one. With a script the reader
arrives at the same heading or exercise; without one at the top of the page; without either there is a link.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

import dgm_chapters as graph
from sphinx.errors import ConfigError

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Moved: {title}</title>
<link rel="canonical" href="{address}">
<script>location.replace({script} + location.hash.replace({old}, {new}))</script>
<meta http-equiv="refresh" content="0; url={address}">
</head>
<body>
<main>
<h1>This chapter has moved</h1>
<p>Chapter {was} is now <a href="{address}">chapter {number}, {title}</a>.</p>
</main>
</body>
</html>
"""


def page(was: str, chapter: graph.Chapter) -> str:
    """The page at the old address; links to its exercises (``#ex-05-1``) get the new number on the way."""
    address = f"{chapter.docname.removeprefix('notebooks/')}.html"
    return _PAGE.format(
        title=html.escape(chapter.title), address=html.escape(address), script=json.dumps(address),
        was=int(was[:2]), number=chapter.number,
        old=json.dumps(f"-{was[:2]}-"), new=json.dumps(f"-{chapter.number:02d}-"),
    )  # fmt: skip


def where(moved: dict[str, str], chapters: dict[int, graph.Chapter]) -> dict[str, graph.Chapter]:
    """The chapter that each old name leads to.

    Raises:
        ConfigError: if the page that is named as the new one is not there, or the old one still is.
    """
    standing = {Path(chapter.docname).name: chapter for chapter in chapters.values() if chapter.stands}
    for was, now in moved.items():
        if now not in standing or was in standing:
            raise ConfigError(f"book/chapters.yml, moved: {was} is said to be {now} now; notebooks/ says otherwise")
    return {was: standing[now] for was, now in moved.items()}


def pages(root: Path) -> dict[str, str]:
    """The pages to write, by their old names."""
    chapters, data = graph.load(root)
    return {was: page(was, chapter) for was, chapter in where(data["moved"], chapters).items()}


def write(app, error):
    """Put the pages beside those that this build wrote."""
    if error or app.builder.format != "html":
        return
    for was, text in pages(Path(app.srcdir)).items():
        (Path(app.outdir) / "notebooks" / f"{was}.html").write_text(text, encoding="utf-8")


def setup(app):
    """Write them when the build is done."""
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
