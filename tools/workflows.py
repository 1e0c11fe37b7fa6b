"""The shell steps of a GitHub workflow, run here: what would break there breaks first on this machine.

    python tools/workflows.py release [pages …] [--keep FOLDER]

Each job runs in a fresh clone of the last commit, with what Actions sets in the environment: the name of a repository,
the variables of the repository from this environment (``DGM_TORCH_INDEX``), the first entry of a matrix. Steps that
are other people's actions (checkout, upload) are named and left out, and so are steps that run on failure alone. What
leaves the machine there stays here: ``git push`` goes to a repository beside the clone, ``gh`` and ``sudo`` are
stand-ins that print what they were asked.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
STANDS_IN = '#!/bin/bash\necho "(not run here) {name} $*"\n'


def jobs(name: str) -> dict[str, dict]:
    """The jobs of ``.github/workflows/NAME.yml``.

    Raises:
        ValueError: if there is no such workflow.
    """
    path = WORKFLOWS / f"{name}.yml"
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in WORKFLOWS.glob("*.yml")))
        raise ValueError(f"no workflow {name!r}; there are {known}")
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def filled(text: str, values: dict[str, str]) -> str:
    """``${{ … }}`` replaced.

    Raises:
        ValueError: naming an expression that has no value here.
    """

    def value(match: re.Match) -> str:
        name = match[1].strip()
        if name.startswith("vars."):
            return os.environ.get(name.removeprefix("vars."), "")
        if name not in values:
            raise ValueError(f"no value here for ${{{{ {name} }}}}")
        return values[name]

    return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def run(job: dict, clone: Path, beside: Path) -> None:
    """Every shell step of a job, in turn; stops at the first that fails.

    Raises:
        subprocess.CalledProcessError: of the step that failed.
    """
    values = {"github.repository": "somebody/book", "github.server_url": "https://github.com", "github.ref": "main",
              "github.token": "none", "github.run_id": "1", "github.event.release.tag_name": "v0"}
    values |= {f"matrix.{key}": str(each[0]) for key, each in job.get("strategy", {}).get("matrix", {}).items()}
    tools = beside / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("gh", "sudo"):
        (tools / name).write_text(STANDS_IN.format(name=name), encoding="utf-8")
        (tools / name).chmod(0o755)
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "somebody/book", "GITHUB_SERVER_URL": "https://github.com",
               "CI": "true", "PATH": f"{tools}:{os.environ['PATH']}"}
    for step in job["steps"]:
        title = step.get("name") or step.get("uses") or step["run"]
        if "run" not in step or step.get("if"):
            print(f"-- left out: {title}", flush=True)
            continue
        print(f"-- {title}", flush=True)
        own = {key: filled(str(each), values) for key, each in (job.get("env", {}) | step.get("env", {})).items()}
        if "ORIGIN" in own:
            own["ORIGIN"] = str(beside / "origin.git")
        command = ["bash", "-e", "-o", "pipefail", "-c", filled(step["run"], values)]
        subprocess.run(command, cwd=clone, env=os.environ | actions | own, check=True)


def main(arguments: list[str]) -> int:
    """Run the workflows named; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workflow", nargs="+")
    parser.add_argument("--keep", type=Path, help="a folder that is not there yet, to work in and keep")
    asked = parser.parse_args(arguments)
    for name in asked.workflow:
        for title, job in jobs(name).items():
            with tempfile.TemporaryDirectory() as temporary:
                beside = (asked.keep or Path(temporary)) / f"{name}-{title}"
                beside.mkdir(parents=True)
                subprocess.run(["git", "init", "-q", "--bare", beside / "origin.git"], check=True)
                subprocess.run(["git", "clone", "-q", ROOT, beside / "clone"], check=True)
                print(f"== {name}: {title}", flush=True)
                try:
                    run(job, beside / "clone", beside)
                except subprocess.CalledProcessError as error:
                    print(f"== {name}: {title} failed, exit status {error.returncode}")
                    return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
