"""The book as a PDF: two small pages printed and bound, and a chapter of the built book."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import HTML, ROOT

pytestmark = pytest.mark.browser
sys.path.insert(0, str(ROOT / "tools"))

import pdf  # noqa: E402

NOTEBOOK = next((ROOT / "notebooks").glob("03-*.ipynb"))

ONE = """<!doctype html><html lang="en"><body><header class="bd-header">Menu</header><main><article>
<section id="one"><h1>One<a class="headerlink" href="#one">#</a></h1>
<section id="first"><h2>First <span class="math"><span class="katex-mathml"><math><semantics><mi>E=m</mi>
</semantics></math></span></span></h2><p><a href="sub/two.html#deep%20down">There</a>, <a href="sub/two.html">top</a>,
<a href="#last">below</a>,
<a href="https://example.org/">outside</a>, <a href="missing.html">nowhere</a>.</p></section>
<details><summary>Answer</summary>It is folded.</details>
<div style="width: 3000px"><p>sticks out</p></div>
<div class="math"><div style="width: 1500px">a long formula</div></div>
<section id="last" style="break-before: page"><h2>Last</h2></section></section></article></main>"""
TWO = """<!doctype html><html lang="en"><body><main><article><section id="two"><h1>Second words</h1>
<p style="break-before: page"><a href="../one.html#first">Back</a></p><h3 id="deep down">Deep</h3></section>
</article></main>"""


def apart(function, *arguments):
    """Call it in a thread of its own: Playwright's loop in this one belongs to the other tests' browser."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """The PDF of two pages, read, and what was said to be wrong with it."""
    from pypdf import PdfReader

    folder = tmp_path_factory.mktemp("book")
    (folder / "sub").mkdir()
    (folder / "one.html").write_text(ONE, encoding="utf-8")
    (folder / "sub" / "two.html").write_text(TWO, encoding="utf-8")
    toc = {"root": "one", "parts": [{"caption": "Part", "chapters": [{"file": "sub/two", "title": "2 · Two"}]}]}
    faults = apart(pdf.make, pdf.leaves(toc), "A book", "Somebody", folder, folder / "book.pdf")
    return PdfReader(folder / "book.pdf"), faults


def links(reader) -> list[tuple[int, object]]:
    """The page of each link, and where it leads: a page inside, or an address outside."""
    found = []
    for number, sheet in enumerate(reader.pages):
        for link in (each.get_object() for each in sheet.get("/Annots", ())):
            inside = "/Dest" in link or link["/A"]["/S"] == "/GoTo"
            place = (link["/Dest"] if "/Dest" in link else link["/A"]["/D"]) if inside else link["/A"]["/URI"]
            target = place[0] if inside else place
            found.append((number, target if isinstance(target, int) or not inside else place_of(reader, target)))
    return found


def place_of(reader, target) -> int:
    return next(n for n, sheet in enumerate(reader.pages) if sheet.indirect_reference == target.indirect_reference)


def test_links_between_pages_lead_inside_and_the_others_out(printed):
    reader, faults = printed
    assert len(reader.pages) == 6                       # title, contents, and twice two
    assert sorted(links(reader), key=str) == sorted(
        [(1, 2), (1, 4), (2, 5), (2, 4), (2, 3), (2, "https://example.org/"), (5, 2)], key=str
    )
    assert [fault for fault in faults if "nowhere" in fault] == ["a link leads nowhere: missing.html"]


def test_what_is_too_wide_is_made_smaller_or_named(printed):
    wide = [fault for fault in printed[1] if "wider" in fault]
    assert wide and all("one.html" in fault for fault in wide)
    assert "3000px" in wide[0] and not any("1500px" in fault for fault in wide)


def test_the_outline_has_parts_chapters_and_sections(printed):
    reader, _ = printed
    def shape(items):
        named = [shape(item) if isinstance(item, list) else item.title for item in items]
        return named

    assert shape(reader.outline) == ["One", ["First E=m", "Last"], "Part", ["2 · Two"]]
    places = [reader.get_destination_page_number(item) for item in reader.outline if not isinstance(item, list)]
    assert places == [2, 4]


def test_pages_are_numbered_through_and_folded_answers_stand_open(printed):
    reader, _ = printed
    assert reader.page_labels == ["i", "ii", "1", "2", "3", "4"]
    texts = [sheet.extract_text() for sheet in reader.pages]
    assert all(label in text.split() for label, text in zip(reader.page_labels, texts, strict=True))
    assert "It is folded." in texts[2] and "Menu" not in texts[2]
    assert "Chapter 2" in texts[4] and "Part" in texts[5] and "2 · Two" in texts[5]
    assert "One" in texts[1] and "Part" in texts[1]


def test_the_pdf_names_no_machine(printed):
    reader, _ = printed
    data = reader.stream.getvalue() if hasattr(reader.stream, "getvalue") else reader.stream.read()
    assert dict(reader.metadata) == {"/Producer": "pypdf", "/Title": "A book", "/Author": "Somebody"}
    assert b"book.invalid" not in data and b"file:" not in data and str(ROOT).encode() not in data


def test_a_chapter_prints_with_its_solutions_claims_and_stills(tmp_path):
    from pypdf import PdfReader

    leaf = pdf.Leaf("Part", f"notebooks/{NOTEBOOK.stem}.html", "3 · The chain rule")
    faults = apart(pdf.make, [leaf], "Book", "Us", HTML, tmp_path / "book.pdf")
    inside = [fault for fault in faults if "wider" in fault or NOTEBOOK.stem in fault]
    assert inside == [], "it is too wide, or a link within the chapter leads nowhere"
    sheets = [sheet.extract_text() for sheet in PdfReader(tmp_path / "book.pdf").pages]
    text = " ".join("\n".join(sheets).split())
    markdown = "".join("".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"])
    for number in range(1, markdown.count("```{exercise}") + 1):
        assert f"Exercise 3.{number}" in text and f"Solution to Exercise 3.{number}" in text
    assert text.count("✓") >= 10 and "Play" not in text and "�" not in text
