"""The laws are themselves tested: each mutant must be caught, by the law that names its fault."""

import pytest
import torch
from models import MUTANTS, gan, remedy_gan
from models.adversarial_losses import LOSS_MUTANTS

from dgmhelpers import laws
from dgmhelpers.protocols import LEARNING


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught_by_the_law_that_names_it(mutant):
    torch.manual_seed(0)
    subject = {"factory": mutant.make} if mutant.law in LEARNING else {"model": mutant.make()}
    report = laws.audit(**subject, only=mutant.law)
    verdict = report[mutant.law]
    assert verdict.held is False and not report.held, str(report)
    assert "Error" not in verdict.measured, f"caught by a crash, not by the law: {verdict}"


IMPLICIT = gan.MUTANTS + remedy_gan.MUTANTS


@pytest.mark.parametrize("mutant", IMPLICIT, ids=lambda mutant: mutant.name)
def test_implicit_mutant_breaks_no_other_law(mutant):
    assert [verdict.law for verdict in laws.audit(mutant.make()).broken] == [mutant.law]


LOSS_NAMES = [f"{kind}: {name}" for name, kind, _ in LOSS_MUTANTS]


@pytest.mark.parametrize(("name", "kind", "loss"), LOSS_MUTANTS, ids=LOSS_NAMES)
def test_mutant_of_a_loss_is_caught(name, kind, loss):
    verdict = laws.loss_matches_closed_form(loss, kind)
    assert verdict.held is False, str(verdict)
