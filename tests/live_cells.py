"""The live cells of the chapters, found by their tag, each with the set-up cell that is all it needs."""

import dataclasses
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
MOVES = {  # what the tests give to which control
    "push_forward": ("s2", 0.5),
    "mixture": ("across", -1.0),
    "next_symbol": ("temperature", 0.4),
    "complete": ("given", "the left half"),
    "bend": ("arch", 0.5),
    "listen": ("digit", 3),
    "latent": ("z1", 1.0),
    "game": ("tick", 1),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One live cell.

    Attributes:
        chapter: its number, ``"06"``.
        setup: the source of the chapter's set-up cell.
        source: what makes it; its last statement begins with ``live.``.
        stored: the outputs that the notebook has.
    """

    chapter: str
    setup: str
    source: str
    stored: list

    @property
    def name(self) -> str:
        """The function that is called."""
        return self.source.split("live.")[-1].split("(")[0]


def cells() -> list[Cell]:
    """All of them, in the order of the chapters."""
    found = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        for cell in code:
            if "live" in cell.metadata.get("tags", []):
                found.append(Cell(path.name[:2], code[0].source, cell.source, cell.outputs))
    return found


CELLS = cells()
IDS = [f"chapter {cell.chapter}" for cell in CELLS]
