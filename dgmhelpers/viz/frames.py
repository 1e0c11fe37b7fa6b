"""Figures that move, with no kernel, no library and no network.

All frames are drawn beforehand and stored in the page. A native slider chooses which one shows, so keyboard,
touch and screen readers work by nature; without JavaScript, and on paper, the first frame stands still. With two or
three sliders there is a frame for each combination.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools

from dgmhelpers.viz.show import Picture, close, described, figure, smaller_png, to_png, to_svg

_HEAVY = 60_000  # bytes of SVG beyond which a frame is stored as PNG if that is smaller
_MID_GREY = "#808080"  # ink of PNG frames: as far from white as from black

_SCRIPT = """
for (const f of document.querySelectorAll('.dgm-frames:not([data-ready])')) {
  f.dataset.ready = '';
  const shots = f.querySelectorAll('.dgm-frame'), bar = f.querySelector('.dgm-controls');
  const ranges = [...bar.querySelectorAll('input')], outs = bar.querySelectorAll('output');
  const range = ranges[0], play = bar.querySelector('button');
  let texts = JSON.parse(f.dataset.values), timer = null;
  if (ranges.length === 1) texts = [texts];
  const go = () => {
    let shot = 0;
    ranges.forEach((r, k) => {
      const text = texts[k][+r.value];
      shot = shot * texts[k].length + +r.value;
      outs[k].value = text;
      r.setAttribute('aria-valuetext', text);
    });
    shots.forEach((s, j) => { s.hidden = j !== shot; });
  };
  const stop = () => { clearInterval(timer); timer = null; if (play) play.textContent = 'Play'; };
  ranges.forEach(r => r.addEventListener('input', () => { stop(); go(); }));
  if (play) {
    play.hidden = matchMedia('(prefers-reduced-motion: reduce)').matches;
    play.addEventListener('click', () => {
      if (timer) return stop();
      play.textContent = 'Pause';
      const turn = i => { range.value = i; go(); };
      if (range.value === range.max) turn(0);
      timer = setInterval(() => {
        if (+range.value < +range.max) turn(+range.value + 1); else stop();
      }, 1000 / +f.dataset.fps);
    });
  }
  go();
  bar.hidden = false;
}
"""
SCRIPT = "".join(line.strip() + " " for line in _SCRIPT.strip().splitlines()).strip()


class Frames(Picture):
    """Several pictures of which one shows at a time; what :func:`frames` returns.

    Args:
        pictures: one for each combination of the sliders' values, those of the last slider in turn.
        texts: for each slider, its values in words. labels: for each slider, what it changes.
        starts: for each slider, the index that it starts at. start: the index of that picture.
    """

    def __init__(self, pictures, texts, *, labels, starts, start, fps, caption):
        self.pictures = pictures
        self.texts = texts
        self.labels = labels
        self.starts = starts
        self.start = start
        self.fps = fps
        still = pictures[start]
        super().__init__(still.markup, still.png, alt=still.alt, caption=caption, prefix=still.prefix)

    def __len__(self):
        return len(self.pictures)

    def to_html(self) -> str:
        """All frames with their sliders; needs nothing else on the page."""
        import json

        content = "".join(picture.markup for picture in self.pictures)
        own = "dgm" + hashlib.sha256(("".join(self.labels) + content).encode()).hexdigest()[:8]
        shots = "".join(
            f'<div class="dgm-frame" role="img" aria-label="{html.escape(picture.alt)}"'
            f"{'' if i == self.start else ' hidden'}>{picture.renamed(f'{own}f{i}-')}</div>"
            for i, picture in enumerate(self.pictures)
        )
        play = '<button type="button" class="dgm-play">Play</button>' if self.fps else ""
        speed = f' data-fps="{self.fps:g}"' if self.fps else ""
        sliders = "".join(map(self._slider, self.labels, self.texts, self.starts))
        texts = self.texts if len(self.texts) > 1 else self.texts[0]
        values = html.escape(json.dumps(texts, ensure_ascii=False))
        controls = f'<div class="dgm-controls" hidden>{play}{sliders}</div>'
        body = f'<div class="dgm-frames" data-values="{values}"{speed}>{shots}{controls}</div>'
        return figure(body, self.caption, "dgm-moving") + f"<script>{SCRIPT}</script>"

    def _slider(self, label: str, texts: list[str], start: int) -> str:
        slider = (
            f'<label><span>{html.escape(label)}</span> '
            f'<input type="range" min="0" max="{len(texts) - 1}" step="1" value="{start}" '
            f'aria-valuetext="{html.escape(texts[start])}" autocomplete="off"></label> '
            f"<output>{html.escape(texts[start])}</output>"
        )
        return slider if len(self.texts) == 1 else f'<div class="dgm-slider">{slider}</div>'


def frames(draw, values, *, label: str = "", alt, caption: str | None = None, start=0, fps=None, text=None) -> Frames:
    """A figure with a slider: ``draw(value)`` for each of ``values``; or with two or three sliders.

    For several sliders ``values`` is a dictionary, ``{label: values}``, and ``draw``, ``alt`` and ``text`` are called
    with one value of each. Every combination is drawn, so few of each are wanted::

        viz.frames(draw, {"depth": range(1, 9), "model": ["plain", "gated"]}, alt=lambda depth, model: …)

    Args:
        draw: gives a matplotlib figure, a :class:`Picture` (of ``viz.images``, ``viz.matrix``, …), or a string
            of HTML or SVG.
        values: what the slider runs through, at least two; or that for each slider by its label.
        label: what the slider changes, in a word or two; it stands beside it and is its accessible name.
        alt: what the figure shows, in words: one text for all frames, or a function of the value (the values).
        caption: text to stand below.
        start: index of the frame that shows first, and without JavaScript; negative counts from the end. For several
            sliders one index each, as a list.
        fps: give a Play button, with this many frames a second; it moves the first slider. Nothing moves until it is
            pressed, and readers who asked their system for less motion keep the sliders alone.
        text: how a value is written beside the slider, a function of the value (numbers as ``{:g}`` by default); for
            several sliders a dictionary by label, of those that need one.

    Raises:
        ValueError: if there are fewer than two values, more than three sliders, a label or ``alt`` is empty, or
            ``start`` is no index.
    """
    if isinstance(values, dict):
        if label:
            raise ValueError("with several sliders the labels are the keys of values; give no label=")
        if not 1 <= len(values) <= 3:
            raise ValueError(f"a figure has one to three sliders, got {len(values)}")
        axes, writers = {name: list(each) for name, each in values.items()}, text or {}
        starts = list(start) if isinstance(start, (list, tuple)) else [start] * len(axes)
    else:
        axes, writers, starts = {label: list(values)}, {label: text}, [start]
    if len(starts) != len(axes):
        raise ValueError(f"start must be one index a slider, got {len(starts)} for {len(axes)}")
    for i, (name, each) in enumerate(axes.items()):
        if len(each) < 2:
            raise ValueError(f"a moving figure needs at least two values, got {len(each)}")
        if not name or not name.strip():
            raise ValueError("label is needed: say what the slider changes")
        if not -len(each) <= starts[i] < len(each):
            raise ValueError(f"start must be an index into {len(each)} values, got {starts[i]}")
        starts[i] %= len(each)
    describe = alt if callable(alt) else (lambda *values: alt)
    shown = 0
    for each, at in zip(axes.values(), starts, strict=True):
        shown = shown * len(each) + at
    pictures = [
        _frame(draw(*values), described(describe(*values)), with_png=i == shown)
        for i, values in enumerate(itertools.product(*axes.values()))
    ]
    texts = [[str((writers.get(name) or _plain)(value)) for value in each] for name, each in axes.items()]
    labels = [name.strip() for name in axes]
    return Frames(pictures, texts, labels=labels, starts=starts, start=shown, fps=fps, caption=caption)


def _plain(value) -> str:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _frame(drawn, alt, *, with_png) -> Picture:
    if isinstance(drawn, Picture):
        return Picture(drawn.markup, drawn.png, alt=alt, prefix=drawn.prefix)
    if isinstance(drawn, str):
        return Picture(drawn, None, alt=alt)
    svg, prefix = to_svg(drawn)
    if len(svg) > _HEAVY:
        png = to_png(drawn, dpi=110, ink=_MID_GREY, background="none")
        if len(png) * 4 / 3 < len(svg):
            svg, prefix = _img(png, drawn, alt), ""
    still = to_png(drawn) if with_png else None
    close(drawn)
    return Picture(svg, still, alt=alt, prefix=prefix)


def _img(png, fig, alt: str) -> str:
    data = base64.b64encode(smaller_png(png)).decode()
    width, height = (round(96 * inches) for inches in fig.get_size_inches())
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" width="{width}" height="{height}" '
        f'style="max-width:100%;height:auto">'
    )
