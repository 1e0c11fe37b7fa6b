"""The fleet of tiny flows: each is a flow, alone and in company, and kinds share their first weights."""

import pytest
import torch
from torch import Generator

from dgmhelpers.flows.fleet import Fleet, Kind

KINDS = {"deep": Kind(3), "bounded": Kind(3, limit=0.5), "humps": Kind(2, humps=2.0)}


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet(KINDS, seeds=2, hidden=4).double()
    with torch.no_grad():
        made.V.mul_(50)             # log-scales that are felt
    return made


def test_there_and_back_and_the_jacobian(fleet):
    x = torch.randn(6, 5, 2, generator=Generator().manual_seed(0), dtype=torch.double)
    z, logdet = fleet(x)
    assert torch.allclose(fleet.inverse(z), x, atol=1e-9)
    jacobian = torch.autograd.functional.jacobian(lambda x: fleet(x)[0].sum(1), x)       # (6, 2, 6, 5, 2)
    for i in range(6):
        whole = torch.linalg.slogdet(jacobian[i, :, i].transpose(0, 1))[1]
        assert torch.allclose(whole, logdet[i], atol=1e-9)


def test_every_density_integrates_to_one(fleet):
    line = torch.linspace(-25, 25, 801, dtype=torch.double)
    with torch.no_grad():
        fleet.V.mul_(0.2)
        log_p = fleet.log_prob(torch.cartesian_prod(line, line).expand(6, -1, 2))
    mass = log_p.exp().sum(1) * (line[1] - line[0]) ** 2
    assert torch.allclose(mass, torch.ones(6, dtype=torch.double), atol=1e-3)


def test_kinds_share_first_weights_and_bounds_are_kept(fleet):
    assert torch.equal(fleet.W[:, fleet.of("deep")], fleet.W[:, fleet.of("bounded")])
    x = 3 * torch.randn(6, 50, 2, generator=Generator().manual_seed(1), dtype=torch.double)
    scales = fleet.steps(x)[1]
    most = {kind: max(s[fleet.of(kind)].abs().max() for s in scales) for kind in ("bounded", "deep")}
    assert most["bounded"] < 0.5 < most["deep"]
    assert [len(s) for s in scales] == [6, 6, 4]


def test_kinds_out_of_order_are_refused():
    with pytest.raises(ValueError, match="deepest first, got .2, 3."):
        Fleet({"a": Kind(2), "b": Kind(3)})
