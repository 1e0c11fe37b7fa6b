"""A claim that is true shows one line, the same on every machine; one that is not stops the page."""

import pytest
import torch

from dgmhelpers import claims as claim
from dgmhelpers import laws


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


def test_markup_is_escaped_and_names_its_law():
    shown = claim.below("a-b", "x < y & z", 1, 2, law="sums_to_one")._repr_html_()
    assert 'id="claim-a-b"' in shown and "x &lt; y &amp; z" in shown and 'data-law="sums_to_one"' in shown
    assert "sums_to_one" in laws.LAWS
