"""The cells of a chapter, for what is looked up in them."""

import json
import re
from functools import cache
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CHECK = re.compile(r'exercises\.check\("(\d\d\.\d+)", (.+)\)')


@cache
def cells_of(chapter: str) -> list[dict]:
    """The cells of a chapter, with ``source`` as one string."""
    (path,) = NOTEBOOKS.glob(f"{chapter}-*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])
