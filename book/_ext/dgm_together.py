"""What belongs together on the page: a formula and the marks beside it, a proof and its title.

A browser may break a line on either side of a typeset formula, so that on a phone a comma or a full stop can begin a
line, and a bracket end one. Here the marks that touch a formula go with it into a span that does not break.

A proof of sphinx-proof has its name, "Proof.", in its first sentence and no title, and one and the same ``id`` on every
proof of a page. ``:class: dropdown`` then stops the script of sphinx-togglebutton, which looks for the title to put its
button in: neither that proof nor anything behind it folds. So a proof that is to fold is given a title, and none an id.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

CLASS = "dgm-together"
_CLOSING = re.compile(r"[,.;:!?…%)\]’”\"'–-]+")
_OPENING = re.compile(r"[(\[“‘]+$")


def bind(formula: nodes.math) -> None:
    """Put a formula and the marks that touch it into one span; nothing if none does."""
    parent = formula.parent
    place = parent.index(formula)
    before = parent[place - 1] if place else None
    after = parent[place + 1] if place + 1 < len(parent) else None
    opening = _OPENING.search(before.astext()) if isinstance(before, nodes.Text) else None
    closing = _CLOSING.match(after.astext()) if isinstance(after, nodes.Text) else None
    if not (opening or closing):
        return
    together = nodes.inline("", classes=[CLASS])
    parent.replace(formula, together)
    together += [nodes.Text(opening[0])] if opening else []
    together += formula
    together += [nodes.Text(closing[0])] if closing else []
    if opening:
        parent.replace(before, nodes.Text(before.astext()[: opening.start()]))
    if closing:
        parent.replace(after, nodes.Text(after.astext()[closing.end() :]))


def entitle(proof: nodes.admonition) -> None:
    """Take the id that all proofs share; and make the first word of a proof that is to fold its title."""
    proof["ids"] = []
    first = proof.children[0] if proof.children else None
    if "dropdown" in proof["classes"] and isinstance(first, nodes.paragraph):
        lead = first.children[0]
        first.replace(lead, nodes.Text(lead.astext().removeprefix("Proof.").lstrip()))
        proof.insert(0, nodes.title("", "Proof"))


class Together(SphinxPostTransform):
    """Both, on the pages; paper has its own ways."""

    default_priority = 900          # after all that looks for words
    formats = ("html",)

    def run(self, **kwargs):
        """Bind the formulas of a page, and mend its proofs."""
        for formula in list(self.document.findall(nodes.math)):
            bind(formula)
        for proof in list(self.document.findall(nodes.admonition)):
            if "proof" in proof.get("classes", ()):
                entitle(proof)


def setup(app):
    """Register the transform."""
    app.add_post_transform(Together)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
