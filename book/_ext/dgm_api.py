"""The reference of the package, made from its docstrings, and links to it from the chapters.

Directives
    ``{api} PAGE``: one page of it; the pages are named in ``dgm_reference.PAGES``.  ``{api-pages}``: a list of them.

In a chapter, the first time that a name of the package stands in code (``laws.audit``, ``NADE``), it becomes a link.
"""

from __future__ import annotations

import copy
import importlib
import io
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils import new_document
from myst_parser.mocking import MockRSTParser
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

sys.path.insert(0, str(Path(__file__).parent))
import dgm_reference as reference  # noqa: E402
from dgm_pages import Page  # noqa: E402
from dgm_tables import table  # noqa: E402


def _anchor(*words: str) -> str:
    return re.sub(r"[._]", "-", "-".join(words)).lower()


class Api(Page):
    """One page of the reference."""

    required_arguments = 1

    def run(self):
        self.python = self.env.get_domain("py")
        sections = []
        for module in reference.PAGES[self.arguments[0]][1]:
            sections += self._module(module)
        for key in ("py:module", "py:class"):
            self.env.ref_context.pop(key, None)
        return sections

    def _module(self, name: str) -> list[nodes.Node]:
        module = importlib.import_module(name)
        self.env.note_dependency(module.__file__)
        self.env.ref_context["py:module"] = name
        about = self.rst(module.__doc__ or "", module.__file__)
        content, files = [], {}
        for item in reference.items(name, self.root):
            files.setdefault(item.module, []).append(item)
        for defining, found in files.items():
            if defining == name:
                content += [node for item in found for node in self._item(item)]
                continue
            source = importlib.import_module(defining)
            self.env.note_dependency(source.__file__)
            title = ", ".join(item.name.removeprefix(f"{name}.") for item in found)
            own = [self.rst(source.__doc__ or "", source.__file__), *(self._item(item) for item in found)]
            parts = [node for piece in own for node in piece]
            content.append(self.section(title, _anchor("api", name, found[0].name.rsplit(".", 1)[1]), *parts))
        return [self.section(name, _anchor("module", name), *about, *content)]

    def _item(self, item: reference.Item) -> list[nodes.Node]:
        module, short = item.name.rsplit(".", 1)
        member = item.kind in ("method", "property")
        if member:
            module, owner = module.rsplit(".", 1)
            self.env.ref_context["py:class"] = owner
        sign = addnodes.desc_signature(item.name, "", ids=[item.name], fullname=item.name, module=module)
        if item.kind in ("class", "exception"):
            sign += addnodes.desc_annotation(item.kind, item.kind + " ")
        if not member:
            sign += addnodes.desc_addname(module + ".", module + ".")
        sign += addnodes.desc_name(short, short)
        if item.signature:
            listed = addnodes.desc_parameterlist("", "")
            for argument in reference.arguments_of(item.signature):
                listed += addnodes.desc_parameter("", argument, noemph=True)
            sign += listed
            if ") -> " in item.signature:
                gives = item.signature.rsplit(") -> ", 1)[1].strip("'")
                sign += addnodes.desc_returns("", gives)
        self.python.note_object(item.name, item.kind, item.name, location=sign)
        content = addnodes.desc_content("", *self.rst(item.doc, item.path))
        if not member:
            content.insert(0, self._source(item))
        for method in item.methods:
            content += self._item(method)
        for base, names in item.inherits:
            content += self.rst(f"From :class:`{base}`: {', '.join(f'``{name}``' for name in names)}.", item.path)
        self.env.ref_context.pop("py:class", None)
        return [addnodes.desc("", sign, content, domain="py", objtype=item.kind, desctype=item.kind)]

    def _source(self, item: reference.Item) -> nodes.Node:
        """Where it is defined: a link, if the repository has an address."""
        options = self.config.html_theme_options
        place = f"{item.path}, line {item.line}"
        content = nodes.Text(place)
        if options.get("repository_url"):
            branch = options.get("repository_branch") or "main"
            address = f"{options['repository_url'].rstrip('/')}/blob/{branch}/{item.path}#L{item.line}"
            content = nodes.reference("", place, refuri=address)
        return nodes.paragraph("", "", content, classes=["dgm-where"])

    def rst(self, doc: str, source: str) -> list[nodes.Node]:
        """A docstring as nodes; as it stands, where it is no good reStructuredText."""
        settings = copy.copy(self.state.document.settings)
        settings.warning_stream, settings.report_level = io.StringIO(), 2
        document = new_document(str(source), settings)
        MockRSTParser().parse(reference.to_rst(doc), document)
        if any(message["level"] >= 2 for message in document.findall(nodes.system_message)):
            return [nodes.literal_block(doc, doc, language="none")]
        return document.children


class Pages(Page):
    """The pages and the modules on each."""

    def run(self):
        rows = [
            [f"[{title}]({page}.md)", ", ".join(f"`{module}`" for module in modules)]
            for page, (title, modules) in reference.PAGES.items()
        ]
        return self.markdown(table(["page", "modules"], rows))


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
    known = {name: entry for name, entry in app.env.get_domain("py").objects.items()}

    def make(full, code):
        entry = known[full]
        return make_refnode(app.builder, docname, entry.docname, entry.node_id, code, full)

    link_first_mentions(doctree, Names({name: entry.objtype for name, entry in known.items()}), make)


def setup(app):
    """Register the directive and the links."""
    app.add_directive("api", Api)
    app.add_directive("api-pages", Pages)
    app.connect("doctree-resolved", link_chapter, priority=810)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
