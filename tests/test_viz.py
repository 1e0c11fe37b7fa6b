"""Laws for pictures: they speak, they take the page's colours, they are the same each time, and they move."""

import base64
import importlib
import io
import json
import math
import re
import struct
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402

from dgmhelpers import viz  # noqa: E402


def plot(value=1.0, **size):
    with viz.style():
        fig, ax = plt.subplots(**size)
        ax.plot([0, 1, 2], [0, value, 4], label="a curve")
        ax.axhline(2)
        ax.set(xlabel="$x_{o<i}$", ylabel="nats", title="A title")
        ax.legend()
    return fig


def html_of(picture):
    return picture._repr_mimebundle_()["text/html"]


class Outline(HTMLParser):
    """Tags with their attributes, and a check that they nest."""

    def __init__(self, markup):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(markup)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("input", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


# --- Words -----------------------------------------------------------------------------------------------------

MAKERS = {
    "show": lambda alt: viz.show(plot(), alt=alt),
    "images": lambda alt: viz.images(torch.zeros(4, 8, 8), alt=alt),
    "matrix": lambda alt: viz.matrix(torch.eye(3), alt=alt),
    "frames": lambda alt: viz.frames(lambda v: "<p></p>", [1, 2], label="n", alt=alt),
    "plane": lambda alt: viz.plane(lambda z: torch.zeros(len(z), 2, 2), [-1, 1], alt=alt),
    "sliders": lambda alt: viz.frames(lambda a, b: "<p></p>", {"a": [1, 2], "b": "xy"}, alt=alt),
    "cells": lambda alt: viz.cells([[0, 1], [1, 0]], {"one": "filled", "two": "hatched"}, alt=alt),
    "receptive_field": lambda alt: viz.receptive_field(torch.arange(5)[None], alt=alt),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_picture_without_words_is_refused(maker, alt):
    with pytest.raises(ValueError, match="alt is needed"):
        maker(alt)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_words_reach_screen_reader_and_terminal(maker):
    picture = maker('a "quoted" & <marked> curve')
    pictures = [attrs for _, attrs in Outline(html_of(picture)).tags if attrs.get("role") == "img"]
    assert {attrs["aria-label"] for attrs in pictures} == {'a "quoted" & <marked> curve'}
    assert picture._repr_mimebundle_()["text/plain"] == 'Figure: a "quoted" & <marked> curve'


def test_the_caption_is_text():
    outline = Outline(html_of(viz.show(plot(), alt="a plot", caption="p < q & r")))
    assert outline.all("figcaption")
    assert "<figcaption>p &lt; q &amp; r</figcaption>" in html_of(viz.show(plot(), alt="a plot", caption="p < q & r"))
    assert "figcaption" not in html_of(viz.show(plot(), alt="a plot"))


def test_a_curve_finds_its_own_words():
    picture = viz.curve(([0, 100], [300.0, 97.8]), references={"uniform": 543.4})
    assert picture.alt == "Curve from 300 to 97.8 nats at step 100; reference lines: uniform at 543.4."


# --- Colours ---------------------------------------------------------------------------------------------------


def colours_in(markup):
    return set(re.findall(r"(?:fill|stroke)(?:: ?|=\")(#[0-9a-f]{3,6}|black|white)", markup))


@pytest.mark.parametrize("styled", [True, False])
def test_ink_follows_the_page(styled):
    if styled:
        fig = plot()
    else:  # somebody forgot viz.style()
        fig, ax = plt.subplots()
        ax.plot([0, 1], color=viz.COLOURS["blue"])
        ax.set_title("plain")
    markup = viz.show(fig, alt="a plot").markup
    assert "currentColor" in markup
    assert colours_in(markup) == set()
    assert viz.INK not in markup


def test_series_colours_are_named_so_that_a_page_can_sharpen_them():
    markup = viz.show(plot(), alt="a plot").markup
    assert f"var(--dgm-blue, {viz.COLOURS['blue']})" in markup


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", ["#ffffff", "#121212"])
@pytest.mark.parametrize("name", viz.COLOURS)
def test_series_stand_out_on_light_and_dark(name, background):
    high, low = sorted((luminance(viz.COLOURS[name]), luminance(background)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 3.9


def test_style_as_a_block_leaves_no_trace():
    before = dict(matplotlib.rcParams)
    with viz.style():
        assert matplotlib.rcParams["text.color"] == viz.INK
    assert dict(matplotlib.rcParams) == before


# --- Weight and repetition -------------------------------------------------------------------------------------


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_the_same_picture_twice_is_the_same_text(maker):
    assert html_of(maker("a picture")) == html_of(maker("a picture"))


def test_a_figure_is_light_and_closed():
    plt.close("all")
    picture = viz.show(plot(), alt="a plot")
    assert len(picture.markup) < 12_000
    assert len(picture.png) < 12_000
    assert plt.get_fignums() == []


def test_points_that_look_alike_share_one_style_and_see_through_groups_do_not():
    fig, ax = plt.subplots()
    ax.scatter(range(50), range(50), color=viz.COLOURS["blue"], alpha=0.6)          # fill-opacity: each shows through
    ax.set(xticks=[], yticks=[])
    markup = viz.show(fig, alt="a cloud").markup
    assert markup.count("<use") == 50
    assert markup.count("fill-opacity: 0.6") == 1
    kept = '<path d="M 0 0" style="opacity: 0.5"/><path d="M 1 1" style="opacity: 0.5"/>'
    alike = kept.replace("opacity", "stroke-opacity")
    own = importlib.import_module("dgmhelpers.viz.show")
    assert own._styled_once(kept) == kept                       # the opacity of a group is not that of its parts
    assert own._styled_once(alike) == '<g style="stroke-opacity: 0.5"><path d="M 0 0"/><path d="M 1 1"/></g>'


def test_ids_are_used_and_unique_across_frames():
    markup = html_of(viz.frames(lambda v: plot(v), [1.0, 2.0, 2.0], label="n", alt="a plot"))
    ids = re.findall(r' id="([^"]+)"', markup)
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', markup))
    assert len(set(ids)) == len(ids)
    assert {a or b for a, b in used} == set(ids)


# --- Images ----------------------------------------------------------------------------------------------------


def pixels_of(picture):
    """The PNG inside an SVG of images, as RGBA."""
    data = re.search(r"data:image/png;base64,([^\"]+)", picture.markup)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


ONES = torch.ones(5, 1, 4, 4)


def test_pixels_arrive_exactly():
    ramp = pixels_of(viz.images(torch.arange(64).reshape(1, 8, 8), levels=64, alt="a ramp"))[:8, :8, 0]
    assert (ramp.ravel() == np.rint(np.arange(64) / 63 * 255)).all()
    colour = torch.randint(0, 256, (1, 3, 5, 7))
    shown = pixels_of(viz.images(colour, alt="noise"))[:5, :7, :3]
    assert (shown.transpose(2, 0, 1) == colour[0].numpy()).all()


@pytest.mark.parametrize("x", [ONES, ONES[:, 0], ONES.flatten(1), ONES.long(), ONES.flatten(1).bool()])
def test_shapes_and_types_that_models_give(x):
    shown = pixels_of(viz.images(x, alt="white squares", columns=5))
    gap = shown.shape[1] // 5 - 4
    assert (shown[:4, :4] == 255).all() and (shown[:4, 4 : 4 + gap, 3] == 0).all()


def test_holes_are_transparent_and_given_pixels_tinted():
    x = torch.zeros(1, 2, 2)
    x[0, 0, 0] = float("nan")
    shown = pixels_of(viz.images(x, alt="a hole", highlight=torch.tensor([[[False, False], [False, True]]])))
    assert shown[0, 0, 3] == 0 and shown[0, 1, 3] == 255
    assert shown[1, 1, 2] > shown[1, 1, 0] and tuple(shown[1, 0, :3]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (torch.ones(2, 7), "square"),
        (torch.ones(2, 4, 3, 3), "expected"),
        (torch.ones(0, 3, 3), "expected"),
        (torch.ones(3), "expected"),
    ],
)
def test_what_is_no_image_is_refused(x, complaint):
    with pytest.raises(ValueError, match=complaint):
        viz.images(x, alt="nothing")


def test_labels_must_fit():
    assert viz.images(torch.ones(3, 4, 4), alt="ones", labels="abc").markup.count("<text") == 3
    with pytest.raises(ValueError, match="2 labels for 3 images"):
        viz.images(torch.ones(3, 4, 4), alt="ones", labels="ab")


# --- Matrices and curves ---------------------------------------------------------------------------------------


def test_several_matrices_side_by_side_with_labels():
    masks = [torch.ones(3, 4).bool(), torch.randn(2, 3)]
    markup = viz.matrix(masks, alt="masks", title=["first", "second"], row_labels=["abc", "de"]).markup
    for word in ("first", "second", ">a<", ">e<"):
        assert word in markup
    with pytest.raises(ValueError, match="labels"):
        viz.matrix(torch.ones(3, 3), alt="mask", row_labels="ab")
    with pytest.raises(ValueError, match="expected a matrix"):
        viz.matrix(torch.ones(3), alt="mask")


def test_numbers_in_cells_are_readable_in_both_modes():
    markup = viz.matrix(torch.tensor([[0.0, 5.0], [-5.0, 1.0]]), alt="numbers", annotate="{:.1f}").markup
    assert "5.0" in markup
    inks = re.findall(r"<text[^>]*fill: (#\w+|currentColor)[^>]*>\s*[-−]?\d\.\d", markup)
    assert inks and set(inks) <= {"#0d0d0d", "#ffffff"}  # on coloured cells the ink is the cell's, not the page's


class History:
    steps = [1, 2, 3]
    train_loss = [3.0, 2.0, 1.0]
    valid_loss = [(2, 2.5), (3, 1.5)]


@pytest.mark.parametrize(
    ("series", "names"),
    [
        (History(), ["training", "validation"]),
        (([1, 2], [3.0, 4.0]), []),
        ({"a": ([1, 2], [3.0, 4.0]), "b": [(1, 2.0), (2, 1.0), (3, 0.5)]}, ["a", "b"]),
        ((torch.arange(5), torch.rand(5)), []),
    ],
)
def test_curves_of_all_kinds(series, names):
    markup = viz.curve(series, references={"uniform": 9.0}, ylim=(0, 5)).markup
    for name in names:
        assert f">{name}</text>" in markup
    assert "uniform 9 ↑" in markup  # beyond the axis, and said so


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="no curve"):
        viz.curve({"training": ([], [])})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"series": {"a": [(1, math.nan), (2, math.inf)], "b": [(1, math.nan)]}}, "no value of a, b is finite$"),
        ({"series": [(1, 0.0), (2, -1.0)], "log": True}, "no value of it is finite and positive"),
        ({"series": [(1, 1.0), (2, 2.0)], "references": {"uniform": math.nan}}, "uniform must be finite, got nan"),
        ({"series": [(1, 1.0), (2, 2.0)], "references": {"none": 0.0}, "log": True}, "above 0 on a logarithmic axis"),
        ({"series": [(1, 1.0), (2, 2.0)], "ylim": (0, math.inf)}, r"ylim\[1\] must be finite, got inf"),
    ],
)
def test_curves_that_no_axis_holds_are_refused_in_words(arguments, message):
    with pytest.raises(ValueError, match=message):
        viz.curve(**arguments)


def test_gaps_in_curves_are_said_and_names_stand_at_the_last_value_there_is():
    lost = {"lost": [(1, math.nan)], "kept": [(1, 4.0), (2, 3.0), (3, math.nan)]}
    picture = viz.curve(lost)
    assert picture.alt == ("Lost curve without a value that can be drawn; kept curve from 4 to 3 nats at step 2 "
                           "(1 of 3 values cannot be drawn).")
    assert ">kept</text>" in picture.markup and ">lost</text>" not in picture.markup
    assert "(1 of 2 values cannot be drawn)" in viz.curve([(1, 0.0), (2, 1.0)], log=True).alt


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16])
def test_short_numbers_are_drawn(dtype):
    x = torch.tensor([[0.0, 2.0], [3.0, 1.0]], dtype=dtype)
    assert viz.matrix(x, alt="four numbers").markup == viz.matrix(x.float(), alt="four numbers").markup
    assert viz.curve((torch.arange(2), x[1])).alt == "Curve from 3 to 1 nats at step 1."
    assert viz.images(x[None] / 4, alt="one").markup == viz.images(x[None].float() / 4, alt="one").markup
    assert viz.clouds({"a": x}, alt="two", reach=4).markup == viz.clouds({"a": x.float()}, alt="two", reach=4).markup


def test_a_matrix_needs_one_finite_entry():
    with pytest.raises(ValueError, match="every entry of a matrix is NaN or infinite"):
        viz.matrix(torch.full((2, 2), math.nan), alt="nothing")
    viz.matrix(torch.tensor([[math.inf, 1.0], [2.0, math.nan]]), alt="two numbers")


# --- Cells -----------------------------------------------------------------------------------------------------

KINDS = {"seen": "filled", "blind": "hatched", "far": "dotted", "row": "striped", "self": "ringed", "rest": "empty"}


def test_cells_of_a_kind_are_one_path_and_the_legend_names_those_that_occur():
    codes = torch.tensor([[0, 0, 1], [0, 4, 5]])
    markup = viz.cells(codes, KINDS, alt="a grid", title="A <title>", size=10).markup
    assert "M1 22h20v10h-20zM1 32h10v10h-10z" in markup                # runs of the first kind, row by row
    assert ">seen</text>" in markup and ">blind</text>" in markup and ">self</text>" in markup
    assert ">far</text>" not in markup and ">rest</text>" not in markup and ">A &lt;title&gt;</text>" in markup
    assert markup.count("<pattern ") == 1 and "@" not in markup


def test_kinds_differ_in_pattern_and_not_in_colour_alone():
    drawn = [viz.cells([[i]], KINDS, alt="a cell").markup for i in range(6)]
    plain = [re.sub(r"--dgm-\w+|#[0-9a-f]{6}|dgm[0-9a-f]{10}|<text.*?</text>", "", markup) for markup in drawn]
    assert len(set(plain)) == 6


def test_numbers_stand_in_their_cells_and_ids_can_be_renamed():
    picture = viz.cells([[1, 2]], KINDS, alt="two cells", numbers=[[7, 8]])
    assert ">7</text>" in picture.markup and ">8</text>" in picture.markup
    renamed = picture.renamed("other-")
    ids = re.findall(r' id="([^"]+)"', renamed)
    assert ids and all(name.startswith("other-") and f"url(#{name})" in renamed for name in ids)


def test_a_field_is_light_enough_to_move():
    codes = torch.full((28, 28), 4)
    codes[:20] = torch.arange(28)[None] // 4 % 4
    picture = viz.receptive_field(codes, alt="a field")
    assert len(picture.markup) < 9_000 and len(picture.png) < 4_000


@pytest.mark.parametrize(
    ("codes", "kinds", "complaint"),
    [([[0]], {"a": "wavy"}, "no mark"), ([[1]], {"a": "empty"}, "codes"), ([0], {"a": "empty"}, "codes")],
)
def test_cells_refuse_what_has_no_look(codes, kinds, complaint):
    with pytest.raises(ValueError, match=complaint):
        viz.cells(codes, kinds, alt="cells")


# --- Frames ----------------------------------------------------------------------------------------------------


def test_one_frame_shows_and_the_others_wait():
    picture = viz.frames(lambda v: plot(v), [1.0, 2.5, 3.0], label="power", alt=lambda v: f"power {v}", start=1)
    outline = Outline(html_of(picture))
    shots = [attrs for attrs in outline.all("div") if attrs.get("class") == "dgm-frame"]
    assert [("hidden" in attrs) for attrs in shots] == [True, False, True]
    assert [attrs["aria-label"] for attrs in shots] == ["power 1.0", "power 2.5", "power 3.0"]
    (slider,) = outline.all("input")
    assert (slider["type"], slider["max"], slider["value"], slider["aria-valuetext"]) == ("range", "2", "1", "2.5")
    (holder,) = [attrs for attrs in outline.all("div") if attrs.get("class") == "dgm-frames"]
    assert json.loads(holder["data-values"]) == ["1", "2.5", "3"]
    assert picture.alt == "power 2.5"
    assert picture._repr_mimebundle_()["image/png"]


def test_controls_wait_for_the_script_and_play_for_fps():
    still = Outline(html_of(viz.frames(lambda v: f"<p>{v}</p>", range(3), label="n", alt="text")))
    (controls,) = [attrs for attrs in still.all("div") if attrs.get("class") == "dgm-controls"]
    assert "hidden" in controls and still.all("button") == []
    moving = Outline(html_of(viz.frames(lambda v: f"<p>{v}</p>", range(3), label="n", alt="text", fps=4)))
    assert len(moving.all("button")) == 1


def test_several_sliders_show_one_frame_for_each_combination():
    values = {"depth": [1, 2, 3], "model": ["plain", "gated"]}
    picture = viz.frames(
        lambda depth, model: f"<p>{depth} {model}</p>", values, alt=lambda depth, model: f"{model} at {depth}",
        start=[1, -1], text={"depth": lambda depth: f"{depth} layers"}, fps=2,
    )  # fmt: skip
    outline = Outline(html_of(picture))
    shots = [attrs for attrs in outline.all("div") if attrs.get("class") == "dgm-frame"]
    assert [shot["aria-label"] for shot in shots if "hidden" not in shot] == ["gated at 2"] == [picture.alt]
    assert [shot["aria-label"] for shot in shots[:3]] == ["plain at 1", "gated at 1", "plain at 2"] and len(shots) == 6
    first, second = outline.all("input")
    assert (first["max"], first["value"], first["aria-valuetext"]) == ("2", "1", "2 layers")
    assert (second["max"], second["value"], second["aria-valuetext"]) == ("1", "1", "gated")
    (holder,) = [attrs for attrs in outline.all("div") if attrs.get("class") == "dgm-frames"]
    assert json.loads(holder["data-values"]) == [["1 layers", "2 layers", "3 layers"], ["plain", "gated"]]
    assert len(outline.all("output")) == 2 and len(outline.all("button")) == 1


def test_one_slider_in_a_dictionary_is_one_slider():
    one = viz.frames(lambda v: f"<p>{v}</p>", {"n": [1, 2]}, alt="text")
    assert html_of(one) == html_of(viz.frames(lambda v: f"<p>{v}</p>", [1, 2], label="n", alt="text"))


def test_the_still_of_equal_values_has_its_png():
    assert viz.frames(lambda v: plot(v), [1.0, 2.0, 2.0], label="n", alt="a plot", start=2).png


def test_frames_take_pictures_of_every_kind():
    for draw in (
        lambda n: viz.images(torch.full((2, 4, 4), n / 3), alt="x"),
        lambda n: viz.matrix(torch.eye(n + 2), alt="x"),
        lambda n: f"<svg viewBox='0 0 1 1'><circle r='{n}'/></svg>",
    ):
        picture = viz.frames(draw, range(3), label="n", alt=lambda n: f"number {n}")
        assert len(picture) == 3
        assert len({p.markup for p in picture.pictures}) == 3


def test_a_heavy_frame_becomes_a_smaller_png():
    def cloud(n):
        with viz.style():
            fig, ax = plt.subplots()
            ax.scatter(*np.random.default_rng(n).normal(size=(2, 5000)), s=4)
        return fig

    markup = html_of(viz.frames(cloud, [1, 2], label="seed", alt="a cloud"))
    assert markup.count("<img") == 2 and "<svg" not in markup
    assert len(markup) < 150_000


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"values": [1]}, "at least two"),
        ({"label": " "}, "label is needed"),
        ({"start": 5}, "start must be"),
        ({"values": {"n": [1], "m": [1, 2]}, "label": ""}, "at least two"),
        ({"values": {"n": [1, 2], "m": [1, 2]}}, "give no label"),
        ({"values": {"n": [1, 2], " ": [1, 2]}, "label": ""}, "label is needed"),
        ({"values": {"n": [1, 2], "m": [1, 2]}, "label": "", "start": [0]}, "one index a slider"),
        ({"values": {"n": [1, 2], "m": [1, 2]}, "label": "", "start": [0, 2]}, "index into 2"),
        ({"values": {c: [1, 2] for c in "nmkl"}, "label": ""}, "one to three sliders"),
    ],
)
def test_frames_refuse_what_cannot_move(change, complaint):
    arguments = {"values": [1, 2], "label": "n", "alt": "text", **change}
    with pytest.raises(ValueError, match=complaint):
        viz.frames(lambda v: "<p></p>", arguments.pop("values"), **arguments)


def test_the_png_is_a_png_on_white():
    png = viz.show(plot(), alt="a plot").png
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width > 300 and height > 180


# --- A plane to point into ---------------------------------------------------------------------------------------


def coordinates(z):
    """An image of two pixels that shows its own coordinates, from −1 … 1 to 0 … 1."""
    return ((z + 1) / 2).reshape(-1, 1, 2)


def cells(markup, n):
    """The stored sheet of a plane, as ``(n, n, H, W)``: rows from the top."""
    data = re.search(r"base64,([^\"]+)", markup)[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as sheet:
        grey = np.asarray(sheet.convert("L"), float) / 255
    return grey.reshape(n, grey.shape[0] // n, n, grey.shape[1] // n).swapaxes(1, 2)


def test_each_place_of_a_plane_holds_its_own_image():
    picture = viz.plane(coordinates, [-1, 0, 0.5, 1], alt="coordinates")
    held = cells(picture.markup, 4)[:, :, 0]
    steps = (np.array([-1, 0, 0.5, 1]) + 1) / 2
    assert np.abs(held[..., 0] - steps[None, :]).max() < 0.01                # the first coordinate runs to the right
    assert np.abs(held[..., 1] - steps[::-1, None]).max() < 0.01             # the second one up


def test_a_plane_shows_its_middle_without_a_script():
    outline = Outline(html_of(viz.plane(coordinates, [-1, 0, 1], alt="coordinates", names=("a", "b"))))
    sheet = outline.all("image")[0]
    assert (sheet["x"], sheet["y"]) == ("-2", "-1")                          # one image of 2 × 1 pixels in, and down
    assert [bar["value"] for bar in outline.all("input")] == ["1", "1"]
    assert all("hidden" in bar for name, bar in outline.tags if bar.get("class") == "dgm-controls")


def test_a_plane_marks_the_points_that_lie_in_it():
    points = torch.tensor([[-1.0, -1.0], [0.5, 1.0], [3.0, 0.0]])
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" style[^>]*>(\w+)<', viz.plane(
        coordinates, [-1, 1], alt="coordinates", points=points, labels=[4, "<", 5]).markup.replace("&lt;", "less"))
    assert texts == [("0.0", "101.4", "4"), ("75.0", "1.4", "less")]


@pytest.mark.parametrize(("change", "complaint"), [
    ({"steps": [0.0]}, "at least two steps"),
    ({"steps": [0.0, 0.0]}, "must rise"),
    ({"decode": lambda z: torch.zeros(3, 8, 8)}, "3 images for 4 points"),
    ({"points": torch.zeros(2, 2), "labels": [1]}, "1 labels for 2 points"),
])  # fmt: skip
def test_a_plane_that_cannot_be_drawn_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        viz.plane(**({"decode": coordinates, "steps": [-1.0, 1.0], "alt": "a plane"} | change))
