"""The laws are themselves tested: each mutant must be caught, by the law that names its fault."""

import pytest
from mutants import MUTANTS

from dgmhelpers import laws


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught_by_the_law_that_names_it(mutant):
    report = laws.audit(factory=mutant.make)
    assert not report.held
    verdict = report[mutant.law]
    assert verdict.held is False, str(report)
    assert "Error" not in verdict.measured, f"caught by a crash, not by the law: {verdict}"
