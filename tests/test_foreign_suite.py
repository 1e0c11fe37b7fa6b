"""Forty models from elsewhere: no right one is convicted, every fault is caught by the law that names it, in words."""

import warnings

import pytest
from foreign_suite import CASES, RIGHT, WRONG

from dgmhelpers import laws


def test_half_of_them_are_right():
    assert len(RIGHT) == len(WRONG) == 20
    assert len({(case.family, case.name) for case in CASES}) == 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.name}")
def test_the_audit_judges_it_rightly(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = laws.audit(**case.make())
    if case.law is None:
        assert report.held, str(report)
    else:
        assert case.law in [verdict.law for verdict in report.broken], str(report)
        found = report[case.law]
        assert case.word in f"{found.meaning} {found.measured}", str(report)
