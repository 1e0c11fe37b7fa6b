"""What Sphinx's autodoc does not do for the reference: where a thing is defined, and links to it from the chapters.

An entry ends with its file, a law with its code. The docstring of the file, with formula, source and cost, stands with
the first entry that comes from it. In a chapter, the first time that a name of the package stands in code
(``laws.audit``, ``NADE``), it becomes a link.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the package of this tree, whichever is installed


def say_where(app, what, name, thing, options, lines):
    """Add the file of a class or function to its entry, and to the first of a file what the file says of itself."""
    if what not in ("class", "exception", "function"):
        return
    module = inspect.getmodule(thing)
    path = Path(inspect.getsourcefile(inspect.unwrap(thing)))
    place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    told = app.env.temp_data.setdefault("dgm_told", {})
    if not name.startswith(module.__name__) and told.setdefault(module.__name__, name) == name:
        lines += ["", *inspect.getdoc(module).splitlines()]
    bases = [base for base in getattr(thing, "__bases__", ()) if base.__module__.startswith("dgmhelpers")]
    kinds = ", ".join(f":class:`~{base.__module__}.{base.__name__}`" for base in bases)
    lines += ["", f"Defined in ``{place}``" + (f"; a kind of {kinds}." if kinds else "."), ""]
    if what == "function" and module.__name__.startswith("dgmhelpers.laws."):
        lines += [".. dropdown:: How it is checked", "   :class-container: dgm-source", ""]
        lines += [f"   .. literalinclude:: /{place}", f"      :pyobject: {thing.__name__}", ""]


def plain_signature(app, what, name, thing, options, signature, returns):
    """A signature that Python cannot read, with the last names of types and a sign for what a call makes."""
    if signature and "<factory>" in signature:
        return re.sub(r"~?\b(?:[a-z_]\w*\.)+(\w+)", r"\1", signature.replace("<factory>", "…")), returns
    return None


# --- Links from the chapters ----------------------------------------------------------------------------------


class Names:
    """Finds what a piece of code in a sentence is called in the reference."""

    def __init__(self, known: dict[str, str]):
        """``known``: from each full name to its kind."""
        self._known = set(known)
        short: dict[str, list[str]] = {}
        for name, kind in known.items():
            if kind in ("class", "exception"):
                short.setdefault(name.rsplit(".", 1)[1], []).append(name)
        self._short = {name: full[0] for name, full in short.items() if len(full) == 1}

    def __call__(self, code: str) -> str | None:
        """The full name that ``code`` means, such as ``laws.audit(model)`` or ``NADE``; None if it means none."""
        found = re.fullmatch(r"([A-Za-z_][\w.]*)(?:\(.*\))?", code.strip(), flags=re.DOTALL)
        if not found:
            return None
        name = found[1]
        full = [f"dgmhelpers.{name}", name] if "." in name else []
        return next((n for n in full if n in self._known), self._short.get(name))


def link_first_mentions(doctree: nodes.Node, names: Names, make) -> list[str]:
    """Put the first mention of each name in code inside ``make(full name, code)``; gives the names, in order."""
    used: list[str] = []
    for code in list(doctree.findall(nodes.literal)):
        full = names(code.astext())
        above, free = code.parent, True
        while above is not None:
            free = free and not isinstance(above, (nodes.title, nodes.reference, addnodes.pending_xref, nodes.term))
            above = above.parent
        if full is None or full in used or not free:
            continue
        used.append(full)
        place, parent = code.parent.index(code), code.parent
        parent.remove(code)
        parent.insert(place, make(full, code))
    return used


def link_chapter(app, doctree, docname):
    """Link the names of the package that a chapter mentions."""
    if not docname.startswith("notebooks/") or app.builder.format != "html":
        return
    objects = app.env.get_domain("py").objects
    known = {name: entry for name, entry in objects.items() if not entry.aliased}

    def make(full, code):
        entry = known[full]
        return make_refnode(app.builder, docname, entry.docname, entry.node_id, code, full)

    link_first_mentions(doctree, Names({name: entry.objtype for name, entry in known.items()}), make)


def setup(app):
    """Register both."""
    app.connect("autodoc-process-docstring", say_where, priority=900)  # after napoleon
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("doctree-resolved", link_chapter, priority=810)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
