"""What the book says about itself: every claim, every law, every result, gathered from the files that hold them.

Plain functions from files to text; ``dgm_book.py`` puts what they give on the pages.
"""

from __future__ import annotations

import ast
import html
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

# --- Claims: from the stored outputs of the notebooks ---------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """One checked statement on a page."""

    label: str
    statement: str
    evidence: str
    law: str


class _ClaimReader(HTMLParser):
    """Finds ``<div class="dgm-claim" …>`` and the texts of its statement and its evidence."""

    def __init__(self):
        super().__init__()
        self.claims: list[Claim] = []
        self._fields: dict[str, str] | None = None
        self._field = None
        self._depth = 0

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        classes = (attrs.get("class") or "").split()
        if tag == "div" and "dgm-claim" in classes:
            self._fields = {"label": attrs.get("data-label", ""), "law": attrs.get("data-law", "")}
            self._depth = 0
        if self._fields is not None:
            self._depth += tag == "div"
            for name in ("statement", "evidence"):
                if f"dgm-claim-{name}" in classes:
                    self._field = (name, tag)
                    self._fields[name] = ""

    def handle_data(self, data):
        if self._fields is not None and self._field:
            self._fields[self._field[0]] += data

    def handle_endtag(self, tag):
        if self._field and tag == self._field[1]:
            self._field = None
        if tag == "div" and self._fields is not None:
            self._depth -= 1
            if self._depth == 0:
                found = {"statement": "", "evidence": "", **self._fields}
                self.claims.append(Claim(**{name: " ".join(text.split()) for name, text in found.items()}))
                self._fields = None


def claims_of(notebook: dict) -> list[Claim]:
    """Every claim whose tick is stored in a notebook (as read from JSON), in order."""
    reader = _ClaimReader()
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html", "")
            reader.feed(markup if isinstance(markup, str) else "".join(markup))
    return reader.claims


def title_of(notebook: dict) -> str:
    """The first heading of a notebook."""
    for cell in notebook.get("cells", []):
        if cell.get("cell_type") == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return "Untitled"


def claims_html(claims: list[Claim], page: str, laws: set[str]) -> str:
    """The claims of one chapter as a list, each linked to its place on ``page`` and to its law."""
    items = []
    for claim in claims:
        law = ""
        if claim.law:
            name = f"<code>{html.escape(claim.law)}</code>"
            link = f'<a href="#{law_id(claim.law)}">{name}</a>' if claim.law in laws else name
            law = f' <span class="dgm-claim-law">law: {link}</span>'
        items.append(
            f'<li><span class="dgm-claim-mark" aria-hidden="true">✓</span> '
            f'<a href="{html.escape(page)}#claim-{html.escape(claim.label)}">{html.escape(claim.statement)}</a>: '
            f"<b>{html.escape(claim.evidence)}</b>{law}</li>"
        )
    return f'<ul class="dgm-claims">{"".join(items)}</ul>'


# --- Laws: from the source of the package --------------------------------------------------------------------


@dataclass(frozen=True)
class Law:
    """One law of the package."""

    name: str
    meaning: str
    path: str
    line: int
    source: str


def law_id(name: str) -> str:
    """The anchor of a law on the page of claims."""
    return "law-" + name.replace("_", "-")


def laws_of(root: Path) -> list[Law]:
    """Every public law function of ``dgmhelpers.laws``, read from the source without importing it.

    A law is a top-level function, named in the package's ``__all__``, whose docstring says what it means.
    """
    files = sorted((root / "dgmhelpers" / "laws").glob("*.py")) or [root / "dgmhelpers" / "laws.py"]
    found = []
    for path in files:
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _gives_verdict(node):
                meaning = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                source = ast.get_source_segment(text, node) or ""
                found.append(Law(node.name, meaning, path.relative_to(root).as_posix(), node.lineno, source))
    return found


def _gives_verdict(node: ast.FunctionDef) -> bool:
    return node.returns is not None and "Verdict" in ast.unparse(node.returns)


# --- Results: from results/*.json and the published figures ----------------------------------------------------


def load_results(folder: Path) -> list[dict]:
    """Every record in ``results/``, in order of name.

    Raises:
        ValueError: if a file is not a JSON object, with its name.
    """
    records = []
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise ValueError(f"{path.name} does not hold one result")
        records.append({"name": path.stem, **record})
    return records


def value_with_error(value: float, error: float | None) -> str:
    """A number with as many digits as its standard error allows: ``97.71 ± 0.25``, not to be broken."""
    digits = 2
    if error is not None and 0 < error < 0.005:
        digits = 4
    text = f"{value:.{digits}f}"
    return f"{text}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{error:.{digits}f}" if error else text


def seconds(value: float | None) -> str:
    """A time in words: ``310 s``, ``4.2 ms``; a dash where it was not taken."""
    if value is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:,.3g} {unit}" if value < 1000 * size else f"{value:,.0f} s"
    return "0 s" if value == 0 else f"{value / 1e-9:.3g} ns"


def table(header: list[str], rows: list[list[str]], right: set[int] = frozenset()) -> str:
    """A Markdown table; columns in ``right`` are aligned to the right."""
    rule = ["---:" if i in right else "---" for i in range(len(header))]
    lines = [header, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)



_TABLES = {  # heading, and its columns of figures: a kind of figure, and what stands above it
    "Exact likelihoods": {"exact": "{unit}"},
    "Bounds and estimates": {"bound": "bound: at most, {unit}", "estimate": "estimate, {unit}"},
}
_REST = ["parameters", "trained in", "one sample", "on"]


def result_pages(published: list[dict], records: list[dict]) -> list[dict]:
    """One entry a data set: its key, its title, and the Markdown of its tables, published rows beside ours.

    Exact values have a table to themselves; bounds and estimates share one, in columns of their own. Two data sets
    never share. A set that was measured and has no published rows gets an entry too; one with published rows alone says
    that ours are missing.
    """
    known = {entry["data"] for entry in published}
    others = sorted({r["dataset"]["name"] for r in records} - known)
    entries = [*published, *({"data": name, "title": name, "about": "", "unit": "", "rows": []} for name in others)]
    pages = []
    for entry in entries:
        own = [record for record in records if record["dataset"]["name"] == entry["data"]]
        pages.append({"data": entry["data"], "title": entry["title"], "markdown": _page(entry, own)})
    return pages


def _page(entry: dict, records: list[dict]) -> str:
    parts = [entry["about"]]
    unit = entry["unit"] or (main_metric(records[0])["unit"] if records else "")
    for heading, columns in _TABLES.items():
        rows = [(_published_row(row, columns), row["value"]) for row in entry["rows"] if row["kind"] in columns]
        for record in records:
            figures = {kind: metric for kind in columns if (metric := main_metric(record, kind))}
            if figures:
                rows.append((_our_row(record, figures, columns), min(m["value"] for m in figures.values())))
        if rows:
            rows.sort(key=lambda row: -row[1])
            header = ["model", *(above.format(unit=unit).removesuffix(", ") for above in columns.values()), *_REST]
            parts.append(f"**{heading}** ({unit}, lower is better)" if unit else f"**{heading}**")
            parts.append(table(header, [cells for cells, _ in rows], right=set(range(1, len(header) - 1))))
    if any(row["status"] == "reported" for row in entry["rows"]):
        parts.append("† as the literature repeats it: the table itself was not opened for this page.")
    if not records:
        parts.append("*Ours are not measured yet.*")
    parts += [_provenance(record) for record in records]
    return "\n\n".join(part for part in parts if part)


def main_metric(record: dict, kind: str | None = None) -> dict | None:
    """The figure (of that kind) that goes in the table: on the test split of the record's own data, else on validation.

    None if there is none of the kind.
    """
    own = [m for m in record["metrics"] if m["dataset"] == record["dataset"]["name"] and kind in (None, m["kind"])]
    return next((m for m in own if m["split"] == "test"), own[0] if own else None)


def _published_row(row: dict, columns: dict) -> list[str]:
    cite = f" {{cite:p}}`{row['cite']}`" if row.get("cite") else ""
    note = f"; {row['note']}" if row.get("note") else ""
    dagger = "\N{NO-BREAK SPACE}†" if row["status"] == "reported" else ""
    value = f"{row['value']:.{row.get('digits', 2)}f}{dagger}"
    figures = [value if kind == row["kind"] else "" for kind in columns]
    source = "computed here" if row["status"] == "computed" else "published"
    return [f"{row['system']}{cite}{note}", *figures, "", "", "", source]


def _our_row(record: dict, figures: dict, columns: dict) -> list[str]:
    split = next(iter(figures.values()))["split"]
    shown = {kind: f"**{value_with_error(m['value'], m['standard_error'])}**" for kind, m in figures.items()}
    return [
        f"**{record['name']}** (ours)" + ("" if split == "test" else f", {split} split"),
        *(shown.get(kind, "") for kind in columns),
        f"{record['model']['parameters']:,}",
        seconds(record["seconds"]["train"]),
        seconds(record["seconds"]["per_sample"]),
        device_in_words(record["device"]),
    ]


def device_in_words(device: dict) -> str:
    """``CPU, 2 threads`` or the accelerator's name."""
    if device["type"] == "cpu":
        threads = device.get("threads")
        return "CPU" + (f", {threads} thread{'s' if threads > 1 else ''}" if threads else "")
    return device.get("name") or device["type"]


def _length(training: dict) -> str | None:
    """How long a model was trained, and why no longer."""
    if not training.get("steps_taken"):
        return None
    ended = {"patience": ", until validation no longer improved", "time": ", stopped by the clock"}
    why = ended.get(training.get("stopped"), "")
    return f"{training['steps_taken']:,} of {training['steps_planned']:,} steps; best at {training['best_step']:,}{why}"


_KIND_IN_WORDS = {"exact": "", "bound": " (bound)", "estimate": " (estimate)"}


def _estimate_in_words(record: dict) -> str | None:
    """How an estimate of the likelihood was made; None if the record has none."""
    metric = main_metric(record, "estimate")
    if not metric or "draws" not in metric:
        return None
    if metric["part"] == metric["examples"]:
        return f"importance-weighted, {metric['draws']:,} draws for each example"
    return (f"importance-weighted: the bound of all {metric['examples']:,} examples, less its mean gap to the estimate "
            f"with {metric['draws']:,} draws for each of {metric['part']:,} of them")


def _provenance(record: dict) -> str:
    """What it takes to make a result again, folded away."""
    metric = main_metric(record)
    training = record["training"]
    tried = len(record["selection"]["candidates"])
    elsewhere = [m for m in record["metrics"] if m["dataset"] != record["dataset"]["name"]]
    facts = {
        "Model": record.get("description"),
        "Command": f"`{record['command']}`",
        "Data": f"{record['dataset']['name']}, {metric['split']} split, {metric['examples']:,} examples; "
        f"sha256 `{record['dataset']['sha256'][:16]}…`",
        "Estimate": _estimate_in_words(record),
        "Chosen by": "the validation split alone" + (f", among {tried} candidates" if tried > 1 else ""),
        "Trained for": _length(training),
        "The same weights": "; ".join(
            f"{value_with_error(m['value'], m['standard_error'])} {m['unit']}{_KIND_IN_WORDS[m['kind']]} on "
            f"{m['examples']:,} of {m['dataset']}"
            for m in elsewhere
        )
        + (" (embedded: shows that these are the weights, and nothing of generalisation)" if elsewhere else ""),
        "Weights": f"`{record['checkpoint']['file']}`, {record['checkpoint']['dtype']}, "
        f"{record['checkpoint']['bytes'] / 2**20:.2f} MiB",
        "Commit, seed": f"`{(record['commit'] or 'unknown')[:12]}`, seed {record['seed']}",
        "Versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
    }
    lines = [f"- {name}: {fact}" for name, fact in facts.items() if fact]
    return f":::{{dropdown}} How {record['name']} was made\n" + "\n".join(lines) + "\n:::"


# --- Moving figures: from the stored outputs of the notebooks --------------------------------------------------


def moving_figure(notebook: dict, label: str) -> str | None:
    """The markup of the stored moving figure whose slider is called ``label``, without its caption; None if none is."""
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            markup = output.get("data", {}).get("text/html", "")
            markup = markup if isinstance(markup, str) else "".join(markup)
            if "dgm-frames" in markup and f"<span>{html.escape(label)}</span>" in markup:
                return re.sub(r"<figcaption>.*?</figcaption>", "", markup, flags=re.DOTALL)
    return None
