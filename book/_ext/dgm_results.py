"""What stands beside the tables of results: how far ours are from the published, and what took several seeds.

Plain functions from records to Markdown, and the two directives that put it on a page:
``{gaps}``, every result of ours beside each figure that its recipe names; ``{seeds}``, comparisons and studies.
"""

from __future__ import annotations

import json
import statistics

from dgm_pages import Page
from dgm_tables import device_in_words, load_results, main_metric, seconds, table, value_with_error

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
        if row.get("kind", "exact") == kind:
            rows.append([
                record["name"],
                f"{row['system']} {{cite:p}}`{row['source']}`: {row['value']:.2f}",
                f"{value_with_error(metric['value'], metric['standard_error'])} {metric['unit']}",
                _in_words(metric["value"] - row["value"], metric["standard_error"]),
                f"{seconds(record['seconds']['train'])}, {device_in_words(record['device'])}",
                why(record, metric, row["note"]),
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


# --- comparisons and studies ------------------------------------------------------------------------------------------


def comparison(record: dict) -> str:
    """Kinds of model over seeds, a table for each setting: mean, its error, and the gain of the last kind over it."""
    parts = []
    for name, entry in record["settings"].items():
        best = next(key for key in entry if key.startswith("gain_of_"))
        winner = best.removeprefix("gain_of_").removesuffix("_over")
        rows = []
        for kind, values in entry["nats"].items():
            gain = entry[best].get(kind)
            low, high = gain["interval"] if gain else (0, 0)
            shown = f"{gain['value']:.2f} (95 %: {low:.2f} to {high:.2f})" if gain else "–"
            shown = shown.replace(" ", "\N{NO-BREAK SPACE}")
            rows.append([kind, f"{entry['parameters'][kind]:,}", _over_seeds(values), shown])
        known = f"; entropy {entry['entropy']:.2f}" if "entropy" in entry else ""
        parts.append(f"**{name}**: {record['unit']} on {entry['test_images']:,} test images, mean over "
                     f"{record['seeds']} seeds{known}")
        parts.append(table(["model", "parameters", record["unit"], f"{winner} gains"], rows, right={1, 2, 3}))
    return "\n\n".join(parts)


def _over_seeds(values: list[float]) -> str:
    return value_with_error(statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5)


def study(record: dict) -> str:
    """Variants, each a row; figures, each a column: means over the seeds with their standard errors."""
    figures = list(record["units"])
    rows = [
        [variant, *(value_with_error(entry[f]["mean"], entry[f]["standard_error"]) for f in figures)]
        for variant, entry in record["summary"].items()
    ]
    units = "\n".join(f"- {name}: {text}" for name, text in record["units"].items())
    count = len({run["seed"] for run in record["runs"]})
    return "\n\n".join([
        f"{record['description']}; mean over {count} seeds", units,
        table(["variant", *figures], rows, right=set(range(1, len(figures) + 1))),
    ])  # fmt: skip


def provenance(record: dict) -> str:
    """What it takes to make a comparison or a study again, folded away."""
    facts = {
        "Command": f"`{record['command']}`",
        "Data": _data(record.get("dataset")),
        "Minutes": _minutes(record),
        "Device": device_in_words(record["device"]),
        "Commit": f"`{(record['commit'] or 'unknown')[:12]}`",
        "Versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
    }
    lines = [f"- {name}: {fact}" for name, fact in facts.items() if fact]
    return f":::{{dropdown}} How {record['name']} was made\n" + "\n".join(lines) + "\n:::"


def _data(dataset: dict | None) -> str:
    return f"{dataset['name']}, sha256 `{dataset['sha256'][:16]}…`" if dataset else ""


def _minutes(record: dict) -> str:
    """Of all parts together."""
    parts = record["runs"] if "runs" in record else record["settings"].values()
    return f"{sum(part['seconds'] for part in parts) / 60:.0f} in all"


def title(record: dict) -> str:
    """A file's name as a heading: ``listing-gan-digits`` is Listing GAN digits."""
    words = [word.upper() if word in _ABBREVIATED else word for word in record["name"].split("-")]
    return " ".join([words[0].capitalize() if words[0].islower() else words[0], *words[1:]])


# --- directives ---------------------------------------------------------------------------------------------------


class Gaps(Page):
    """Every result of ours beside the published figures that its recipe names."""

    def run(self):
        for path in (self.root / "results").glob("*.json"):
            self.env.note_dependency(str(path))
        return self.markdown(gaps(load_results(self.root / "results")))


class Seeds(Page):
    """Comparisons and studies, a section each."""

    def run(self):
        sections = []
        for folder, show in ("comparisons", comparison), ("studies", study):
            for path in sorted((self.root / "results" / folder).glob("*.json")):
                record = {"name": path.stem, **json.loads(self.read(path))}
                text = f"{show(record)}\n\n{provenance(record)}"
                sections.append(self.section(title(record), f"seeds-{path.stem}", *self.markdown(text)))
        return sections


def register(app) -> None:
    """Make the directives known."""
    app.add_directive("gaps", Gaps)
    app.add_directive("seeds", Seeds)
