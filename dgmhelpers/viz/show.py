"""A figure as a page wants it: an inline SVG in the page's own colours, with words for who can't see it."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re

from dgmhelpers.arguments import local_path, needs
from dgmhelpers.viz.style import COLOURS, INK, parameters

_PIXELS_PER_POINT = 96 / 72


class Picture:
    """Markup to show, a small PNG for where markup does not go, and a description in words.

    What :func:`show`, :func:`~dgmhelpers.viz.images`, :func:`~dgmhelpers.viz.matrix` and
    :func:`~dgmhelpers.viz.curve` return: a notebook displays it, :func:`~dgmhelpers.viz.frames` strings
    several together.

    Args:
        markup: the picture itself, usually ``<svg …>``; ids in it start with ``prefix``.
        png: the same picture as PNG bytes, on white.
        alt: what the picture shows, in words.
        caption: text to stand below it.
        prefix: what ids inside the markup start with, so that two pictures on one page never share one.
    """

    def __init__(self, markup: str, png: bytes | None, *, alt: str, caption: str | None = None, prefix: str = ""):
        self.markup = markup
        self.png = png
        self.alt = described(alt)
        self.caption = caption
        self.prefix = prefix

    def renamed(self, prefix: str) -> str:
        """The markup, its ids starting with ``prefix`` instead."""
        return self.markup.replace(self.prefix, prefix) if self.prefix else self.markup

    def to_html(self) -> str:
        """The whole figure: picture and caption."""
        return figure(f'<div role="img" aria-label="{html.escape(self.alt)}">{self.markup}</div>', self.caption)

    def save(self, path) -> None:
        """Write the picture to a file: ``.png``, ``.svg`` where it is one, or ``.html`` with its words and caption.

        Raises:
            ValueError: for another ending, or a picture that has no such form.
        """
        path = local_path(path)
        forms = {".png": self.png, ".html": self.to_html(), ".svg": self.markup if self.markup[:4] == "<svg" else None}
        content = forms.get(path.suffix)
        if content is None:
            kinds = ", ".join(ending for ending, form in forms.items() if form is not None)
            raise ValueError(f"{path} should end in one of {kinds}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": f"Figure: {self.alt}", "text/html": self.to_html()}
        if self.png:
            bundle["image/png"] = base64.b64encode(self.png).decode()
        return bundle

    def __repr__(self):
        return f"Figure: {self.alt}"


def show(fig, *, alt: str, caption: str | None = None, tight: bool = False) -> Picture:
    """A matplotlib figure, ready for a page in light or dark.

    Args:
        fig: the figure; it is closed, so that the notebook does not show it a second time.
        alt: what a reader who can't see it needs to know: not "a plot of the loss" but what the plot says.
        caption: text to stand below the figure.
        tight: cut empty margins away.

    Raises:
        ValueError: if ``alt`` is empty.
    """
    alt = described(alt)
    svg, prefix = to_svg(fig, tight)
    png = to_png(fig)
    close(fig)
    return Picture(svg, png, alt=alt, caption=caption, prefix=prefix)


def side_by_side(svgs, pngs, *, alt: str, caption: str | None = None) -> Picture:
    """Several pictures as one: in a row where there is room, below one another where there is not.

    Args:
        svgs: what :func:`to_svg` gave for each. pngs: what :func:`to_png` gave.
    """
    own = "dgm" + hashlib.sha256("".join(svg for svg, _ in svgs).encode()).hexdigest()[:10]
    parts = [svg.replace(prefix, f"{own}-{i}-") for i, (svg, prefix) in enumerate(svgs)]
    if len(parts) == 1:
        return Picture(parts[0], pngs[0], alt=alt, caption=caption, prefix=f"{own}-")
    row = "display:flex;flex-wrap:wrap;gap:.75rem;justify-content:center;align-items:flex-start"
    cells = "".join(f'<div style="max-width:100%">{part}</div>' for part in parts)
    return Picture(f'<div style="{row}">{cells}</div>', _row(pngs), alt=alt, caption=caption, prefix=f"{own}-")


def _row(pngs) -> bytes:
    """PNGs beside each other on white."""
    needs("PIL", "viz")
    from PIL import Image

    pictures = [Image.open(io.BytesIO(png)).convert("RGBA") for png in pngs]
    wide = sum(picture.width for picture in pictures) + 12 * (len(pictures) - 1)
    sheet = Image.new("RGBA", (wide, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + 12
    buffer = io.BytesIO()
    sheet.save(buffer, format="png", optimize=True)
    return smaller_png(buffer.getvalue())


def described(alt: str) -> str:
    """``alt`` itself, if it says something.

    Raises:
        ValueError: if it is missing or blank.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is needed: say in words what the picture shows, for readers who can't see it")
    return " ".join(alt.split())


def numpy_of(x):
    """A tensor, array or nested list, as a numpy array."""
    import numpy as np

    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x           # which numpy does not know
    return np.asarray(x)


def figure(inner: str, caption: str | None, kind: str = "") -> str:
    """``<figure>`` around a picture, with its caption."""
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    kind = f" {kind}" if kind else ""
    return f'<figure class="dgm-figure{kind}" style="margin:1em 0">{inner}{words}</figure>'


def close(fig):
    """Forget a figure, so that nothing shows it again."""
    needs("matplotlib", "viz")
    import matplotlib.pyplot as plt

    plt.close(fig)


def to_svg(fig, tight: bool = False) -> tuple[str, str]:
    """A figure as an ``<svg>`` element that takes the page's colours, and the prefix of the ids in it."""
    import matplotlib

    settings = {key: value for key, value in parameters().items() if key.startswith("svg.")}
    _clear_backgrounds(fig)
    buffer = io.StringIO()
    with matplotlib.rc_context(settings):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        fig.savefig(buffer, format="svg", transparent=True, metadata=nothing, bbox_inches="tight" if tight else None)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s*\n\s*<", "><", svg).strip()
    svg = re.sub(r"\s+", " ", svg)
    svg = _open_tag(svg) + svg[svg.index(">") + 1:]
    svg = _lighter(svg)
    svg = _page_colours(svg)
    return _own_ids(svg)


def to_png(
    fig, dpi: int = 72, ink: str = "#000000", background: str = "#ffffff", tight: bool = False
) -> bytes:
    """The same figure as a small PNG, ink on a plain background."""
    from matplotlib.colors import to_rgba

    changed = _recolour(fig, INK, ink)
    buffer = io.BytesIO()
    box = {"bbox_inches": "tight"} if tight else {}
    fig.savefig(buffer, format="png", dpi=dpi, facecolor=to_rgba(background), metadata={"Software": None}, **box)
    for restore in changed:
        restore()
    return smaller_png(buffer.getvalue())


def smaller_png(png: bytes, colours: int = 64) -> bytes:
    """The same PNG with few colours, where that makes it smaller."""
    needs("PIL", "viz")
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    buffer = io.BytesIO()
    picture.quantize(colours, method=Image.Quantize.FASTOCTREE).save(buffer, format="png", optimize=True)
    return min(png, buffer.getvalue(), key=len)


def _clear_backgrounds(fig):
    """No panel behind the figure or its axes, and ink for what matplotlib would leave black."""
    from matplotlib.colors import to_hex

    fig.patch.set_alpha(0)
    for axes in fig.axes:
        axes.patch.set_alpha(0)
    for artist, get, put in _inked(fig):
        if to_hex(get()) == "#000000":
            put(artist, INK)


def _recolour(fig, old, new):
    """Change every piece of ink of one colour; returns what puts it back."""
    from matplotlib.colors import to_hex

    undo = []
    for artist, get, put in _inked(fig):
        if to_hex(get()) == old:
            alpha = artist.get_alpha()
            put(artist, new)
            artist.set_alpha(alpha)
            undo.append(lambda artist=artist, put=put: put(artist, old))
    return undo


def _inked(fig):
    """Texts, lines and spines of a figure, each with how to read and set its colour."""
    from matplotlib.lines import Line2D
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    for artist in fig.findobj(lambda a: isinstance(a, (Text, Line2D))):
        yield artist, artist.get_color, lambda a, c: a.set_color(c)
        if isinstance(artist, Line2D):
            yield artist, artist.get_markerfacecolor, lambda a, c: a.set_markerfacecolor(c)
            yield artist, artist.get_markeredgecolor, lambda a, c: a.set_markeredgecolor(c)
    for spine in fig.findobj(Spine):
        yield spine, spine.get_edgecolor, lambda a, c: a.set_edgecolor(c)


def _open_tag(svg: str) -> str:
    """Matplotlib's ``<svg …>``, sized in CSS pixels and shrinking with the page."""
    box = [float(number) for number in re.findall(r'viewBox="([^"]+)"', svg)[0].split()]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{" ".join(f"{number:g}" for number in box)}" width="{box[2] * _PIXELS_PER_POINT:.0f}" '
        'fill="currentColor" aria-hidden="true" style="max-width:100%;height:auto">'
    )


def _lighter(svg: str) -> str:
    """Two decimals are a hundredth of a point: enough, and half the size."""

    def shorter(match):
        return re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m.group()):.2f}".rstrip("0").rstrip("."), match.group())

    svg = re.sub(r' (?:d|x|y|points)="[^"]*"', shorter, svg)
    svg = re.sub(r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1sans-serif", svg)
    svg = re.sub(r"font-family: 'DejaVu Sans'[^;\"]*", "font-family: sans-serif", svg)
    svg = _styled_once(re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg))
    return svg.replace("; stroke-linejoin: miter", "").replace(' style="fill: none; opacity: 0"', ' fill="none"')


def _styled_once(svg: str) -> str:
    """Neighbours that look the same, such as the points of a cloud, share one style, on a group around them."""
    look = r'(?P<look>(?: clip-path="[^"]*")? style="(?![^"]*(?<!-)opacity: )[^"]*")/>'
    alike = re.compile(rf"<(?:use|path) [^>]*?{look}(?:<(?:use|path) [^>]*?(?P=look)/>)+")

    def together(match):
        look = match["look"]
        return f"<g{look}>{match.group().replace(look + '/>', '/>')}</g>"

    return alike.sub(together, svg)


def _page_colours(svg: str) -> str:
    """Ink becomes the page's own colour, series colours variables that the page may sharpen."""
    svg = svg.replace(INK, "currentColor")
    for name, colour in COLOURS.items():
        svg = re.sub(rf"(stroke|fill): {colour}", rf"\1: var(--dgm-{name}, {colour})", svg)
    return svg


def _own_ids(svg: str) -> tuple[str, str]:
    """Drop ids that nothing refers to, and give the others a prefix made from the picture's content."""
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg))
    used = {one or other for one, other in used}
    prefix = f"dgm{hashlib.sha256(svg.encode()).hexdigest()[:10]}-"
    number = {name: f"{prefix}{i}" for i, name in enumerate(sorted(used))}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{number[m[1]]}"' if m[1] in number else "", svg)
    svg = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{number[m[1]]})", svg)
    svg = re.sub(r'href="#([^"]+)"', lambda m: f'href="#{number[m[1]]}"', svg)
    return svg, prefix
