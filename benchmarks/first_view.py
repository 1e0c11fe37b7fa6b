"""How long until a reader sees a chapter, on a slow line and a slow machine.

Chromium is told to compute four times slower than it could, and to be served at 1.6 Mbit/s with 150 ms to the server
and back ("slow 4G"): first contentful paint and largest contentful paint of each page of the built book, when all of
it has come with its fonts, and what came over the line (compressed, as a server would send it). Empty cache, one page
after another. On a machine that does other things besides, the least of several runs says most.

    python benchmarks/first_view.py [03 …]
"""

import functools
import gzip
import http.server
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import FLAGS, HTML, book_pages, find_chromium  # noqa: E402

LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
SLOWER = 4
PAINTS = """() => new Promise(done => {
    const times = {};
    new PerformanceObserver(list => { for (const e of list.getEntries()) times.largest = e.startTime; })
        .observe({type: 'largest-contentful-paint', buffered: true});
    for (const e of performance.getEntriesByType('paint'))
        if (e.name === 'first-contentful-paint') times.first = e.startTime;
    document.fonts.ready.then(() => { times.whole = performance.now(); setTimeout(() => done(times), 100); });
})"""


class Compressing(http.server.SimpleHTTPRequestHandler):
    """Serves files gzipped, as the servers of static pages do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        body = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        if path.suffix in (".html", ".js", ".css", ".svg", ".json"):
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main(names: list[str]) -> None:
    """Print one row a page."""
    from playwright.sync_api import sync_playwright

    pages = [path for path in book_pages() if path.startswith("notebooks/")]
    pages = [path for path in pages if not names or any(name in path for name in names)]
    handler = functools.partial(Compressing, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        print(f"{'page':44} {'first':>8} {'largest':>8} {'whole':>8} {'sent':>9}")
        for path in pages:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(300_000)
            sent = []
            devtools = page.context.new_cdp_session(page)
            devtools.send("Network.enable")
            devtools.on("Network.loadingFinished", lambda event, sent=sent: sent.append(event["encodedDataLength"]))
            devtools.send("Network.emulateNetworkConditions", LINE)
            devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            page.goto(f"http://127.0.0.1:{server.server_port}/{path}", wait_until="load")
            times = page.evaluate(PAINTS)
            seconds = [f"{times.get(name, float('nan')) / 1000:6.1f} s" for name in ("first", "largest", "whole")]
            print(f"{Path(path).stem:44} {' '.join(seconds)} {sum(sent) / 1e6:6.2f} MB")
            page.context.close()
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
