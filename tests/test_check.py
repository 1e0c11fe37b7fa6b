"""What is run before a commit: the tests that name what was changed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
import check as tool  # noqa: E402


def test_a_changed_module_brings_the_tests_that_name_it():
    found = tool.tests_of(["dgmhelpers/classical/kde.py"])
    assert "tests/test_classical.py" in found and "tests/test_links.py" not in found


def test_a_changed_test_is_run_and_prose_brings_none():
    assert tool.tests_of(["tests/test_claims.py"]) == ["tests/test_claims.py"]
    assert tool.tests_of(["README.md", "book/intro.md", "tests/test_that_is_gone.py"]) == []


def test_a_new_file_brings_the_tests_of_its_folder_and_a_chapter_those_that_read_chapters():
    assert "tests/test_data.py" in tool.tests_of(["dgmhelpers/data/sounds.py"])
    for part in ("notebooks/04-nade-and-made.ipynb", "book/quizzes/04.yml", "dgmhelpers/exercises/chapter_04/nade.py"):
        assert {"tests/test_quizzes.py", "tests/test_exercises.py", "tests/test_ways.py"} <= set(tool.tests_of([part]))
    assert tool.tests_of(["book/chapters.yml"]) == ["tests/test_ways.py"]
    exercise = tool.tests_of(["dgmhelpers/exercises/chapter_04/nade.py"])
    assert "tests/test_exercises_chapter_04.py" in exercise and "tests/test_training.py" not in exercise


def test_a_changed_model_is_held_to_its_laws():
    assert tool.models_of(["dgmhelpers/autoregressive/deep_nade.py"]) == ["deep_nade"]
    assert tool.models_of(["tests/models/kde.py", "tests/models/__init__.py"]) == ["kde"]
    assert tool.models_of(["dgmhelpers/flows/__init__.py"]) == []  # the test that all have cases runs
    assert tool.models_of(["dgmhelpers/masks.py", "README.md"]) is None


def test_the_budget_of_words_holds_for_chapters_that_were_changed(monkeypatch, capsys):
    monkeypatch.setattr(tool, "words_of", lambda path: 5_001 if path.name.startswith("03") else 100)
    assert tool.ledger(["notebooks/04-nade-and-made.ipynb"])
    assert not tool.ledger(["notebooks/03-chain-rule.ipynb"])
    assert "too many words" in capsys.readouterr().out
