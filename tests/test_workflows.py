"""What runs on GitHub: parsed and held to a few rules here, and its shell steps run by ``tools/workflows.py``."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]

import dgm_address  # noqa: E402
import workflows  # noqa: E402

NAMES = sorted(path.stem for path in workflows.WORKFLOWS.glob("*.yml"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def steps():
    for name in NAMES:
        for job in workflows.jobs(name).values():
            for step in job["steps"]:
                yield name, step


def test_the_suite_runs_the_two_commands_of_the_readme():
    commands = [step["run"] for name, step in steps() if name == "test" and "run" in step]
    assert commands == ["make book", ".ci/run"] and "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "$ make book" in README and "$ make test" in README


def test_both_versions_of_python_are_tried():
    (job,) = workflows.jobs("test").values()
    versions = job["strategy"]["matrix"]["python"]
    lowest, highest = re.search(r"Python (3\.\d+) or (3\.\d+)", README).groups()
    assert versions == [lowest, highest]


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_the_least_rights_and_a_limit(name):
    whole = yaml.safe_load((workflows.WORKFLOWS / f"{name}.yml").read_text(encoding="utf-8"))
    assert whole["permissions"]
    for job in whole["jobs"].values():
        assert "timeout-minutes" in job or not any("run" in step for step in job["steps"])


def test_every_make_target_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for name, step in steps():
        for wanted in re.findall(r"^\s*make ([\w ]+)$", step.get("run", ""), re.M):
            assert set(wanted.split()) <= targets, f"{name}: make {wanted}"


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_of_every_step_parses_and_every_expression_has_a_value(name):
    values = {"github.repository": "a/b", "github.server_url": "s", "github.token": "t", "github.run_id": "1",
              "github.event.release.tag_name": "v", "github.ref": "r", "matrix.python": "3.11"}
    for which, step in steps():
        if which == name and "run" in step:
            for text in (step["run"], *map(str, step.get("env", {}).values())):
                workflows.filled(text, values)
            subprocess.run(["bash", "-n", "-c", workflows.filled(step["run"], values)], check=True)


def test_an_unknown_workflow_is_named():
    with pytest.raises(ValueError, match="no workflow 'nightly'; there are"):
        workflows.jobs("nightly")
    with pytest.raises(ValueError, match="no value here for"):
        workflows.filled("${{ secrets.KEY }}", {})


def test_steps_run_in_order_with_stand_ins_and_stop_at_a_failure(tmp_path, capfd):
    job = {"env": {"WORD": "${{ vars.NOTHING }}here"}, "steps": [
        {"uses": "actions/checkout@v4"}, {"run": "echo $WORD; gh release upload x"},
        {"if": "failure()", "run": "exit 9"}, {"run": "false\necho after"}, {"run": "echo never"}]}
    with pytest.raises(subprocess.CalledProcessError):
        workflows.run(job, tmp_path, tmp_path)
    out = capfd.readouterr().out
    assert "here\n(not run here) gh release upload x" in out and "left out: actions/checkout@v4" in out
    assert "after" not in out.replace("-- false\necho after", "") and "never" not in out


def test_the_schema_of_github_if_it_is_installed():
    tool = shutil.which("check-jsonschema")
    if not tool:
        pytest.skip("check-jsonschema is not installed")
    files = map(str, workflows.WORKFLOWS.glob("*.yml"))
    subprocess.run([tool, "--builtin-schema", "vendor.github-workflows", *files], check=True)


@pytest.mark.parametrize(("environment", "url"), [
    ({}, ""), ({"DGM_REPOSITORY_URL": "https://example.org/us/book/"}, "https://example.org/us/book"),
    ({"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/fork"}, "https://github.com/a/fork"),
    ({"GITHUB_SERVER_URL": "https://github.com"}, ""),
])  # fmt: skip
def test_the_address_comes_from_the_environment(monkeypatch, environment, url):
    for name in ("DGM_REPOSITORY_URL", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert dgm_address.repository() == {"url": url, "branch": "main"}
    edit, report = dgm_address.edit("notebooks/03-chain-rule.ipynb"), dgm_address.report("em", "notebooks/02-x")
    assert edit == (f"{url}/edit/main/notebooks/03-chain-rule.ipynb" if url else "")
    assert report.startswith(f"{url}/issues/new?title=Claim+em%2C+notebooks%2F02-x&body=") if url else report == ""


def test_the_container_for_development_uses_the_projects_own_command():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "make venv"
    assert container["image"].startswith("python:3.12")
