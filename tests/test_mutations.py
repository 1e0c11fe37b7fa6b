"""The laws are themselves tested: each mutant must be caught, by the law that names its fault."""

import pytest
from mutants import MUTANTS
from mutants_adversarial import IMPLICIT_MUTANTS, LOSS_MUTANTS

from dgmhelpers import laws


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught_by_the_law_that_names_it(mutant):
    report = laws.audit(factory=mutant.make)
    assert not report.held
    verdict = report[mutant.law]
    assert verdict.held is False, str(report)
    assert "Error" not in verdict.measured, f"caught by a crash, not by the law: {verdict}"


@pytest.mark.parametrize(("name", "make", "law"), IMPLICIT_MUTANTS, ids=[name for name, *_ in IMPLICIT_MUTANTS])
def test_implicit_mutant_is_caught_by_the_law_that_names_it(name, make, law):
    report = laws.audit(factory=make)
    assert [verdict.law for verdict in report.broken] == [law]
    assert "Error" not in report[law].measured


LOSS_NAMES = [f"{kind}: {name}" for name, kind, _ in LOSS_MUTANTS]


@pytest.mark.parametrize(("name", "kind", "loss"), LOSS_MUTANTS, ids=LOSS_NAMES)
def test_mutant_of_a_loss_is_caught(name, kind, loss):
    verdict = laws.loss_matches_closed_form(loss, kind)
    assert verdict.held is False, str(verdict)
