"""Ways to run a chapter elsewhere: the launch buttons, the cell that sets a bare kernel up, and the download."""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import dgm_book  # noqa: E402
import hosted  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
URL = "https://github.com/somebody/dgm-checked"
built = pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built: make book")


def buttons(url: str) -> dict[str, str]:
    """The launch buttons that the theme makes of one chapter, by their text."""
    from sphinx_book_theme.header_buttons.launch import add_launch_buttons

    page = "notebooks/03-chain-rule"
    options = {"launch_buttons": {}} | dgm_book.launch_options(url)
    host, user, name = re.fullmatch(r"(https://\w+\.com)/(\w+)/([\w-]+)", url or "https://github.com/x/y").groups()
    provider = re.search(r"//(\w+)\.", host)[1]
    context = {
        "pagename": page, "page_source_suffix": ".ipynb", "sourcename": f"{page}.ipynb", "header_buttons": [],
        f"{provider}_url": host, f"{provider}_user": user, f"{provider}_repo": name,
    }  # fmt: skip
    environment = SimpleNamespace(doc2path=lambda name: f"{name}.ipynb", metadata={page: {"kernelspec": {}}})
    config = SimpleNamespace(html_theme_options=options)
    app = SimpleNamespace(env=environment, config={"html_theme_options": options} | vars(config), outdir="")
    add_launch_buttons(app, page, "page.html", context, None)
    return {each["text"]: each["url"] for group in context["header_buttons"] for each in group["buttons"]}


def test_no_address_no_buttons():
    assert dgm_book.launch_options("") == {}
    assert buttons("") == {}


def test_an_address_on_github_brings_both_buttons():
    page = "notebooks/03-chain-rule.ipynb"
    assert buttons(URL) == {
        "Binder": f"https://mybinder.org/v2/gh/somebody/dgm-checked/hosted?urlpath=lab/tree/{page}",
        "Colab": f"https://colab.research.google.com/github/somebody/dgm-checked/blob/hosted/{page}",
    }


def test_elsewhere_there_is_binder_alone():
    assert list(buttons("https://gitlab.com/somebody/dgm-checked")) == ["Binder"]


@built
def test_the_pages_have_the_buttons_that_the_address_asks_for():
    page = (HTML / "notebooks" / "03-chain-rule.html").read_text(encoding="utf-8")
    assert ("mybinder.org" in page) == bool(hosted.repository()["url"])


def test_without_an_address_nothing_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hosted, "repository", lambda: {"url": "", "branch": "main"})
    assert hosted.main([str(tmp_path / "out")]) == 1
    assert "_config.yml" in capsys.readouterr().out and not (tmp_path / "out").exists()


def test_every_chapter_gets_the_cell_and_keeps_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(hosted, "repository", lambda: {"url": URL, "branch": "main"})
    assert hosted.main([str(tmp_path)]) == 0
    for path in NOTEBOOKS:
        before = nbformat.read(path, as_version=4)
        first, *rest = nbformat.read(tmp_path / "notebooks" / path.name, as_version=4).cells
        assert first.source == hosted.setup_cell(URL, "main")
        assert [cell.source for cell in rest] == [cell.source for cell in before.cells]
        assert not any(cell.get("outputs") for cell in rest)


def test_binders_image_is_pinned_and_has_what_the_package_needs(tmp_path, monkeypatch):
    monkeypatch.delenv("DGM_TORCH_INDEX", raising=False)
    hosted.write(tmp_path, URL, "main")
    lines = (tmp_path / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = set((ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    assert lines[0] == "-c constraints.txt" and set(lines[1:]) <= pins and all("==" in line for line in lines[1:])
    assert {line.split("==")[0] for line in lines[1:]} >= {"torch", "jupyterlab", "scikit-learn", "anywidget", "pillow"}
    assert (tmp_path / ".binder" / "constraints.txt").is_file()
    monkeypatch.setenv("DGM_TORCH_INDEX", "https://example.org/cpu")
    assert hosted.binder()["requirements.txt"].startswith("--extra-index-url https://example.org/cpu\n")


@pytest.fixture
def origin(tmp_path):
    """A repository, on this disk, that holds what the package needs to be installed."""
    if not shutil.which("git"):
        pytest.skip("no git")
    folder = tmp_path / "origin"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "dgmhelpers", folder / "dgmhelpers", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "here.txt").write_text("a chapter's neighbour")
    me = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], [*me, "commit", "-q", "-m", "The book"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.slow
def test_the_cell_makes_a_bare_environment_ready(origin, tmp_path):
    """A kernel that has torch and the rest, as a hosted one has, but not this package; no network is asked."""
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    python = bare / "bin" / "python"
    (site,) = bare.glob("lib/python*/site-packages")
    # what is installed here can be imported there, save what is installed as editable: this package
    (site / "others.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    cell = tmp_path / "cell.ipy"
    after = [
        "import dgmhelpers, pathlib",
        "from dgmhelpers import autoregressive",
        "print('FOUND', pathlib.Path(dgmhelpers.__file__).resolve())",
        "print('HERE', pathlib.Path.cwd(), pathlib.Path('here.txt').exists())",
    ]
    cell.write_text("\n".join([hosted.setup_cell(origin.as_uri(), "main"), *after]))
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        "PATH": f"{bare / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0", "PIP_CONFIG_FILE": "/dev/null", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [python, "-m", "IPython", "--quick", "--colors=NoColor", cell]
    ran = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert f"FOUND {work / 'book' / 'dgmhelpers' / '__init__.py'}" in ran.stdout, ran.stdout + ran.stderr
    assert f"HERE {work / 'book' / 'notebooks'} True" in ran.stdout
    again = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert "FOUND" in again.stdout, again.stdout + again.stderr
    assert len(list(work.iterdir())) == 1, "the second run fetched the book again"


@built
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_chapter_can_be_downloaded_from_its_page(path):
    page = (HTML / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
    link = re.search(r'<a[^>]*href="(\.\./_sources/[^"]+\.ipynb)"', page)
    assert link, "no download button"
    assert nbformat.read(HTML / "notebooks" / link[1], as_version=4) == nbformat.read(path, as_version=4)
