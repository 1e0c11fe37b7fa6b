"""Where EM starts: clusters are found, several starts keep the best, and a collapse leaves whole parameters."""

import pytest
import torch

from dgmhelpers import data
from dgmhelpers.classical import BernoulliMixture, GaussianMixture
from dgmhelpers.classical.gaussian import SingularCovariance
from dgmhelpers.classical.kmeans import kmeans, squares
from dgmhelpers.training import em


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def ring():
    return data.toys.get("ring_of_8").sample(400, generator=seeded()).double()


def test_lloyds_steps_end_where_they_should(ring):
    label = kmeans(ring, 8, generator=seeded())
    centres = torch.stack([ring[label == k].mean(0) for k in range(8)])
    assert torch.equal(squares(ring, centres).argmin(1), label)          # a fixed point of both half steps
    with pytest.raises(ValueError, match="8 components need as many examples"):
        kmeans(ring[:7], 8)
    assert len(kmeans(torch.zeros(9, 2).double(), 3, generator=seeded())) == 9   # one point nine times


def test_clear_clusters_are_found_from_clusters_far_more_often(ring):
    def reached(how):
        ends = []
        for seed in range(10):
            model = GaussianMixture(dim=2, components=8, ridge=None)
            model.fit(ring, start=how, generator=seeded(seed))
            ends.append(model.log_prob(ring).mean().item())
        return ends

    near, far = reached("k-means++"), reached("examples")
    best = max(near + far)
    assert sum(end > best - 0.01 for end in near) >= 9 > 5 >= sum(end > best - 0.01 for end in far)


@pytest.mark.parametrize("make", [lambda: GaussianMixture(dim=2, components=8, ridge=None),
                                  lambda: BernoulliMixture(dim=2, components=3, smoothing=0.1)])  # fmt: skip
def test_several_starts_keep_the_best(ring, make):
    x, generator = ring if make().levels is None else (ring > 0).double(), seeded(3)
    alone = [make().fit(x, steps=5, generator=generator).log_prob(x).mean() for _ in range(4)]
    model = make().fit(x, steps=5, starts=4, generator=seeded(3))
    assert model.log_prob(x).mean() == max(alone)
    runs = [em(make(), x, steps=5, seed=seed, progress=False, device="cpu").train_loss[-1] for seed in range(3)]
    model = make()
    assert em(model, x, steps=5, starts=3, progress=False, device="cpu").train_loss[-1] == min(runs)
    with pytest.raises(ValueError, match="starts"):
        model.fit(x, starts=2, start=False)
    with pytest.raises(ValueError, match="starts from one of 'examples', 'k-means[+][+]', got 'middle'"):
        model.fit(x, start="middle")


def test_a_collapse_leaves_the_parameters_before_it(ring):
    x = torch.cat([ring[:30], torch.full((1, 2), 50.0).double()])        # one example far from all
    model = GaussianMixture(dim=2, components=2)
    model.start(x, seeded())
    with torch.no_grad():
        model.means[1] = 50.0
        model.raw.mul_(0.2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(SingularCovariance, match="component 1"):
        for _ in range(50):
            before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            model.em_step(x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_em_keeps_the_best_of_a_run_that_collapses(ring, monkeypatch):
    model, steps = GaussianMixture(dim=2, components=3), []
    step = GaussianMixture.em_step

    def breaking(self, x):
        steps.append(1)
        if len(steps) == 4:
            raise SingularCovariance("flat")
        return step(self, x)

    monkeypatch.setattr(GaussianMixture, "em_step", breaking)
    with pytest.warns(UserWarning, match="EM stopped before step 4: flat"):
        history = em(model, ring, steps=20, progress=False, device="cpu")
    assert history.stopped == "collapse" and len(history.steps) == 3 and "stopped by a collapse" in str(history)


def test_a_relative_ridge_knows_no_unit(ring):
    a = GaussianMixture(dim=2, components=3, ridge=None).fit(ring, steps=5, generator=seeded())
    b = GaussianMixture(dim=2, components=3, ridge=None).fit(ring * 1000, steps=5, generator=seeded())
    assert torch.allclose(a.covariances * 1e6, b.covariances, rtol=1e-6)
