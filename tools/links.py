"""Links out of the book: are they well formed, and, where there is network, does somebody answer?

    python tools/links.py           ask each address once: `make links`; exit 1 if one is gone
    python tools/links.py list      print them with the files they stand in; asks nobody
"""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["*.md", "*.yml", "CITATION.cff", "book/*.md", "book/*.yml", "book/*.bib", "book/*.json", "notebooks/*.ipynb",
           "dgmhelpers/**/*.py"]  # fmt: skip
_ADDRESS = re.compile(r"https?://[^\s\"'<>`\\{}|]+")
_EXAMPLES = ("localhost", "127.0.0.1", "example.org", "www.w3.org/2000/svg", "www.w3.org/1999/xlink")
GONE = (404, 410)  # other refusals (403, 429) are a server's mood towards programs


def cleaned(address: str) -> str:
    """An address without the punctuation of the sentence that it stands in."""
    address = address.rstrip(".,;:!?*_]")
    while address.endswith(")") and address.count(")") > address.count("("):
        address = address[:-1].rstrip(".,;:")
    return address


def addresses() -> dict[str, set[str]]:
    """Every address outside, with the files that it stands in."""
    found = defaultdict(set)
    for pattern in SOURCES:
        for path in ROOT.glob(pattern):
            for match in _ADDRESS.findall(path.read_text(encoding="utf-8")):
                address = cleaned(match)
                if not any(example in address for example in _EXAMPLES):
                    found[address].add(path.relative_to(ROOT).as_posix())
    for doi in re.findall(r'doi\s*=\s*[{"]([^}"]+)', (ROOT / "book" / "references.bib").read_text(encoding="utf-8")):
        found[f"https://doi.org/{doi}"].add("book/references.bib")
    return dict(found)


def fault(address: str) -> str | None:
    """What is wrong with an address as such; None if it is well formed."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        return str(error)
    host = parts.hostname or ""
    if not re.fullmatch(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", host):
        return f"no host: {host!r}"
    if port is not None:
        return f"a port: {port}"
    if re.search(r"[^\x21-\x7e]", address):
        return "characters that an address must encode"
    if re.search(r"%(?![0-9A-Fa-f]{2})", address):
        return "a bare per cent sign"
    return None


def ask(address: str, timeout: float = 20.0) -> str:
    """``ok``, ``gone: …`` or ``unsure: …``."""
    headers = {"User-Agent": "Mozilla/5.0 (a book checks its links)", "Accept": "*/*"}
    for method in ("HEAD", "GET"):
        try:
            request = urllib.request.Request(address, headers=headers, method=method)
            with urllib.request.urlopen(request, timeout=timeout):
                return "ok"
        except urllib.error.HTTPError as error:
            if method == "GET":
                return f"{'gone' if error.code in GONE else 'unsure'}: {error.code}"
        except (urllib.error.URLError, OSError, ValueError) as error:
            return f"unsure: {getattr(error, 'reason', error)}"
    return "unsure"


def main(arguments: list[str]) -> int:
    """Run one command; gives the exit status."""
    found = addresses()
    if arguments == ["list"]:
        for address in sorted(found):
            print(address, *sorted(found[address]))
        return 0
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(sorted(found), pool.map(ask, sorted(found)), strict=True))
    gone = {address: answer for address, answer in answers.items() if answer.startswith("gone")}
    unsure = {address: answer for address, answer in answers.items() if answer.startswith("unsure")}
    if len(unsure) == len(answers):
        print(f"Nobody answered, of {len(answers)} addresses: there seems to be no network. Nothing was checked.")
        return 0
    for address, answer in {**unsure, **gone}.items():
        print(f"{answer:14} {address}  in {', '.join(sorted(found[address]))}")
    print(f"{len(answers) - len(gone) - len(unsure)} answered, {len(unsure)} unsure, {len(gone)} gone")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
