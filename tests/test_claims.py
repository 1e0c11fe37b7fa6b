"""A claim that is true shows one line, the same on every machine; one that is not stops the page."""

import configparser
import math
import re
from pathlib import Path

import pytest
import torch

from dgmhelpers import claims as claim
from dgmhelpers import laws


def compared(text: str) -> str:
    """What the suite compares of a claim's line when it runs the chapters again."""
    rules = configparser.ConfigParser(interpolation=None)
    rules.read(Path(__file__).with_name("nbval.cfg"), encoding="utf-8")
    for rule in rules.sections():
        text = re.sub(rules[rule]["regex"], rules[rule]["replace"], text)
    return text


def test_a_true_claim_shows_its_value_and_tolerance_and_never_the_gap():
    shown = repr(claim.equal("a-sum", "the sum", 0.1 + 0.2, 0.3))
    assert shown == "✓ the sum: 0.3, within 10⁻¹²"
    claim.equal("a-float", "a float and a tensor", torch.tensor(1 / 3, dtype=torch.double), 1 / 3, tolerance=0)
    many = claim.equal("a-tensor", "all of them", torch.ones(3, 4), torch.ones(3, 4), tolerance=0, law="sums_to_one")
    assert repr(many) == "✓ all of them: 12 values agree, exactly  [law: sums_to_one]"
    assert repr(claim.equal("about", "about", 30.9, 31, tolerance=1)) == "✓ about: 31, within 1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: claim.equal("a", "s", 1.0, 1.1),
        lambda: claim.equal("a", "s", float("nan"), 1.0),
        lambda: claim.equal("a", "s", torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1])),
        lambda: claim.below("a", "s", 1.0, 1.0),
        lambda: claim.below("a", "s", float("nan"), 1.0),
        lambda: claim.above("a", "s", 1.0, 1.0),
        lambda: claim.above("a", "s", float("nan"), 1.0),
        lambda: claim.between("a", "s", 3.1, 1.0, 3.0),
        lambda: claim.between("a", "s", float("nan"), 1.0, 3.0),
        lambda: claim.true("a", "s", torch.tensor([True, False])),
    ],
)
def test_a_false_claim_stops_the_page(make):
    with pytest.raises(claim.ClaimFailed, match="^s: "):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: claim.equal("Two Words", "s", 1, 1), "lower-case"),
        (lambda: claim.equal("a", "s", torch.ones(2), torch.ones(3)), "shapes"),
        (lambda: claim.between("a", "s", 1, 3, 2), "empty"),
        (lambda: claim.true("a", "s", torch.ones(0, dtype=torch.bool)), "no case"),
        (lambda: claim.equal("a", "s", torch.ones(0), torch.ones(0)), "compares nothing"),
        (lambda: claim.true("a", "s", 1), "boolean"),
    ],
)
def test_an_ill_posed_claim_is_an_error_of_its_own(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (claim.between("a", "nats", 18.42312, 17.8, 20), "✓ nats: 18.42 (between 17.8 and 20)"),
        (claim.below("a", "power of ten", -158.123, -150), "✓ power of ten: −158.1 (below −150)"),
        (claim.above("a", "p-value", 0.4213579, 1e-6), "✓ p-value: 0.4214 (above 10⁻⁶)"),
        (claim.below("a", "gap", 2.13579e-5, 1e-3), "✓ gap: 2.136 · 10⁻⁵ (below 0.001)"),
        (claim.above("a", "draws", 2.5e13, 1e12), "✓ draws: 2.5 · 10¹³ (above 10¹²)"),
        (claim.between("a", "a count", 123456, 1e5, 1e6), "✓ a count: 123,456 (between 100,000 and 1,000,000)"),
        (claim.above("a", "steps", 123456.7, 1e5), "✓ steps: 123,457 (above 100,000)"),
        (claim.below("a", "close", 0.2999996, 0.3), "✓ close: 0.2999996 (below 0.3)"),  # 0.3 would be no value below it
        (claim.below("a", "least", -math.inf, 0), "✓ least: −inf (below 0)"),
    ],
)
def test_a_bound_shows_the_value_that_was_found_on_the_right_side_of_it(made, shown):
    assert repr(made) == shown


@pytest.mark.parametrize("shown", [repr, lambda made: made._repr_html_()], ids=["text", "markup"])
def test_the_suite_compares_sentences_and_bounds_and_not_what_training_found(shown):
    def line(value, high=20, statement="nats (at best 17), after 10 steps: mean"):
        return compared(shown(claim.between("a", statement, value, -17.8, high)))

    assert line(18.42) == line(-3.1e-7) == line(19)
    assert line(18.42) != line(18.42, high=21)
    assert line(18.42) != line(18.42, statement="nats (at best 18), after 10 steps: mean")
    below, above = (compared(shown(make("a", "s", 2.5, bound))) for make, bound in [(claim.below, 3), (claim.above, 2)])
    assert "2.5" not in below + above and "3" in below and "2" in above
    exact = [compared(shown(claim.equal("a", "a sum", value, value))) for value in (0.3, 0.4)]
    assert exact[0] != exact[1]


def test_a_claim_from_the_record_has_another_mark_and_says_what_makes_the_record():
    command = "python -m dgmhelpers train nade-dna --profile full --seed 0"
    made = claim.below("a", "nats", 79.1, 80, record={"command": command, "metrics": []})
    assert repr(made) == f"◆ nats: 79.1 (below 80)  [from the record: {command}]"
    markup = made._repr_html_()
    assert 'class="dgm-claim dgm-claim-record"' in markup and f'data-record="{command}"' in markup
    several = claim.true("a", "all", torch.tensor([True] * 3), record=[{"command": command}, "python -m x", "python y"])
    assert several.record == (command, "python -m x", "python y") and "and 2 more" in repr(several)
    assert 'data-record=""' in claim.true("a", "s", torch.tensor(True))._repr_html_()
    with pytest.raises(ValueError, match="'nade-dna'"):
        claim.below("a", "s", 1, 2, record="nade-dna")
    with pytest.raises(ValueError, match="no 'command'"):
        claim.below("a", "s", 1, 2, record={"metrics": []})


def test_a_claim_names_what_it_checks():
    assert 'data-of="thm-a"' in claim.below("a", "s", 1, 2, of="thm-a")._repr_html_()
    assert 'data-of="thm-a def-b"' in claim.equal("a", "s", 1, 1, of=["thm-a", "def-b"])._repr_html_()
    with pytest.raises(ValueError, match="'Theorem 1'"):
        claim.below("a", "s", 1, 2, of="Theorem 1")


def test_markup_is_escaped_and_names_its_law():
    shown = claim.below("a-b", "x < y & z", 1, 2, law="sums_to_one")._repr_html_()
    assert 'id="claim-a-b"' in shown and "x &lt; y &amp; z" in shown and 'data-law="sums_to_one"' in shown
    assert "sums_to_one" in laws.LAWS
