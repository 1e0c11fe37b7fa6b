"""The book on paper: what the pages show by HTML, said in LaTeX. ``tools/pdf.py`` builds it.

Figures become their stills, claims and answers of the checkers boxes, theorems and exercises boxes with the numbers
of the pages; the parts of ``_toc.yml`` become parts, and a chapter keeps the number of its file.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import texescape

sys.path.insert(0, str(Path(__file__).parent))
import dgm_stills  # noqa: E402
import dgm_stored as stored  # noqa: E402

texescape.init()  # Sphinx does so when it writes; pages are read before

SCREEN_ONLY = "dgm-screen-only"  # class of what paper leaves out
_POINTS = 0.69  # of paper for a CSS pixel: figures a little smaller than on the screen, their letters like a caption's


def tex(text: str) -> str:
    """Plain text, safe in LaTeX."""
    return texescape.escape(text, "xelatex")


def latex(code: str) -> nodes.raw:
    """LaTeX as it stands."""
    return nodes.raw("", code, format="latex")


def still_to_come(markup: str) -> nodes.raw:
    """A place for the still of a figure, filled when LaTeX is written: until then a page may lie in a cache."""
    place = latex("")
    place["still"] = markup
    return place


def claim_tex(claim: stored.Claim) -> str:
    """A claim that was checked, as a box with a tick."""
    law = rf"\dgmlaw{{{tex(claim.law)}}}" if claim.law else ""
    return rf"\dgmclaim{{{tex(claim.statement)}}}{{{tex(claim.evidence)}}}{{{law}}}"


def claims_tex(claims: list[stored.Claim]) -> str:
    """The claims of a chapter as a list."""
    return "\n".join(claim_tex(claim).replace(r"\dgmclaim", r"\dgmlisted", 1) for claim in claims)


def feedback_tex(markup: str) -> str:
    """What a checker said, as a line."""
    words = html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()
    return rf"\dgmfeedback{{{tex(words)}}}"


def figure_tex(still: dgm_stills.Still, width: float) -> str:
    """A still with its caption; ``width`` in CSS pixels."""
    more = r"\dgmmoves{}" if still.moves else ""
    caption = " ".join(filter(None, (tex(still.caption), more)))
    return rf"\dgmfigure{{{still.name}}}{{{width * _POINTS:.1f}pt}}{{{caption}}}"


def width_of(markup: str) -> float:
    """How wide a picture is in the page, in CSS pixels: its SVGs side by side, as far as there is room."""
    widths = [float(width) for width in re.findall(r"<(?:svg|img)[^>]*? width=\"([\d.]+)\"", markup)]
    row, widest = 0.0, 0.0
    for width in widths:
        row = row + 12 + width if row and row + 12 + width <= 660 else width
        widest = max(widest, row)
    return min(widest or 480, 660)


class Outputs(SphinxPostTransform):
    """Outputs of cells that say themselves in HTML: figures, claims, answers."""

    default_priority = 3  # before MyST-NB chooses among what an output offers
    formats = ("latex",)

    def run(self, **kwargs):
        """Replace each bundle that paper can show better than as plain text."""
        for place in list(self.document.findall(nodes.raw)):
            if place.get("still"):
                place.replace_self(latex(self.said(place["still"])))
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            markup = "".join(child.astext() for child in bundle.children if child.get("mime_type") == "text/html")
            code = self.said(markup)
            if code is not None:
                bundle.replace_self(latex(code))

    def said(self, markup: str) -> str | None:
        """The LaTeX for one output's HTML; None to leave it to others."""
        if markup.startswith('<div class="dgm-feedback'):
            return feedback_tex(markup)
        claims = stored.claims_of({"cells": [{"outputs": [{"data": {"text/html": markup}}]}]})
        if claims:
            return "\n".join(map(claim_tex, claims))
        still = dgm_stills.still_of(markup)
        return figure_tex(still, width_of(still.markup)) if still else None


class Screen(SphinxPostTransform):
    """Leaves out what only a screen can use (folded code, sources of laws); proofs and tables as paper wants them."""

    default_priority = 2
    formats = ("latex",)

    def run(self, **kwargs):
        """Remove it."""
        for node in list(self.document.findall(nodes.Element)):
            if SCREEN_ONLY in node.get("classes", ()):
                node.parent.remove(node)
            elif "cell_input" in node.get("classes", ()) and "tag_hide-input" in node.parent.get("classes", ()):
                node.parent.remove(node)
        for proof in list(self.document.findall(nodes.admonition)):
            if "proof" in proof.get("classes", ()):
                begin, end = latex(r"\begin{dgmproof}"), latex(r"\end{dgmproof}")
                proof.replace_self([begin, *proof.children, end])
        for table in list(self.document.findall(nodes.table)):
            place, spec = table.parent.index(table), columns_tex(_cells(table))
            if spec:
                table.parent.insert(place, addnodes.tabular_col_spec(spec=spec))
                place += 1
                if len(_cells(table)) > _TALL:
                    table["classes"].append("longtable")
            if len(list(table.findall(nodes.colspec))) > 4:
                table.parent.insert(place + 1, latex(r"\endgroup"))
                table.parent.insert(place - bool(spec), latex(r"\begingroup\dgmsmalltable"))
        for grid in list(self.document.findall(nodes.container)):
            if "sd-container-fluid" in grid.get("classes", ()):
                grid.replace_self(nodes.definition_list("", *map(_entry, _of_class(grid, "sd-card"))))
        for block in self.document.findall(nodes.math_block):
            block.children[:] = [nodes.Text(lines_tex(block.astext()))]


def _of_class(node, name: str) -> list:
    return [child for child in node.findall(nodes.Element) if name in child.get("classes", ())]


def _entry(card) -> nodes.definition_list_item:
    """A card as an entry: its link (or else its title) and what it says."""
    title = _of_class(card, "sd-card-title")
    says = [p for p in card.findall(nodes.paragraph) if not title or p not in list(title[0].findall())]
    link = next(card.findall(lambda n: isinstance(n, nodes.reference | addnodes.pending_xref)), None)
    name = [link] if link is not None else title[0].children if title else []
    says = [p for p in says if link is None or p is not link.parent]
    return nodes.definition_list_item("", nodes.term("", "", *name), nodes.definition("", *says))


def _cells(table) -> list[list[str]]:
    return [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]


_LINE = 106  # letters of a small table that stand side by side on a line
_TALL = 14   # rows of a table that goes on on the next page
_SHORT = 14  # letters of a cell that stays in one line


def columns_tex(rows: list[list[str]]) -> str:
    """Widths for the columns of a table that is wider than the page; nothing for one that LaTeX sets well by itself.

    Each column is as wide as its longest word, and as those of its cells that are short; of what is left each gets the
    more the more there is to say in it.
    """
    if len({len(row) for row in rows}) != 1:
        return ""
    columns = [[" ".join(cell.split()) for cell in column] for column in zip(*rows, strict=True)]
    natural = [max(map(len, column)) for column in columns]
    room = _LINE - 2 * len(columns)
    if len(columns) <= 4 or sum(natural) <= room:
        return ""
    heads, bodies = [column[0] for column in columns], [column[1:] for column in columns]
    least = [
        max(*(len(word) for cell in (head, *body) for word in re.split(r"[ -]", cell)), 3,
            *(len(cell) for cell in body if len(cell) <= _SHORT))
        for head, body in zip(heads, bodies, strict=True)
    ]  # fmt: skip
    more = [sum(map(len, column)) * (n > m) for column, n, m in zip(columns, natural, least, strict=True)]
    left = max(room - sum(least), 0)
    wide = [m + left * part / (sum(more) or 1) for m, part in zip(least, more, strict=True)]
    return "".join(rf">{{\raggedright\arraybackslash}}\Y{{{w / sum(wide):.3f}}}" for w in wide)


_WIDE = 72  # symbols of a formula that a line holds


def lines_tex(formula: str) -> str:
    """A display of several formulas side by side, in lines that fit the page; the page of the book scrolls instead."""
    def symbols(tex: str) -> int:
        return len(re.sub(r"\\[A-Za-z]+|\\.|[{}_^\s]", lambda m: "x" if m[0][:1] == "\\" else "", tex))

    if symbols(formula) <= _WIDE or re.search(r"\\\\|&|\\begin", formula):
        return formula
    lines = [""]
    for part in re.split(r"(?:\s*\\q?quad\b\s*)+(?!\\Longrightarrow)", formula):
        if lines[-1] and symbols(lines[-1] + part) > _WIDE - 16:
            lines.append("")
        lines[-1] += (r" \quad " if lines[-1] else "") + part.strip()
    return r" \\ ".join(lines)


class Parts(SphinxPostTransform):
    """Parts, and chapters that are called by the number of their file; the welcome page as a preface."""

    default_priority = 1
    formats = ("latex",)

    def run(self, **kwargs):
        """Put the parts in, number the chapters, and gather the first page's text under a title of its own."""
        root = next((n for n in self.document.children if isinstance(n, nodes.section)), None)
        files = {node["docname"]: node for node in self.document.findall(addnodes.start_of_file)}
        if root is None or not files:
            return
        first = {}
        for toctree in self.env.get_doctree(self.config.root_doc).findall(addnodes.toctree):
            if toctree.get("caption") and toctree["entries"]:
                first[toctree["entries"][0][1]] = toctree["caption"]
        for docname, node in files.items():
            chapter = re.match(r"notebooks/(\d+)-", docname)
            code = rf"\part{{{tex(first[docname])}}}" if docname in first else ""
            code += rf"\dgmnumbered{{{int(chapter[1])}}}" if chapter else r"\dgmunnumbered"
            node.parent.insert(node.parent.index(node), latex(code))
        title, *rest = root.children
        preface = nodes.section("", nodes.title("", "Welcome"), ids=["welcome"], names=["welcome"])
        preface["docname"] = self.config.root_doc
        for child in rest:
            if not any(child.findall(addnodes.start_of_file)):
                root.remove(child)
                preface += child
        root.insert(1, [latex(r"\dgmunnumbered"), preface])


# --- Theorems, exercises and solutions as boxes with the numbers of the pages ---------------------------------------


def _kind(node) -> str:
    return node.get("realtype") or type(node).__name__.split("_")[0]


def _number(translator, node) -> str:
    """``4.2``, as the page has it; nothing where the page has nothing."""
    docname = translator.curfilestack[-1] if translator.curfilestack else ""
    numbers = translator.builder.env.toc_fignumbers.get(docname, {})
    for kind in (node.get("countertype"), _kind(node)):
        for name in node.get("ids", ()):
            if name in numbers.get(kind, {}):
                return ".".join(map(str, numbers[kind][name]))
    return ""


def visit_box(translator, node):
    """Begin a theorem, an exercise, a solution or the like; its title is its first child."""
    kind, number, words = _kind(node), _number(translator, node), ""
    translator.body.append(translator.hypertarget_to(node, anchor=True))
    if kind == "exercise":
        translator.body.append(rf"\phantomsection\label{{exercise:{node['label']}}}")
    if node.children and isinstance(node.children[0], nodes.title):
        title = node.children[0]
        node.remove(title)
        translator.pushbody([])
        for child in title.children:
            child.walkabout(translator)
        words = "".join(translator.popbody()).strip()
    words = re.sub(rf"^{kind.title()}\s*{re.escape(number)}(?=\s|$)", "", words).strip()
    words = re.sub(r"^\((.*)\)$", r"\1", words, flags=re.DOTALL)
    head = f"{kind.title()} {number}".strip()
    if kind == "solution":                                       # "Solution to Exercise 4.1 (Its name)"
        head, words = f"Solution {words}", ""
    translator.body.append(f"\n\\begin{{dgmbox}}{{{head}}}{{{words}}}{{{kind}}}\n")


def depart_box(translator, node):
    """End it."""
    translator.body.append("\n\\end{dgmbox}\n")


def settings(app, config):
    """What a LaTeX build of this book needs."""
    folder = Path(app.confdir) / "book" / "_latex"
    config.latex_engine = "xelatex"
    config.latex_documents = [(config.root_doc, "book.tex", config.project, config.author, "manual")]
    config.latex_additional_files = [str(folder / "dgmbook.sty")]
    config.latex_use_xindy = False
    config.latex_domain_indices = False
    config.latex_show_urls = "no"
    config.latex_table_style = ["booktabs"]
    config.latex_elements = {
        "papersize": "a4paper",
        "pointsize": "10pt",
        "fontpkg": "",
        "fncychap": "",
        "babel": r"\usepackage[english]{babel}",
        "polyglossia": "",
        "extraclassoptions": "openany,twoside",
        "sphinxsetup": "hmargin={28mm,24mm},vmargin={24mm,26mm},verbatimwithframe=false,"
        "VerbatimColor={rgb}{0.965,0.965,0.955},verbatimsep=4pt,InnerLinkColor={rgb}{0,0.25,0.5},"
        "OuterLinkColor={rgb}{0,0.25,0.5},TitleColor={rgb}{0,0.2,0.4}",
        "preamble": r"\usepackage{dgmbook}",
        "fvset": r"\fvset{fontsize=\footnotesize}",
        "printindex": "",
        "makeindex": "",
    }


def setup(app):
    """Register what a LaTeX build adds."""
    from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node
    from sphinx_proof.nodes import NODE_TYPES

    for extension in ("sphinx_proof", "sphinx_exercise"):
        app.setup_extension(extension)
    for box in (*NODE_TYPES.values(), exercise_enumerable_node, exercise_node, solution_node):
        app.add_node(box, override=True, latex=(visit_box, depart_box))
    app.connect("config-inited", settings, priority=900)
    for transform in (Parts, Screen, Outputs):
        app.add_post_transform(transform)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
