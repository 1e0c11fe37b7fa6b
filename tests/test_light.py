"""Pages that are light: formulas typeset by the build, icons drawn, one style sheet, scripts that wait."""

import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
sys.path[:0] = [str(ROOT / "book" / "_ext")]

import dgm_light as light  # noqa: E402
import dgm_styles as styles  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402

built = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built: make book")
typesets = pytest.mark.skipif(
    not (ROOT / "node_modules" / "mathjax").exists() or not shutil.which("node"),
    reason="no MathJax or no Node: make assets",
)


# --- Formulas


def test_formulas_are_read_as_sphinx_writes_them():
    assert light.formula(r"\(a &lt; b\)") == ("a < b", False)
    assert light.formula("\\[\\begin{split}a \\\\\nb\\end{split}\\]\n") == ("\\begin{split}a \\\\\nb\\end{split}", True)
    assert light.formula(r"\begin{align}a &amp;= b\end{align}") == (r"\begin{align}a &= b\end{align}", True)


@typesets
def test_mathjax_typesets_and_names_what_it_cannot():
    pages = [
        {"fonts": "../f", "formulas": [[r"\KL(p)", False], [r"\frac{1}{2}", True]]},
        {"fonts": "f", "formulas": [[r"\nosuchthing", False], ["x", False]]},
        {"fonts": "f", "formulas": []},
    ]
    one, other, none = light.typeset(ROOT, {"macros": {"KL": r"\mathrm{KL}"}}, pages)
    assert one["faults"] == [] and 'url("../f/MathJax_Main-Regular.woff")' in one["css"]
    inline, shown = one["html"]
    assert inline.startswith("<mjx-container") and re.search(r"<mi[^>]*>KL</mi>", inline), "words for a screen reader"
    assert 'display="true"' in shown and "<mfrac><mn>1</mn><mn>2</mn></mfrac>" in shown
    assert "mjx-c32" in one["css"] and "mjx-c32" not in other["css"], "a page has rules for its own characters"
    assert [tex for tex, _ in other["faults"]] == [r"\nosuchthing"]
    assert none == {"html": [], "css": "", "faults": []}


def test_typeset_formulas_take_the_place_of_their_tex():
    page = (
        '<head></head><p><span class="math notranslate nohighlight">\\(a\\)</span> and <code>\\(b\\)</code> and '
        '<div class="amsmath math notranslate nohighlight" id="e">\\[c\\]</div></p>'
    )
    done = light.with_formulas(page, {"html": ["A", r"C\1"], "css": "x {\n  y: z;\n}", "faults": []})
    assert done == (
        '<head><style>x {y: z;}</style>\n  </head><p><span class="math notranslate nohighlight">A</span> and '
        '<code>\\(b\\)</code> and <div class="amsmath math notranslate nohighlight" id="e">C\\1</div></p>'
    )


# --- Icons

FONT_AWESOME = 'x={bars:[448,512,["navicon"],"f0c9","M0 96"],"sun":[1,2,[],"f1","M"]};y={"sun":[3,4,[],"f1",["","M2"]]}'


def test_icons_are_drawn_with_the_theme_s_shapes():
    icons = light.Icons(FONT_AWESOME)
    assert icons.into('<i class="theme-switch fa-solid fa-sun fa-lg" data-mode="light"></i>.') == (
        '<svg class="svg-inline--fa theme-switch fa-sun fa-lg" data-mode="light" aria-hidden="true" viewBox="0 0 3 4">'
        '<path fill="currentColor" d="M2"/></svg>.'
    )
    assert icons.into('<span class="fas fa-bars"></span>').startswith('<svg class="svg-inline--fa fa-bars" aria-hidden')
    assert icons.shape("navicon") == icons.shape("bars") == (448, 512, "M0 96")
    assert icons.into('<i class="other"></i>') == '<i class="other"></i>'
    with pytest.raises(ExtensionError, match="no icon called 'moon'"):
        icons.into('<i class="fas fa-moon"></i>')


# --- Styles


def test_rules_are_told_apart():
    css = '@import "a;b.css";p,i{content:"}{"}@media print{a{x:y}b{x:z}}@font-face{src:url(a)}'
    assert styles.rules(css) == [
        ('@import "a;b.css"', None),
        ("p,i", 'content:"}{"'),
        ("@media print", "a{x:y}b{x:z}"),
        ("@font-face", "src:url(a)"),
    ]
    with pytest.raises(ValueError, match="line 2 of a style sheet"):
        styles.rules("a{b:c}\nd")


@pytest.mark.parametrize(
    ("selector", "met"),
    [
        ("p > a:hover", True), (".in .out", False), (".in:not(.out)", True), (".in:is(.out, .in)", True),
        ('.in[href$=".out"]', True), (r".a\:b", True), (r".c\:b", False), (":root", True), ("a.out::before", False),
        (".in:not(.out:is(.out))", True),
    ],
)  # fmt: skip
def test_a_selector_stays_if_its_classes_exist(selector, met):
    assert styles.can_meet(selector, {"in", "a:b"}) is met


def test_rules_that_nothing_meets_go_and_all_others_stay_in_order():
    css = "/* .in */ .in,.out:is(a,b){x:y} .out{x:z} @media print{.out{a:b}} @media screen{.in,.in .out{a:b}} @layer l;"
    assert styles.without_unmet(css, {"in"}) == ".in{x:y}\n@media screen{.in{a:b}}\n@layer l;"


def test_classes_are_those_of_elements_and_all_words_of_scripts():
    page = '<p class="a b-c"><script>f.classList.add("d")</script><script src="x.js"></script>'
    assert {"a", "b-c", "d", "toggle"} <= styles.classes_of([page], ["x.toggle()"])
    assert "p" not in styles.classes_of([page], [])


def test_a_style_sheet_moves_with_its_addresses(tmp_path):
    css = 'a{b:url("../i/x.svg")}c{d:url(data:y)}e{f:url(z.png)}'
    there = styles.moved(css, "_static", "_static/styles")
    assert there == 'a{b:url("../../i/x.svg")}c{d:url(data:y)}e{f:url(../z.png)}'
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "one.css").write_text('/* c */@charset "utf-8";@import "../two.css";a{b:c}')
    (tmp_path / "two.css").write_text("d{e:f}")
    assert styles.read(tmp_path, "s/one.css") == "d{e:f}\na{b:c}"


# --- Scripts

PAGE = """<html lang="en" data-content_root="../"><head>
  <link href="../a.css?digest=1" rel="stylesheet" />
  <link rel="stylesheet" type="text/css" href="../b.css?v=1" />
  <script defer src="../s/fontawesome.js"></script>
  <link rel="preload" as="script" href="../s/bootstrap.js" />
  <script src="../_static/documentation_options.js?v=1"></script>
  <script src="../_static/doctools.js?v=2"></script>
  <script>window.MathJax = {"tex": {}}</script>
  <script defer="defer" src="../_static/mathjax/tex-chtml.js?v=3"></script>
  <script>OPTIONS.page = 1;</script>
  <script src="../searchindex.js"></script>
  </head></html>"""


def test_scripts_wait_and_one_style_sheet_is_left():
    assert light.stylesheets(PAGE) == ("a.css", "b.css")
    page = light.with_one_stylesheet(light.with_patient_scripts(PAGE, "OPTIONS = {}\n", search=False), "../c.css")
    assert re.sub(r"\n\s*", "\n", page) == """<html lang="en" data-content_root="../"><head>
<link rel="stylesheet" href="../c.css" />
<script>OPTIONS = {}</script>
<script defer src="../_static/doctools.js?v=2"></script>
<script>OPTIONS.page = 1;</script>
</head></html>"""


def test_the_page_of_the_search_keeps_the_order_of_its_scripts():
    page = light.with_patient_scripts(PAGE, "", search=True)
    assert '<script src="../_static/doctools.js?v=2">' in page and '<script src="../searchindex.js">' in page
    assert "fontawesome" not in page and "MathJax" not in page


@built
def test_no_page_waits_for_what_it_does_not_show():
    pages = [path for path in HTML.rglob("*.html") if "_static" not in path.parts]
    for path in pages:
        text = path.read_text(encoding="utf-8")
        if "data-content_root" not in text:                     # the first page sends readers on
            continue
        where = path.relative_to(HTML).as_posix()
        head = text[: text.index("</head>")]
        assert len(re.findall(r'rel="stylesheet"', head)) == 1, where
        assert "fontawesome.js" not in text and "tex-chtml" not in text, where
        assert not re.search(r'\bmath notranslate[^"]*">\s*\\[(\[]', text), f"{where}: a formula left as TeX"
        assert not light._ICON.search(text), f"{where}: an icon that is not drawn"
        if path.name != "search.html":
            assert not re.search(r"<script(?![^>]*\bdefer\b)[^>]* src=", text), f"{where}: a script that stops the page"
    assert len(pages) > 20


@built
def test_the_icons_that_styles_show_are_in_their_small_font():
    from fontTools.ttLib import TTFont

    for sheet in (HTML / "_static" / "styles").glob("book-*.css"):
        css = sheet.read_text(encoding="utf-8")
        assert f'url({sheet.stem}.woff) format("woff")' in css and "fa-solid-900" not in css
        font = TTFont(sheet.with_suffix(".woff"))
        wanted = {ord(letter) for letter in re.findall(r'--pst-icon-[\w-]+:\s*"(.)"', css)} - {0xF09B, 0xF296}  # brands
        assert wanted and wanted <= set(font.getBestCmap())
        assert "Font Awesome" not in str(font["name"].getDebugName(4)), "a name that its licence reserves"
