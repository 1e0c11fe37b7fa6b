"""Execute the chapters, keep what they store tidy, and write the editions for a class.

    python tools/notebooks.py execute [03 04 …]     run in place and store the outputs (all, or those that match)
    python tools/notebooks.py tidy [03 04 …]        normalise metadata without running
    python tools/notebooks.py measure [03 04 …]     run without storing; only book/runtimes.json is written
    python tools/notebooks.py check [03 04 …]       say what is wrong with what is stored; exit 1 if anything is
    python tools/notebooks.py student FOLDER        the chapters without solutions, ready to run
    python tools/notebooks.py instructor FOLDER     the chapters with solutions, outputs, and notes on every exercise
    python tools/notebooks.py nbgrader FOLDER       the chapters as assignments of nbgrader, below FOLDER/source
    python tools/notebooks.py try [03 04 …]         run elsewhere or for longer, and store nothing:
                                                    --device cuda --profile full --minutes 8

What is stored does not depend on who stored it: no time stamps, no versions, ids that stay. A chapter that fails
leaves its file as it was.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat

sys.path.append(str(Path(__file__).resolve().parent))
import runtimes  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 3 * 2**19  # bytes: 1.5 MiB
SLOWEST = 60  # seconds, on two cores in the quick profile
LAST = ("Check yourself", "Exercises", "Summary")  # the sections that end each chapter
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def chapters(names: list[str]) -> list[Path]:
    """The notebooks whose file name starts with one of ``names``; all of them if there is none.

    Raises:
        SystemExit: if a name fits none.
    """
    every = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            raise SystemExit(f"no notebook in notebooks/ starts with {name!r}")
    return [path for path in every if not names or any(path.name.startswith(name) for name in names)]


def tidy(notebook) -> None:
    """Leave only what a reader sees or a runner needs, in place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    taken = set()
    for number, cell in enumerate(notebook.cells):
        cell_id = cell.get("id") or f"cell-{number:02d}"
        while cell_id in taken:
            cell_id += "-again"
        taken.add(cell_id)
        cell["id"] = cell_id
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [_tidy_output(output) for output in _merged(cell.outputs)]
    notebook.nbformat, notebook.nbformat_minor = 4, 5


WIDGET = "application/vnd.jupyter.widget-view+json"  # a live cell's controls: nothing without their kernel


def _tidy_output(output):
    output.get("data", {}).pop(WIDGET, None)
    for volatile in ("transient", "metadata"):
        if output.get(volatile):
            output[volatile] = nbformat.from_dict({})
    if "transient" in output:
        del output["transient"]
    return output


def _merged(outputs: list) -> list:
    """Pieces of one stream as one output."""
    result: list = []
    for output in outputs:
        last = result[-1] if result else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.get("name"):
            last["text"] += output["text"]
        else:
            result.append(output)
    return result


def faults(notebook, size: int) -> list[str]:
    """What should not be in a stored notebook."""
    found = [f"{size / 2**20:.2f} MiB, more than {LARGEST / 2**20:g}"] if size > LARGEST else []
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids):
        found.append("cells without an id of their own")
    if dict(notebook.metadata) != METADATA:
        found.append("metadata that differ from machine to machine")
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if code and not any(cell.outputs for cell in code):
        found.append("no stored outputs")
    for cell in code:
        if cell.get("execution_count") is None:
            found.append(f"cell {cell['id']} was not executed")
        if set(cell.metadata) - {"tags"}:
            found.append(f"cell {cell['id']} has metadata besides its tags")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {cell['id']} stores an error: {output.ename}")
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {cell['id']} stores what went to stderr: {output.text.strip()[:60]!r}")
            if WIDGET in output.get("data", {}):
                found.append(f"cell {cell['id']} stores widgets: tidy leaves the still of a live cell")
            if "image/png" in output.get("data", {}) and "text/html" not in output["data"]:
                found.append(f"cell {cell['id']} shows a bare image: use viz.show, with alt text")
    return found


def lacking(notebook, number: str) -> list[str]:
    """What chapter ``number`` still has to have, in words: the parts that pages, quizzes and classes are made from."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    sections = re.split(r"^## ", "\n\n".join(texts), flags=re.MULTILINE)
    titles = [section.split("\n")[0] for section in sections]
    quiz = re.search(r"^`{3,}\{quiz\} (\d\d)\n(.+?)^`{3,}", "\n".join(sections), re.MULTILINE | re.DOTALL)
    asked = {found[1] for cell in code if (found := re.search(r'exercises\.check\("(\d\d\.\d+)"', cell.source))}
    parts = {
        'in its first cell an admonition "After this chapter" with **You need** … and **Time** …':
            bool(texts) and re.search(r"After this chapter.*\*\*You need\*\*.*\*\*Time\*\*", texts[0], re.DOTALL),
        "a claim: a cell with claim.equal, claim.below, …": any("claim." in cell.source for cell in code),
        "a live cell, tagged live": any("live" in cell.metadata.get("tags", []) for cell in code),
        "the sections ## Check yourself, ## Exercises and ## Summary, once each and in that order":
            [t for t in titles if t in LAST] == list(LAST) and titles.index(LAST[1]) == titles.index(LAST[0]) + 1,
        f"under ## Check yourself a ```{{quiz}} {number}, and in it a sentence for JupyterLab":
            quiz and quiz[1] == number and len(quiz[2].split()) > 8 and any(
                part.startswith(LAST[0]) and quiz[0] in part for part in sections),
        f'an exercise: exercises.check("{number}.1", …) after its stub, and after its solution': f"{number}.1" in asked,
    }  # fmt: skip
    return [part for part, there in parts.items() if not there]


def execute(path: Path, store: bool = True) -> float:
    """Run a notebook on the CPU, store it, write down what that took, and give the seconds.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails; the file is left as it was.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    beside = {"metadata": {"path": path.parent}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=beside)
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number, execution_count=client.code_cells_executed + 1)
        took = time.perf_counter() - began
        asked = client.kc.execute("", silent=True, user_expressions={"cost": runtimes.QUESTION})
        cost = runtimes.answer(client.wait_for_reply(asked), took)
    if store:
        tidy(notebook)
        write(notebook, path)
    runtimes.record(path.stem, notebook, cost, "executed and stored" if store else "executed, every claim checked")
    return took


def attempt(path: Path, seconds: float) -> tuple[float, str | None]:
    """Run a notebook with the settings of the environment, and store nothing; gives the seconds and what went wrong.

    The seconds are for all of its cells together.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    beside = {"metadata": {"path": path.parent}}

    def left(cell) -> int:
        return max(1, round(seconds - (time.perf_counter() - began)))

    try:
        NotebookClient(notebook, timeout_func=left, timeout=None, kernel_name="python3", resources=beside).execute()
        wrong = None
    except CellTimeoutError:
        wrong = f"not done after {seconds / 60:g} min"
    except (CellExecutionError, DeadKernelError) as error:
        wrong = str(error).strip()
    took = time.perf_counter() - began
    return took, wrong or (f"took longer than {seconds / 60:g} min" if took > seconds else None)


def why_not(device: str) -> str | None:
    """Why nothing can run on that device here; None if it can."""
    from dgmhelpers import devices

    try:
        devices.device(device)
    except devices.DeviceUnavailable as error:
        return str(error)
    return None


def write(notebook, path: Path) -> None:
    """Store a notebook, or leave the file as it was."""
    nbformat.validate(notebook)
    partial = path.with_suffix(".ipynb.partial")
    nbformat.write(notebook, partial)
    partial.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = ["execute", "measure", "tidy", "check", "student", "instructor", "nbgrader", "try"]
    parser.add_argument("command", choices=commands)
    parser.add_argument("names", nargs="*", help="which chapters (03, 04, …); for an edition, the folder to write to")
    parser.add_argument("--device", default="cuda", help="for try: cpu, cuda or mps")
    parser.add_argument("--profile", choices=["quick", "full"], default="full", help="for try")
    parser.add_argument("--minutes", type=float, default=8.0, help="for try: of each chapter")
    options = parser.parse_args(arguments)
    if options.command == "try":
        return _try(options)
    if options.command in ("student", "instructor", "nbgrader"):
        if len(options.names) != 1:
            parser.error(f"{options.command} needs one folder to write to")
        sys.path.insert(0, str(Path(__file__).parent))
        import editions

        return editions.write(options.command, Path(options.names[0]))
    status = 0
    for path in chapters(options.names):
        if options.command in ("execute", "measure"):
            status |= _execute(path, store=options.command == "execute")
        elif options.command == "tidy":
            notebook = nbformat.read(path, as_version=4)
            tidy(notebook)
            write(notebook, path)
        found = faults(nbformat.read(path, as_version=4), path.stat().st_size) if not status else []
        for fault in found:
            print(f"{path.name}: {fault}")
        if path.name[:2].isdigit():
            for part in lacking(nbformat.read(path, as_version=4), path.name[:2]):
                print(f"{path.name} has to have {part}")
        status |= bool(found)
    return status


def _execute(path: Path, store: bool) -> int:
    from nbclient.exceptions import CellExecutionError

    try:
        took = execute(path, store)
    except CellExecutionError as error:
        print(f"{path.name}: failed, and was left as it was\n{error}")
        return 1
    print(f"{path.name}: {took:.0f} s, {path.stat().st_size / 2**20:.2f} MiB" + (" (slow)" if took > SLOWEST else ""))
    return 0


def _try(options) -> int:
    """Every chapter on a device in a profile, one line each; exit status 1 if any failed, 2 if none could begin."""
    reason = why_not(options.device)
    if reason:
        print(f"no chapter was run: {reason}")
        return 2
    os.environ |= {"DGM_DEVICE": options.device, "DGM_PROFILE": options.profile}
    if options.device != "cpu":
        os.environ.pop("OMP_NUM_THREADS", None)
    status = 0
    for path in chapters(options.names):
        took, wrong = attempt(path, 60 * options.minutes)
        where = f"{options.device}, {options.profile} profile"
        print(f"{path.name}: {took:.0f} s on {where}" + (f": {wrong}" if wrong else ""), flush=True)
        status |= wrong is not None
    return status


if __name__ == "__main__":
    # Stored outputs are the CPU's, in the quick profile, with one thread: what every machine can repeat.
    same = {"DGM_DEVICE": "cpu", "DGM_PROFILE": "quick", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    for name, value in same.items():
        os.environ.setdefault(name, value)
    sys.exit(main())
