"""What stands beside the tables of results: how far ours are from the published, and what took several seeds.

Plain functions from records to Markdown, and the directives that put it on a page: ``{results-summary}``, the best of
each data set; ``{gaps}``, every result of ours beside each figure that its recipe names; ``{seeds}``, those of several
runs.
"""

from __future__ import annotations

import json
import re

from dgm_pages import Page
from dgm_tables import device_in_words, load_results, main_metric, seconds, table, value_with_error, with_likelihoods

_HEADINGS = {"exact": "Exact likelihoods", "estimate": "Estimates of the likelihood", "bound": "Bounds"}
_LEVEL = 2          # a gap of at most so many standard errors of ours says nothing


# --- gaps ---------------------------------------------------------------------------------------------------------


def gaps(records: list[dict]) -> str:
    """One table for each kind of figure: published, ours, the gap, what it took, and what differs."""
    parts = []
    for kind, heading in _HEADINGS.items():
        rows = [row for record in records for row in _gap_rows(record, kind)]
        if rows:
            short = sum("short by" in row[3] for row in rows)
            header = ["ours", "published", "measured", "gap", "trained", "what differs, and what was tried"]
            pairs = "1 pair" if len(rows) == 1 else f"{len(rows)} pairs"
            parts.append(f"**{heading}**: {pairs}, {short} of them short of the published figure")
            parts.append(table(header, rows))
    return "\n\n".join(parts) or "*Nothing is measured yet.*"


def _gap_rows(record: dict, kind: str) -> list[list[str]]:
    metric = main_metric(record, kind)
    rows = []
    for row in record["published"] if metric else ():
        if row["kind"] == kind:
            rows.append([
                record["name"],
                f"{row['system']} {{cite:p}}`{row['cite']}`: {row['value']:.2f}",
                f"{value_with_error(metric['value'], metric['standard_error'])} {metric['unit']}",
                _in_words(metric["value"] - row["value"], metric["standard_error"]),
                f"{seconds(record['seconds']['train'])}, {device_in_words(record['device'])}",
                why(record, metric, "; ".join(filter(None, (row.get("note"), row["differs"])))),
            ])  # fmt: skip
    return rows


def _in_words(gap: float, error: float) -> str:
    """Whether ours is better, level within its error, or short, and by how much; lower is better."""
    if abs(gap) <= _LEVEL * error:
        return f"level ({gap:+.2f})".replace("-", "\N{MINUS SIGN}")
    return f"**short by {gap:.2f}**" if gap > 0 else f"better by {-gap:.2f}"


def why(record: dict, metric: dict, note: str) -> str:
    """What is known of why a figure differs: the recipe's own note, a part of the split, an end before its time."""
    training, tried = record["training"], len(record["selection"]["candidates"])
    facts = [note] if note else []
    whole = record["dataset"].get("splits", {}).get(metric["split"])
    if whole and metric["examples"] < whole and metric["unit"] != "nats per character":
        facts.append(f"on {metric['examples']:,} of {whole:,} {metric['split']} examples")
    if training.get("stopped") == "time":
        facts.append(f"stopped by the clock at {training['steps_taken']:,} of {training['steps_planned']:,} steps")
    if training.get("epochs"):
        facts.append("1 epoch" if round(training["epochs"]) == 1 else f"{training['epochs']:,.0f} epochs")
    if tried > 1:
        facts.append(f"the best of {tried} on validation")
    return "; ".join(facts)


# --- in short ---------------------------------------------------------------------------------------------------------


def in_short(sets: list[dict], records: list[dict]) -> str:
    """One line a data set: the best exact likelihood that we measured, and the best published one in our tables."""
    rows = []
    for entry in sets:
        own = [(main_metric(record, "exact"), record["name"]) for record in records
               if record["dataset"]["name"] == entry["data"] and main_metric(record, "exact")]
        published = [row for row in entry["rows"] if row["kind"] == "exact"]
        if own and published:
            ours, name = min(own, key=lambda each: each[0]["value"])
            best = min(published, key=lambda row: row["value"])
            rows.append([
                f"[{entry['title']}](#results-{entry['data']})",
                f"{value_with_error(ours['value'], ours['standard_error'])} {ours['unit']} ({name})",
                f"{best['value']:.2f} ({best['system']})",
                _in_words(ours["value"] - best["value"], ours["standard_error"]),
            ])  # fmt: skip
    return table(["data", "our best", "best published here", "gap"], rows) if rows else "*Nothing is measured yet.*"


# --- several seeds ----------------------------------------------------------------------------------------------------


def over_seeds(records: list[dict], chapters: dict[str, str]) -> str:
    """One line for each result of several runs: what was asked, in which chapter its table is, and what it took.

    Args:
        chapters: the text of each chapter's notebook by its file name.
    """
    rows = []
    for record in records:
        name = re.compile(rf"(?<![\w-]){re.escape(record['name'])}(?![\w-])")
        where = [file for file, text in chapters.items() if name.search(text)]
        rows.append([
            record["description"],
            ", ".join(f"[{place(file)}](../notebooks/{file})" for file in where) or "–",
            f"{len(record['variants'])} × {len(record['seeds'])}",
            f"{record['seconds']['all'] / 60:.0f} min, {device_in_words(record['device'])}",
        ])  # fmt: skip
    return table(["what was compared", "chapter", "variants × seeds", "took in all"], rows, right={2})


def place(file: str) -> str:
    """What a notebook is called in a link: the number of the chapter, or "appendix"."""
    return "appendix" if file.startswith("appendix") else str(int(file[:2]))


def provenance(record: dict) -> str:
    """What it takes to make the runs again, folded away."""
    facts = {
        "Command": f"`{record['command']}`",
        "Data": _data(record["dataset"]),
        "Minutes": f"{record['seconds']['all'] / 60:.0f} in all",
        "Device": device_in_words(record["device"]),
        "Commit": f"`{(record['commit'] or 'unknown')[:12]}`",
        "Versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
    }
    lines = [f"- {name}: {fact}" for name, fact in facts.items() if fact]
    return f":::{{dropdown}} How {record['name']} was made\n" + "\n".join(lines) + "\n:::"


def _data(dataset: dict) -> str:
    return dataset["name"] + (f", sha256 `{dataset['sha256'][:16]}…`" if dataset["sha256"] else "")


# --- directives ---------------------------------------------------------------------------------------------------


def records_of(page: Page) -> list[dict]:
    """Every record, joined with the published figures; the page is made again when one changes."""
    for path in (page.root / "results").glob("*.json"):
        page.env.note_dependency(str(path))
    return load_results(page.root / "results", json.loads(page.read(page.root / "book" / "published.json")))


class Gaps(Page):
    """Every result of ours beside the published figures that its recipe names."""

    def run(self):
        return self.markdown(gaps(with_likelihoods(records_of(self))))


class Summary(Page):
    """The results in one table."""

    def run(self):
        records = records_of(self)
        sets = json.loads(self.read(self.root / "book" / "published.json"))["sets"]
        return self.markdown(in_short(sets, records))


class Seeds(Page):
    """What was run several times, a line each, and how each was made."""

    def run(self):
        files = sorted((self.root / "notebooks").glob("*.ipynb"))
        chapters = {path.name: self.read(path) for path in files}
        several = [record for record in records_of(self) if len(record["runs"]) > 1]
        return self.markdown("\n\n".join([over_seeds(several, chapters), *map(provenance, several)]))


def register(app) -> None:
    """Make the directives known."""
    app.add_directive("gaps", Gaps)
    app.add_directive("results-summary", Summary)
    app.add_directive("seeds", Seeds)
