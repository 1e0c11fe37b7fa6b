"""The code of a claim is folded away behind its line; the functions that its cell defines stay open.

In a cell that ends in a claim, everything after the last definition prepares the claim and makes it. On a page that
part opens with a click on the line of the claim; print and the notebook show it.
"""

from __future__ import annotations

import ast
import html
import re

import dgm_address
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


def definitions_end(source: str) -> int:
    """How many lines of a cell lead up to the end of its last function or class; 0 if it defines none."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return max((node.end_lineno or 0 for node in ast.parse(source).body if isinstance(node, kinds)), default=0)


class FoldClaims(SphinxPostTransform):
    """Puts the code that makes a claim behind the claim's line."""

    default_priority = 190                                      # before MyST-NB wraps what is tagged hide-input
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") == "cell_code" and len(cell.children) == 2:
                claims = [raw for raw in cell.children[1].findall(nodes.raw) if '<div class="dgm-claim' in raw.astext()]
                if claims:
                    self.fold(cell, claims[-1])

    def report(self, claim: str) -> str:
        """A link that reports the claim, if the repository has an address."""
        label = re.search(r'data-label="([^"]+)"', claim)
        address = dgm_address.report(label[1], self.env.docname) if label else ""
        return f'<p class="dgm-report"><a href="{html.escape(address)}">Report this claim</a></p>' if address else ""

    def fold(self, cell: nodes.container, claim: nodes.raw) -> None:
        """Move the end of a cell's code into a fold whose line is the claim."""
        code = next(cell.children[0].findall(nodes.literal_block))
        lines = code.astext().rstrip().split("\n")
        kept = 0 if "hide_mode" in cell else definitions_end(code.astext())
        parts = []
        for part in (lines[:kept], lines[kept:]):
            text = "\n".join(part).strip("\n")
            parts.append(nodes.literal_block(text, text, **{k: v for k, v in code.attributes.items() if v}))
        folded = nodes.container("", parts[1], classes=["cell_input"])
        line = nodes.raw("", f'<details class="dgm-fold"><summary>{claim.astext()}</summary>', format="html")
        outputs, place = claim.parent, claim.parent.index(claim)
        end = nodes.raw("", f"{self.report(claim.astext())}</details>", format="html")
        outputs[place : place + 1] = [line, folded, end]
        cell["classes"].append("dgm-claim-cell")
        if kept:
            code.replace_self(parts[0])
        else:
            cell.attributes.pop("hide_mode", None)
            cell.remove(cell.children[0])


def setup(app):
    """Register the transform."""
    app.add_post_transform(FoldClaims)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
