"""When the suite runs a chapter whole and every cell holds, what it took can be recorded: DGM_RECORD_RUNTIMES=1.

Off by default: a suite changes no file that is committed. `make runtimes` turns it on.
"""

import os
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
import runtimes  # noqa: E402

_runs: dict = {}  # each notebook's: when its first cell began, and whether all went well so far


def _is_chapter(item) -> bool:
    return item.path.suffix == ".ipynb" and bool(os.environ.get("DGM_RECORD_RUNTIMES"))


def pytest_runtest_setup(item):
    if _is_chapter(item):
        _runs.setdefault(item.path, {"began": time.perf_counter(), "held": True, "cells": 0})


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    run = _runs.get(item.path)
    if run is not None and call.when == "call":
        run["cells"] += 1
        run["held"] &= outcome.get_result().passed


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item, nextitem):
    run = _runs.get(item.path)
    if run is None or (nextitem is not None and nextitem.path == item.path):
        return
    code = [cell for cell in item.parent.nb.cells if cell.cell_type == "code"]
    if run["held"] and run["cells"] == len(code):
        ask = {"cost": runtimes.QUESTION}
        reply = item.parent.kernel.kc.execute("", silent=True, user_expressions=ask, reply=True, timeout=60)
        cost = runtimes.answer(reply, time.perf_counter() - run["began"])
        runtimes.record(item.path.stem, item.parent.nb, cost, "the suite, every output compared")
