"""Where the repository is: launch buttons, "suggest an edit" and "report this claim" follow from it.

The address is ``DGM_REPOSITORY_URL``; else that of the repository whose GitHub workflow runs this, so that the pages of
a fork lead to the fork; else ``repository: url:`` in ``_config.yml``. Where none is known, there are no links.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlencode

import yaml

ROOT = Path(__file__).resolve().parents[2]


def repository() -> dict[str, str]:
    """``url``, without a slash at its end and empty if it is not known, and ``branch``."""
    known = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    running = f"{server}/{name}" if server and name else ""
    url = os.environ.get("DGM_REPOSITORY_URL") or running or known["url"]
    return {"url": url.rstrip("/"), "branch": known["branch"]}


def edit(source: str) -> str:
    """The address at which a source file, ``notebooks/03-chain-rule.ipynb``, can be edited; empty if there is none."""
    where = repository()
    return f"{where['url']}/edit/{where['branch']}/{source}" if where["url"] else ""


def report(claim: str, page: str) -> str:
    """The address at which to report that a claim is wrong, its id and page filled in; empty if there is none."""
    url = repository()["url"]
    text = {"title": f"Claim {claim}, {page}", "body": "What I computed, and what I expected:\n\n```python\n\n```\n"}
    return f"{url}/issues/new?{urlencode(text)}" if url else ""
