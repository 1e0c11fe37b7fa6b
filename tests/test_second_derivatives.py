"""Backward passes written by hand: right once, and right when they are differentiated themselves."""

import importlib
import pkgutil

import pytest
import torch
from torch.autograd import Function, gradcheck, gradgradcheck
from torch.func import functional_call

import dgmhelpers
from dgmhelpers.autoregressive import NADE, nade


def written_by_hand():
    """Every ``autograd.Function`` of the package."""
    for module in pkgutil.walk_packages(dgmhelpers.__path__, "dgmhelpers."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, waiting = set(), [Function]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("dgmhelpers."):
            found.add(kind)
    return found


def shared_hidden(dim):
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, dim), (dim, 4), (dim, 4), (4,))
    return [torch.randn(shape, generator=generator, dtype=torch.double).requires_grad_() for shape in shapes]


CASES = {nade._SharedHidden: [shared_hidden(1), shared_hidden(5)]}


def test_every_backward_pass_written_by_hand_has_a_case_here():
    assert written_by_hand() == CASES.keys()


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_it_is_right_once_and_twice(kind):
    for inputs in CASES[kind]:
        assert gradcheck(kind.apply, inputs)
        assert gradgradcheck(kind.apply, inputs)
        for i in range(len(inputs)):                     # one of the inputs alone needs a gradient
            alone = [tensor.detach().requires_grad_(i == j) for j, tensor in enumerate(inputs)]
            assert gradgradcheck(kind.apply, alone)


def test_a_penalty_on_nades_gradient_is_trained_by_its_true_gradient():
    torch.manual_seed(0)
    model, x = NADE(4, 3).double(), torch.randint(2, (6, 4)).double()
    names = [name for name, _ in model.named_parameters()]

    def penalty(*values):
        logits = functional_call(model, dict(zip(names, values, strict=True)), (x,))
        gradients = torch.autograd.grad(logits.square().sum(), values, create_graph=True)
        return sum(g.square().sum() for g in gradients)

    values = [p.detach().clone().requires_grad_() for p in model.parameters()]
    assert gradcheck(penalty, values, atol=1e-6)


def test_the_two_ways_back_agree():
    torch.manual_seed(1)
    model, x = NADE(7, 5).double(), torch.randint(2, (9, 7)).double().requires_grad_()
    inputs = [x, *model.parameters()]
    loss = model(x).sin().sum()
    plain = torch.autograd.grad(loss, inputs, retain_graph=True)
    for one, other in zip(plain, torch.autograd.grad(loss, inputs, create_graph=True), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=1e-12, atol=1e-12)
