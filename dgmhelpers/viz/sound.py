"""Sounds on a page: for each a player and a picture of its spectrogram, all inside the page; on paper, the pictures."""

from __future__ import annotations

import base64
import html
import io
import wave

from dgmhelpers.viz.show import Picture, numpy_of, side_by_side

WINDOW, HOP, HEIGHT, WIDE = 256, 64, 96, 200     # samples, samples, rows of pixels, columns of pixels
FLOOR = 60.0                                     # decibels below the loudest that are white


def sound(sounds, *, rate: int = 8000, levels: int | None = None, alt: str, caption: str | None = None) -> Picture:
    """Players with their spectrograms: time to the right, pitch upwards to half the rate, the darker the louder.

    A second of sound at 8,000 samples a second takes 22 kB of the page. Nothing is loaded from anywhere.

    Args:
        sounds: one sound, ``(T,)``, or several by name, as a dict: amplitudes from −1 to 1; with ``levels``, mu-law
            levels.
        rate: samples a second.
        levels: number of mu-law levels; None for amplitudes.
        alt: what is heard, in words, for readers who cannot hear it.
        caption: text to stand below.

    Raises:
        ValueError: for stereo, a rate no player takes, amplitudes beyond ±1, or a sound too short for a spectrogram.
    """
    sounds = sounds if isinstance(sounds, dict) else {"": sounds}
    if not sounds:
        raise ValueError("there is no sound to play")
    if not 3000 <= rate <= 192_000:
        raise ValueError(f"rate must be within 3,000 and 192,000 samples a second, got {rate}")
    waves = {name: _amplitudes(name, x, levels) for name, x in sounds.items()}
    loudest = max(_power(x).max() for x in waves.values())
    markup, pngs = [], []
    for name, x in waves.items():
        png = _spectrogram(x, loudest)
        pngs.append(png)
        seconds = f"{len(x) / rate:.2f} seconds"
        picture = f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}" ' \
                  'style="width:13em;height:6em;image-rendering:auto;background:#fff;border:1px solid currentColor">'
        player = f'<audio controls preload="none" aria-label="{html.escape(f"play {name or alt}, {seconds}")}" ' \
                 f'style="width:13em" src="data:audio/wav;base64,{base64.b64encode(_wav(x, rate)).decode()}"></audio>'
        markup.append(f'<div style="max-width:13em;display:grid;gap:.25rem"><span>{html.escape(name)}</span>{picture}'
                      f"{player}</div>")
    row = "display:flex;flex-wrap:wrap;gap:.75rem;justify-content:center;align-items:flex-start"
    still = side_by_side([("<svg></svg>", "")] * len(pngs), pngs, alt=alt).png
    return Players(f'<div style="{row}">{"".join(markup)}</div>', still, alt=alt, caption=caption)


class Players(Picture):
    """Sounds are no image: the description is of the group, and each player can be reached."""

    def to_html(self) -> str:
        """The whole figure: players, pictures and caption."""
        return super().to_html().replace('role="img"', 'role="group"', 1)


def _amplitudes(name: str, x, levels: int | None):
    import numpy as np
    import torch

    from dgmhelpers.data import audio

    x = numpy_of(x)
    if x.ndim != 1:
        raise ValueError(f"expected one channel, (T,), for the sound {name!r}, got shape {tuple(x.shape)}: choose a "
                         "channel, or average them")
    if levels is not None:
        x = audio.decode(torch.from_numpy(x), levels).numpy()
    x = x.astype(np.float64)
    if not (np.isfinite(x).all() and (np.abs(x) <= 1).all()):
        raise ValueError(f"amplitudes must be within −1 and 1, the sound {name!r} goes beyond: scale it first")
    if len(x) < WINDOW:
        raise ValueError(f"the sound {name!r} has {len(x)} samples, and a spectrogram needs {WINDOW}")
    return x


def _power(x):
    """Power of each frequency in each window, ``(frequencies, times)``."""
    import numpy as np

    starts = np.arange(0, len(x) - WINDOW + 1, HOP)
    windows = x[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    return np.abs(np.fft.rfft(windows, axis=1)).T ** 2


def _spectrogram(x, loudest: float) -> bytes:
    """A grey PNG, black where the power is the loudest of all sounds, white where it is 60 decibels less."""
    import numpy as np
    from PIL import Image

    decibels = 10 * np.log10(np.maximum(_power(x), 1e-12) / max(loudest, 1e-12))
    grey = (255 * np.clip(-decibels / FLOOR, 0, 1)).astype(np.uint8)[::-1]
    picture = Image.fromarray(grey).resize((WIDE, HEIGHT), Image.Resampling.BILINEAR).quantize(16)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _wav(x, rate: int) -> bytes:
    """A file of 16 bits a sample, which every browser plays."""
    import numpy as np

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(x * 32767).astype("<i2").tobytes())
    return buffer.getvalue()

