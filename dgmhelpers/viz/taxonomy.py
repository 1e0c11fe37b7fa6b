"""The map of the book: every chapter as a tile, sorted by the question that the reader chooses.

Plain HTML with native radio buttons: it needs no kernel, no network and no script (a script only lets the tiles glide
to their new places). A chapter is a link if its notebook is there when the map is drawn: to add one to the map, execute
chapter 01 again.
"""

import hashlib
import html
from dataclasses import dataclass
from pathlib import Path

from dgmhelpers.arguments import local_path

EXACT, BOUND, SCALED, NONE = "exactly", "as a bound", "up to a constant", "not at all"
ONE_PASS, ONE_BY_ONE, STEPS = "in one pass", "one value after another", "in many small steps"
NO_CODE, SMALL, LARGE, IMAGE = "no code", "a small code", "a code as large as the data", "another image"

PARTS = {
    "Foundations": "what it means to know a distribution, and how to learn one",
    "Autoregressive models": "exact probabilities, one value after another",
    "Flows": "exact probabilities and one-pass samples, by bending noise with maps that can be undone",
    "Latent variables": "a short code behind every image, learned through a bound",
    "Energies, scores, diffusion": "scores instead of probabilities, and samples by many small steps",
    "Adversarial models": "samples without any density, judged by a second network",
    "Applications": "what people build with them, and which one to choose",
}


@dataclass(frozen=True)
class Chapter:
    """One tile.

    Args:
        number: the chapter's; its notebook is ``NN-*.ipynb``.
        density, sampling, code: what its models offer, or None where the question does not apply.
    """

    number: int
    title: str
    part: str
    density: str | None = None
    sampling: str | None = None
    code: str | None = None


_FOUND, _AUTO, _FLOW, _LATENT, _ENERGY, _ADV, _WORK = PARTS
CHAPTERS = (
    Chapter(1, "What is a generative model?", _FOUND),
    Chapter(2, "Maximum likelihood", _FOUND, EXACT, ONE_PASS, NO_CODE),
    Chapter(3, "The chain rule", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(4, "NADE and MADE", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(5, "Any order, any value", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(6, "PixelRNN and PixelCNN", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(7, "Blind spots", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(8, "Better pixel models", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(9, "Transformers", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(10, "WaveNet", _AUTO, EXACT, ONE_BY_ONE, NO_CODE),
    Chapter(11, "Change of variables", _FLOW, EXACT, ONE_PASS, LARGE),
    Chapter(12, "Autoregressive flows", _FLOW, EXACT, ONE_BY_ONE, LARGE),
    Chapter(13, "The ELBO", _LATENT, BOUND, ONE_PASS, SMALL),
    Chapter(14, "Tighter bounds, richer posteriors", _LATENT, BOUND, ONE_PASS, SMALL),
    Chapter(15, "Latents that unfold in time", _LATENT, BOUND, STEPS, SMALL),
    Chapter(16, "Discrete latents", _LATENT, BOUND, ONE_BY_ONE, SMALL),
    Chapter(17, "Boltzmann machines", _ENERGY, SCALED, STEPS, SMALL),
    Chapter(18, "Denoising, scores and Langevin", _ENERGY, SCALED, STEPS, NO_CODE),
    Chapter(19, "Diffusion", _ENERGY, BOUND, STEPS, LARGE),
    Chapter(20, "Flow matching", _ENERGY, EXACT, STEPS, LARGE),
    Chapter(21, "The minimax game", _ADV, NONE, ONE_PASS, SMALL),
    Chapter(22, "Non-convergence and mode collapse", _ADV, NONE, ONE_PASS, SMALL),
    Chapter(23, "Convolutional GANs", _ADV, NONE, ONE_PASS, SMALL),
    Chapter(24, "Conditioning", _ADV, NONE, ONE_PASS, SMALL),
    Chapter(25, "Inference and few labels", _ADV, NONE, ONE_PASS, SMALL),
    Chapter(26, "Image translation", _ADV, NONE, ONE_PASS, IMAGE),
    Chapter(27, "Completing and editing", _WORK),
    Chapter(28, "Predicting and planning", _WORK),
    Chapter(29, "Simulating", _WORK),
    Chapter(30, "Compression", _WORK),
    Chapter(31, "Which model, when?", _WORK),
    Chapter(32, "Auditing code you did not write", _WORK),
)

VIEWS = (
    ("the order of the book", "part", PARTS),
    ("what they tell you of p(x)", "density", {
        EXACT: "p(x) is a number that you can compute: models can be compared, files compressed",
        BOUND: "a number that p(x) is at least: nearly as good, if you remember which it is",
        SCALED: "which of two images is likelier, or which way is uphill, but not p(x) itself: the sum over all "
                "images is out of reach",
        NONE: "an implicit density: the model draws, and the rest you must judge from samples",
    }),
    ("how a sample is made", "sampling", {
        ONE_PASS: "noise in, image out: fast",
        ONE_BY_ONE: "as many rounds as there are values",
        STEPS: "from noise, or from the last sample, by small corrections: a chain",
    }),
    ("what a sample starts from", "code", {
        NO_CODE: "nothing is hidden between noise and image that one could keep and change",
        SMALL: "a few numbers that describe the image, to compare, to mix, to edit",
        LARGE: "noise with as many numbers as the image",
        IMAGE: "a sketch, a map, a blurred copy: translation",
    }),
)

_STYLE = """
.dgm-map{border:1px solid;border-color:color-mix(in srgb,currentColor 35%,transparent);border-radius:.5rem;
 padding:.7rem .9rem;margin:1em 0;min-width:0}
.dgm-map legend{float:none;width:auto;font-size:1rem;font-weight:600;padding:0 .4em;margin:0}
.dgm-map>input{position:absolute;opacity:0}
.dgm-map>label{display:inline-block;cursor:pointer;border:1px solid;border-radius:1.2em;padding:.25em .8em;
 margin:.15em .25em .15em 0;font-size:.9rem}
.dgm-map>input:checked+label{background:#1f5f99;border-color:#1f5f99;color:#fff}
.dgm-map>input:checked+label::before{content:"\\2713\\00a0"}
.dgm-map>input:focus-visible+label{outline:3px solid #cf5a00;outline-offset:2px}
.dgm-map-view{display:none}
.dgm-map-view>ul{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(15rem,100%),1fr));gap:.8rem;
 list-style:none;margin:.8rem 0 0;padding:0}
.dgm-map-view>ul>li{margin:0;font-size:.85rem;line-height:1.35}
.dgm-map-view>ul>li>b{font-size:.95rem}
.dgm-map-view ul ul{list-style:none;margin:.4rem 0 0;padding:0}
.dgm-map-view ul ul>li{margin:.25rem 0;padding:.2rem .5rem;border:1px solid;border-left-width:.4rem;
 border-radius:.3rem;border-color:color-mix(in srgb,currentColor 30%,transparent)}
.dgm-map-view ul ul>li.dgm-soon{border-style:dashed;border-left-style:solid}
"""
_COLOURS = ("#808080", "#1f7fc0", "#9a7500", "#b8609a", "#00906a", "#cf5a00", "#808080")

_SCRIPT = """
for (const m of document.querySelectorAll('.dgm-map:not([data-ready])')) {
  m.dataset.ready = '';
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const look = () => {
    const seen = {}, top = m.getBoundingClientRect();
    m.querySelectorAll('[data-chapter]').forEach(c => {
      const b = c.getBoundingClientRect();
      if (b.width) seen[c.dataset.chapter] = [c, b.left - top.left, b.top - top.top];
    });
    return seen;
  };
  let before = look();
  addEventListener('resize', () => { before = look(); });
  addEventListener('load', () => { before = look(); });
  m.addEventListener('change', () => {
    const now = look();
    for (const n in now) {
      if (still.matches || !before[n]) continue;
      const [tile, x, y] = now[n];
      tile.animate([{transform: `translate(${before[n][1] - x}px,${before[n][2] - y}px)`}, {transform: 'none'}],
        {duration: 700, easing: 'ease-in-out'});
    }
    before = now;
  });
}
"""


class Taxonomy:
    """The map; a notebook shows it.

    Args:
        pages: by chapter number, the file name of its notebook without the ending.
    """

    def __init__(self, pages: dict[int, str]):
        self.pages = pages

    def _repr_html_(self):
        return to_html(self.pages)

    def __repr__(self):
        return to_text()


def taxonomy(folder: str | Path = ".") -> Taxonomy:
    """The map of the book's models, sorted by what the reader asks.

    Args:
        folder: where the chapters are; those found there become links, relative to it.
    """
    return Taxonomy({int(path.name[:2]): path.stem for path in sorted(local_path(folder).glob("[0-9][0-9]-*.ipynb"))})


def groups(attribute: str) -> dict[str, list[Chapter]]:
    """The chapters by one of their attributes, those without it left out."""
    found: dict[str, list[Chapter]] = {}
    for chapter in CHAPTERS:
        if getattr(chapter, attribute) is not None:
            found.setdefault(getattr(chapter, attribute), []).append(chapter)
    return found


def to_html(pages: dict[int, str]) -> str:
    """A fieldset of radio buttons, and one list of lists a view."""
    own = "dgmmap" + hashlib.sha256(repr((CHAPTERS, VIEWS)).encode()).hexdigest()[:6]
    shown = "".join(f"#{own}-{i}:checked~.dgm-map-view-{i}{{display:block}}" for i in range(len(VIEWS)))
    colours = "".join(
        f".dgm-map-view ul ul>li.dgm-part-{i}{{border-left-color:{colour}}}" for i, colour in enumerate(_COLOURS)
    )
    buttons = "".join(
        f'<input type="radio" name="{own}" id="{own}-{i}"{" checked" if i == 0 else ""}>'
        f'<label for="{own}-{i}">{html.escape(name)}</label>'
        for i, (name, _, _) in enumerate(VIEWS)
    )
    views = "".join(_view(i, attribute, meanings, pages) for i, (_, attribute, meanings) in enumerate(VIEWS))
    style = " ".join((_STYLE + shown + colours).split())
    script = " ".join(_SCRIPT.split())
    return (
        f"<style>{style}</style>"
        f'<fieldset class="dgm-map"><legend>Sort the models by</legend>{buttons}{views}</fieldset>'
        f"<script>{script}</script>"
    )


def _view(i: int, attribute: str, meanings: dict[str, str], pages: dict[int, str]) -> str:
    by = groups(attribute)
    lists = "".join(
        f"<li><b>{html.escape(_headline(name))}</b>: {html.escape(meaning)}."
        f"<ul>{''.join(_tile(c, pages.get(c.number)) for c in by[name])}</ul></li>"
        for name, meaning in meanings.items()
    )
    return f'<div class="dgm-map-view dgm-map-view-{i}"><ul>{lists}</ul></div>'


def _tile(chapter: Chapter, page: str | None) -> str:
    name = f"{chapter.number:02d} {html.escape(chapter.title)}"
    kind = f"dgm-part-{list(PARTS).index(chapter.part)}"
    if page:
        name = f'<a href="{page}.html">{name}</a>'
    else:
        kind += " dgm-soon"
    return f'<li class="{kind}" data-chapter="{chapter.number}">{name}</li>'


def to_text() -> str:
    """The same as indented lines, for where there is no HTML."""
    lines = []
    for title, attribute, meanings in VIEWS:
        lines.append(f"Sorted by {title}")
        by = groups(attribute)
        for name, meaning in meanings.items():
            lines.append(f"  {_headline(name)}: {meaning}.")
            lines += [f"    {c.number:02d} {c.title}" for c in by[name]]
    return "\n".join(lines)


def _headline(name: str) -> str:
    return name[0].upper() + name[1:]
