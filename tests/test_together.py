"""What the book keeps together: formulas with the marks that touch them, proofs with their titles."""

import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from docutils import nodes

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import dgm_together  # noqa: E402

built = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built: make book")


def bound(*pieces):
    """A paragraph of words and formulas (in dollars) after binding: bound parts in braces."""
    children = [nodes.math("", piece[1:-1]) if piece.startswith("$") else nodes.Text(piece) for piece in pieces]
    paragraph = nodes.paragraph("", "", *children)
    for formula in list(paragraph.findall(nodes.math)):
        dgm_together.bind(formula)
    words = []
    for child in paragraph.children:
        if isinstance(child, nodes.inline):
            assert child["classes"] == [dgm_together.CLASS]
            words.append("{" + child.astext() + "}")
        else:
            words.append(child.astext())
    return "".join(words)


@pytest.mark.parametrize(
    "pieces, expected",
    [
        (["if ", "$x$", ", then"], "if {x,} then"),
        (["so (", "$x$", ") holds"], "so {(x)} holds"),
        (["with ", "$x$", ".)"], "with {x.)}"),
        (["of ", "$x$", "-values"], "of {x-}values"),
        (["at ", "$x$", " and"], "at x and"),
        (["$x$", ", ", "$y$", "."], "{x,} {y.}"),
        (["(", "$x$", ",", "$y$", ")"], "{(x,}{y)}"),
        (["$x$"], "x"),
        (["$x$", "th"], "xth"),
    ],
)
def test_marks_go_with_their_formula(pieces, expected):
    assert bound(*pieces) == expected


PAGE = r"""# A page

:::{prf:theorem} One
:label: thm-one
Words.
:::

:::{prf:proof}
Open, with $x$, always.
:::

:::{prf:proof}
:class: dropdown
$x$ is folded.
:::

```{admonition} Another
:class: dropdown
Folded as well.
```
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page above, built with what the book uses."""
    from sphinx.application import Sphinx

    folder = tmp_path_factory.mktemp("together")
    (folder / "index.md").write_text(PAGE, encoding="utf-8")
    extensions = ["myst_parser", "sphinx_togglebutton", "sphinx_proof", "dgm_together"]
    (folder / "conf.py").write_text(
        f"extensions = {extensions}\nmyst_enable_extensions = ['colon_fence', 'dollarmath']\n", encoding="utf-8"
    )
    Sphinx(folder, folder, folder / "out", folder / "trees", "html", status=None, warning=None).build()
    return (folder / "out" / "index.html").read_text(encoding="utf-8")


def test_a_proof_that_is_to_fold_has_the_title_that_the_script_wants(page):
    proofs = re.findall(r'<div class="[^"]*proof[^"]*admonition">\n.*?</div>', page, re.DOTALL)
    assert len(proofs) == 2
    assert "admonition-title" not in proofs[0] and "<p>Proof. Open" in proofs[0]
    title = r'<div class="proof dropdown admonition">\n<p class="admonition-title">Proof</p>'
    assert re.match(title, proofs[1]) and "Proof." not in proofs[1]


def test_formulas_on_a_page_are_bound(page):
    assert re.search(r'<span class="dgm-together"><span class="math[^"]*">\\\(x\\\)</span>,</span> always', page)


@built
def test_no_mark_is_left_beside_a_formula():
    for path in sorted((HTML / "notebooks").glob("*.html")):
        if not (ROOT / "notebooks" / f"{path.stem}.ipynb").exists():
            continue                                             # an old address, which leads on
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        formulas = page.select("article span.math")
        bound = [math for math in formulas if "dgm-together" in math.parent.get("class", [])]
        left = [str(math.next_sibling)[:12] for math in formulas if math not in bound and math.next_sibling]
        assert bound and [after for after in left if after[0] in ",.;:!?"] == [], path.name


@built
def test_every_id_is_there_once():
    for path in sorted(HTML.rglob("*.html")):
        if "_static" in path.relative_to(HTML).parts:
            continue
        ids = re.findall(r'<[a-z][^<>]*\sid="([^"]+)"', path.read_text(encoding="utf-8"))
        assert sorted({name for name in ids if ids.count(name) > 1}) == [], path.relative_to(HTML)
