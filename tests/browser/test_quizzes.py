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
    seen.path = request.param
    yield seen
    seen.context.close()


# Every line of every answer, tried in one go: what is said before anything is chosen, and of each.
TRY_ALL = """() => [...document.querySelectorAll('.dgm-question')].map(form => {
    const say = () => { form.requestSubmit(); return form.querySelector('.dgm-verdict').innerText; };
    const nothing = say();
    const each = [...form.querySelectorAll('.dgm-answer li')].map(line => {
        if (line.dataset.option) form.querySelector(`input[value=${line.dataset.option}]`).click();
        else form.querySelector('.dgm-number input').value = line.dataset.value || '123456789';
        const said = say();
        const shown = form.querySelector('.dgm-verdict .dgm-because').textContent;
        const meant = line.querySelector('.dgm-because').textContent;
        return {right: 'right' in line.dataset, said, shown, meant};
    });
    return {nothing, each, open: !form.querySelector('.dgm-answer').hidden};
})"""


def test_every_answer_is_told_why(opened):
    page = opened.page
    tried = page.evaluate(TRY_ALL)
    for question in tried:
        assert " first" in question["nothing"], "what is missing is said"
        for answer in question["each"]:
            assert answer["said"].startswith("✓ Right." if answer["right"] else "✗ Not yet."), answer["said"]
            assert answer["shown"] == answer["meant"] != ""
        reasons = [answer["shown"] for answer in question["each"]]
        assert len(set(reasons)) == len(reasons) and question["open"], "after a right answer all reasons can be read"
    total = len(tried)
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
            page.keyboard.press("Tab")                              # formulas in the answers are no stops on the way
            assert page.evaluate("document.activeElement.innerText") == "Check"
        else:
            page.keyboard.press("Control+A")
            page.keyboard.type(right_line(form).get_attribute("data-value"))
        assert verdict(form) == "", "what was said of the last answer goes when it changes"
        page.keyboard.press("Enter")
        assert verdict(form).startswith("✓ Right.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_answers_show(opened, scheme):
    if scheme == "dark" and opened.path != PAGES[0]:
        pytest.skip("the colours are the same on every page")
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
            .filter(e => !e.closest('.katex') && e.getBoundingClientRect().right > innerWidth + 1)
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
    form = visit(NUMBERS).page.locator("#quiz-01-free-numbers")
    for typed, said in {
        "4095": "✓ Right.", "4,095": "✓ Right.", " 4 095 ": "✓ Right.", "4095.0": "✓ Right.", "8190/2": "✓ Right.",
        "4.095e3": "✓ Right.", "−4095": "✗ Not yet.", "4096": "✗ Not yet.", "seven": "Write a number first",
        "1/0": "✗ Not yet.", "1/2/3": "Write a number first", "": "Write a number first",
    }.items():
        heard = form.evaluate(
            """(form, typed) => {
                form.querySelector('.dgm-number input').value = typed;
                form.requestSubmit();
                return form.querySelector('.dgm-verdict').innerText;
            }""",
            typed,
        )
        assert heard.startswith(said), f"{typed!r}: {heard}"


def test_without_a_script_the_answers_are_folded_away(visit):
    page = visit(NUMBERS, java_script_enabled=False).page
    for form in page.locator(".dgm-question").all():
        assert form.locator("button:visible").count() == 0, "a button that does nothing"
        assert not right_line(form).is_visible()
        form.locator("summary").click()
        assert right_line(form).is_visible()
