"""Every page of the built book, as a reader meets it: on a desktop and a phone, in light and dark, without network."""

import pytest

from .conftest import AXE

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 780}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
COLOUR_RULES = ["color-contrast", "link-in-text-block"]


def test_page_loads_whole_without_network(look):
    seen = look(color_scheme="light")
    assert seen.left == [], "the page asks other servers"
    assert seen.complaints == []


def test_every_formula_is_typeset(look):
    raw = look(color_scheme="light").page.evaluate(
        """() => ({
            raw: [...document.querySelectorAll('article .math')]
                .filter(m => !m.querySelector('.katex math')).map(m => m.textContent.slice(0, 80)),
            wrong: [...document.querySelectorAll('.katex-error, .katex-html [style*="#cc0000"]')]
                .map(m => m.textContent.slice(0, 80)),
            left: [...document.querySelectorAll('article p, article li, article td, article figcaption')]
                .map(p => p.innerText).filter(t => /\\\\\\(|\\$\\$|\\\\(frac|sum|mid|theta)\\b/.test(t)),
        })"""
    )
    assert raw == {"raw": [], "wrong": [], "left": []}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_at_wcag_2_1_aa(look, scheme):
    page = look(color_scheme=scheme).page
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.add_script_tag(path=AXE)
    # pictures and drawn formulas are hidden from screen readers, which get words and MathML instead
    # between light and dark only colours differ, and all rules take twice as long
    rules = {"type": "tag", "values": WCAG} if scheme == "light" else {"type": "rule", "values": COLOUR_RULES}
    options = {"resultTypes": ["violations"], "runOnly": rules}
    what = {"exclude": [[".dgm-figure svg"], [".katex-html"]]}
    found = page.evaluate("async ([what, options]) => (await axe.run(what, options)).violations", [what, options])
    faults = [
        f"{violation['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in found
        for node in violation["nodes"][:5]
    ]
    assert faults == []


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


def test_formulas_stand_whole_and_keep_their_marks_on_a_phone(look):
    page = look(viewport=PHONE, is_mobile=True, has_touch=True).page
    faults = page.evaluate(
        """() => [...document.querySelectorAll('article span.math')].flatMap(math => {
            const formula = math.querySelector('.katex-html'), place = formula.getBoundingClientRect();
            if (!place.width || !math.checkVisibility()) return [];
            const what = math.parentElement.textContent.slice(0, 60), found = [];
            const line = math.closest('p, li, td, th, dd, div, section, label').clientWidth;
            // only what is as wide as the line may scroll inside itself
            if (formula.scrollWidth > formula.clientWidth + 1 && place.width < 0.6 * line) found.push(`cut: ${what}`);
            const next = math.nextSibling;
            if (next && next.nodeType === 3 && /^[,.;:!?)]/.test(next.data)) {
                const mark = document.createRange();
                mark.setStart(next, 0);
                mark.setEnd(next, 1);
                if (mark.getBoundingClientRect().left < place.left) found.push(`mark on its own line: ${what}`);
            }
            return found;
        })"""
    )
    assert faults == []


def test_what_is_cut_off_on_a_phone_scrolls_and_says_so(look):
    page = look(viewport=PHONE, is_mobile=True, has_touch=True).page
    silent = page.evaluate("""() => [...document.querySelectorAll('mjx-container, .katex-display, .dgm-wide')]
        .filter(box => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).display !== 'inline')
        .filter(box => box.clientWidth && !(/auto|scroll/.test(getComputedStyle(box).overflowX)
                       && /left|right|both/.test(box.dataset.more) && getComputedStyle(box).maskImage !== 'none'))
        .map(box => box.textContent.slice(0, 60))""")
    assert silent == []


def test_words_in_figures_can_be_read_on_a_phone(look):
    page = look(viewport=PHONE, is_mobile=True, has_touch=True).page
    small = page.evaluate("""() => [...document.querySelectorAll('article svg text, article svg tspan')]
        .filter(text => text.getBoundingClientRect().width && text.getScreenCTM())
        .map(text => [text.textContent, parseFloat(getComputedStyle(text).fontSize)
                      * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)])
        .filter(([, size]) => size < 8.95)""")
    assert small == []


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


SLIDERS = """() => {
    const faults = [];
    for (const slider of document.querySelectorAll('.dgm-frames input[type=range]')) {
        const figure = slider.closest('[data-values]'), name = slider.closest('label').innerText.trim();
        const said = slider.closest('label').parentElement.querySelector('output') &&
            [...slider.closest('label').parentElement.querySelectorAll('output')]
                .find(o => slider.closest('label').compareDocumentPosition(o) & Node.DOCUMENT_POSITION_FOLLOWING);
        const start = slider.value, set = v => {
            slider.value = v;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
        };
        if (!name) faults.push('a slider without a name');
        let before = null;
        for (let v = +slider.min; v <= +slider.max; v++) {
            set(v);
            const shown = [...figure.querySelectorAll('.dgm-frame')].filter(f => f.checkVisibility());
            if (shown.length !== 1) faults.push(`${name} = ${v}: not one picture shows, but ${shown.length}`);
            if (said.value !== slider.getAttribute('aria-valuetext') || !said.value)
                faults.push(`${name} = ${v}: the value said is not the value set`);
            if (shown[0] && shown[0].innerHTML === before) faults.push(`${name} = ${v}: the picture stays the same`);
            before = shown[0] && shown[0].innerHTML;
        }
        set(start);
    }
    return faults;
}"""


def test_every_slider_changes_its_picture(look):
    assert look(color_scheme="light").page.evaluate(SLIDERS) == []


# What a reader can operate, as the page shows it: links, buttons, fields, folds, and whatever scrolls.
CONTROLS = """() => {
    const operable = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const one = new Set();                                    // of a group of radio buttons Tab reaches one
    return [...document.querySelectorAll(operable)].filter(e => {
        if (!e.checkVisibility({visibilityProperty: true}) || e.disabled || e.tabIndex < 0) return false;
        if (e.closest('[inert], dialog:not([open])')) return false;
        if (e.type !== 'radio') return true;
        const group = `${e.form && e.form.id} ${e.name}`;
        return one.has(group) ? false : one.add(group);
    });
}"""


def test_the_keyboard_alone_reaches_every_control_and_shows_where_it_is(look, page_path):
    """The list of chapters at the side is the same on every page, and walked through on one."""
    page = look(color_scheme="light").page
    hidden = "nav.bd-links, .bd-sidebar-primary { display: none !important; }"
    list_of_chapters = "" if page_path == "search.html" else hidden
    page.evaluate(
        """() => {
            window.met = new Set(); window.unmarked = new Set();
            scrollTo(0, 0); document.activeElement.blur();
            document.addEventListener('focusin', e => {
                const group = e.target.type === 'radio' && document.querySelectorAll(`[name="${e.target.name}"]`);
                for (const each of group || [e.target]) met.add(each);
                const marked = [e.target, ...(e.target.labels || [])].some(m => {
                    const style = getComputedStyle(m);
                    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
                        || style.boxShadow !== 'none'
                        || m.matches('svg a') && [...m.querySelectorAll('rect')]     // a box that gets a thick edge
                            .some(r => parseFloat(getComputedStyle(r).strokeWidth) >= 4);
                });
                if (!marked) unmarked.add(e.target.outerHTML.slice(0, 100));
            });
        }"""
    )
    # The contents at the side unfold the section in view, some time after it came into view: here all, all the time.
    unfolded = page.add_style_tag(content="nav.page-toc ul ul { display: block !important; }" + list_of_chapters)
    many = page.evaluate(f"({CONTROLS})().length")
    for _ in range(many + 30):
        page.keyboard.press("Tab")
    missed = page.evaluate(f"({CONTROLS})().filter(e => !met.has(e)).map(e => e.outerHTML.slice(0, 120))")
    unfolded.evaluate("style => style.remove()")
    assert missed == []
    assert page.evaluate("[...unmarked]") == []


def test_what_can_be_clicked_is_a_control(look):
    """Nothing answers the mouse alone: what shows a hand can be focused, or stands in something that can."""
    deaf = look(color_scheme="light").page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => getComputedStyle(e).cursor === 'pointer' && e.checkVisibility({visibilityProperty: true}))
            .filter(e => !e.closest('a[href], button, input, select, textarea, summary, label, [tabindex]'))
            .filter(e => !e.querySelector('button') && !e.closest('.dgm-plane'))      // they have a control beside
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert deaf == []


def test_code_fits_its_cell_on_a_desktop(look):
    """Lines of up to a hundred characters are never cut off by the edge of their box."""
    cut = look(color_scheme="light").page.evaluate(
        """() => [...document.querySelectorAll('div.cell_input pre')]
            .map(pre => [pre.scrollWidth - pre.clientWidth, pre.textContent.split('\\n')
                .reduce((a, b) => a.length > b.length ? a : b)])
            .filter(([more, line]) => more > 1 && line.length <= 100)"""
    )
    assert cut == []


def test_paper_shows_everything_and_no_controls(look):
    page = look(color_scheme="light").page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    try:
        wrong = page.evaluate(
            """() => ({
                controls: [...document.querySelectorAll(
                    '.dgm-controls, .copybtn, .bd-sidebar-primary, .bd-header-article, .prev-next-footer')]
                    .filter(e => e.checkVisibility()).map(e => e.className),
                stills: [...document.querySelectorAll('.dgm-frames')].filter(f =>
                    [...f.querySelectorAll('.dgm-frame')].filter(s => s.checkVisibility()).length !== 1).length,
                folded: [...document.querySelectorAll('.admonition.dropdown > :not(button), details > :not(summary)')]
                    .filter(c => c.textContent.trim() && !c.matches('.toggle-button') && !c.checkVisibility())
                    .map(c => c.parentElement.id || c.parentElement.className).slice(0, 3),
            })"""
        )
    finally:
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
    assert wrong == {"controls": [], "stills": 0, "folded": []}
