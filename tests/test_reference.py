"""The reference of the package: all that is public is in it, its docstrings are good markup, chapters find it."""

import importlib
import pkgutil
import sys
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives, roles

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import dgm_api as api  # noqa: E402
import dgm_reference as reference  # noqa: E402

import dgmhelpers  # noqa: E402

ITEMS = {module: reference.items(module, ROOT) for _, modules in reference.PAGES.values() for module in modules}
NAMES = {item.name: item for items in ITEMS.values() for item in items}


def test_every_subpackage_has_a_page():
    assert {f"dgmhelpers.{name}" for name in dgmhelpers._SUBMODULES} <= set(ITEMS)
    assert {path.stem for path in (ROOT / "book" / "api").glob("*.md")} == {*reference.PAGES, "index"}
    for page in reference.PAGES:
        assert f"```{{api}} {page}\n```" in (ROOT / "book" / "api" / f"{page}.md").read_text(encoding="utf-8")


def test_the_public_names_of_the_design_are_there():
    autoregressive = (
        "FVBN CharRNN NADE RNADE DeepNADE ConvNADE MADE PixelCNN RowLSTM DiagonalBiLSTM GatedPixelCNN".split()
    )
    wanted = {f"dgmhelpers.autoregressive.{name}" for name in autoregressive}
    wanted |= {f"dgmhelpers.latent.{name}" for name in ("Autoencoder", "VAE", "LinearGaussianVAE")}
    wanted |= {f"dgmhelpers.protocols.{name}" for name in ("Sampler", "Density", "Bound", "Implicit")}
    wanted |= {"dgmhelpers.laws.audit", "dgmhelpers.viz.frames", "dgmhelpers.load"}
    assert wanted <= set(NAMES)
    assert ITEMS["dgmhelpers.adversarial.losses"] and ITEMS["dgmhelpers.claims"]


def test_nothing_exported_is_missing():
    """Whatever a subpackage names in ``__all__`` and can be called has an entry; new models need nothing done."""
    for module in ITEMS:
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", ()):
            thing = getattr(loaded, name)
            if callable(thing):
                assert f"{module}.{name}" in NAMES
            elif type(thing) is type(sys) and not hasattr(loaded, "_SUBMODULES"):
                assert f"{module}.{name}" in ITEMS, f"{module}.{name} is exported and on no page"


def test_every_entry_says_something_and_where_it_is_defined():
    for item in NAMES.values():
        lines = (ROOT / item.path).read_text(encoding="utf-8").splitlines()
        assert item.name.rsplit(".", 1)[1] in "".join(lines[item.line - 1 : item.line + 4]), item.name
        assert item.doc, f"{item.name} has no docstring"


def _stand_in(name, rawtext, text, lineno, inliner, options=None, content=None):
    return [nodes.literal(rawtext, text)], []


@pytest.fixture
def sphinx_roles():
    """Sphinx's roles, by name alone."""
    names = ("class", "func", "meth", "mod", "attr", "data", "exc", "obj")
    added = [name for name in names if name not in roles._roles]
    for name in added:
        roles.register_local_role(name, _stand_in)
    yield
    for name in added:
        del roles._roles[name]


def complaints(doc: str) -> list[str]:
    settings = {"report_level": 2, "halt_level": 6, "warning_stream": False}
    tree = publish_doctree(reference.to_rst(doc), settings_overrides=settings)
    return [message.astext() for message in tree.findall(nodes.system_message) if message["level"] >= 2]


@pytest.mark.parametrize("module", sorted(ITEMS))
def test_docstrings_are_good_markup(module, sphinx_roles):
    docs = {module: importlib.import_module(module).__doc__ or ""}
    for item in ITEMS[module]:
        docs[item.module] = importlib.import_module(item.module).__doc__ or ""
        docs |= {each.name: each.doc for each in (item, *item.methods)}
    found = {name: complaints(doc) for name, doc in docs.items()}
    assert {name: said for name, said in found.items() if said} == {}


def test_bad_markup_is_noticed(sphinx_roles):
    assert complaints("A list\n  * that is ``open.\n")
    assert complaints(":func:`x` and ``y``.\n\n.. math:: a\n") == []
    assert "math" in directives._directive_registry


def test_sections_of_a_docstring_become_definitions():
    doc = "Says.\n\nArgs:\n    dim: how many,\n        at least one.\n    a, b: two.\n"
    doc += "\nRaises:\n    ValueError: if not.\n\nAfter."
    text = reference.to_rst(doc)
    tree = publish_doctree(text)
    terms = [term.astext() for term in tree.findall(nodes.term)]
    assert terms == ["dim", "a, b", "ValueError"]
    assert [strong.astext() for strong in tree.findall(nodes.strong)] == ["Arguments", "Raises"]
    assert "how many, at least one." in tree.astext().replace("\n", " ") and tree.astext().endswith("After.")


def test_signatures_read_as_they_are_written():
    def function(x: "int", *, mode: str = "a, b", size: tuple[int, int] = (1, 2), **more) -> "list[int]":
        pass

    signature = reference.signature_of(function)
    assert signature == "(x: int, *, mode: str = 'a, b', size: tuple[int, int] = (1, 2), **more) -> list[int]"
    assert reference.arguments_of("(x: int, *, size: tuple[int, int] = (1, 2)) -> A") == [
        "x: int", "*", "size: tuple[int, int] = (1, 2)"
    ]  # fmt: skip
    nade = NAMES["dgmhelpers.autoregressive.NADE"]
    assert nade.signature == "(dim: int = 64, hidden: int = 128, order=None)"
    assert ("dgmhelpers.autoregressive.Autoregressive", ) == tuple(base for base, _ in nade.inherits)
    assert {"log_prob", "sample"} <= set(nade.inherits[0][1])


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


def test_subpackages_are_found_by_walking_too():
    """No folder of the package is left out because somebody forgot to name it."""
    folders = {module.name for module in pkgutil.iter_modules(dgmhelpers.__path__) if module.ispkg}
    assert folders <= set(dgmhelpers._SUBMODULES)
