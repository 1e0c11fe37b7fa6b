"""A plane of which any point can be looked at: two sliders and a map, with no kernel and no network.

All images are computed beforehand and stored as one sheet; the page shows the window of it that the sliders, or a
finger on the map, have chosen. Without JavaScript, and on paper, the middle of the plane stands still.
"""

from __future__ import annotations

import html
import json

from dgmhelpers.viz.images import _as_batch, _fallback, _png, _to_rgba
from dgmhelpers.viz.show import Picture, described, figure, numpy_of
from dgmhelpers.viz.style import COLOURS

_SIDE = 260  # of the map and of the image, in CSS pixels
_NAMES = [name for name in COLOURS if name != "grey"]

_SCRIPT = """
for (const f of document.querySelectorAll('.dgm-plane:not([data-ready])')) {
  f.dataset.ready = '';
  const steps = JSON.parse(f.dataset.steps), n = steps.length, last = n - 1;
  const map = f.querySelector('.dgm-plane-map'), dot = map.querySelector('.dgm-plane-dot');
  const view = f.querySelector('.dgm-plane-view'), sheet = view.querySelector('image');
  const bars = [...f.querySelectorAll('input')], outs = [...f.querySelectorAll('output')];
  const wide = +sheet.getAttribute('width') / n, high = +sheet.getAttribute('height') / n;
  const go = at => {
    at.forEach((v, k) => {
      const said = steps[v].toFixed(1).replace('-', '\\u2212');
      bars[k].value = v; outs[k].value = said; bars[k].setAttribute('aria-valuetext', said);
    });
    sheet.setAttribute('x', -at[0] * wide); sheet.setAttribute('y', -(last - at[1]) * high);
    dot.setAttribute('cx', 100 * at[0] / last); dot.setAttribute('cy', 100 - 100 * at[1] / last);
  };
  const now = () => bars.map(b => +b.value);
  bars.forEach(b => b.addEventListener('input', () => go(now())));
  const point = e => {
    const box = map.getBoundingClientRect(), scale = box.width / 112;
    const near = v => Math.min(last, Math.max(0, Math.round(v / 100 * last)));
    go([near((e.clientX - box.left) / scale - 6), near(100 - ((e.clientY - box.top) / scale - 6))]);
  };
  map.addEventListener('pointerdown', e => { map.setPointerCapture(e.pointerId); point(e); });
  map.addEventListener('pointermove', e => { if (e.buttons) point(e); });
  map.style.cursor = 'crosshair';
  map.style.touchAction = 'none';
  go(now());
  f.querySelector('.dgm-controls').hidden = false;
}
"""
SCRIPT = "".join(line.strip() + " " for line in _SCRIPT.strip().splitlines()).strip()


class Plane(Picture):
    """A map and a window; what :func:`plane` returns."""

    def __init__(self, content: str, steps: list[float], names, png: bytes, *, alt: str, caption: str | None):
        super().__init__(content, png, alt=alt, caption=caption)
        self.steps = steps
        self.names = names

    def to_html(self) -> str:
        """Map, window and sliders; needs nothing else on the page."""
        last, middle = len(self.steps) - 1, (len(self.steps) - 1) // 2
        bars = "".join(
            f'<label><span>{html.escape(name)}</span> <input type="range" min="0" max="{last}" step="1" '
            f'value="{middle}" aria-valuetext="{self.steps[middle]:.1f}" autocomplete="off"></label> '
            f"<output>{self.steps[middle]:.1f}</output>"
            for name in self.names
        )
        data = html.escape(json.dumps([round(step, 4) for step in self.steps]))
        body = (
            f'<div class="dgm-plane" data-steps="{data}"><div role="img" aria-label="{html.escape(self.alt)}">'
            f'{self.markup}</div><div class="dgm-controls" hidden>{bars}</div></div>'
        )
        return figure(body, self.caption, "dgm-moving") + f"<script>{SCRIPT}</script>"


def plane(
    decode, steps, *, alt: str, names=("z₁", "z₂"), points=None, labels=None, levels: int | None = None,
    caption: str | None = None,
) -> Plane:  # fmt: skip
    """Look at any point of a plane: its image, beside a map of the plane.

    Args:
        decode: gives the images, ``(n, H, W)`` or ``(n, C, H, W)``, of a tensor of points, ``(n, 2)``; called once.
        steps: coordinates that can be chosen, rising, the same in both directions: at least two.
        names: of the two coordinates; they stand beside the sliders and are their accessible names.
        points: what to mark on the map, ``(m, 2)``; those outside the plane are left out.
        labels: one short text for each point, drawn in its place; a number also decides its colour.
        levels: for integer images, how many levels there are.

    Raises:
        ValueError: if there are fewer than two steps, they do not rise, or the images are not one for each point.
    """
    import torch

    alt = described(alt)
    steps = [float(step) for step in steps]
    n = len(steps)
    if n < 2 or any(b <= a for a, b in zip(steps, steps[1:], strict=False)):
        raise ValueError("a plane needs at least two steps, and they must rise")
    across = torch.tensor(steps)
    grid = torch.stack([across.repeat(n), across.flip(0).repeat_interleave(n)], 1)     # rows from the top down
    pixels = _to_rgba(_as_batch(numpy_of(decode(grid)), None), levels, None)           # (n², H, W, 4)
    if len(pixels) != n * n:
        raise ValueError(f"decode gave {len(pixels)} images for {n * n} points")
    height, width = pixels.shape[1:3]
    sheet = pixels.reshape(n, n, height, width, 4).swapaxes(1, 2).reshape(n * height, n * width, 4)
    middle = (n - 1) // 2
    content = (
        '<div style="display:flex;flex-wrap:wrap;gap:1rem;justify-content:center;align-items:center">'
        + _map(steps, middle, names, points, labels)
        + _view(sheet, middle, n, width, height)
        + "</div>"
    )
    return Plane(content, steps, names, _fallback(sheet), alt=alt, caption=caption)


def _map(steps, middle, names, points, labels) -> str:
    """The plane from above: a frame, its centre lines, the points, and a ring at the chosen place."""
    low, high = steps[0], steps[-1]
    last, marks = len(steps) - 1, []
    points = [] if points is None else numpy_of(points).tolist()
    labels = [None] * len(points) if labels is None else [getattr(v, "item", lambda v=v: v)() for v in labels]
    if len(labels) != len(points):
        raise ValueError(f"{len(labels)} labels for {len(points)} points")
    for (a, b), label in zip(points, labels, strict=True):
        if low <= a <= high and low <= b <= high:
            x, y = 100 * (a - low) / (high - low), 100 - 100 * (b - low) / (high - low)
            name = _NAMES[label % len(_NAMES)] if isinstance(label, int) else "blue"
            colour = f'style="fill:var(--dgm-{name}, {COLOURS[name]})"'
            if label is None:
                marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="0.8" {colour}/>')
            else:
                marks.append(f'<text x="{x:.1f}" y="{y + 1.4:.1f}" {colour}>{html.escape(str(label))}</text>')
    zero = "".join(
        f'<path d="{path}" stroke="currentColor" stroke-opacity=".25" stroke-width=".4"/>'
        for value in ((0 - low) / (high - low) * 100,) if 0 < value < 100
        for path in (f"M{value:.1f} 0v100", f"M0 {100 - value:.1f}h100")
    )
    at = f'cx="{100 * middle / last:g}" cy="{100 - 100 * middle / last:g}"'
    return (
        '<svg class="dgm-plane-map" xmlns="http://www.w3.org/2000/svg" viewBox="-6 -6 112 112" '
        f'width="{_SIDE * 1.12:.0f}" fill="currentColor" aria-hidden="true" style="max-width:100%;height:auto" '
        'font-family="sans-serif" font-size="4" text-anchor="middle"><path d="M0 0h100v100h-100z" fill="none" '
        f'stroke="currentColor" stroke-opacity=".4" stroke-width=".5"/>{zero}{"".join(marks)}'
        f'<text x="50" y="105">{html.escape(names[0])}</text><text x="-3" y="51">{html.escape(names[1])}</text>'
        f'<circle class="dgm-plane-dot" {at} r="4" fill="none" stroke="currentColor" stroke-width="1.4"/></svg>'
    )


def _view(sheet, middle, n, width, height) -> str:
    """The window on the sheet of all images."""
    import base64

    data = base64.b64encode(_png(sheet)).decode()
    return (
        f'<svg class="dgm-plane-view" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{_SIDE * 0.8:.0f}" fill="currentColor" aria-hidden="true" '
        'style="max-width:100%;height:auto;overflow:hidden">'
        f'<image width="{n * width}" height="{n * height}" x="{-middle * width}" y="{-(n - 1 - middle) * height}" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/></svg>'
    )
