"""What compares everything with everything holds no table of all pairs, and blocks change no figure."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dgmhelpers import numerics
from dgmhelpers.adversarial import MinibatchDiscrimination
from dgmhelpers.classical import KDE
from dgmhelpers.evaluation import precision_recall


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor holds that is made while this is entered (views of small ones aside)."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.untyped_storage().nbytes() // tensor.element_size())
        return made


def points(n, dim=2, seed=0):
    return torch.randn(n, dim, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def closeness(x):
    torch.manual_seed(0)
    return MinibatchDiscrimination(2, kernels=3, size=2).double().closeness(x)


WORK = {
    "KDE.fit": lambda x: KDE(2).fit(x).bandwidth.reshape(1),
    "KDE.leave_one_out": lambda x: KDE(2).fit(x, bandwidth=0.3).leave_one_out([0.1, 0.5]),
    "KDE.log_prob": lambda x: KDE(2).fit(x, bandwidth=0.3).log_prob(points(len(x), seed=1)),
    "precision_recall": lambda x: torch.tensor(list(vars(precision_recall(x, points(len(x) + 5, seed=2))).values())),
    "MinibatchDiscrimination": closeness,
}


@pytest.mark.parametrize("name", WORK)
def test_no_table_of_all_pairs_and_the_same_figures(name, monkeypatch):
    n, block = 300, 4000
    whole = WORK[name](points(n))
    monkeypatch.setattr(numerics, "BLOCK", block)
    with Largest() as largest:
        parts = WORK[name](points(n))
    assert largest.numel <= block
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-12)


def test_leaving_one_out_leaves_out_that_one(monkeypatch):
    monkeypatch.setattr(numerics, "BLOCK", 70)           # seven examples at a time, and the last block is smaller
    x = points(10)
    alone = [KDE(2).fit(torch.cat([x[:i], x[i + 1:]]), bandwidth=0.4).log_prob(x[i : i + 1]) for i in range(10)]
    mean = KDE(2).fit(x, bandwidth=0.4).leave_one_out([0.4])
    torch.testing.assert_close(mean[0], torch.cat(alone).mean().detach(), rtol=1e-12, atol=1e-12)
