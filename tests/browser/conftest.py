"""The built book, served from this machine, in a headless Chromium that can reach nothing else."""

import functools
import http.server
import os
import sys
import threading
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
NOT_PAGES = {"index.html"}  # the first page once more

sys.path.insert(0, str(ROOT / "tools"))

from pdf import find_chromium  # noqa: E402


def missing() -> str | None:
    """What the browser tests lack, with the way to get it; None if all is there."""
    if not (HTML / "index.html").exists():
        return "the book is not built: make book"
    if not AXE.exists():
        return "axe-core is not installed: make assets"
    if not find_chromium():
        return "no Chromium: apt-get install chromium, or set DGM_CHROMIUM to a Chromium or Chrome"
    return None


def book_pages() -> list[str]:
    """Every page of the built book, as a path below its root."""
    found = [path.relative_to(HTML) for path in HTML.rglob("*.html")]
    names = {path.as_posix() for path in found if "_static" not in path.parts and path.name not in NOT_PAGES}
    return sorted(names - set(old_addresses()))


def old_addresses() -> list[str]:
    """Where chapters used to be: pages that do nothing but lead on."""
    chapters = yaml.safe_load((ROOT / "book" / "chapters.yml").read_text(encoding="utf-8"))
    return [f"notebooks/{name}.html" for name in chapters["moved"]]


def pytest_generate_tests(metafunc):
    if "page_path" in metafunc.fixturenames:
        # by module, so that all tests of one page follow each other and share its visits
        metafunc.parametrize("page_path", book_pages() or ["index.html"], scope="module")


@pytest.fixture(scope="session", autouse=True)
def everything_needed():
    """Skip with one line where something is missing; fail where it was promised (``DGM_REQUIRE_BROWSER``)."""
    lack = missing()
    if lack and os.environ.get("DGM_REQUIRE_BROWSER"):
        pytest.fail(lack, pytrace=False)
    if lack:
        pytest.skip(lack)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def server(everything_needed):
    """Address of a server of the built book."""
    handler = functools.partial(_Quiet, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser(everything_needed):
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """One page, open, with a record of what it asked for and what it complained of."""

    def __init__(self, browser, server, **options):
        self.server = server
        self.left: list[str] = []
        self.complaints: list[str] = []
        self.scripts = options.get("java_script_enabled", True)
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.context.set_default_timeout(240_000)  # a busy machine is slow, not wrong
        self.context.route("**/*", self._guard)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))

    def _guard(self, route):
        if route.request.url.startswith((self.server, "data:", "blob:")):
            route.continue_()
        else:
            self.left.append(route.request.url)
            route.abort()

    def open(self, path):
        """Go to a page and wait until its formulas have their fonts, and what their widths ask for is done."""
        self.page.goto(self.server + path, wait_until="load")
        if self.scripts:                                         # without them nothing would answer
            self.page.evaluate("() => document.fonts.ready.then(() => new Promise(done => setTimeout(done, 50)))")
        return self.page


@pytest.fixture
def visit(browser, server):
    """``visit("page.html", color_scheme="dark", …)`` opens a page of its own; it is closed at the end."""
    visits = []

    def opened(path, **options):
        visits.append(Visit(browser, server, **options))
        visits[-1].open(path)
        return visits[-1]

    yield opened
    for each in visits:
        each.context.close()


@pytest.fixture(scope="module")
def look(browser, server, page_path):
    """``look(color_scheme="dark", …)``: the page under test, open; opened once for all tests that only look at it."""
    visits = {}

    def opened(**options):
        key = repr(sorted(options.items()))
        if key not in visits:
            visits[key] = Visit(browser, server, **options)
            visits[key].open(page_path)
        return visits[key]

    yield opened
    for each in visits.values():
        each.context.close()
