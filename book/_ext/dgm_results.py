"""What stands beside the tables of results: how far ours are from the published, and what took several seeds.

Plain functions from records to Markdown, and the two directives that put it on a page:
``{gaps}``, every result of ours beside each figure that its recipe names; ``{seeds}``, those of several runs.
"""

from __future__ import annotations

import json

from dgm_pages import Page
from dgm_tables import device_in_words, load_results, main_metric, seconds, table, value_with_error, with_likelihoods

_HEADINGS = {"exact": "Exact likelihoods", "estimate": "Estimates of the likelihood", "bound": "Bounds"}
_ABBREVIATED = {"gan", "vae", "rnn", "wgan", "gp", "nade", "made"}
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


# --- several seeds ----------------------------------------------------------------------------------------------------


def over_seeds(record: dict) -> str:
    """Variants, each a row; figures, each a column: means over the seeds with their standard errors, and gains."""
    figures, gains = list(record["units"]), record["gains"]
    against = next((variant for variant in record["variants"] if gains and variant not in gains), None)
    parameters = {run["variant"]: run.get("parameters") for run in record["runs"]}
    shown = any(parameters.values()) and len(set(parameters.values())) > 1
    rows = []
    for variant, entry in record["summary"].items():
        row = [variant] + ([f"{parameters[variant]:,}"] if shown else [])
        row += [value_with_error(entry[f]["mean"], entry[f]["standard_error"]) for f in figures]
        rows.append(row + ([_gain(gains.get(variant, {}).get(f)) for f in figures] if against else []))
    header = ["variant"] + (["parameters"] if shown else []) + figures
    header += [f"{figure}, above {against}" for figure in figures] if against else []
    units = "\n".join(f"- {name}: {text}" for name, text in record["units"].items())
    known = f"; entropy {record['dataset']['entropy']:.2f}" if "entropy" in record["dataset"] else ""
    return "\n\n".join([
        f"{record['description']}; mean over {len(record['seeds'])} seeds{known}", units,
        table(header, rows, right=set(range(1, len(header)))),
    ])  # fmt: skip


def _gain(gain: dict | None) -> str:
    if gain is None:
        return "–"
    low, high = gain["interval"]
    return f"{gain['value']:.2f} (95 %: {low:.2f} to {high:.2f})".replace(" ", "\N{NO-BREAK SPACE}")


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


def title(record: dict) -> str:
    """A file's name as a heading: ``listing-gan-digits`` is Listing GAN digits."""
    words = [word.upper() if word in _ABBREVIATED else word for word in record["name"].split("-")]
    return " ".join([words[0].capitalize() if words[0].islower() else words[0], *words[1:]])


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


class Seeds(Page):
    """What was run several times, a section each."""

    def run(self):
        sections = []
        for record in records_of(self):
            if len(record["runs"]) > 1:
                text = f"{over_seeds(record)}\n\n{provenance(record)}"
                sections.append(self.section(title(record), f"seeds-{record['name']}", *self.markdown(text)))
        return sections


def register(app) -> None:
    """Make the directives known."""
    app.add_directive("gaps", Gaps)
    app.add_directive("seeds", Seeds)
