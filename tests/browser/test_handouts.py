"""What teachers take away: a deck for each chapter, and every figure as a file."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import figures  # noqa: E402
import slides  # noqa: E402

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))


@pytest.fixture(scope="module")
def decks(everything_needed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return {path.stem: path for path in slides.write(folder, [])}


def test_every_chapter_has_a_deck(decks):
    assert sorted(decks) == CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS[1:3])
def test_a_deck_shows_every_slide_whole_and_asks_nobody(decks, browser, chapter):
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    faults = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.goto(decks[chapter].as_uri())
    count = page.locator(".slide").count()
    assert count > 15
    for number in range(1, count + 1):
        assert page.locator(".at").inner_text() == f"{number} / {count}"
        assert page.locator(".slide:visible").count() == 1
        wide = page.evaluate("""() => { const s = document.querySelector('.slide:not([hidden])');
            return [s.scrollHeight - s.clientHeight, s.scrollWidth - s.clientWidth]; }""")
        assert max(wide) <= 2, f"slide {number} does not fit: {page.locator('.slide:visible').inner_text()[:80]}"
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    assert page.locator(".at").inner_text() == f"1 / {count}"
    context.close()
    assert faults == []


def test_a_deck_has_the_theorems_claims_and_figures_of_its_page(decks):
    for chapter, path in decks.items():
        page = (slides.HTML / "notebooks" / f"{chapter}.html").read_text(encoding="utf-8")
        deck = path.read_text(encoding="utf-8")
        assert deck.count('class="dgm-claim"') >= 0.9 * page.count('class="dgm-claim"'), chapter
        assert 'class="exercise' not in deck and "headerlink" not in deck


def test_figures_are_files_with_words(browser, tmp_path):
    """Of one chapter, moving ones too: colours are values, pictures are not empty, each has what it shows in words."""
    from PIL import Image

    count = figures.write(tmp_path, ["02"], browser)
    stored = json.loads((ROOT / "notebooks" / f"{CHAPTERS[1]}.ipynb").read_text(encoding="utf-8"))
    markup = "".join("".join(output.get("data", {}).get("text/html", ""))
                     for cell in stored["cells"] for output in cell.get("outputs", []))
    listing = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert count == markup.count('<figure class="dgm-figure') == listing.count("<figure") > 5
    assert listing.count(figures.LICENCE) == count and 'alt=""' not in listing
    for svg in tmp_path.glob("*.svg"):
        text = svg.read_text(encoding="utf-8")
        assert "var(" not in text and "currentColor" not in text and text.count("<svg") == 1
        with Image.open(svg.with_suffix(".png")) as picture:
            assert len(picture.convert("RGB").getcolors(2**24)) > 1
