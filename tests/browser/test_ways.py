"""Ways into the book, as a reader uses them: search, the map, terms, and the buttons to the next page and back."""

import re
from urllib.parse import urlsplit

import pytest

from .conftest import HTML, old_addresses

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        ("ELBO", ["book/glossary.html#term-ELBO", "notebooks/13-the-elbo.html"]),
        ("evidence lower bound", ["book/glossary.html", "notebooks/13-the-elbo.html"]),
        ("NADE", ["book/glossary.html#term-NADE", "book/api/autoregressive.html#dgmhelpers.autoregressive.NADE"]),
        ("RowLSTM", ["book/api/autoregressive.html#dgmhelpers.autoregressive.RowLSTM"]),
        ("teacher forcing", ["book/glossary.html#term-teacher-forcing", "notebooks/03-chain-rule.html"]),
        ("saturation", ["book/glossary.html#term-saturation"]),
    ],
)
def test_search_finds_terms_models_and_abbreviations(visit, words, pages):
    seen = visit(f"search.html?q={words.replace(' ', '+')}")
    seen.page.wait_for_function("() => /finished|found/i.test(document.querySelector('#search-results p')?.innerText)")
    found = [link.get_attribute("href") for link in seen.page.locator("#search-results li a").all()]
    places = [(urlsplit(address).path, urlsplit(address).fragment) for address in found]
    for page in pages:
        path, _, anchor = page.partition("#")
        assert any(there.endswith(path) and anchor in ("", at) for there, at in places), (page, found)
    assert seen.left == []


def results_of(visit, words):
    """Pages found, and what is shown of each."""
    page = visit(f"search.html?q={words.replace(' ', '+')}").page
    page.wait_for_function(
        "() => /finished|found|not match/i.test(document.querySelector('#search-results p')?.innerText)")
    page.wait_for_load_state("networkidle")
    return [
        (urlsplit(item.locator("a").first.get_attribute("href")).path,
         item.locator("p.context").inner_text() if item.locator("p.context").count() else "")
        for item in page.locator("#search-results li").all()
    ]  # fmt: skip


def test_part_of_a_word_is_found_at_its_beginning_alone(visit):
    for path, _ in results_of(visit, "FID"):
        assert re.search(r"\bfid", (HTML / path).read_text(encoding="utf-8"), re.IGNORECASE), path
    assert any(path.startswith("notebooks/") for path, _ in results_of(visit, "likelih"))


@pytest.mark.parametrize("words", ["KL", "teacher forcing", "mode collapse", "blind spot", "importance"])
def test_chapters_come_before_lists_of_claims_and_snippets_are_their_text(visit, words):
    found = results_of(visit, words)
    places = [path for path, _ in found]
    lists = [i for i, path in enumerate(places) if re.fullmatch(r"book/(claims|equations)\.html", path)]
    assert min(i for i, path in enumerate(places) if path.startswith("notebooks/")) < min(lists, default=len(places))
    shown = [snippet for _, snippet in found if snippet]
    assert shown and not any(re.search(r"Print to PDF|Skip to main|Toggle|Contents\b|\.ipynb", each) for each in shown)


def test_a_goal_lights_up_its_way(visit):
    page = visit("book/paths.html").page
    page.locator(".dgm-map select").select_option(label="diffusion")
    lit = page.locator(".dgm-map-box[data-on]")
    assert [box.get_attribute("data-chapter") for box in lit.all()] == ["2", "13", "18", "19"]
    lines = page.locator(".dgm-map-picture > path[data-on]").all()
    assert {(line.get_attribute("data-from"), line.get_attribute("data-to")) for line in lines} == {
        ("2", "13"), ("2", "18"), ("13", "19"), ("18", "19")
    }  # fmt: skip
    assert "Read chapter" in page.locator(".dgm-map-says").inner_text()
    page.locator(".dgm-map select").select_option(index=0)
    assert page.locator(".dgm-map [data-on]").count() == 0


def test_the_map_is_worked_by_keyboard(visit):
    page = visit("book/paths.html").page
    select = page.locator(".dgm-map select")
    select.focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".dgm-map-box[data-on]").count() > 0
    page.keyboard.press("Tab")
    focused = "() => document.activeElement.textContent.trim()"
    assert page.evaluate(focused) == "1 What is a generative model?"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "2 Maximum likelihood"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("02-maximum-likelihood"))


def test_without_a_script_a_table_says_the_same(visit):
    page = visit("book/paths.html", java_script_enabled=False).page
    assert page.locator(".dgm-map-chooser:visible").count() == 0
    assert page.locator("table:has-text('I want') tr:has-text('diffusion')").first.is_visible()
    assert page.locator("a.dgm-map-box").first.is_visible()


def test_the_map_is_readable_on_a_phone(visit):
    page = visit("book/paths.html", viewport=PHONE, is_mobile=True, has_touch=True).page
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('.dgm-map-title')].map(text => {
            const box = text.closest('.dgm-map-box').querySelector('rect').getBoundingClientRect();
            const own = text.getBoundingClientRect();
            return [own.height, own.left - box.left, box.right - own.right];
        })"""
    )
    for height, left, right in sizes:
        assert height >= 9 and left >= 0 and right >= 0


def a_term(page):
    term = page.locator("article a.dgm-term").first
    term.scroll_into_view_if_needed()
    return term


def test_a_term_shows_what_it_means(visit):
    page = visit("notebooks/13-the-elbo.html").page
    term, tip = a_term(page), page.locator("#dgm-tip")
    assert tip.is_hidden()
    term.hover()
    tip.wait_for(state="visible")
    assert len(tip.inner_text()) > 20 and term.get_attribute("aria-describedby") == "dgm-tip"
    tip.hover()  # the pointer may rest on the words
    page.wait_for_timeout(400)
    assert tip.is_visible()
    page.keyboard.press("Escape")
    assert tip.is_hidden() and term.get_attribute("aria-describedby") is None


def test_a_term_shows_what_it_means_from_the_keyboard(visit):
    page = visit("notebooks/13-the-elbo.html").page
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('article a.dgm-term')"):
            break
    page.locator("#dgm-tip").wait_for(state="visible")
    box = page.locator("#dgm-tip").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert page.locator("#dgm-tip").is_hidden()


def test_a_term_has_its_title_without_a_script(visit):
    page = visit("notebooks/13-the-elbo.html", java_script_enabled=False).page
    assert len(page.locator("article a.dgm-term").first.get_attribute("title")) > 20


def steps(path: str) -> dict[str, str]:
    """Where a page's buttons lead: ``previous`` and ``next``, as paths below the book's root."""
    text = (HTML / path).read_text(encoding="utf-8")
    found = {}
    for way, address in re.findall(r'<a class="(left-prev|right-next)"\s+href="([^"]+)"', text):
        there = ((HTML / path).parent / address).resolve().relative_to(HTML.resolve()).as_posix()
        found["next" if way == "right-next" else "previous"] = there
    return found


def test_next_leads_through_the_whole_book_and_previous_back():
    path, walk = "book/intro.html", ["book/intro.html"]
    while "next" in steps(path):
        following = steps(path)["next"]
        assert steps(following)["previous"] == path
        assert following not in walk
        path = following
        walk.append(path)
    pages = (page for folder in ("book", "notebooks") for page in (HTML / folder).rglob("*.html"))
    assert set(walk) == {page.relative_to(HTML).as_posix() for page in pages} - set(old_addresses())


@pytest.mark.parametrize("scripts", [True, False])
def test_an_old_address_leads_to_the_chapter_that_was_there(visit, scripts):
    page = visit("notebooks/10-the-elbo.html#ex-10-3", java_script_enabled=scripts).page
    page.wait_for_url(re.compile("13-the-elbo.html#ex-13-3$" if scripts else "13-the-elbo.html"))
    assert page.locator("article h1").first.inner_text().startswith("The ELBO")


@pytest.mark.parametrize("where", ["book/paths.html", "notebooks/04-nade-and-made.html", "book/api/viz.html"])
def test_previous_and_next_work_on_a_phone(visit, where):
    page = visit(where, viewport=PHONE, is_mobile=True, has_touch=True).page
    boxes = []
    for name in ("a.left-prev", "a.right-next"):
        button = page.locator(f".prev-next-area {name}")
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        assert 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"]
        boxes.append(box)
    one, other = boxes
    apart = one["x"] + one["width"] <= other["x"] + 1 or one["y"] + one["height"] <= other["y"] + 1
    assert apart, "the buttons overlap"
    page.locator(".prev-next-area a.right-next").tap()
    page.wait_for_url(re.compile(re.escape(steps(where)["next"])))
