"""From equation to code to law: what of the package each statement of the chapters is, and what checks it.

Directive
    ``{equations}``: one section a chapter, with each of its theorems and definitions: the claims that say that they are
    ``of`` it, their laws, and the names of the package that stand in their cells.
"""

from __future__ import annotations

import ast
import html
import importlib
import json
import re
import sys
from functools import reduce
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]  # the package of this tree
import dgm_chapters as graph  # noqa: E402
import dgm_stored as stored  # noqa: E402
from dgm_pages import Page, relative_page  # noqa: E402

_TOOLS = ("laws", "claims", "viz", "data", "devices", "exercises")  # modules that are no part of a statement
_BLOCK = re.compile(r"^(?:`{3,}|:{3,})\{prf:(theorem|definition|lemma|corollary|proposition)\}[ ]*(.*)\n((?::.*\n)*)",
                    flags=re.MULTILINE)  # fmt: skip


def labelled(notebook: dict) -> dict[str, str]:
    """Label and title of each theorem and definition of a notebook, in order.

    Raises:
        ValueError: for one without a label.
    """
    found = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        for kind, title, options in _BLOCK.findall("".join(cell["source"]) + "\n"):
            label = re.search(r"^:label: *(\S+)", options, flags=re.MULTILINE)
            if label is None:
                raise ValueError(f"a {kind} without a label: {title or 'without a title'}")
            found[label[1]] = title.strip()
    return found


def checks(notebook: dict) -> dict[str, tuple[list[stored.Claim], list[str]]]:
    """By the label of each statement its claims, and the names of the package (less that) in their cells."""
    known: dict[str, str] = {}                               # what names of the notebook stand for
    found: dict[str, tuple[list[stored.Claim], list[str]]] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dgmhelpers"):
                known |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):      # a model under its name
                made = node.value
                while isinstance(made, ast.Call) or isinstance(getattr(made, "value", None), ast.Call):
                    made = made.func if isinstance(made, ast.Call) else made.value             # NADE(dim=9).double()
                known[node.targets[0].id] = _full(ast.unparse(made), known)
        for claim in stored.claims_of({"cells": [cell]}):
            for label in claim.of:
                claims, names = found.setdefault(label, ([], []))
                claims.append(claim)
                names += [name for name in _used(tree, known) if name not in names]
    return found


def _full(name: str, known: dict[str, str]) -> str:
    """A dotted name in code as a name of the package; empty if it is none."""
    root, dot, rest = name.partition(".")
    return known[root] + dot + rest if known.get(root) else ""


def _used(tree: ast.AST, known: dict[str, str]) -> list[str]:
    """The classes and functions of the package that a piece of code names, without ``dgmhelpers.``"""
    dotted = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)]
    found = []
    for full in filter(None, dict.fromkeys(_full(name, known) for name in dotted)):
        try:
            thing = reduce(getattr, full.split(".")[1:], importlib.import_module("dgmhelpers"))
        except AttributeError:
            continue
        if getattr(thing, "__module__", "").startswith("dgmhelpers") and full.split(".")[1] not in _TOOLS:
            found.append(full.removeprefix("dgmhelpers."))
    return found


class Equations(Page):
    """The index."""

    def run(self):
        chapters, _ = graph.load(self.root)
        sections = []
        for number, chapter in chapters.items():
            if not chapter.stands:
                continue
            notebook = json.loads(self.read(self.root / f"{chapter.docname}.ipynb"))
            page, found = relative_page(self.env.docname, chapter.docname), checks(notebook)
            statements = labelled(notebook).items()
            entries = [entry(label, title, page, *found.get(label, ((), ()))) for label, title in statements]
            title = f"{number} · {chapter.title}"
            sections.append(self.section(title, f"equations-{number:02d}", *self.markdown("\n\n".join(entries))))
        return sections


def entry(label: str, title: str, page: str, claims, names) -> str:
    """One statement in Markdown: a term, and a line for the code, the laws and the claims."""
    laws = dict.fromkeys(claim.law for claim in claims if claim.law)
    links = [f'<a href="{html.escape(page)}#claim-{c.label}">{html.escape(c.statement)}</a>' for c in claims]
    lines = {
        "code": ", ".join(f"{{py:obj}}`{name} <dgmhelpers.{name}>`" for name in names),
        "laws": ", ".join(f"{{py:func}}`{law} <dgmhelpers.laws.{law}>`" for law in laws),
        "checked on the page": "; ".join(links),
    }
    said = [f": {kind}: {words}" for kind, words in lines.items() if words] or [": used in an argument"]
    return "\n".join([f"{{prf:ref}}`{label}` · {title}", *said])


def setup(app):
    """Register the directive."""
    app.add_directive("equations", Equations)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
