"""Clouds of points: where each dot lands, what falls outside, what cannot be drawn."""

import re

import pytest
import torch

from dgmhelpers import viz


def dots(markup: str) -> set[tuple[float, float]]:
    """Where the dots of one panel are: each is written as the way from the one before."""
    here, found = (0.0, 0.0), set()
    for a, b in re.findall(r"m([\d.]+) ?(-?[\d.]+)h0", markup):
        here = (here[0] + float(a), here[1] + float(b))
        found.add(here)
    return found


def test_points_land_where_they_belong_and_stay_inside():
    made = viz.clouds({"a": torch.tensor([[0.0, 0.0], [2.0, 2.0], [-2.0, 1.0], [9.0, -9.0]])}, alt="four", reach=2.0)
    assert dots(made.markup) == {(75, 75), (150, 0), (0, 37.5), (150, 150)}


def test_panels_stand_in_rows_with_names_and_notes():
    points = {name: torch.zeros(1, 2) for name in ("one", "two & more", "three", "four")}
    made = viz.clouds(points, alt="four panels", reach=1.0, columns=2, notes={"three": "3 of 8"}, modes=[[0.5, 0.5]])
    places = re.findall(r'translate\((\d+) (\d+)\)"><text[^>]*>([^<]+)<', made.markup)
    assert places == [
        ("0", "20", "one"), ("162", "20", "two &amp; more"), ("0", "202", "three"), ("162", "202", "four")
    ]
    assert made.markup.count("h6m-3-3v6") == 4 and "3 of 8" in made.markup
    assert "aria-label" in made.to_html()


def test_dots_stay_round_beside_figures_of_matplotlib():
    """Their style sheets hold for the whole page and make line ends flat: a dot of no length would vanish."""
    markup = viz.clouds({"a": torch.zeros(1, 2)}, alt="one", reach=1.0).markup
    assert re.search(r'd="m75 75h0"[^>]*style="[^"]*stroke-linecap:round', markup)


def test_a_frame_of_six_panels_is_light():
    points = {str(i): torch.randn(400, 2, generator=torch.Generator().manual_seed(i)) for i in range(6)}
    assert len(viz.clouds(points, alt="six", reach=3.0).markup) < 28_000


@pytest.mark.parametrize(("points", "reach", "complaint"), [
    ({}, 1.0, "nothing to draw"),
    ({"a": torch.zeros(3)}, 1.0, "shape"),
    ({"a": torch.full((2, 2), torch.nan)}, 1.0, "finite"),
    ({"a": torch.zeros(2, 2)}, 0.0, "reach"),
])
def test_what_cannot_be_drawn_is_refused(points, reach, complaint):
    with pytest.raises(ValueError, match=complaint):
        viz.clouds(points, alt="x", reach=reach)
