"""Results as tables: from ``results/*.json`` and the published figures to Markdown.

Plain functions from files to text; ``dgm_book.py`` puts what they give on the pages.
"""

from __future__ import annotations

import json
from pathlib import Path

KINDS = ("exact", "bound", "estimate")


def load_results(folder: Path, published: dict | None = None) -> list[dict]:
    """Every record in ``results/``, in order of name; the rows of ``published`` (the file) joined to the ids it names.

    Raises:
        ValueError: if a file is not a JSON object, with its name, or names a row that there is not.
    """
    records, known = [], {row["id"]: row for entry in (published or {}).get("sets", ()) for row in entry["rows"]}
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise ValueError(f"{path.name} does not hold one result")
        for row in record.get("published", ()) if known else ():
            if row["id"] not in known:
                raise ValueError(f"{path.name} names the published figure {row['id']}, which published.json lacks")
            row.update(known[row["id"]])
        records.append({"name": path.stem, **record})
    return records


def with_likelihoods(records: list[dict]) -> list[dict]:
    """Those with a likelihood, a bound or an estimate measured on weights that are kept."""
    return [record for record in records if any(metric["kind"] in KINDS for metric in record["metrics"])]


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
        "Memory": f"{record['memory'] / 1e6:,.0f} MB at the peak" if record.get("memory") else None,
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
