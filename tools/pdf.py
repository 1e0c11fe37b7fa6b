"""The whole book as a PDF, good to print: `make pdf`.

    python tools/pdf.py             all of it: stills of the figures, LaTeX, XeLaTeX; says where the PDF is
    python tools/pdf.py check       say what is missing; exit 1 if anything is
    python tools/pdf.py stills      draw the figures alone, into _build/stills
    python tools/pdf.py tex         as far as the .tex, which needs no TeX

The figures are drawn by the browser that the tests use, as vectors. Without one they are the small PNGs that the
notebooks store.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import dgm_stills  # noqa: E402

STILLS = ROOT / "_build" / "stills"
LATEX = ROOT / "_build" / "latex"
NAME = "deep-generative-models-checked"
WIDEST = 10.0  # points that a line may stick out into the margin before it is named

_FIT = """() => {
    const still = document.querySelector('#still'), box = still.getBoundingClientRect();
    document.body.style.width = still.style.width = `${Math.ceil(box.width)}px`;
    return [box.width, box.height];
}"""

# What TeX must know, and where Debian keeps it.
PROGRAMS = {"xelatex": "texlive-xetex", "latexmk": "latexmk", "kpsewhich": "texlive-binaries"}
FILES = {
    "fontspec.sty": "texlive-latex-recommended",
    "mathpazo.sty": "texlive-latex-recommended",
    "newunicodechar.sty": "texlive-latex-extra",
    "tcolorbox.sty": "texlive-latex-extra",
    "texgyrepagella-regular.otf": "tex-gyre",
    "pplr7t.tfm": "texlive-fonts-recommended",
}
FONTS = {"DejaVuSansMono.ttf": "fonts-dejavu-core", "DejaVuSansMono-Oblique.ttf": "fonts-dejavu-extra"}


def missing() -> list[str]:
    """Debian packages that hold what is missing here, in order of name; empty if nothing is."""
    lack = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if shutil.which("kpsewhich"):
        lack |= {package for name, package in FILES.items() if not _finds("kpsewhich", name)}
    else:
        lack |= set(FILES.values())
    known = _finds("fc-list") if shutil.which("fc-list") else ""
    lack |= {package for name, package in FONTS.items() if name not in known}
    return sorted(lack)


def _finds(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def what_to_do(lack: list[str]) -> str:
    """One paragraph for whoever has no TeX, or too little of it."""
    return (
        "The PDF is made by XeLaTeX, and some of what it needs is missing here. On Debian or Ubuntu:\n\n"
        f"    apt-get install --no-install-recommends {' '.join(lack)}\n\n"
        "Elsewhere install TeX Live with its XeTeX and extra LaTeX packages, and the DejaVu fonts.\n"
        "Without TeX, every page of the built book prints well from the browser."
    )


def find_chromium() -> str | None:
    """Where Chromium is: ``DGM_CHROMIUM``, or the first of the usual names that is installed."""
    named = os.environ.get("DGM_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def figures() -> dict[str, tuple[dgm_stills.Still, bytes]]:
    """Every figure of the chapters by the name of its still, with the PNG that is stored beside it."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                still = dgm_stills.still_of("".join(data.get("text/html", "")))
                if still:
                    found[still.name] = still, base64.b64decode("".join(data.get("image/png", "")))
    return found


def draw_stills(chromium: str | None) -> int:
    """Draw what is not drawn yet into ``_build/stills``; gives how many figures there are."""
    STILLS.mkdir(parents=True, exist_ok=True)
    every = figures()
    style, drawn_in = dgm_stills.page_of(dgm_stills.Still("", "", "", False)), STILLS / "style.html"
    same = drawn_in.exists() and drawn_in.read_text(encoding="utf-8") == style
    for old in STILLS.iterdir():
        if not same or old.stem not in every and old != drawn_in:
            old.unlink()
    drawn_in.write_text(style, encoding="utf-8")
    todo = {name: figure for name, figure in every.items() if not (STILLS / f"{name}.pdf").exists()}
    if not chromium:
        for name, (_, png) in todo.items():
            (STILLS / f"{name}.png").write_bytes(png)
        return len(every)
    if todo:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 680, "height": 900}, color_scheme="light")
            page.route("**/*", lambda route: route.abort())
            for name, (still, _) in todo.items():
                page.set_content(dgm_stills.page_of(still))
                # a pixel more each way: in a page that is a hair too small Chromium shrinks the picture or breaks it
                wide, high = (math.ceil(side) + 1 for side in page.evaluate(_FIT))
                size = {"width": f"{wide}px", "height": f"{high}px"}
                page.pdf(path=STILLS / f"{name}.pdf", print_background=True, page_ranges="1", **size)
            browser.close()
    return len(every)


def make_tex() -> Path:
    """Write ``_build/latex/book.tex``."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", ROOT, "--builder", "latex", "--quiet", "--warningiserror", "--keep-going"]
    subprocess.run(command, check=True, cwd=ROOT)
    return LATEX / "book.tex"


def glyphs(text: str) -> str:
    """LaTeX that takes each character beyond Latin from the face in use, or from one that has it."""
    beyond = sorted({c for c in text if ord(c) > 0x24F and not unicodedata.combining(c)} - set("‘’“”–—…"))
    return "".join(f'\\newunicodechar{{{c}}}{{\\dgmglyph{{"{ord(c):04X}}}}}\n' for c in beyond)


def typeset(tex: Path) -> Path:
    """Run XeLaTeX until references settle; the PDF's path.

    Raises:
        SystemExit: if it fails, with what LaTeX complained of.
    """
    for half in tex.parent.glob(f"{tex.stem}.*"):                        # of a run that was stopped
        if half.suffix in (".aux", ".toc", ".out", ".xdv", ".fdb_latexmk"):
            half.unlink()
    (tex.parent / "dgmglyphs.tex").write_text(glyphs(tex.read_text(encoding="utf-8")), encoding="utf-8")
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-quiet", tex.name]
    environment = os.environ | {"LATEXMKRCSYS": "/dev/null"}
    ended = subprocess.run(command, cwd=tex.parent, env=environment, capture_output=True, text=True, check=False)
    log = tex.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
    if ended.returncode:
        complaint = re.search(r"^! .*?(?=\n\n|\Z)", log, flags=re.MULTILINE | re.DOTALL)
        raise SystemExit(f"XeLaTeX failed:\n{complaint[0][:1500] if complaint else ended.stdout[-1500:]}")
    for fault in faults_of(log):
        print(fault)
    pdf = ROOT / "_build" / f"{NAME}.pdf"
    shutil.copyfile(tex.with_suffix(".pdf"), pdf)
    return pdf


def faults_of(log: str) -> list[str]:
    """What a reader of the PDF would stumble over, from LaTeX's log (of lines that are not broken at 79 characters)."""
    found = [
        f"{float(wide):.0f} points too wide: {where}"
        for wide, where in re.findall(r"^Overfull \\hbox \(([\d.]+)pt too wide\) (.*)$", log, flags=re.MULTILINE)
        if float(wide) > WIDEST
    ]
    found += sorted(set(re.findall(r"^Missing character: .*$", log, flags=re.MULTILINE)))
    undefined = r"^(?:LaTeX|Package hyperref) Warning: (?:Reference|Hyper reference) .* undefined.*$"
    found += sorted(set(re.findall(undefined, log, flags=re.MULTILINE)))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", nargs="?", default="all", choices=["all", "check", "stills", "tex"])
    command = parser.parse_args(arguments).command
    lack = missing() if command in ("all", "check") else []
    if lack:
        print(what_to_do(lack))
        return 1
    if command == "check":
        print("Everything is there.")
        return 0
    chromium = find_chromium()
    if not chromium:
        print("No Chromium: the figures will be small PNGs instead of vectors (apt-get install chromium).")
    print(f"{draw_stills(chromium)} figures in {STILLS}")
    if command == "stills":
        return 0
    tex = make_tex()
    print(typeset(tex) if command == "all" else tex)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("max_print_line", "1000")  # TeX's log: one line a message
    sys.exit(main())
