"""Figures that move, with no kernel, no library and no network.

All frames are drawn beforehand and stored in the page. A native slider chooses which one shows, so keyboard,
touch and screen readers work by nature; without JavaScript, and on paper, the first frame stands still.
"""

from __future__ import annotations

import base64
import hashlib
import html

from dgmhelpers.viz.show import Picture, close, described, figure, smaller_png, to_png, to_svg

_HEAVY = 60_000  # bytes of SVG beyond which a frame is stored as PNG if that is smaller
_MID_GREY = "#808080"  # ink of PNG frames: as far from white as from black

_SCRIPT = """
for (const f of document.querySelectorAll('.dgm-frames:not([data-ready])')) {
  f.dataset.ready = '';
  const shots = f.querySelectorAll('.dgm-frame'), bar = f.querySelector('.dgm-controls');
  const range = bar.querySelector('input'), out = bar.querySelector('output'), play = bar.querySelector('button');
  const texts = JSON.parse(f.dataset.values);
  let timer = null;
  const go = i => {
    range.value = i;
    shots.forEach((s, j) => { s.hidden = j !== i; });
    out.value = texts[i];
    range.setAttribute('aria-valuetext', texts[i]);
  };
  const stop = () => { clearInterval(timer); timer = null; if (play) play.textContent = 'Play'; };
  range.addEventListener('input', () => { stop(); go(+range.value); });
  if (play) {
    play.hidden = matchMedia('(prefers-reduced-motion: reduce)').matches;
    play.addEventListener('click', () => {
      if (timer) return stop();
      play.textContent = 'Pause';
      if (+range.value === shots.length - 1) go(0);
      timer = setInterval(() => {
        if (+range.value + 1 < shots.length) go(+range.value + 1); else stop();
      }, 1000 / +f.dataset.fps);
    });
  }
  go(+range.value);
  bar.hidden = false;
}
"""
SCRIPT = "".join(line.strip() + " " for line in _SCRIPT.strip().splitlines()).strip()


class Frames(Picture):
    """Several pictures of which one shows at a time; what :func:`frames` returns."""

    def __init__(self, pictures, texts, *, label, start, fps, caption):
        self.pictures = pictures
        self.texts = texts
        self.label = label
        self.start = start
        self.fps = fps
        still = pictures[start]
        super().__init__(still.markup, still.png, alt=still.alt, caption=caption, prefix=still.prefix)

    def __len__(self):
        return len(self.pictures)

    def to_html(self) -> str:
        """All frames with their slider; needs nothing else on the page."""
        import json

        content = "".join(picture.markup for picture in self.pictures)
        own = "dgm" + hashlib.sha256((self.label + content).encode()).hexdigest()[:8]
        shots = "".join(
            f'<div class="dgm-frame" role="img" aria-label="{html.escape(picture.alt)}"'
            f"{'' if i == self.start else ' hidden'}>{picture.renamed(f'{own}f{i}-')}</div>"
            for i, picture in enumerate(self.pictures)
        )
        play = '<button type="button" class="dgm-play">Play</button>' if self.fps else ""
        speed = f' data-fps="{self.fps:g}"' if self.fps else ""
        controls = (
            f'<div class="dgm-controls" hidden>{play}<label><span>{html.escape(self.label)}</span> '
            f'<input type="range" min="0" max="{len(self) - 1}" step="1" value="{self.start}" '
            f'aria-valuetext="{html.escape(self.texts[self.start])}" autocomplete="off"></label> '
            f"<output>{html.escape(self.texts[self.start])}</output></div>"
        )
        values = html.escape(json.dumps(self.texts, ensure_ascii=False))
        body = f'<div class="dgm-frames" data-values="{values}"{speed}>{shots}{controls}</div>'
        return figure(body, self.caption, "dgm-moving") + f"<script>{SCRIPT}</script>"


def frames(draw, values, *, label: str, alt, caption: str | None = None, start: int = 0, fps=None, text=None) -> Frames:
    """A figure with a slider: ``draw(value)`` for each of ``values``.

    Args:
        draw: gives a matplotlib figure, a :class:`Picture` (of ``viz.images``, ``viz.matrix``, …), or a string
            of HTML or SVG.
        values: what the slider runs through, at least two.
        label: what the slider changes, in a word or two; it stands beside it and is its accessible name.
        alt: what the figure shows, in words: one text for all frames, or a function of the value.
        caption: text to stand below.
        start: index of the frame that shows first, and without JavaScript; negative counts from the end.
        fps: give a Play button, with this many frames a second. Nothing moves until it is pressed, and readers
            who asked their system for less motion keep the slider alone.
        text: how a value is written beside the slider, a function of the value (numbers as ``{:g}`` by default).

    Raises:
        ValueError: if there are fewer than two values, the label or ``alt`` is empty, or ``start`` is no index.
    """
    values = list(values)
    if len(values) < 2:
        raise ValueError(f"a moving figure needs at least two values, got {len(values)}")
    if not label or not label.strip():
        raise ValueError("label is needed: say what the slider changes")
    if not -len(values) <= start < len(values):
        raise ValueError(f"start must be an index into {len(values)} values, got {start}")
    start %= len(values)
    describe = alt if callable(alt) else (lambda value: alt)
    write = text or _plain
    pictures = [_frame(draw(value), described(describe(value)), with_png=i == start) for i, value in enumerate(values)]
    return Frames(
        pictures, [str(write(value)) for value in values], label=label.strip(), start=start, fps=fps, caption=caption
    )


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
