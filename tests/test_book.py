"""The book as files: what is built, what is linked, what the notebooks store, and the pages made from data."""

import gzip
import html
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import dgm_stored as stored  # noqa: E402
import dgm_tables as tables  # noqa: E402

import notebooks as notebook_tools  # noqa: E402

RESULTS = sorted((ROOT / "results").rglob("*.json"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
built = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built: make book")


class Page(HTMLParser):
    """Ids, links and loaded files of one page."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.update(filter(None, (attrs.get("id"), attrs.get("name") if tag == "a" else None)))
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        loaded = attrs.get("src") or (attrs.get("href") if tag == "link" else None)
        if loaded and attrs.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.loads.append(loaded)


@pytest.fixture(scope="module")
def pages():
    """Every built page, parsed."""
    return {path: Page(path) for path in HTML.rglob("*.html") if "_static" not in path.relative_to(HTML).parts}


@built
def test_internal_links_lead_somewhere(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                broken.append(f"{path.relative_to(HTML)} → {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                broken.append(f"{path.relative_to(HTML)} → {link}")
    assert broken == []


@built
def test_pages_load_files_of_their_own_server_alone(pages):
    foreign = {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}
    assert foreign == set()


@built
def test_a_page_is_light(pages):
    for path, page in pages.items():
        size = len(gzip.compress(path.read_bytes()))
        for load in {urlsplit(load).path for load in page.loads if not load.startswith("data:")}:
            asset = (path.parent / unquote(load)).resolve()
            size += len(gzip.compress(asset.read_bytes())) if asset.is_file() else 0
        fonts = sum(font.stat().st_size for font in (HTML / "_static" / "book").rglob("*.woff*"))  # all, at worst
        assert size + fonts < 3e6, f"{path.relative_to(HTML)}: {(size + fonts) / 1e6:.1f} MB"


@built
def test_katex_s_fonts_travel_with_their_licence():
    folder = HTML / "_static" / "book" / "fonts"
    assert (folder / "KaTeX_Main-Regular.woff2").exists()
    assert "MIT License" in (folder / "LICENSE").read_text()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_store_what_a_reader_should_see(path):
    assert notebook_tools.faults(nbformat.read(path, as_version=4), path.stat().st_size) == []


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem[:2].isdigit()], ids=lambda path: path.stem)
def test_a_chapter_has_all_its_parts(path):
    assert notebook_tools.lacking(nbformat.read(path, as_version=4), path.stem[:2]) == []


@pytest.mark.parametrize(("cut", "says"), [
    (r"\*\*You need\*\*", "**You need**"), (r"claim\.", "a claim"), ("live", "a live cell"),
    ("## Summary", "## Summary"), ("## Exercises", "## Exercises"), (r"\{quiz\} 04", "{quiz} 04"),
    (r"The built page asks[^`]*", "a sentence for JupyterLab"), (r"exercises\.check", "exercises.check"),
])  # fmt: skip
def test_a_part_that_a_chapter_lacks_is_named(cut, says):
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("04"))
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(cut, "", cell.source)
        cell.metadata = nbformat.from_dict({"tags": [tag for tag in cell.metadata.get("tags", []) if tag != cut]})
    (part,) = notebook_tools.lacking(notebook, "04")
    assert says in part


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_claims_have_names_of_their_own_known_laws_statements_and_records(path):
    from dgmhelpers import laws

    claims = stored.claims_of(json.loads(path.read_text(encoding="utf-8")))
    labels = [claim.label for claim in claims]
    assert claims, "a chapter without a claim"
    assert len(set(labels)) == len(labels)
    assert {claim.law for claim in claims if claim.law} <= set(laws.__all__)
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    named = set(re.findall(r"^:label: (\S+)$|^\((\S+)\)=$", text, flags=re.MULTILINE))
    assert {label for claim in claims for label in claim.of} <= {a or b for a, b in named}
    made_by = {json.loads(file.read_text(encoding="utf-8")).get("command") for file in RESULTS}
    assert {command for claim in claims for command in claim.record} <= made_by


@built
def test_every_claim_is_on_the_page_of_claims(pages):
    listed = pages[HTML / "book" / "claims.html"].links
    for path in NOTEBOOKS:
        for claim in stored.claims_of(json.loads(path.read_text(encoding="utf-8"))):
            assert f"../notebooks/{path.stem}.html#claim-{claim.label}" in listed


def test_claims_are_read_from_stored_outputs():
    markup = (
        '<div class="dgm-claim" id="claim-a" data-label="a" data-law="sums_to_one">'
        '<span class="dgm-claim-mark" aria-hidden="true">✓</span> <span class="dgm-claim-statement">p &lt; q</span>: '
        '<b class="dgm-claim-evidence">1, within 10⁻⁶</b> <span class="dgm-claim-law">law: <code>x</code></span></div>'
    )
    output = {"output_type": "execute_result", "data": {"text/html": [markup[:40], markup[40:]]}}
    notebook = {"cells": [{"cell_type": "code", "outputs": [output, output]}, {"cell_type": "markdown", "source": ""}]}
    claims = stored.claims_of(notebook)
    assert claims == [stored.Claim("a", "p < q", "1, within 10⁻⁶", "sums_to_one")] * 2
    shown = stored.claims_html(claims[:1], "../notebooks/03.html", "api/laws.html")
    assert 'href="../notebooks/03.html#claim-a"' in shown
    assert 'href="api/laws.html#dgmhelpers.laws.sums_to_one"' in shown
    assert "p &lt; q" in shown


def test_definitions_in_a_claims_cell_stay_open():
    import dgm_claims

    assert dgm_claims.definitions_end("x = 1\nclaim.below('a', 's', x, 2)") == 0
    cell = "import math\n\ndef f(x):\n    return x\n\nclass A:\n    b = 1\n\nx = f(1)\nclaim.below('a', 's', x, 2)"
    assert dgm_claims.definitions_end(cell) == 7


@built
def test_code_of_claims_is_folded_and_none_of_it_is_lost():
    for path in NOTEBOOKS:
        page = (HTML / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        claims = stored.claims_of(json.loads(path.read_text(encoding="utf-8")))
        assert page.count('<details class="dgm-fold">') == len(claims), path.stem
        assert page.count("<summary><div class=\"dgm-claim") == len(claims)
        cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code" and "claim." in c.source]
        shown = re.sub(r"<[^>]+>", "", "".join(re.findall(r"<pre>.*?</pre>", page, flags=re.DOTALL)))
        lines = [line for cell in cells for line in cell.source.splitlines()]
        assert [line for line in lines if line.strip() not in html.unescape(shown)] == []


def test_claims_module_writes_what_the_page_reads():
    from dgmhelpers import claims

    made = claims.below("is-small", "the gap <1>", 0.5, 1.0, law="sums_to_one")
    notebook = {"cells": [{"cell_type": "code", "outputs": [{"data": {"text/html": made._repr_html_()}}]}]}
    assert stored.claims_of(notebook) == [stored.Claim("is-small", "the gap <1>", "0.5 (below 1)", "sums_to_one")]
    made = claims.true("all", "both", torch.tensor([True] * 2), of=["thm-a", "def-b"], record=["python a", "python b"])
    notebook = {"cells": [{"cell_type": "code", "outputs": [{"data": {"text/html": made._repr_html_()}}]}]}
    shown = "holds in all 2 cases"
    assert stored.claims_of(notebook) == [
        stored.Claim("all", "both", shown, "", ("thm-a", "def-b"), ("python a", "python b"))
    ]


def record(name="nade-dna", kind="exact", value=84.5, dataset="dna", split="test"):
    """A result as the recipes write it, as far as the page reads it."""
    return {
        "name": name,
        "model": {"parameters": 36180},
        "published": [],
        "dataset": {"name": dataset, "sha256": "0" * 64},
        "metrics": [
            {"kind": kind, "dataset": dataset, "split": split, "value": value, "standard_error": 0.31,
             "unit": "nats", "examples": 1186},
        ],
        "selection": {"candidates": [{}, {}]},
        "training": {"stopped": "patience"},
        "seconds": {"train": 12.3, "per_sample": 0.00042},
        "checkpoint": {"file": "nade-dna.safetensors", "dtype": "float16", "bytes": 73000},
        "seed": 0,
        "commit": "a" * 40,
        "command": "python -m dgmhelpers train nade-dna --profile full --seed 0",
        "device": {"type": "cpu", "threads": 2},
        "versions": {"torch": "2.13.0"},
    }


PUBLISHED = [
    {"data": "dna", "title": "DNA", "about": "180 bits.", "unit": "nats", "rows": [
        {"system": "FVBN", "value": 83.6, "kind": "exact", "cite": "germain2015made", "status": "reported"},
        {"system": "RBM", "value": 96.74, "kind": "estimate", "cite": None, "status": "read"},
    ]},
]


def test_results_stand_beside_published_ones_in_order():
    (page,) = tables.result_pages(PUBLISHED, [record()])
    rows = [line for line in page["markdown"].splitlines() if line.startswith("| ") and "nats" not in line]
    ours = "| **nade-dna** (ours) | **84.50\u00a0±\u00a00.31** | 36,180 | 12.3 s | 420 µs | CPU, 2 threads"
    assert rows[1].startswith(ours)
    assert rows[2].startswith("| FVBN {cite:p}`germain2015made` | 83.60\u00a0† ")
    assert "python -m dgmhelpers train nade-dna" in page["markdown"]


def test_exact_values_never_share_a_table_nor_bounds_and_estimates_a_column():
    vae = record("vae-dna", kind="bound", value=90.0)
    vae["metrics"].append(vae["metrics"][0] | {"kind": "estimate", "value": 88.0, "draws": 5000, "part": 100})
    (page,) = tables.result_pages(PUBLISHED, [record(), vae])
    exact, rest = [block for block in page["markdown"].split("\n\n") if block.startswith("| model")]
    assert "FVBN" in exact and "nade-dna" in exact and "RBM" not in exact and "vae-dna" not in exact
    cells = {line.split(" | ")[0]: line.split(" | ")[1:3] for line in rest.splitlines()}
    assert cells["| model"] == ["bound: at most, nats", "estimate, nats"]
    assert cells["| RBM"] == ["", "96.74"]
    assert cells["| **vae-dna** (ours)"] == ["**90.00\u00a0±\u00a00.31**", "**88.00\u00a0±\u00a00.31**"]
    assert "FVBN" not in rest and "nade-dna" not in rest
    assert "less its mean gap to the estimate with 5,000 draws for each of 100 of them" in page["markdown"]


def test_missing_results_say_so_and_unknown_sets_get_a_page():
    (page,) = tables.result_pages(PUBLISHED, [])
    assert "not measured yet" in page["markdown"]
    titles = [page["title"] for page in tables.result_pages(PUBLISHED, [record(dataset="mushrooms")])]
    assert titles == ["DNA", "mushrooms"]


def test_a_set_without_test_split_names_the_split_it_was_measured_on():
    (_, page) = tables.result_pages(PUBLISHED, [record(dataset="tiny-shakespeare", split="valid")])
    assert "(ours), valid split" in page["markdown"]


def test_a_damaged_result_is_named(tmp_path):
    (tmp_path / "made-dna.json").write_text("{")
    with pytest.raises(ValueError, match="made-dna.json is not JSON"):
        tables.load_results(tmp_path)
    (tmp_path / "made-dna.json").write_text('{"published": [{"id": "dna-mdae", "differs": ""}]}')
    with pytest.raises(ValueError, match="made-dna.json names the published figure dna-mdae"):
        tables.load_results(tmp_path, {"sets": [{"rows": [{"id": "dna-made"}]}]})


def test_committed_results_make_pages():
    published = json.loads((ROOT / "book" / "published.json").read_text(encoding="utf-8"))
    records = tables.with_likelihoods(tables.load_results(ROOT / "results", published))
    pages = tables.result_pages(published["sets"], records)
    assert {r["dataset"]["name"] for r in records} <= {page["data"] for page in pages}


@pytest.mark.parametrize(
    ("value", "words"), [(None, "–"), (310, "310 s"), (12.34, "12.3 s"), (2500, "2,500 s"), (0.0042, "4.2 ms")]
)
def test_times_in_words(value, words):
    assert tables.seconds(value) == words


def test_tidying_keeps_ids_and_tags_and_drops_what_varies():
    cell = nbformat.v4.new_code_cell("1 + 1", id="sum", execution_count=3)
    cell.metadata = nbformat.from_dict({"tags": ["hide-input"], "execution": {"iopub.execute_input": "2026"}})
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a", "b")]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3.11"}})
    notebook_tools.tidy(notebook)
    assert (cell.id, dict(cell.metadata)) == ("sum", {"tags": ["hide-input"]})
    assert [output.text for output in notebook.cells[0].outputs] == ["ab"]
    assert notebook_tools.faults(notebook, 1000) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c.outputs.append(nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])), "an error"),
        (lambda c: c.outputs.append(nbformat.v4.new_output("stream", name="stderr", text="w")), "stderr"),
        (lambda c: c.outputs.append(nbformat.v4.new_output("display_data", {"image/png": "AA=="})), "bare image"),
        (lambda c: c.update(execution_count=None), "not executed"),
    ],
)
def test_faults_of_a_notebook_are_named(change, complaint):
    cell = nbformat.v4.new_code_cell("1", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook_tools.tidy(notebook)
    change(notebook.cells[0])
    assert any(complaint in fault for fault in notebook_tools.faults(notebook, 1000))


def test_every_requirement_is_pinned_and_says_why():
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith(("#", "-c ")):
            assert re.fullmatch(r"[A-Za-z0-9._-]+==\S+ +# .+", line), line
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z0-9._-]+==\S+", line), line


def test_the_lock_of_the_browser_assets_names_versions_and_no_server():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") and "resolved" not in entry for entry in packages.values())
    wanted = json.loads((ROOT / "package.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version


@built
def test_exercises_and_theorems_are_numbered_by_chapter(pages):
    for path in (path for path in NOTEBOOKS if not path.stem.startswith("appendix")):
        chapter = int(path.stem[:2])
        text = (HTML / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        numbers = re.findall(r'class="caption-number">(?:Exercise|Theorem|Definition) ([\d.]+)', text)
        assert numbers and all(number.startswith(f"{chapter}.") for number in numbers)
