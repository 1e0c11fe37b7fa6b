"""A fixture for pytest: ``def test_model(audit): audit(make_model)``. Installed with the package; nothing to import.

``--audit-seconds`` limits each audit. What a test says in the call goes before it.
"""

from collections.abc import Callable
from typing import Any

import pytest


def pytest_addoption(parser):
    """The option of the command line."""
    group = parser.getgroup("dgmhelpers", "laws of generative models")
    group.addoption("--audit-seconds", type=float, default=None, help="begin no law of an audit after so long")


@pytest.fixture
def audit(request) -> Callable[..., Any]:
    """Hold a model, a factory, or functions against the laws; the test fails by ``dgmhelpers.laws.audit``'s report.

    A function that is given first is taken for a factory, so that the laws of learning run, too. Returns the report.
    """
    limit = request.config.getoption("--audit-seconds")

    def hold(model=None, **told):
        from torch import nn

        from dgmhelpers import laws

        told.setdefault("seconds", limit)
        __tracebackhide__ = True
        if callable(model) and not isinstance(model, nn.Module):
            told["factory"], model = model, None
        report = laws.audit(model, **told)
        if not report.held:
            pytest.fail(str(report), pytrace=False)
        return report

    return hold
