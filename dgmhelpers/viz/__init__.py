"""Pictures for the book: they read in light and dark, in words, on paper, and move without a kernel.

    viz.style()                                    once, in the set-up cell
    viz.show(fig, alt="…")                         a matplotlib figure
    viz.curve(history, references={"uniform": …})  a training curve beside its reference lines
    viz.images(x, alt="…")                         samples in a grid
    viz.matrix(mask, alt="…")                      a mask or a weight matrix
    viz.receptive_field(codes, alt="…")            what a pixel sees; viz.cells: any grid of a few kinds
    viz.clouds({name: points}, alt="…")            clouds of points in the plane, panel by panel
    viz.frames(draw, values, label="…", alt="…")   any of these, with a slider, or up to three
    viz.plane(decode, steps, alt="…")              a plane of images: point anywhere in it
    viz.sound({name: wave}, alt="…")              players, each with its spectrogram
"""

from dgmhelpers.viz.cells import cells, receptive_field
from dgmhelpers.viz.clouds import clouds
from dgmhelpers.viz.curves import curve
from dgmhelpers.viz.frames import Frames, frames
from dgmhelpers.viz.images import images
from dgmhelpers.viz.matrix import matrix
from dgmhelpers.viz.plane import Plane, plane
from dgmhelpers.viz.show import Picture, show
from dgmhelpers.viz.sound import sound
from dgmhelpers.viz.style import COLOURS, CYCLE, DIVERGING, INK, SEQUENTIAL, style

__all__ = [
    "COLOURS",
    "CYCLE",
    "DIVERGING",
    "INK",
    "SEQUENTIAL",
    "Frames",
    "Picture",
    "Plane",
    "cells",
    "clouds",
    "curve",
    "frames",
    "images",
    "matrix",
    "plane",
    "receptive_field",
    "show",
    "sound",
    "style",
]
