"""The book's own Sphinx extension: pages made from what the project holds.

Directives
    ``{claims}``: every claim of every chapter.  ``{claim} notebooks/NAME``: the one called ``:label:``.
    ``{results}``: one table a data set, published figures beside ours; ``{gaps}``, ``{seeds}``: ``dgm_results.py``.
    ``{moving-figure} notebooks/NAME``: the moving figure of a chapter whose slider is called ``:label:``.
"""

from __future__ import annotations

import html
import json
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives

sys.path.insert(0, str(Path(__file__).parent))
import dgm_address  # noqa: E402
import dgm_results  # noqa: E402
import dgm_stored as stored  # noqa: E402
import dgm_tables as tables  # noqa: E402
from dgm_pages import Page, relative_page  # noqa: E402


class Claims(Page):
    """Every claim in the book."""

    def run(self):
        sections, count = [], 0
        for docname in sorted(self.env.found_docs):
            path = self.root / f"{docname}.ipynb"
            if not docname.startswith("notebooks/") or not path.exists():
                continue
            notebook = json.loads(self.read(path))
            claims = stored.claims_of(notebook)
            count += len(claims)
            if claims:
                page = relative_page(self.env.docname, docname)
                anchor = "claims-" + Path(docname).name.lower()
                listing = self.raw(stored.claims_html(claims, page, "api/laws.html"))
                sections.append(self.section(stored.title_of(notebook), anchor, listing))
        if not sections:
            return self.markdown("No chapter has stored a claim yet: `make notebooks` executes them.")
        many = f"{count} claims in {len(sections)} chapters" if len(sections) > 1 else f"{count} claims in one chapter"
        return [*self.markdown(f"**{many}**, each checked when its notebook was last executed."), *sections]


class OneClaim(Page):
    """One claim of a chapter, shown on another page with a link to its place."""

    required_arguments = 1
    option_spec = {"label": directives.unchanged_required}

    def run(self):
        docname, label = self.arguments[0], self.options["label"]
        path = self.root / f"{docname}.ipynb"
        claims = stored.claims_of(json.loads(self.read(path))) if path.exists() else []
        found = [claim for claim in claims if claim.label == label]
        if not found:
            raise self.error(f"{docname} stores no claim called {label!r}")
        page = relative_page(self.env.docname, docname)
        shown = stored.claims_html(found, page).replace("dgm-claims", "dgm-claims dgm-claim")
        return [self.raw(shown)]


class Results(Page):
    """Published figures beside ours, one table a data set."""

    def run(self):
        published = json.loads(self.read(self.root / "book" / "published.json"))
        records = tables.with_likelihoods(dgm_results.records_of(self))
        result = []
        for entry in tables.result_pages(published["sets"], records):
            result.append(self.section(entry["title"], f"results-{entry['data']}", *self.markdown(entry["markdown"])))
        return result


class MovingFigure(Page):
    """A chapter's moving figure, shown on another page."""

    required_arguments = 1
    option_spec = {"label": directives.unchanged_required, "caption": directives.unchanged}

    def run(self):
        path = self.root / f"{self.arguments[0]}.ipynb"
        markup = stored.moving_figure(json.loads(self.read(path)), self.options["label"]) if path.exists() else None
        if markup is None:
            return []
        caption = nodes.container("", *self.markdown(self.options.get("caption", "")), classes=["dgm-caption"])
        return [self.raw(markup), caption]


def launch_options(url: str) -> dict:
    """What the theme needs for its launch buttons; nothing as long as the repository has no address.

    The buttons lead to the branch that ``tools/hosted.py`` writes. Colab opens what lies on GitHub alone.
    """
    if not url:
        return {}
    services = {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"}
    if url.startswith("https://github.com/"):
        services["colab_url"] = "https://colab.research.google.com"
    return {"launch_buttons": services, "repository_url": url.rstrip("/"), "repository_branch": "hosted"}


def add_launch_buttons(app, config):
    """Give the theme its launch buttons, if the repository has an address."""
    config.html_theme_options.update(launch_options(dgm_address.repository()["url"]))


def suggest_an_edit(app, pagename, templatename, context, doctree):
    """A link at the end of a page to where its source can be edited, if the repository has an address.

    The theme's own button would lead to the branch that hosted notebooks are opened from.
    """
    source = app.env.doc2path(pagename, base=False) if doctree is not None else ""
    address = dgm_address.edit(source) if source else ""
    if address and "body" in context:
        context["body"] += f'<p class="dgm-edit"><a href="{html.escape(address)}">Suggest an edit to this page</a></p>'


def offer_downloads(app, pagename, templatename, context, doctree):
    """On the page that says how to use the book: what the published book has to download (``DGM_DOWNLOADS``)."""
    names = os.environ.get("DGM_DOWNLOADS", "").split()
    if pagename == "book/how-to-use" and names and "body" in context:
        links = "".join(f'<li><a href="../downloads/{name}">{name}</a></li>' for name in names)
        context["body"] += f"<h2>Downloads</h2><ul>{links}</ul>"


def number_by_chapter(app, env):
    """Theorem 2 of chapter 04 is Theorem 4.2, and exercises likewise: as in the file names, and for the checkers."""
    for docname, kinds in env.toc_fignumbers.items():
        chapter = re.match(r"notebooks/(\d+)-", docname)
        for numbers in kinds.values() if chapter else ():
            for place, label in enumerate(sorted(numbers, key=numbers.get), start=1):
                numbers[label] = (int(chapter[1]), place)
    return []


# Markup of the tools that screen readers trip over, and what it becomes.
_REPAIRS = {
    ' role="doc-biblioentry"': "",
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    '<summary aria-label="Toggle hidden content">': "<summary>",
    ' id="proof-content"': "",  # of every theorem, exercise and solution of a page alike
    ' id="exercise-content"': "",
    ' id="solution-content"': "",
}


def repair(app, pagename, templatename, context, doctree):
    """Mend a page's body before it goes into its template."""
    for found, better in _REPAIRS.items():
        if "body" in context:
            context["body"] = context["body"].replace(found, better)


def setup(app):
    """Register the directives and the assets."""
    app.add_directive("claims", Claims)
    app.add_directive("claim", OneClaim)
    app.add_directive("results", Results)
    dgm_results.register(app)
    app.add_directive("moving-figure", MovingFigure)
    app.connect("config-inited", add_launch_buttons)
    app.connect("env-get-updated", number_by_chapter, priority=900)  # after Sphinx has counted through the book
    app.connect("html-page-context", repair)
    app.connect("html-page-context", offer_downloads)
    app.connect("html-page-context", suggest_an_edit)
    # Jupyter Book always sets this one; sphinx-comments, which would know it, is not loaded.
    app.add_config_value("comments_config", {}, "")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
