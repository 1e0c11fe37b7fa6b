"""Pages that are light: formulas typeset by the build, one style sheet, small fonts of icons, scripts that wait."""

import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
sys.path[:0] = [str(ROOT / "book" / "_ext")]

import optimise_html  # noqa: E402
from sphinxcontrib import katex  # noqa: E402

built = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built: make book")
needs_npm = pytest.mark.skipif(
    not (ROOT / "node_modules" / "purgecss").exists() or not shutil.which("node"),
    reason="no npm packages or no Node: make assets",
)

# --- Styles and icons


def test_style_sheets_are_joined_with_what_they_import(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "one.css").write_text('/* c */@charset "utf-8";@import "../two.css";a{b:c}')
    (tmp_path / "two.css").write_text("d{e:f}")
    assert optimise_html.joined(tmp_path, ["s/one.css", "two.css"]) == "d{e:f}a{b:c}\nd{e:f}"


@needs_npm
def test_rules_that_nothing_meets_go_and_all_others_stay_in_order(tmp_path):
    (tmp_path / "page.html").write_text('<p class="in" data-x="1"><script>f.classList.add("made")</script>')
    css = '.in,.out{x:y}\\n.out p{x:z}\\n.made{a:b}@media print{.out{a:b}.in:not(.out){a:b}}p[data-theme="dark"]{c:d}'
    kept = optimise_html.purged(css.replace("\\n", "\n"), [tmp_path / "page.html"], ROOT)
    assert "".join(kept.split()) == '.in{x:y}.made{a:b}@mediaprint{.in:not(.out){a:b}}p[data-theme="dark"]{c:d}'
    with pytest.raises(optimise_html.ExtensionError, match="PurgeCSS failed"):
        optimise_html.purged("a{b", [tmp_path / "page.html"], ROOT)


@built
def test_the_icons_that_styles_show_are_in_their_small_fonts():
    from fontTools.ttLib import TTFont

    folder = HTML / optimise_html.FOLDER
    css = (folder / "book.css").read_text(encoding="utf-8")
    fonts = [TTFont(path) for path in folder.glob("*.woff")]
    there = set().union(*(font.getBestCmap() for font in fonts))
    wanted = {int(code, 16) for code in re.findall(r'content:\s*"\\([ef][0-9a-f]{3})"', css)}
    assert 10 < len(wanted) and wanted <= there and len(there) < 100
    assert "vendor/fontawesome" not in css
    assert not any("Font Awesome" in str(font["name"].getDebugName(4)) for font in fonts), "a name its licence reserves"


# --- Pages

PAGE = """<html lang="en" data-content_root="../"><head>
  <link href="../a.css?digest=1" rel="stylesheet" />
  <link rel="stylesheet" type="text/css" href="../b.css?v=1" />
  <script defer src="../s/fontawesome.js"></script>
  <link rel="preload" as="script" href="../s/bootstrap.js" />
  <script src="../_static/documentation_options.js?v=1"></script>
  <script src="../_static/doctools.js?v=2"></script>
  <script>OPTIONS.page = 1;</script>
  <script src="../searchindex.js"></script>
  </head><i class="fas fa-bars"></i><i class="other"></i></html>"""


def test_scripts_wait_and_one_style_sheet_is_left():
    assert optimise_html.stylesheets(PAGE) == ["a.css", "b.css"]
    patient = optimise_html.with_patient_scripts(PAGE, "OPTIONS = {}\n", search=False)
    page = optimise_html.with_one_stylesheet(patient, "../c.css")
    assert re.sub(r"\n\s*", "\n", page) == """<html lang="en" data-content_root="../"><head>
<link rel="stylesheet" href="../c.css" />
<script>OPTIONS = {}</script>
<script defer src="../_static/doctools.js?v=2"></script>
<script>OPTIONS.page = 1;</script>
</head><i aria-hidden="true" class="fas fa-bars"></i><i class="other"></i></html>"""


def test_the_page_of_the_search_keeps_the_order_of_its_scripts():
    page = optimise_html.with_patient_scripts(PAGE, "", search=True)
    assert '<script src="../_static/doctools.js?v=2">' in page and '<script src="../searchindex.js">' in page
    assert "fontawesome" not in page


@built
def test_no_page_waits_for_what_it_does_not_show():
    pages = [path for path in HTML.rglob("*.html") if "_static" not in path.parts]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        if "data-content_root" not in text:                     # one that sends readers on
            continue
        where = path.relative_to(HTML).as_posix()
        assert len(re.findall(r'rel="stylesheet"', text[: text.index("</head>")])) == 1, where
        assert "fontawesome.js" not in text and not re.search("<script[^>]*mathjax", text, flags=re.I), where
        assert text.count('class="katex"') == text.count("<math "), f"{where}: a formula without MathML"
        if path.name != "search.html":
            assert not re.search(r"<script(?![^>]*\bdefer\b)[^>]* src=", text), f"{where}: a script that stops the page"
    assert len(pages) > 20


@needs_npm
def test_a_formula_that_cannot_be_typeset_stops_the_build(monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr(katex, "KATEX_DEFAULT_OPTIONS", dict(katex.KATEX_DEFAULT_OPTIONS))
    for name in ("NODEJS_BINARY", "STARTUP_TIMEOUT", "RENDER_TIMEOUT"):
        monkeypatch.setattr(katex, name, getattr(katex, name))
    config = SimpleNamespace(html_static_path=[], formula_macros={r"\KL": r"\mathrm{KL}"})
    out = ROOT / "_build" / "try" / "html"
    optimise_html.set_up_katex(SimpleNamespace(srcdir=ROOT, outdir=out), config)
    monkeypatch.setattr(katex.KaTeXServer, "katex_path", config.katex_js_path)
    assert "<mi mathvariant=\"normal\">K</mi>" in katex.render_latex(r"\KL(p)")
    with pytest.raises(katex.KaTeXError, match="nosuchthing"):
        katex.render_latex(r"\nosuchthing")
    shutil.rmtree(out.parent)
