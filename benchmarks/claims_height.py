"""What share of a chapter's height its claims take, as a reader scrolls it on a desktop and on a phone.

Counted is every cell that ends in a claim, whole: its line, and whatever of its code is open. A second figure leaves
out the functions that such a cell defines, which stay open because they are what the page teaches. The target is a
tenth on every page.

    python benchmarks/claims_height.py [03 …] [--html FOLDER]
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import FLAGS, HTML, find_chromium  # noqa: E402

VIEWS = {"desktop": (1280, 900), "phone": (390, 844)}
MEASURE = """() => {
    const height = box => box.getBoundingClientRect().height;
    const cells = [...document.querySelectorAll('div.cell')].filter(cell => cell.querySelector('.dgm-claim'));
    const open = cell => [...cell.children].filter(box => box.matches('.cell_input')).map(height);
    const sum = heights => heights.reduce((a, b) => a + b, 0);
    return {claims: cells.length, all: sum(cells.map(height)), code: sum(cells.flatMap(open)),
            page: height(document.querySelector('article'))};
}"""


def main() -> None:
    """Print one row a page."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="chapters: 03, 04, …")
    parser.add_argument("--html", type=Path, default=HTML, help="the built book")
    options = parser.parse_args()
    pages = sorted(options.html.glob("notebooks/*.html"))
    print("chapter  claims  " + "".join(f"{view}: claims, of it open code   " for view in VIEWS))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for path in pages:
            if options.names and not path.name.startswith(tuple(options.names)):
                continue
            row = ""
            for size in VIEWS.values():
                page = browser.new_page(viewport=dict(zip(("width", "height"), size, strict=True)))
                page.goto(path.resolve().as_uri())
                page.evaluate("document.fonts.ready")
                found = page.evaluate(MEASURE)
                row += f"{found['all'] / found['page']:14.1%}{found['code'] / found['page']:12.1%}     "
                page.close()
            print(f"{path.name[:2]}       {found['claims']:4d}  {row}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
