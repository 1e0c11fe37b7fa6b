"""Samples as a contact sheet: sharp pixels, thin borders, the page's own background between them."""

from __future__ import annotations

import base64
import html
import io
import math

from dgmhelpers.arguments import needs
from dgmhelpers.viz.show import Picture, described, numpy_of

_MARK = (31, 127, 192)  # the tint of highlighted pixels: the palette's blue


def images(
    x,
    *,
    alt: str,
    levels: int | None = None,
    columns: int | None = None,
    shape: tuple[int, int] | None = None,
    labels=None,
    highlight=None,
    caption: str | None = None,
    size: int | None = None,
) -> Picture:
    """Many images in a grid.

    Args:
        x: ``(N, H, W)``, ``(N, C, H, W)`` with C = 1 or 3, or ``(N, H·W)``. Floats in [0, 1], or integers in
            0 … levels − 1; NaN is drawn as a hole.
        alt: what the images show, in words.
        levels: for integers, how many levels there are (2 if nothing exceeds 1, else 256).
        columns: images in a row (a little wider than square by default).
        shape: ``(H, W)`` for flat images that are not square.
        labels: one short text per image, to stand below it.
        highlight: which pixels to tint, boolean, of the images' shape: the ones that were given, say.
        caption: text to stand below the grid.
        size: width of one image in CSS pixels, about.

    Raises:
        ValueError: if ``alt`` is empty, there is no image, or the shape is none of those above.
    """
    alt = described(alt)
    pixels = _to_rgba(x, levels, shape)                                      # (N, H, W, 4)
    if highlight is not None:
        marked = _as_batch(numpy_of(highlight), shape)[:, 0].astype(bool)    # (N, H, W)
        pixels[marked, :3] = 0.55 * pixels[marked, :3] + 0.45 * _array(_MARK)
    n, height, width = pixels.shape[:3]
    if labels is not None and len(labels) != n:
        raise ValueError(f"{len(labels)} labels for {n} images")
    columns = min(n, columns or max(1, min(16, math.ceil(math.sqrt(1.8 * n)))))
    wanted = (size or max(24, min(96, 640 // columns))) / width
    scale = max(1, math.floor(wanted)) if wanted >= 1 else wanted  # whole screen pixels stay sharp
    gap_x = max(1, round(5 / scale))                               # gaps are in image pixels
    gap_y = max(gap_x, math.ceil(20 / scale)) if labels is not None else gap_x
    sheet = _sheet(pixels, columns, gap_x, gap_y)

    frames, words = [], []
    for i in range(n):
        left = (i % columns) * (width + gap_x) * scale
        top = (i // columns) * (height + gap_y) * scale
        frames.append(f"M{left:g} {top:g}h{width * scale:g}v{height * scale:g}h-{width * scale:g}z")
        if labels is not None:
            words.append(
                f'<text x="{left + width * scale / 2:g}" y="{top + height * scale + 14:g}" font-size="12" '
                f'font-family="sans-serif" text-anchor="middle">{html.escape(str(labels[i]))}</text>'
            )
    total_x, total_y = sheet.shape[1] * scale, sheet.shape[0] * scale
    if labels is None:
        total_y -= gap_y * scale
    total_x -= gap_x * scale
    data = base64.b64encode(_png(sheet)).decode()
    rendering = ' style="image-rendering:pixelated"' if scale >= 1 else ""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {total_x + 2:g} {total_y + 2:g}" '
        f'width="{total_x + 2:g}" fill="currentColor" aria-hidden="true" style="max-width:100%;height:auto">'
        f'<image width="{sheet.shape[1] * scale:g}" height="{sheet.shape[0] * scale:g}"{rendering} '
        f'href="data:image/png;base64,{data}"/><path d="{"".join(frames)}" fill="none" stroke="currentColor" '
        f'stroke-opacity=".4"/>{"".join(words)}</svg>'
    )
    return Picture(svg, _fallback(sheet), alt=alt, caption=caption)


def _array(values):
    import numpy as np

    return np.array(values, dtype=float)


def _as_batch(x, shape):
    """Any of the accepted shapes, as ``(N, C, H, W)``."""
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        shape = shape or (side, side)
        if math.prod(shape) != x.shape[1]:
            raise ValueError(f"{x.shape[1]} pixels do not make a square image: say shape=(H, W)")
        x = x.reshape(-1, 1, *shape)
    elif x.ndim == 3:
        x = x[:, None]
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.size == 0:
        raise ValueError(f"expected (N, H, W), (N, 1 or 3, H, W) or (N, H*W) with N > 0, got {tuple(x.shape)}")
    return x


def _to_rgba(x, levels, shape):
    """Pixels as bytes ``(N, H, W, 4)``; holes are transparent."""
    import numpy as np

    x = _as_batch(numpy_of(x), shape)
    holes = np.isnan(x).any(axis=1) if np.issubdtype(x.dtype, np.floating) else np.zeros(x[:, 0].shape, bool)
    if np.issubdtype(x.dtype, np.floating):
        top = levels - 1 if levels else 1
    else:
        top = (levels or (2 if x.max() <= 1 else 256)) - 1
    colour = np.clip(np.rint(np.nan_to_num(x) / top * 255.0), 0, 255).astype(np.uint8)
    colour = np.broadcast_to(colour, (len(x), 3, *x.shape[2:])).transpose(0, 2, 3, 1)
    return np.concatenate([colour, np.where(holes, 0, 255).astype(np.uint8)[..., None]], axis=-1)


def _sheet(pixels, columns, gap_x, gap_y):
    """All images on one transparent sheet, each with its gap to the right and below."""
    import numpy as np

    n, height, width = pixels.shape[:3]
    rows = math.ceil(n / columns)
    sheet = np.zeros((rows, height + gap_y, columns, width + gap_x, 4), dtype=np.uint8)
    for i in range(n):
        sheet[i // columns, :height, i % columns, :width] = pixels[i]
    return sheet.reshape(rows * (height + gap_y), columns * (width + gap_x), 4)


def _png(pixels) -> bytes:
    """The smallest PNG that holds these RGBA pixels exactly."""
    import numpy as np
    needs("PIL", "viz")
    from PIL import Image

    buffer = io.BytesIO()
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
    seen = pixels[..., 3] == 255
    values = np.unique(pixels[seen][:, 0]) if grey else np.empty(0)
    if grey and len(values) < 256:  # a palette: one entry a grey, the last one transparent
        index = np.where(seen, np.searchsorted(values, pixels[..., 0]), len(values)).astype(np.uint8)
        picture = Image.fromarray(index, mode="P")
        picture.putpalette([int(v) for v in values.repeat(3)] + [128, 128, 128])
        picture.save(buffer, format="png", optimize=True, transparency=len(values))
    elif grey:
        Image.fromarray(np.ascontiguousarray(pixels[..., ::3]), mode="LA").save(buffer, "png", optimize=True)
    else:
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _fallback(sheet) -> bytes:
    """The sheet on light grey, so that white images keep their edges."""
    import numpy as np

    seen = sheet[..., 3:] == 255
    pixels = np.where(seen, sheet, np.array([200, 200, 200, 255], dtype=np.uint8))
    times = max(1, min(3, 480 // pixels.shape[1]))
    return _png(pixels.repeat(times, axis=0).repeat(times, axis=1))
