"""The reference of the package: all that is public is in it, with words, and chapters find it."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest
from docutils import nodes

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import dgm_api as api  # noqa: E402

import dgmhelpers  # noqa: E402

built = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built: make book")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "book" / "api").glob("*.md")}
MODULES = {name: page for page, text in PAGES.items() for name in re.findall(r"^\.\. automodule:: (\S+)$", text, re.M)}
EXPORTED = {
    f"{module}.{name}": thing
    for module in MODULES
    for name in getattr(importlib.import_module(module), "__all__", ())
    if callable(thing := getattr(importlib.import_module(module), name)) and inspect.getmodule(thing)
}


def test_every_subpackage_has_a_page_and_the_list_of_pages_names_it():
    assert {f"dgmhelpers.{name}" for name in dgmhelpers._SUBMODULES} <= set(MODULES)
    folders = {module.name for module in pkgutil.iter_modules(dgmhelpers.__path__) if module.ispkg}
    assert folders <= set(dgmhelpers._SUBMODULES), "one that somebody forgot to name"
    for module, page in MODULES.items():
        (row,) = (row for row in PAGES["index"].splitlines() if f"]({page}.md)" in row)
        assert f"`{module.rsplit('.', 1)[1] if module.count('.') > 1 else module}`" in row or module[11:] in row, module


def test_what_is_exported_says_what_it_is():
    assert len(EXPORTED) > 100
    assert [name for name, thing in EXPORTED.items() if not inspect.getdoc(thing)] == []


@built
def test_what_is_exported_has_an_entry():
    """New models need nothing done."""
    found = {}
    for module, page in MODULES.items():
        text = (HTML / "book" / "api" / f"{page}.html").read_text(encoding="utf-8")
        found[module] = set(re.findall(r'<dt class="sig[^"]*" id="([\w.]+)"', text))
    there = [thing for name, thing in EXPORTED.items() if name in found[name.rsplit(".", 1)[0]]]
    assert [name for name, thing in EXPORTED.items() if thing not in there] == []
    autoregressive = (HTML / "book" / "api" / "autoregressive.html").read_text(encoding="utf-8")
    for word in ("dgmhelpers/autoregressive/nade.py", "dgmhelpers.autoregressive.Autoregressive.log_prob"):
        assert word in autoregressive


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("dgmhelpers.laws.audit", "dgmhelpers.laws.audit"),
        ("laws.audit(model)", "dgmhelpers.laws.audit"),
        ("NADE", "dgmhelpers.autoregressive.NADE"),
        ("NADE(dim=9)", "dgmhelpers.autoregressive.NADE"),
        ("audit", None),  # too short to be sure
        ("Mixture", None),  # two of that name
        ("torch.where", None),
        ("x + 1", None),
    ],
)
def test_code_in_a_sentence_finds_its_entry(code, means):
    known = dict.fromkeys(("dgmhelpers.autoregressive.NADE", "dgmhelpers.a.Mixture", "dgmhelpers.b.Mixture"), "class")
    assert api.Names(known | {"dgmhelpers.laws.audit": "function"})(code) == means


def test_the_first_mention_of_a_name_is_a_link_and_headings_are_left_alone():
    names = api.Names({"dgmhelpers.laws.audit": "function"})
    said = nodes.paragraph("", "", nodes.literal("", "laws.audit"), nodes.Text(" or "), nodes.literal("", "laws.audit"))
    document = nodes.section("", nodes.title("", "", nodes.literal("", "laws.audit")), said)
    used = api.link_first_mentions(document, names, lambda full, code: nodes.reference("", "", code, refid=full))
    assert used == ["dgmhelpers.laws.audit"]
    assert [type(child) for child in said.children] == [nodes.reference, nodes.Text, nodes.literal]
    assert isinstance(document[0][0], nodes.literal)
