"""The program that breaks claims on purpose: it must find those that cannot fail, and pass those that can."""

import sys
from pathlib import Path

import nbformat
import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
import break_claims as tool  # noqa: E402


def chapter(folder: Path, *cells: str) -> Path:
    begin = "import torch\nfrom dgmhelpers import claims as claim, laws"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (begin, *cells)])
    path = folder / "99-a-chapter.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize("cell, noticed", [
    ("claim.between('c', 'a mean', x.mean(), 2.9, 3.1)", True),
    ("claim.between('c', 'a mean', x.mean(), -99, 99)", False),
    ("claim.equal('c', 'an order', x.sort().values, torch.arange(1.0, 6.0))", True),
    ("claim.equal('c', 'itself', x, x)", False),
    ("claim.true('c', 'a count', len(list(range(4))) == 4)", False),
    ("claim.true('c', 'a law', laws.Verdict('law', True, 'm', 'b', 'w').held)", True),
    ("y = x.sum() - 5\nclaim.equal('c', 'a sum', y, 10.0)", True),
])
def test_a_claim_that_cannot_fail_is_found(tmp_path, monkeypatch, cell, noticed):
    monkeypatch.chdir(tmp_path)
    found = tool.examine(chapter(tmp_path, "x = torch.arange(1.0, 6.0)", cell))
    assert [claim.label for claim in found] == ["c"]
    assert bool(found[0].noticed) == noticed


def test_what_the_page_holds_is_given_back(tmp_path, monkeypatch):
    """A later cell sees the values of the page, not broken ones."""
    monkeypatch.chdir(tmp_path)
    cells = ("x = torch.ones(3)", "x = x + 1\nclaim.equal('a', 'twos', x, 2 * torch.ones(3))",
             "claim.equal('b', 'still twos', x, 2 * torch.ones(3))")
    assert [claim.label for claim in tool.examine(chapter(tmp_path, *cells))] == ["a", "b"]


def test_a_failing_chapter_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="fails as it is"):
        tool.examine(chapter(tmp_path, "claim.equal('a', 'wrong', 1.0, 2.0)"))


def test_every_breaking_changes_the_value():
    values = [3, 2.5, True, torch.tensor([1.0, 2.0, 4.0]), torch.tensor([True, False]), [1, 2, 3], {"a": 1.0, "b": 2.0}]
    for value in values:
        for way, wrong in tool.broken(value):
            same = torch.equal(wrong, value) if isinstance(value, torch.Tensor) else wrong == value
            assert not same, (value, way)
