"""The live cells of the chapters, each as it is run: what it says, and which control the tests move."""

import dataclasses

SETUP = """
import dgmhelpers
from dgmhelpers import data, live, viz
from dgmhelpers.training import checkpoints

viz.style()
digits = data.load("binary-digits28")
small = data.load("binary-digits8")


def load(name):
    return dgmhelpers.load(name, device="cpu")
"""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One live cell.

    Attributes:
        chapter: where it is.
        source: what makes it.
        move: a value for one control, to test without a browser: ``(name, value)``.
    """

    chapter: str
    source: str
    move: tuple


CELLS = [
    Cell("01", "live.push_forward()", ("s2", 0.5)),
    Cell("02", "live.mixture()", ("across", -1.0)),
    Cell("03", """bard = load("char-rnn-shakespeare")
symbols = checkpoints.read_metadata(checkpoints.path_of("char-rnn-shakespeare"))["symbols"]
live.next_symbol(bard, symbols)""", ("temperature", 0.4)),
    Cell("04", """live.complete({"NADE": load("nade-binarized-mnist"), "MADE": load("made-binarized-mnist")},
              digits.test[:20])""", ("given", "the bottom half")),
    Cell("05", """live.complete({"DeepNADE": load("deepnade-binary-digits8"),
               "ConvNADE": load("convnade-binary-digits8")}, small.test[:20])""", ("given", "the left half")),
    Cell("06", """live.complete({"PixelCNN": load("pixelcnn-binarized-mnist")}, digits.test[:20])""", ("which", 3)),
    Cell("07", """live.complete({"PixelCNN": load("pixelcnn-binarized-mnist"),
               "Gated PixelCNN": load("gated-pixelcnn-binarized-mnist")}, digits.test[:20], n=4)""", ("which", 3)),
    Cell("13", """live.latent(load("vae-2-binarized-mnist"), digits.test[:20])""", ("z1", 1.0)),
    Cell("21", "live.game()", ("tick", 1)),
    Cell("22", "live.game(cures=True)", ("tick", 1)),
]
