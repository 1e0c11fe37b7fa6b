"""Every page of the built book, as a reader meets it: on a desktop and a phone, in light and dark, without network."""

import pytest

from .conftest import AXE

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


def test_page_loads_whole_without_network(look):
    seen = look(color_scheme="light")
    assert seen.left == [], "the page asks other servers"
    assert seen.complaints == []


def test_every_formula_is_typeset(look):
    raw = look(color_scheme="light").page.evaluate(
        """() => ({
            raw: [...document.querySelectorAll('article .math')]
                .filter(m => !m.querySelector('mjx-container')).map(m => m.textContent.slice(0, 80)),
            wrong: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(m => m.textContent.slice(0, 80)),
            left: [...document.querySelectorAll('article p, article li, article td, article figcaption')]
                .map(p => p.innerText).filter(t => /\\\\\\(|\\$\\$|\\\\(frac|sum|mid|theta)\\b/.test(t)),
        })"""
    )
    assert raw == {"raw": [], "wrong": [], "left": []}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(look, scheme):
    page = look(color_scheme=scheme).page
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.add_script_tag(path=AXE)
    # pictures are hidden from screen readers, which get their words instead
    what = "{exclude: [['.dgm-figure svg']]}, {resultTypes: ['violations']}"
    found = page.evaluate(f"async () => (await axe.run({what})).violations")
    serious = [
        f"{violation['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:5]
    ]
    assert serious == []


def test_nothing_overflows_on_a_phone(look):
    page = look(viewport=PHONE, is_mobile=True, has_touch=True).page
    wide = page.evaluate(
        """() => {
            const page = document.documentElement;
            if (page.scrollWidth <= page.clientWidth) return [];
            return [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > page.clientWidth + 1)
                .slice(0, 5).map(e => e.tagName + '.' + e.className);
        }"""
    )
    assert wide == []


def test_pictures_have_words(look):
    mute = look(color_scheme="light").page.evaluate(
        """() => [
            ...[...document.querySelectorAll('article img')].filter(i => !i.alt && !i.closest('[role=img]')),
            ...[...document.querySelectorAll('article figure.dgm-figure')]
                .filter(f => ![...f.querySelectorAll('[role=img]')].every(p => (p.ariaLabel || '').length > 10)
                             || !f.querySelector('[role=img]')),
        ].map(e => e.outerHTML.slice(0, 120))"""
    )
    assert mute == []


CONTRAST = """() => {
    const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const behind = e => {
        for (; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour.length && (colour.length < 4 || colour[3] > 0.5)) return colour;
        }
        return [255, 255, 255];
    };
    const faults = [];
    for (const figure of document.querySelectorAll('.dgm-figure')) {
        const back = behind(figure);
        for (const svg of figure.querySelectorAll('svg')) {
            const ink = ratio(parse(getComputedStyle(svg).color), back);
            if (ink < 7) faults.push(`ink ${ink.toFixed(1)}: ${svg.parentElement.ariaLabel}`);
            for (const part of svg.querySelectorAll('[style*="--dgm-"]')) {
                const style = getComputedStyle(part);
                for (const colour of [style.stroke, part.tagName === 'text' ? style.fill : 'none']) {
                    if (colour === 'none' || !colour.startsWith('rgb')) continue;
                    const series = ratio(parse(colour), back);
                    const least = part.tagName === 'text' ? 4.5 : 3;
                    if (series < least) faults.push(`series ${colour} ${series.toFixed(1)}`);
                }
            }
        }
    }
    return faults;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_stand_out_from_the_page(look, scheme):
    assert look(color_scheme=scheme).page.evaluate(CONTRAST) == []


def test_every_slider_changes_its_picture(visit, page_path):
    page = visit(page_path).page
    for number in range(page.locator(".dgm-frames input[type=range]").count()):
        slider = page.locator(".dgm-frames input[type=range]").nth(number)
        figure = slider.locator("xpath=ancestor::*[@data-values]")
        name = slider.evaluate("s => s.closest('label').innerText.trim()")
        assert name, "the slider has no name"
        shown = []
        for value in range(int(slider.get_attribute("min")), int(slider.get_attribute("max")) + 1):
            slider.evaluate(
                "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})); }", str(value)
            )
            frame = figure.locator(".dgm-frame:visible")
            assert frame.count() == 1, f"{name} = {value}: not one picture shows, but {frame.count()}"
            said = slider.locator("xpath=../following-sibling::output[1]").inner_text()
            assert said == slider.get_attribute("aria-valuetext"), f"{name}: the value said is not the value set"
            shown.append(frame.inner_html())
        pairs = list(zip(shown, shown[1:], strict=False))
        assert all(a != b for a, b in pairs), f"{name}: the picture stays the same"
