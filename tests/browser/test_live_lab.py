"""Every live cell in JupyterLab, in Chromium, with a real kernel: run, moved, seen to change.

The time from a move to its picture is printed (``pytest -s``), and not judged. With ``DGM_SHOTS=folder`` each cell is
photographed after its move.
"""

import json
import os
import socket
import subprocess
import sys
import time

import nbformat
import pytest
from live_cells import CELLS, IDS

from .conftest import ROOT

pytestmark = pytest.mark.browser
QUIET = {
    "notebook-extension/tracker": {"windowingMode": "none"},     # cells out of sight stay in the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
PATIENCE = 60_000           # milliseconds for anything that a busy machine may take long for
PICTURE = ".dgm-figure"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A page with JupyterLab on a notebook of all live cells, each after its chapter's set-up, run."""
    home = tmp_path_factory.mktemp("lab")
    code = [source for cell in CELLS for source in (cell.setup, cell.source)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in code])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, home / "live.ipynb")
    theme = os.environ.get("DGM_SHOTS_THEME")
    settings = QUIET | ({"apputils-extension/themes": {"theme": theme}} if theme else {})
    for name, value in settings.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.token=lab",
         f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={home}"],
        env=os.environ | ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        page = browser.new_page(viewport={"width": 1200, "height": 1100})
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        _open(page, f"http://127.0.0.1:{port}/lab/tree/live.ipynb?token=lab")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE)
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)   # the kernel is there
        page.click("text=Run >> nth=0")
        page.click("text=Run All Cells")
        last = page.locator(".jp-CodeCell").nth(len(code) - 1)
        last.locator(PICTURE).first.wait_for(timeout=3 * PATIENCE)
        yield page
        page.close()
    finally:
        server.terminate()
        server.wait(20)


def _open(page, address):
    """The address, once its server answers."""
    until = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            return page.goto(address)
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def press_a_slider(area, page):
    """The last slider but for those that only choose an image: three steps by the keyboard."""
    area.locator(".widget-slider .noUi-handle").last.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")


def drag_over(area, page):
    """A stroke over the upper left of a canvas."""
    box = area.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()


def let_it_play(area, page):
    """The first button of ``Play``."""
    area.locator(".widget-play button").first.click()


MOVES = {"canvas": drag_over, ".widget-play": let_it_play, ".widget-slider": press_a_slider}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(CELLS)), ids=IDS)
def test_a_move_changes_the_picture(lab, number):
    area = lab.locator(".jp-CodeCell").nth(2 * number + 1)
    area.scroll_into_view_if_needed()
    assert not area.locator("[data-mime-type*=error], [data-mime-type*=stderr]").count()
    picture = area.locator(PICTURE)
    picture.wait_for(timeout=PATIENCE)
    move = next(move for kind, move in MOVES.items() if area.locator(kind).count())
    before, began = picture.locator("svg").inner_html(), time.perf_counter()
    move(area, lab)
    while picture.locator("svg").inner_html() == before:
        assert time.perf_counter() - began < PATIENCE / 1000, "nothing changed"
        lab.wait_for_timeout(20)
    seconds = time.perf_counter() - began
    print(f"chapter {CELLS[number].chapter}: {seconds:.2f} s from {move.__name__} to the picture")
    if move is let_it_play:
        lab.wait_for_timeout(2000 if not os.environ.get("DGM_SHOTS") else 12_000)
        let_it_play(area, lab)
    shots = os.environ.get("DGM_SHOTS")
    if shots:
        lab.wait_for_timeout(1500)
        area.screenshot(path=f"{shots}/live-{CELLS[number].chapter}.png")
    said = area.locator("[role=status]").all_inner_texts()
    assert not [text for text in said if "Error" in text], said
    assert not lab.wrong
