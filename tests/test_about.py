"""What says how to cite, what changed, what was wrong and how to help: valid, linked, and true to the rest."""

import re
from pathlib import Path

import pytest
import yaml

import dgmhelpers

ROOT = Path(__file__).resolve().parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
# Keys of the Citation File Format, version 1.2.0: those it requires, and all that it allows
REQUIRED = {"cff-version", "message", "title", "authors"}
ALLOWED = REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact",
    "repository-code", "type", "url", "version",
}  # fmt: skip


def test_the_citation_file_is_valid():
    assert CITATION["cff-version"] == "1.2.0"
    assert REQUIRED <= set(CITATION) <= ALLOWED
    assert CITATION["type"] in ("software", "dataset")
    for entry in (CITATION, CITATION["preferred-citation"]):
        assert entry["title"] and entry["authors"]
        assert all(author.get("name") or author.get("family-names") for author in entry["authors"])
    assert CITATION["preferred-citation"]["type"] == "book"
    assert isinstance(CITATION["keywords"], list) and isinstance(CITATION["version"], str)


def test_the_citation_says_what_the_rest_says():
    book = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert CITATION["title"] == CITATION["preferred-citation"]["title"] == book["title"]
    assert CITATION["authors"][0]["name"] == book["author"]
    assert str(CITATION["preferred-citation"]["year"]) == book["copyright"]
    assert CITATION["version"] == dgmhelpers.__version__
    assert "MIT" in (ROOT / "LICENSE").read_text() and CITATION["license"] == "MIT"


def test_the_newest_change_is_of_this_version():
    newest = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert newest[1] == dgmhelpers.__version__


@pytest.mark.parametrize("name", ["CITATION.cff", "CHANGELOG.md", "ERRATA.md", "CONTRIBUTING.md"])
def test_the_readme_links_to_it(name):
    assert f"]({name})" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["changes", "errata", "contribute"])
def test_the_book_has_its_page_and_links_to_it(page):
    assert f"file: book/{page}" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert f"]({page}.md)" in (ROOT / "book" / "how-to-use.md").read_text(encoding="utf-8")


def test_the_guide_for_contributors_is_short_and_names_what_exists():
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    commands = re.findall(r"`make (\w+)", guide)
    assert commands and set(commands) <= set(targets)
    for path in re.findall(r"`([\w/]+\.\w+)`", guide):
        placeholder = re.search(r"NAME|NN|FAMILY", path)
        assert placeholder or (ROOT / path).exists(), path


def test_every_target_of_the_makefile_has_a_line_of_help():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split()
    for target in ("pdf", "newest", "links", "student", "book", "test"):
        assert target in phony
        assert re.search(rf"^{target}:.*## \S", makefile, flags=re.MULTILINE), target
