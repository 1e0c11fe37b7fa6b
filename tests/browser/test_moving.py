"""Moving figures: keyboard, button, reduced motion, paper, and no JavaScript at all."""

import re

import pytest

from .conftest import HTML, book_pages

pytestmark = pytest.mark.browser


def page_with(pattern: str) -> str:
    """The first page whose HTML holds ``pattern``; skips where there is none yet."""
    for path in book_pages():
        if re.search(pattern, (HTML / path).read_text(encoding="utf-8")):
            return path
    pytest.skip("no page has such a figure yet")


def shown(page) -> str:
    return page.locator(".dgm-frames").first.locator(".dgm-frame:visible").inner_html()


def test_arrow_keys_move_the_figure(visit):
    page = visit(page_with('type="range"')).page
    before = shown(page)
    slider = page.locator("article input[type=range]").first
    slider.focus()
    at_the_end = slider.input_value() == slider.get_attribute("max")
    page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
    assert shown(page) != before


def test_play_runs_to_the_end_and_pause_stops(visit):
    page = visit(page_with('class="dgm-play"')).page
    figure = page.locator(".dgm-frames:has(.dgm-play)").first
    button = figure.locator(".dgm-play")
    slider = figure.locator("input[type=range]")
    slider.evaluate("s => { s.value = 0; s.dispatchEvent(new Event('input')); }")
    button.click()
    assert button.inner_text() == "Pause"
    page.wait_for_function("s => +s.value > 0", arg=slider.element_handle())
    button.click()
    stopped = slider.input_value()
    page.wait_for_timeout(1500)
    assert (button.inner_text(), slider.input_value()) == ("Play", stopped)


def test_nothing_plays_for_those_who_asked_for_less_motion(visit):
    page = visit(page_with('class="dgm-play"'), reduced_motion="reduce").page
    assert page.locator(".dgm-play:visible").count() == 0
    assert page.locator("article input[type=range]:visible").count() > 0


@pytest.mark.parametrize("how", ["without JavaScript", "on paper"])
def test_a_still_shows(visit, how):
    path = page_with('type="range"')
    if how == "on paper":
        page = visit(path).page
        page.emulate_media(media="print")
    else:
        page = visit(path, java_script_enabled=False).page
    for figure in page.locator(".dgm-frames").all():
        assert figure.locator(".dgm-frame:visible").count() == 1
        assert figure.locator("input:visible, button:visible").count() == 0


def place(figure):
    """Where the window of a plane stands on its sheet, and the ring on its map."""
    at = figure.locator(".dgm-plane-view image").evaluate("e => [e.getAttribute('x'), e.getAttribute('y')]")
    return at + figure.locator(".dgm-plane-dot").evaluate("e => [e.getAttribute('cx'), e.getAttribute('cy')]")


def test_each_slider_of_a_plane_moves_its_own_coordinate(visit):
    figure = visit(page_with('class="dgm-plane"')).page.locator(".dgm-plane").first
    for axis in (0, 1):
        slider, said = figure.locator("input").nth(axis), figure.locator("output").nth(axis)
        before, word = place(figure), said.inner_text()
        slider.evaluate("s => { s.value = +s.max; s.dispatchEvent(new Event('input', {bubbles: true})); }")
        after = place(figure)
        assert [a != b for a, b in zip(before, after, strict=True)] == [axis == 0, axis == 1] * 2
        assert said.inner_text() == slider.get_attribute("aria-valuetext") != word


def test_a_finger_on_the_map_chooses_the_point(visit):
    page = visit(page_with('class="dgm-plane"')).page
    figure = page.locator(".dgm-plane").first
    chart = figure.locator(".dgm-plane-map")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    edge = 6 / 112                                               # of the map outside the frame
    page.mouse.click(box["x"] + (edge + 1e-3) * box["width"], box["y"] + (edge + 1e-3) * box["height"])
    last = figure.locator("input").first.get_attribute("max")
    assert [figure.locator("input").nth(axis).input_value() for axis in (0, 1)] == ["0", last]
    assert place(figure)[:2] == ["0", "0"]                       # the top left of the sheet


def test_a_plane_stands_still_without_a_script(visit):
    page = visit(page_with('class="dgm-plane"'), java_script_enabled=False).page
    assert page.locator(".dgm-plane-view:visible").count() == page.locator(".dgm-plane").count()
    assert page.locator(".dgm-plane .dgm-controls:visible").count() == 0
