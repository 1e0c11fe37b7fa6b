"""The questions of the chapters in the page: right and wrong answers, the keyboard alone, no script, paper."""

import pytest

from .conftest import AXE, HTML, Visit, book_pages

pytestmark = pytest.mark.browser

PAGES = [path for path in book_pages() if 'class="dgm-quiz"' in (HTML / path).read_text(encoding="utf-8")]
NUMBERS = "notebooks/01-what-is-a-generative-model.html"


def verdict(form) -> str:
    return form.locator(".dgm-verdict").inner_text()


def lines(form):
    return form.locator(".dgm-answer li")


def right_line(form):
    return form.locator(".dgm-answer li[data-right]")


def answer_with(form, line):
    """Choose or write what a line of the answer is about, and check."""
    letter = line.get_attribute("data-option")
    if letter:
        form.locator(f"input[value={letter}]").check()
    else:
        form.locator(".dgm-number input").fill(line.get_attribute("data-value") or "123456789")
    form.get_by_role("button", name="Check").click()


def test_some_page_asks():
    assert PAGES, "no page has questions: is the book of this version built?"


@pytest.fixture(scope="module", params=PAGES)
def opened(request, browser, server):
    """One page, opened once for all tests of its questions."""
    seen = Visit(browser, server)
    seen.open(request.param)
    yield seen
    seen.context.close()


def test_every_answer_is_told_why(opened):
    page = opened.page
    for form in page.locator(".dgm-question").all():
        form.get_by_role("button", name="Check").click()
        assert " first" in verdict(form), "what is missing is said"
        seen = set()
        for line in lines(form).all():
            answer_with(form, line)
            right = line.get_attribute("data-right") is not None
            said = verdict(form)
            assert said.startswith("✓ Right." if right else "✗ Not yet."), said
            shown = form.locator(".dgm-verdict .dgm-because").text_content()
            assert shown == line.locator(".dgm-because").text_content() and shown not in seen
            seen.add(shown)
        assert form.locator(".dgm-answer").is_visible(), "after a right answer all reasons can be read"
    total = page.locator(".dgm-question").count()
    assert page.locator(".dgm-quiz-score").inner_text() == f"{total} of {total} answered right."
    assert opened.left == [] and opened.complaints == []


def test_the_keyboard_alone_answers(opened):
    page = opened.page
    for form in page.locator(".dgm-question").all():
        letter = right_line(form).get_attribute("data-option")
        first = form.locator("input").first
        first.focus()
        if letter:
            first.press("Space")
            for _ in range("abcde".index(letter)):
                page.keyboard.press("ArrowDown")
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.innerText") == "Check"
        else:
            page.keyboard.press("Control+A")
            page.keyboard.type(right_line(form).get_attribute("data-value"))
        assert verdict(form) == "", "what was said of the last answer goes when it changes"
        page.keyboard.press("Enter")
        assert verdict(form).startswith("✓ Right.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_answers_show(opened, scheme):
    page = opened.page
    page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
    for number, form in enumerate(page.locator(".dgm-question").all()):
        answer_with(form, right_line(form) if number % 2 else lines(form).last)
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("async () => (await axe.run('.dgm-quiz', {resultTypes: ['violations']})).violations")
    assert [(v["id"], [node["target"] for node in v["nodes"][:3]]) for v in found] == []


def test_questions_fit_a_phone(opened):
    page = opened.page
    page.set_viewport_size({"width": 360, "height": 740})
    wide = page.evaluate(
        """() => [...document.querySelectorAll('.dgm-quiz *')]
            .filter(e => !e.closest('mjx-container') && e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.outerHTML.slice(0, 90))"""
    )
    assert wide == []
    small = page.evaluate(
        """() => [...document.querySelectorAll('.dgm-option, .dgm-quiz-check button, .dgm-number input')]
            .filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML.slice(0, 90))"""
    )
    assert small == []


def test_on_paper_all_answers_stand_open(opened):
    page = opened.page
    page.emulate_media(media="print")
    for form in page.locator(".dgm-question").all():
        assert form.locator("button:visible, .dgm-verdict:visible").count() == 0
        assert right_line(form).is_visible() and right_line(form).bounding_box()["height"] > 10
    page.emulate_media(media="screen")


def test_numbers_are_read_as_people_write_them(visit):
    """And a wrong number stays wrong, a word is no number."""
    page = visit(NUMBERS).page
    form = page.locator("#quiz-01-free-numbers")
    for typed, said in {
        "4095": "✓ Right.", "4,095": "✓ Right.", " 4 095 ": "✓ Right.", "4095.0": "✓ Right.", "8190/2": "✓ Right.",
        "4.095e3": "✓ Right.", "−4095": "✗ Not yet.", "4096": "✗ Not yet.", "seven": "Write a number first",
        "1/0": "✗ Not yet.", "1/2/3": "Write a number first", "": "Write a number first",
    }.items():
        form.locator(".dgm-number input").fill(typed)
        form.get_by_role("button", name="Check").click()
        assert verdict(form).startswith(said), f"{typed!r}: {verdict(form)}"


def test_without_a_script_the_answers_are_folded_away(visit):
    page = visit(NUMBERS, java_script_enabled=False).page
    for form in page.locator(".dgm-question").all():
        assert form.locator("button:visible").count() == 0, "a button that does nothing"
        assert not right_line(form).is_visible()
        form.locator("summary").click()
        assert right_line(form).is_visible()
