"""The chapters as hosted notebooks need them: each begins with a cell that fetches the book and installs its package.

    python tools/hosted.py FOLDER        write them, ready to push as the branch `hosted`

The repository's address is `DGM_REPOSITORY_URL`, or `repository: url:` in _config.yml. As long as neither is set the
pages have no launch buttons and this says so. Once one is, they lead to the branch `hosted`, which this writes.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

import nbformat

import notebooks

sys.path.insert(0, str(notebooks.ROOT / "book" / "_ext"))

from dgm_address import repository  # noqa: E402

ROOT = notebooks.ROOT
BRANCH = "hosted"


def setup_cell(url: str, branch: str) -> str:
    """The source of the cell that makes a bare kernel ready for a chapter; harmless where all is installed."""
    return "\n".join(
        [
            "# Fetches the book and installs its package, where that is missing: about a minute in a hosted notebook",
            "import importlib.util, pathlib, sys",
            "",
            'if importlib.util.find_spec("dgmhelpers") is None:',
            '    if not pathlib.Path("book").exists():',
            f"        !git clone --quiet --depth 1 --branch {branch} {url} book",
            '    %pip install --quiet --editable "./book[data,live]"',
            '    sys.path.insert(0, str(pathlib.Path("book").resolve()))',
            "    %cd -q book/notebooks",
        ]
    )


def with_setup(notebook, url: str, branch: str):
    """A copy whose first cell is :func:`setup_cell`, without outputs."""
    copy = nbformat.from_dict(notebook)
    copy.cells.insert(0, nbformat.v4.new_code_cell(setup_cell(url, branch), id="hosted-setup"))
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy


def binder() -> dict[str, str]:
    """What Binder builds its image from, by file name: Python, JupyterLab and what the package needs, all pinned.

    ``DGM_TORCH_INDEX`` names the index of a CPU build of torch, if there is one.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for name in ("data", "viz", "live") for each in extras[name])]
    names = [*(re.split(r"[>\[]", each)[0] for each in wanted if not each.startswith(project["name"])), "ipykernel",
             "jupyterlab"]
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))
    index = os.environ.get("DGM_TORCH_INDEX")
    lines = [*([f"--extra-index-url {index}"] if index else []), "-c constraints.txt",
             *(f"{name}=={pins[name]}" for name in names)]
    return {"requirements.txt": "\n".join(lines) + "\n", "runtime.txt": "python-3.12\n",
            "constraints.txt": (ROOT / "constraints.txt").read_text(encoding="utf-8")}


def write(folder: Path, url: str, branch: str) -> list[Path]:
    """Write every chapter, and what Binder installs, below ``folder``; gives the chapters' paths."""
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    (folder / ".binder").mkdir(exist_ok=True)
    for name, text in binder().items():
        (folder / ".binder" / name).write_text(text, encoding="utf-8")
    written = []
    for path in notebooks.chapters([]):
        copy = with_setup(nbformat.read(path, as_version=4), url, branch)
        nbformat.validate(copy)
        written.append(folder / "notebooks" / path.name)
        nbformat.write(copy, written[-1])
    return written


def main(arguments: list[str]) -> int:
    """Write the folder named; gives the exit status."""
    if len(arguments) != 1:
        print(__doc__)
        return 2
    where = repository()
    if not where["url"]:
        print("The repository has no address yet: set DGM_REPOSITORY_URL, or `repository: url:` in _config.yml.")
        return 1
    for path in write(Path(arguments[0]), where["url"], where["branch"]):
        print(path)
    print(f"Push {arguments[0]} as the branch `{BRANCH}`: the launch buttons lead there.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
