"""The book on paper: stills of figures, the .tex, what is said where TeX is missing, and the PDF where it is there."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import dgm_stills  # noqa: E402
import pdf  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STYLE = (ROOT / "book" / "_latex" / "dgmbook.sty").read_text(encoding="utf-8")
SVG = '<svg width="{}"><path/></svg>'


def test_a_figure_that_stands_still_is_its_own_still():
    row = f'<div style="display:flex"><div>{SVG.format(300)}</div><div>{SVG.format(200)}</div></div>'
    caption = "<figcaption>Two &lt; three</figcaption>"
    inside = f'<div role="img" aria-label="A &amp; B">{row}</div>'
    still = dgm_stills.still_of(f'<figure class="dgm-figure" style="margin:1em 0">{inside}{caption}</figure>')
    assert still == dgm_stills.Still(row, "A & B", "Two < three", moves=False)


def test_of_a_moving_figure_the_frame_that_shows_is_the_still():
    frames = "".join(
        f'<div class="dgm-frame" role="img" aria-label="frame {i}"{hidden}>{SVG.format(i)}</div>'
        for i, hidden in enumerate([" hidden", "", " hidden"])
    )
    controls = '<div class="dgm-controls" hidden><label><span>depth</span></label></div>'
    body = f'<div class="dgm-frames" data-values="[]">{frames}{controls}</div>'
    still = dgm_stills.still_of(f'<figure class="dgm-figure dgm-moving" style="">{body}</figure><script>0</script>')
    assert still == dgm_stills.Still(SVG.format(1), "frame 1", "", moves=True)


def test_stills_of_what_the_package_draws():
    import torch

    from dgmhelpers import viz

    pictures = torch.eye(4).expand(3, 4, 4)
    moving = viz.frames(lambda i: viz.images(pictures[:i], alt="x"), [1, 2, 3], label="n", alt="some images", start=2)
    still = dgm_stills.still_of(moving.to_html())
    assert still.moves and still.alt == "some images"
    assert still.markup == viz.images(pictures, alt="x").markup
    plane = viz.plane(lambda z: torch.zeros(len(z), 4, 4), [-1, 0, 1], alt="a plane of images")
    assert dgm_stills.still_of(plane.to_html()).markup == plane.markup
    pair = viz.matrix([torch.eye(3), torch.ones(3, 3)], alt="two masks", caption="Masks")
    assert dgm_stills.still_of(pair.to_html()).markup == pair.markup


def test_what_is_no_figure_has_no_still():
    assert dgm_stills.still_of('<div class="dgm-claim" id="claim-x"></div>') is None
    with pytest.raises(ValueError, match="without a picture"):
        dgm_stills.still_of('<figure class="dgm-figure"></figure>')


def test_a_still_s_name_changes_with_its_picture():
    still = dgm_stills.Still("<svg/>", "alt", "", False)
    assert still.name != dgm_stills.Still("<svg />", "alt", "", False).name
    assert still.name == dgm_stills.Still("<svg/>", "other words", "caption", True).name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_stored_figure_has_a_still_that_holds_a_picture(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    stills = dgm_stills.stills_of(notebook)
    figures = sum(
        "".join(output.get("data", {}).get("text/html", "")).count("<figure class=")
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
    )
    assert len(stills) == figures > 0
    assert any(still.moves for still in stills), "a chapter in which nothing moves"
    for still in stills:
        assert re.search("<svg|<img", still.markup) and len(still.alt) > 10
        assert still.markup.count("<div") == still.markup.count("</div")


def test_without_tex_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert pdf.main([]) == 1
    said = capsys.readouterr().out
    assert "apt-get install" in said and "texlive-xetex" in said and "latexmk" in said
    assert "fonts-dejavu-core" in said and "browser" in said


def test_a_lone_missing_package_is_named_alone(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(pdf, "_finds", lambda *command: "" if "tcolorbox.sty" in command else " ".join(pdf.FONTS))
    assert pdf.missing() == ["texlive-latex-extra"]


def test_glyphs_are_taken_from_the_face_in_use_first():
    assert pdf.glyphs("ab é →→ τ") == '\\newunicodechar{τ}{\\dgmglyph{"03C4}}\n\\newunicodechar{→}{\\dgmglyph{"2192}}\n'


def test_the_log_s_faults_are_named():
    log = (
        "Overfull \\hbox (31.2pt too wide) in paragraph at lines 3--9\n"
        "Overfull \\hbox (2.0pt too wide) in paragraph at lines 10--11\n"
        "Missing character: There is no ✓ (U+2713) in font X!\n"
        "LaTeX Warning: Reference `a' on page 3 undefined on input line 5.\n"
    )
    wide, missing, undefined = pdf.faults_of(log)
    assert wide.startswith("31 points too wide") and "lines 3--9" in wide
    assert missing.startswith("Missing character") and undefined.startswith("LaTeX Warning: Reference `a'")


def test_formulas_mean_the_same_on_paper():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    for name, meaning in config["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"].items():
        assert rf"\providecommand\{name}{{{meaning}}}" in STYLE


@pytest.fixture(scope="module")
def book_tex():
    """The text of the .tex that `make pdf` (or `tools/pdf.py tex`) left, newer than every chapter."""
    path = pdf.LATEX / "book.tex"
    if not path.exists() or path.stat().st_mtime < max(p.stat().st_mtime for p in NOTEBOOKS):
        pytest.skip("the .tex is not made: make pdf")
    return path.read_text(encoding="utf-8")


def test_the_tex_holds_every_figure_claim_and_exercise(book_tex):
    stills = [still for path in NOTEBOOKS for still in dgm_stills.stills_of(json.loads(path.read_text()))]
    set_here = re.findall(r"\\dgmfigure\{(still-[0-9a-f]+)\}", book_tex)
    assert {still.name for still in stills} <= set(set_here)
    for name in set(set_here):
        assert any((pdf.STILLS / f"{name}.{kind}").exists() for kind in ("pdf", "png")), name
    for path in NOTEBOOKS:
        chapter = int(path.stem[:2])
        assert rf"\dgmnumbered{{{chapter}}}" in book_tex
        text = path.read_text(encoding="utf-8")
        for number in range(1, text.count("```{exercise}") + 1):
            assert rf"\begin{{dgmbox}}{{Exercise {chapter}.{number}}}" in book_tex
        assert text.count('class=\\"dgm-claim\\"') <= book_tex.count(r"\dgmclaim{")
    assert r"\begin{dgmbox}{Solution to" in book_tex
    assert r"\begin{dgmbox}{Theorem 13.1}" in book_tex


def test_the_tex_holds_no_html(book_tex):
    outside = re.sub(r"\\begin\{sphinxVerbatim\}.*?\\end\{sphinxVerbatim\}", "", book_tex, flags=re.DOTALL)
    outside = re.sub(r"\\sphinxupquote\{[^{}]*\}", "", outside)        # code in a line may speak of it
    assert re.findall(r"</?(?:div|svg|span|figure|details)\b[^\n]{0,40}", outside) == []


def test_the_pdf_has_every_chapter():
    path = ROOT / "_build" / f"{pdf.NAME}.pdf"
    if not path.exists() or not shutil.which("pdftotext"):
        pytest.skip("the PDF is not made (make pdf), or there is no pdftotext")
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True).stdout
    for notebook in NOTEBOOKS:
        assert re.search(rf"Chapter {int(notebook.stem[:2])}\b", text)
    assert "�" not in text


def test_what_claims_say_is_text_in_latex():
    import dgm_latex

    claim = dgm_latex.stored.Claim("a", "256^30000 of 50% & #1", "a_b", "sums_to_one")
    assert dgm_latex.claim_tex(claim) == (
        r"\dgmclaim{256\textasciicircum{}30000 of 50\% \& \#1}{a\_b}{\dgmlaw{sums\_to\_one}}"
    )


def test_a_table_that_is_wider_than_the_page_gets_widths_for_its_columns():
    import dgm_latex

    head = ["model", "nats", "on", "trained in", "what differs"]
    assert dgm_latex.columns_tex([head, ["a", "1", "b", "c", "d"]]) == "", "one that fits"
    long = "so much is to be said of what differs that no line of a page could hold it, ever, in any type"
    rows = [head, ["pixelcnn-binarized-mnist", "126.05 ± 0.41", "CPU, 1 thread", "1,920 s", long]]
    spec = dgm_latex.columns_tex(rows)
    widths = [float(width) for width in re.findall(r">\{\\raggedright\\arraybackslash\}\\Y\{([\d.]+)\}", spec)]
    assert len(widths) == 5 and abs(sum(widths) - 1) < 0.003
    letters = [width * dgm_latex._LINE for width in widths]
    assert letters[1] > len("126.05 ± 0.41") and letters[2] > len("CPU, 1 thread"), "a short cell stays in one line"
    assert max(widths) == widths[4]
    assert dgm_latex.columns_tex([head, ["a row with a cell that is missing"]]) == ""


def test_formulas_side_by_side_become_lines_where_they_are_too_wide():
    import dgm_latex

    one = r"a_{1} = b + c, \qquad d = e"
    assert dgm_latex.lines_tex(one) == one
    part = r"x_{1} = y + \sigma(w_1 u_1 + w_2 u_2) + v(t)"
    wide = rf"{part}, \quad {part}, \qquad {part}, \quad {part}"
    lines = dgm_latex.lines_tex(wide).split(r" \\ ")
    assert len(lines) == 2 and " ".join(lines).count(part) == 4 and r"\quad" in lines[0]
    aligned = r"\begin{aligned}" + wide + r"\end{aligned}"
    assert dgm_latex.lines_tex(aligned) == aligned, "what has lines of its own keeps them"


def test_cards_become_entries(book_tex):
    welcome = book_tex[book_tex.index(r"\section{Start reading}") : book_tex.index(r"\section{What is different}")]
    assert "sd-card" not in welcome
    assert welcome.count(r"\sphinxlineitem{") + welcome.count(r"\item[") >= 6
    for path in NOTEBOOKS[:2]:
        assert rf"\detokenize{{notebooks/{path.stem}::doc}}" in welcome
