"""The ways into the book: the map of the chapters, the glossary and its links, equations to code, run times."""

import html
import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from docutils import nodes
from sphinx.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import dgm_chapters as graph  # noqa: E402
import dgm_equations as equations  # noqa: E402
import dgm_glossary as glossary  # noqa: E402
import dgm_moved as moved  # noqa: E402
import dgm_runtimes  # noqa: E402
import dgm_stored as stored  # noqa: E402
import runtimes  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
CHAPTERS, DATA = graph.load(ROOT)


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


# --- The map, the goals and the courses


def test_every_chapter_is_in_the_map_under_the_name_of_its_page():
    for path in NOTEBOOKS:
        chapter = CHAPTERS[int(path.name[:2])]
        assert chapter.docname == f"notebooks/{path.stem}"
        assert chapter.title == stored.title_of(read(path))


def test_chapter_1_sorts_the_models_of_every_other_chapter_once():
    (cell,) = (cell for cell in read(NOTEBOOKS[0])["cells"] if "it tells you $p(x)$" in "".join(cell["source"]))
    rows = [line for line in "".join(cell["source"]).splitlines() if line.startswith("| **")]
    sorted_here = [int(number) for row in rows for number in re.findall(r"\b\d+\b(?![^(]*\))", row)]
    models = [n for n, chapter in CHAPTERS.items() if chapter.part != "Applications" and n > 1]
    assert sorted(sorted_here) == models
    for number, page in re.findall(r"\[(\d+)\]\(([\w-]+)\)", "\n".join(rows)):
        assert CHAPTERS[int(number)].docname == f"notebooks/{page}"
    assert {n for n in models if CHAPTERS[n].stands} == {int(n) for n in re.findall(r"\[(\d+)\]", "\n".join(rows))}


def test_the_table_of_contents_and_the_readme_have_the_chapters_in_their_parts():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = {
        entry["file"]: (part["caption"], entry["title"])
        for part in contents["parts"]
        for entry in part["chapters"]
        if entry["file"].startswith("notebooks/") and part["caption"] != "Appendix"
    }
    stands = [chapter for chapter in CHAPTERS.values() if chapter.stands]
    assert list(listed) == [chapter.docname for chapter in stands], "_toc.yml lists what has a notebook, in their order"
    assert list(listed.values()) == [(chapter.part, f"{chapter.number} · {chapter.title}") for chapter in stands]

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| part | chapters | state |")[2].partition("\n\n")[0]
    part, found = "", {}
    for row in table.splitlines()[2:]:
        first, names, state = (cell.strip() for cell in row.strip("|").split("|"))
        part = first or part
        for chapter in CHAPTERS.values():
            if f"{chapter.number:02d} {chapter.title}" in names:
                found[chapter.number] = (part, state == "written")
                assert (f"({chapter.docname}.ipynb)" in names) == chapter.stands
    wanted = {chapter.number: (chapter.part, chapter.stands) for chapter in CHAPTERS.values()}
    for number, row in wanted.items():
        assert found.get(number) == row, f'README: chapter {number} is to be in a row of {row[0]}, "written" or not'


def test_an_old_address_leads_to_the_chapter_that_was_there():
    pages = moved.pages(ROOT)
    assert set(pages) == set(DATA["moved"]) and len(pages) >= 5
    text = pages["05-pixelrnn-and-pixelcnn"]
    assert text.count("06-pixelrnn-and-pixelcnn.html") == 4 and "chapter 6, PixelRNN and PixelCNN" in text
    assert 'location.hash.replace("-05-", "-06-")' in text
    with pytest.raises(ConfigError, match="05-x is said to be 06-y now"):
        moved.where({"05-x": "06-y"}, CHAPTERS)
    with pytest.raises(ConfigError, match="notebooks/ says otherwise"):
        moved.where({"03-chain-rule": "04-nade-and-made"}, CHAPTERS)


def test_a_chapter_that_a_page_asks_for_is_in_the_map():
    """The chapters linked after "You need" are needs or helps, so that page and map tell the same story."""
    for path in NOTEBOOKS:
        opening = "".join(read(path)["cells"][0]["source"])
        _, _, asked = opening.partition("**You need**")
        linked = {int(number) for number in re.findall(r"\((\d\d)-[\w-]+\.ipynb", asked.partition("**Time")[0])}
        chapter = CHAPTERS[int(path.name[:2])]
        assert linked <= set(graph.path_to(CHAPTERS, [chapter.number])) | set(chapter.helps), path.name


def test_a_goal_brings_its_needs_along_in_the_order_of_the_book():
    def chapter(number, *needs):
        return graph.Chapter(number, "", "", (), needs, (), (0, number), None)

    chapters = {c.number: c for c in (chapter(1), chapter(2, 1), chapter(3), chapter(4, 2, 3), chapter(5, 1))}
    assert graph.path_to(chapters, [4]) == [1, 2, 3, 4]
    assert graph.path_to(chapters, [5, 3]) == [1, 3, 5]
    with pytest.raises(ValueError, match="need each other"):
        graph.path_to(chapters | {1: chapter(1, 4)}, [4])


def test_needs_come_before_the_chapter_and_no_two_share_a_place():
    for chapter in CHAPTERS.values():
        assert all(number < chapter.number for number in chapter.needs)
        assert not set(chapter.needs) & set(chapter.helps)
    places = [chapter.at for chapter in CHAPTERS.values()]
    assert [at for at in set(places) if places.count(at) > 1] == [], "two chapters in one place of the map"
    assert list(CHAPTERS) == list(range(1, len(CHAPTERS) + 1))


def test_the_picture_links_what_stands_and_draws_what_is_needed():
    drawn = graph.picture(CHAPTERS, lambda docname: f"../{docname}.html")
    links = re.findall(r'<a class="dgm-map-box" data-chapter="(\d+)" href="\.\./(notebooks/[\w-]+)\.html"', drawn)
    assert {int(number): docname for number, docname in links} == {
        number: chapter.docname for number, chapter in CHAPTERS.items() if chapter.stands
    }
    assert drawn.count("data-soon") == sum(not chapter.stands for chapter in CHAPTERS.values())
    edges = {(int(one), int(other)) for one, other in re.findall(r'data-from="(\d+)" data-to="(\d+)"', drawn)}
    needs = {(number, chapter.number) for chapter in CHAPTERS.values() for number in chapter.needs}
    assert edges <= needs
    reached = {number: {number} for number in CHAPTERS}  # what the arrows alone lead back to
    for number in CHAPTERS:
        for one, other in edges:
            if other == number:
                reached[number] |= reached[one]
    assert all(sorted(reached[number]) == graph.path_to(CHAPTERS, [number]) for number in CHAPTERS)


def test_courses_have_their_weeks_and_set_exercises_that_exist():
    from dgmhelpers import exercises

    assert [course["weeks"] for course in DATA["courses"]] == [4, 8, 14]
    for course in DATA["courses"]:
        assert len(course["plan"]) == course["weeks"]
        met = set()
        for week in course["plan"]:
            stands = [number for number in week["chapters"] if CHAPTERS[number].stands]
            assert stands or week.get("until"), "a week without a chapter says what to do instead"
            instead = week["until"] if isinstance(week.get("until"), list) else []
            assert all(CHAPTERS[number].stands for number in instead)
            met |= {*week["chapters"], *instead}
            assert {int(name[:2]) for name in week.get("hand_in", [])} <= met
            assert set(week.get("hand_in", [])) <= set(exercises.names())
            for number in (*week["chapters"], *instead):
                assert set(CHAPTERS[number].needs) <= met, f"{course['title']}: chapter {number} comes too early"


def test_the_first_path_is_eight_chapters_that_need_no_other_and_so_is_what_stands_in_for_them_today():
    plan = DATA["courses"][0]["plan"]
    path = [number for week in plan for number in week["chapters"]]
    assert len(path) == 8 and sorted(path) == graph.path_to(CHAPTERS, path)
    instead = iter(number for week in plan for number in week.get("until", ()))
    today = [number if CHAPTERS[number].stands else next(instead) for number in path]
    assert len(set(today)) == 8 and sorted(today) == graph.path_to(CHAPTERS, today)
    assert {CHAPTERS[number].part for number in path} == {
        "Foundations", "Autoregressive models", "Flows", "Latent variables", "Energies, scores, diffusion",
        "Adversarial models",
    }  # fmt: skip


def test_every_chapter_that_is_written_has_a_card_with_its_question():
    assert all(each.asks for each in CHAPTERS.values() if each.stands)
    assert CHAPTERS[21].known_as == "GANs: the minimax game" and CHAPTERS[10].known_as == "Audio: WaveNet"
    page = ROOT / "_build" / "html" / "book" / "intro.html"
    if page.exists():
        text = html.unescape(page.read_text(encoding="utf-8"))
        card = re.compile(r'sd-card-title[^>]*>\s*([^<]+)</div>.*?href="\.\./(notebooks/[\w-]+)\.html"', re.DOTALL)
        cards = card.findall(text)
        assert cards == [(each.known_as, each.docname) for each in CHAPTERS.values() if each.stands]
        assert all(f"{each.number} {each.known_as}" in text for each in CHAPTERS.values() if not each.stands)
    assert graph.in_runs([1, 2, 3, 4, 6, 7, 13]) == "1–4, 6, 7 and 13" and graph.in_runs([5]) == "5"


def test_times_count_what_a_reader_reads():
    words = {"cell_type": "markdown", "source": ["word " * 260], "metadata": {}}
    tasks = "```{exercise} One\n:label: a\n```\n```{exercise} Two\n```"
    task = {"cell_type": "markdown", "source": [tasks], "metadata": {}}
    code = {"cell_type": "code", "source": ["x = 1"], "metadata": {}}
    hidden = {**words, "metadata": {"tags": ["solution"]}}
    taken = graph.time_of({"cells": [words, task, code, code, hidden]})
    assert taken == graph.Time(round(260 / 130 + 8 / 130 + 2), 40)
    assert [graph.hours(m) for m in (10, 44, 60, 100)] == ["½\u00a0h", "½\u00a0h", "1\u00a0h", "1½\u00a0h"]


# --- The glossary and its links

ENTRIES = glossary.load(ROOT)


def test_entries_are_short_have_a_chapter_and_their_own_names():
    names = [name for entry in ENTRIES for name in entry.terms]
    assert len(set(names)) == len(names) and len(ENTRIES) >= 70
    wanted = [text for entry in ENTRIES for text in entry.find]
    assert len(set(wanted)) == len(wanted), "two entries look for the same words"
    for entry in ENTRIES:
        assert CHAPTERS[entry.chapter].stands, entry.terms
        assert entry.says.endswith((".", ".)")) and len(re.findall(r"[.?!](?:\s|$)", entry.says)) <= 4, entry.terms
        assert not re.search(r"[$\\{}]", entry.plain), f"{entry.terms}: the tooltip would show markup: {entry.plain}"


def test_a_tooltip_says_formulas_in_plain_signs():
    says = r"$\mathrm{KL}(p \,\|\, q)$, the mean of $\log p(x_1 \mid z)$ and $\sigma(a)$."
    assert glossary.Entry(("a",), 1, says, ()).plain == "KL(p ‖ q), the mean of log p(x₁ | z) and σ(a)."


def entry(*find):
    return glossary.Entry((find[0],), 1, "It is.", find)


@pytest.mark.parametrize(
    ("find", "text", "words"),
    [
        ("chain rule", "By the Chain rule, twice the chain rule.", ["Chain rule", "chain rule"]),
        ("chain rule", "chain\nrules of supply chains", ["chain\nrules"]),
        ("nat", "nature, NAT, 3 nats, a nat", ["nats", "nat"]),
        ("ELBO", "elbow, ELBO, ELBOs and Elbo", ["ELBO", "ELBOs"]),
        ("saturating", "a non-saturating loss", []),
        ("MADE", "made of MADE-like parts, or MADE.", ["MADE"]),
        ("Laplace's rule", "by Laplace’s rule", ["Laplace’s rule"]),
    ],
)
def test_terms_are_whole_words_with_their_capitals_and_plurals(find, text, words):
    assert [text[start:end] for start, end, _ in glossary.Finder([entry(find)])(text)] == words


def test_the_longer_of_two_terms_wins():
    one, other = entry("autoencoder"), entry("denoising autoencoder")
    found = [found for _, _, found in glossary.Finder([one, other])("A denoising autoencoder is an autoencoder.")]
    assert found == [other, one]


def linked(*blocks, entries):
    document = nodes.section("", *blocks)
    used = glossary.link_first_uses(document, entries, lambda entry, text: nodes.reference("", text))
    return document, used


def test_the_first_use_in_running_text_alone_becomes_a_link():
    tip = nodes.admonition("", nodes.paragraph("", "the ELBO"), classes=["tip"])
    code = nodes.paragraph("", "", nodes.literal("", "ELBO"), nodes.math("", "ELBO"), nodes.reference("", "ELBO"))
    cell = nodes.table("", nodes.entry("", nodes.paragraph("", "ELBO")))
    said = nodes.paragraph("", "", nodes.Text("An "), nodes.emphasis("", "ELBO"), nodes.Text(" is no ELBO."))
    document, used = linked(nodes.title("", "ELBO"), tip, code, cell, said, entries=[entry("ELBO"), entry("VAE")])
    (link,) = [link for link in document.findall(nodes.reference) if link.parent is said.children[1]]
    assert (link.astext(), [e.terms[0] for e in used]) == ("ELBO", ["ELBO"])
    assert said.astext() == "An ELBO is no ELBO." and said.children[2].astext() == " is no ELBO."
    assert len(list(document.findall(nodes.reference))) == 2  # this one, and the one that was there


def test_several_terms_in_one_sentence_keep_its_words():
    text = "Teacher forcing and the chain rule; teacher forcing again."
    document, used = linked(nodes.paragraph("", text), entries=[entry("chain rule"), entry("teacher forcing")])
    assert document.astext() == text
    assert [link.astext() for link in document.findall(nodes.reference)] == ["Teacher forcing", "chain rule"]


# --- From equation to code to law

def test_a_theorem_without_a_label_is_refused():
    def notebook(text):
        return {"cells": [{"cell_type": "markdown", "source": [text]}]}

    good = ":::{prf:theorem} Sum\n:label: thm-sum\nIt sums.\n:::\n\n```{prf:definition}\n:label: def-x\n```"
    assert equations.labelled(notebook(good)) == {"thm-sum": "Sum", "def-x": ""}
    with pytest.raises(ValueError, match="without a label: Sum"):
        equations.labelled(notebook(":::{prf:theorem} Sum\nIt sums.\n:::"))


def test_a_statement_is_listed_with_its_claims_their_laws_and_the_package_s_names_in_their_cells():
    from dgmhelpers import claims

    def cell(source, *made):
        outputs = [{"data": {"text/html": claim._repr_html_()}} for claim in made]
        return {"cell_type": "code", "source": [source], "outputs": outputs}

    first = claims.equal("adds", "it sums to 1 & no more", 1.0, 1.0, law="sums_to_one", of="thm-sum")
    cells = [
        cell("from dgmhelpers import laws, viz\nfrom dgmhelpers.autoregressive import NADE\nmodel = NADE(dim=9)"),
        cell("viz.style()\nclaim.equal('adds', laws.audit(model), model.log_prob(x), other.thing)", first),
        cell("model = other(3)\nclaim.true('more', model)", claims.true("more", "and more", True, of=["thm-sum", "x"])),
    ]
    found = equations.checks({"cells": cells})
    assert {label: [claim.label for claim in claimed] for label, (claimed, _) in found.items()} == {
        "thm-sum": ["adds", "more"], "x": ["more"]
    }  # fmt: skip
    assert set(found["thm-sum"][1]) == {"autoregressive.NADE", "autoregressive.NADE.log_prob"}
    assert found["x"][1] == []
    text = equations.entry("thm-sum", "Sum", "../notebooks/03.html", *found["thm-sum"])
    assert text.startswith("{prf:ref}`thm-sum` · Sum\n: code: ") and "<dgmhelpers.autoregressive.NADE>`" in text
    assert ": laws: {py:func}`sums_to_one <dgmhelpers.laws.sums_to_one>`" in text
    assert '<a href="../notebooks/03.html#claim-adds">it sums to 1 &amp; no more</a>; <a' in text
    assert equations.entry("thm-x", "X", "p", (), ()).endswith("\n: used in an argument")


def test_what_claims_are_of_is_a_statement_of_their_chapter():
    for path in NOTEBOOKS:
        notebook = read(path)
        assert set(equations.checks(notebook)) <= set(equations.labelled(notebook)), path.name


# --- What the chapters take


def test_each_chapter_was_measured_and_is_within_the_ceiling():
    known = runtimes.load()
    assert known["ceiling_seconds"] == runtimes.CEILING == 60
    unknown = {path.stem for path in NOTEBOOKS} - set(known["chapters"])
    assert not unknown, f"not in book/runtimes.json, which `make notebooks CHAPTER=NN` writes: {sorted(unknown)}"
    for name, took in known["chapters"].items():
        # processes that share a core and its caches up to double each other's seconds: the page marks such a record
        ceiling = known["ceiling_seconds"] * (2 if runtimes.was_busy(took) else 1)
        assert 0 < took["cpu_seconds"] <= ceiling, name
        assert 0 < took["peak_mib"] <= 4096, name


def test_a_measurement_is_written_beside_the_others(tmp_path):
    file = tmp_path / "runtimes.json"
    code = {"cell_type": "code", "source": ["x = ", "1"]}
    notebook = {"cells": [code, {"cell_type": "markdown", "source": ["x"]}]}
    runtimes.record("07-x", notebook, runtimes.Cost(3.2, 400, 5.0), "a test", file)
    runtimes.record("07-x", notebook, None, "a system that cannot say", file)
    runtimes.record("06-y", {"cells": [{**code, "source": "x = 1"}]}, runtimes.Cost(1.0, 300, 2.0), "a test", file)
    known = runtimes.load(file)["chapters"]
    assert list(known) == ["06-y", "07-x"] and known["07-x"]["cpu_seconds"] == 3.2
    assert known["06-y"]["code"] == known["07-x"]["code"] == runtimes.code_digest(notebook)
    assert not list(tmp_path.glob("*.lock"))


def test_a_chapter_whose_code_changed_since_says_so():
    name = Path(CHAPTERS[3].docname).name
    took = {"cpu_seconds": 12.3, "wall_seconds": 15.0, "peak_mib": 512}
    took |= {"date": "2026-01-02", "by": "a test", "torch": "2", "code": "old"}
    digests = {Path(c.docname).name: "new" for c in CHAPTERS.values() if c.stands}
    table = dgm_runtimes.rows(CHAPTERS, {name: took}, digests)
    row = next(row for row in table if "(../notebooks/03-" in row[0])
    assert row[1:3] == ["12 s", "512 MiB"] and "busy" not in row[3] and "has changed since" in row[3]
    assert sum("not measured yet" in row[3] for row in table) == len(table) - 1
    unchanged = dgm_runtimes.rows(CHAPTERS, {name: took | {"code": "new"}}, digests)
    assert not any("changed" in row[3] for row in unchanged)
    (busy,) = (row for row in dgm_runtimes.rows(CHAPTERS, {name: took | {"wall_seconds": 99.0}}, digests) if row[1])
    assert "on a busy machine" in busy[3]


def test_the_kernel_says_what_it_took():
    said = eval(runtimes.QUESTION)  # the very expression that is sent
    reply = {"content": {"user_expressions": {"cost": {"status": "ok", "data": {"text/plain": repr(said)}}}}}
    cost = runtimes.answer(reply, 2.0)
    assert cost.cpu_seconds > 0 and 10 < cost.peak_mib < 2**20 and cost.wall_seconds == 2.0
    assert runtimes.answer({"content": {"user_expressions": {"cost": {"status": "error"}}}}, 1.0) is None
