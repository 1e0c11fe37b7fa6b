"""The one style sheet of a page styles it as all those that it was made of would."""

import re

import pytest

from .conftest import HTML

pytestmark = pytest.mark.browser

# Every property of one element of each kind, and of what stands before and after it.
LOOKS = """() => {
    const name = e => `${e.tagName}.${e.getAttribute('class')}`, kinds = new Map();
    for (const e of document.querySelectorAll('body, body *:not(.katex *, svg *, pre *)')) {
        const kind = `${name(e.parentElement)} > ${name(e)}`;
        if (!kinds.has(kind)) kinds.set(kind, e);
    }
    return [...kinds].map(([kind, e]) => [kind, ...['', '::before', '::after'].map(part => {
        const style = getComputedStyle(e, part);
        return part && style.content === 'none' ? '' : [...style].map(p => p + style.getPropertyValue(p)).join(';');
    })]);
}"""
SWAP = """async addresses => {
    const one = document.querySelector('link[rel=stylesheet]');
    const all = addresses.map(href => Object.assign(document.createElement('link'), {rel: 'stylesheet', href}));
    const come = all.map(link => new Promise(done => link.addEventListener('load', done)));
    one.before(...all);
    await Promise.all(come);
    one.remove();
}"""


def settled(page) -> list:
    """How the page looks as soon as it looks the same twice: fonts come late on a slow machine."""
    looks, last = page.evaluate(LOOKS), None
    for _ in range(40):
        if looks == last:
            break
        page.evaluate("() => document.fonts.ready.then(() => new Promise(done => setTimeout(done, 400)))")
        looks, last = page.evaluate(LOOKS), looks
    return looks


@pytest.mark.parametrize("path", ["book/intro.html", "book/how-to-use.html"])
def test_the_one_style_sheet_says_what_all_said(visit, path):
    page = visit(path, reduced_motion="reduce").page
    address = re.search(r'rel="stylesheet" href="\.\./(?:\.\./)?([^"?]+)', (HTML / path).read_text(encoding="utf-8"))[1]
    names = re.match(r"/\* (.*) \*/", (HTML / address).read_text(encoding="utf-8"))[1].split(", ")
    before = settled(page)
    page.evaluate(SWAP, ["../" * path.count("/") + name for name in names])
    after = settled(page)
    assert len(before) == len(after) > 100
    assert [kind for (kind, *one), (_, *other) in zip(before, after, strict=True) if one != other] == []
