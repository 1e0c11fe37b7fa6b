"""The map of the book: every chapter once in each view that it belongs to, links only where they lead somewhere."""

import importlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

from dgmhelpers import viz

taxonomy = importlib.import_module("dgmhelpers.viz.taxonomy")  # viz.taxonomy is the function of that name
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


class Tiles(HTMLParser):
    """What each view shows, and what the page's controls are."""

    def __init__(self, markup):
        super().__init__()
        self.views, self.links, self.radios, self.labels = [], [], [], []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "dgm-map-view" in attrs.get("class", "").split():
            self.views.append([])
        if "data-chapter" in attrs:
            self.views[-1].append(int(attrs["data-chapter"]))
        if tag == "a":
            self.links.append(attrs["href"])
        if tag == "input":
            self.radios.append(attrs)
        if tag == "label":
            self.labels.append(attrs["for"])


def test_every_chapter_is_there_once_and_attributes_have_meanings():
    assert [c.number for c in taxonomy.CHAPTERS] == list(range(1, 33))
    tiles = Tiles(viz.taxonomy(NOTEBOOKS)._repr_html_())
    assert sorted(tiles.views[0]) == list(range(1, 33))
    for view, (_, attribute, meanings) in zip(tiles.views, taxonomy.VIEWS, strict=True):
        by = taxonomy.groups(attribute)
        assert set(by) == set(meanings)
        assert sorted(view) == sorted(c.number for group in by.values() for c in group)


def test_native_radio_buttons_one_name_one_checked_each_with_its_label():
    tiles = Tiles(viz.taxonomy(NOTEBOOKS)._repr_html_())
    assert {radio["type"] for radio in tiles.radios} == {"radio"}
    assert len({radio["name"] for radio in tiles.radios}) == 1
    assert ["checked" in radio for radio in tiles.radios].count(True) == 1
    assert [radio["id"] for radio in tiles.radios] == tiles.labels


def test_a_chapter_is_a_link_if_its_notebook_is_there(tmp_path):
    assert not Tiles(viz.taxonomy(tmp_path)._repr_html_()).links
    (tmp_path / "11-change-of-variables.ipynb").touch()
    assert set(Tiles(viz.taxonomy(tmp_path)._repr_html_()).links) == {"11-change-of-variables.html"}
    assert "11 Change of variables" in repr(viz.taxonomy(tmp_path))


def test_the_stored_map_links_to_chapters_that_exist():
    (page,) = NOTEBOOKS.glob("01-*.ipynb")
    outputs = [o for c in json.loads(page.read_text())["cells"] for o in c.get("outputs", [])]
    markup = ["".join(o.get("data", {}).get("text/html", "")) for o in outputs]
    (stored,) = [text for text in markup if "dgm-map-view" in text]
    links = set(re.findall(r'href="([^"]+)\.html"', stored))
    assert links and all((NOTEBOOKS / f"{link}.ipynb").exists() for link in links)
