"""The book's colours, as eyes of every kind see them.

Colour vision deficiency is simulated by the matrices of Machado, Oliveira and Fernandes (2009) at full severity, in
linear RGB; distances are Euclidean in CIELAB, where about 2.3 can just be seen side by side.
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from dgmhelpers.viz.style import COLOURS

STYLE = (Path(__file__).resolve().parents[1] / "book" / "_static" / "dgm.css").read_text(encoding="utf-8")
APART = 10.0  # four times what can just be seen
EYES = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
PAPER = {"light": "#ffffff", "dark": "#14181e"}  # the theme's backgrounds


def linear(colour: str) -> np.ndarray:
    """``#rrggbb`` as linear RGB, (3,), each from 0 to 1."""
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB as CIELAB under D65."""
    ratio = XYZ @ np.clip(rgb, 0, 1) / (XYZ @ np.ones(3))
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, eye: str) -> float:
    """How far apart two colours are for one kind of eye."""
    matrix = np.array(EYES[eye])
    return float(np.linalg.norm(lab(matrix @ linear(one)) - lab(matrix @ linear(other))))


def contrast(one: str, other: str) -> float:
    """The ratio that WCAG defines."""
    low, high = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def palette(mode: str) -> dict[str, str]:
    """The series colours of the style sheet in one mode."""
    light, dark = STYLE.split('html[data-theme="dark"] {', 1)
    found = dict(re.findall(r"--dgm-(\w+): (#[0-9a-f]{6});", {"light": light, "dark": dark.split("}")[0]}[mode]))
    return {name: found[name] for name in COLOURS}


def test_the_measure_itself():
    assert lab(np.ones(3)) == pytest.approx([100, 0, 0], abs=1e-9)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)       # as tables of sRGB have it
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    red_and_green = [distance("#c00000", "#607000", eye) for eye in ("all cones", "deuteranopia")]
    assert red_and_green[0] > 60 > 25 > red_and_green[1]                                  # the classical confusion


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("mode", PAPER)
def test_no_two_series_look_alike_to_any_eye(mode, eye):
    colours = palette(mode)
    close = {
        pair: round(distance(colours[pair[0]], colours[pair[1]], eye), 1)
        for pair in itertools.combinations(colours, 2)
        if distance(colours[pair[0]], colours[pair[1]], eye) < APART
    }
    assert close == {}


@pytest.mark.parametrize("mode", PAPER)
def test_every_series_can_be_read_as_text(mode):
    assert {n: c for n, c in palette(mode).items() if contrast(c, PAPER[mode]) < 4.5} == {}


def test_colours_stored_in_figures_serve_both_modes_where_no_style_sheet_is():
    for colour in COLOURS.values():
        assert min(contrast(colour, paper) for paper in PAPER.values()) >= 3
    first = list(COLOURS.values())[:4]                                                    # the cycle up to gold
    for eye, (one, other) in itertools.product(EYES, itertools.combinations(first, 2)):
        assert distance(one, other, eye) >= APART, (eye, one, other)


def test_the_page_states_the_palette():
    page = (Path(__file__).resolve().parents[1] / "book" / "how-to-use.md").read_text(encoding="utf-8")
    for name in COLOURS:
        assert f"[■ {name}]{{.dgm-ink-{name}}}" in page
        assert f".dgm-ink-{name} {{\n  color: var(--dgm-{name});" in STYLE
