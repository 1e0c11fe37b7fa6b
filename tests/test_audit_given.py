"""What an audit can be given: other names, conditionals, supports, distributions, contexts, a limit of time."""

import json
import math
import subprocess
import sys
from importlib import metadata

import foreign_models as models
import pytest
import sketches
import torch
from foreign import ForeignNet
from torch import distributions as D
from torch import nn

from dgmhelpers import cli, laws
from dgmhelpers.autoregressive import NADE

NINE_BITS = {"event_shape": (9,), "levels": 2}


def broken(report):
    return [verdict.law for verdict in report.broken]


# --- models


class NoLevels(nn.Module):
    """Has a shape and does not say what its values are; log p is five too high."""

    event_shape = (9,)

    def log_prob(self, x):
        return 0 * x.sum(1) - 9 * math.log(2) + 5

    def sample(self, n, *, generator=None):
        return torch.randint(2, (n, 9), generator=generator).float()


def test_levels_and_shape_are_not_ignored_beside_a_model():
    torch.manual_seed(0)
    assert broken(laws.audit(NoLevels(), levels=2)) == ["sums_to_one"]
    with pytest.raises(ValueError, match=r"levels is 2 in the model, and was said to be 3"):
        laws.audit(NADE(dim=4), levels=3)
    with pytest.raises(ValueError, match=r"event_shape is \(4,\) in the model, and was said to be \(5,\)"):
        laws.audit(NADE(dim=4), event_shape=(5,))
    assert laws.audit(NADE(dim=4), event_shape=[4], levels=2, only="sums_to_one").held


def test_whole_numbers_without_levels_are_no_promise_kept():
    report = laws.audit(NoLevels())
    assert not report.held and "say levels=" in report["draws_are_sound"].measured


def test_methods_are_called_by_their_names_on_a_copy():
    net = ForeignNet(batch_norm=True).train()
    report = laws.audit(net, methods={"log_prob": "score"}, only="ignores_the_batch", **NINE_BITS)
    assert broken(report) == ["ignores_the_batch"] and report.subject == "ForeignNet" and net.training
    with pytest.raises(ValueError, match="ForeignNet has no method 'scor': did you mean score"):
        laws.audit(net, methods={"log_prob": "scor"}, **NINE_BITS)
    with pytest.raises(ValueError, match="log_probability: no function that can be audited"):
        laws.audit(net, methods={"log_probability": "score"}, **NINE_BITS)
    with pytest.raises(ValueError, match="say methods="):
        laws.audit(nn.Linear(2, 2), **NINE_BITS)


def test_logits_must_have_their_shape_and_an_order_be_one():
    net = models.Steps().eval()
    arguments = {"logits": net, "event_shape": (4,), "levels": 5}
    assert laws.audit(log_prob=net.score, **arguments)["conditionals_multiply_to_log_prob"].held
    shifted = laws.audit(log_prob=lambda x: net.score(x.roll(1, 1)), **arguments)
    assert broken(shifted) == ["conditionals_multiply_to_log_prob"]
    first = laws.audit(logits=lambda x: net(x).movedim(-1, 1), event_shape=(4,), levels=5)
    assert "levels last" in str(first)
    with pytest.raises(ValueError, match=r"order must have each of the 4 flat positions once, got \[0, 1, 1, 3\]"):
        laws.audit(order=[0, 1, 1, 3], **arguments)
    with pytest.raises(ValueError, match="order= goes with logits="):
        laws.audit(log_prob=net.score, order=[0], event_shape=(1,), levels=2)
    wrong = laws.audit(order=[3, 2, 1, 0], **arguments)
    assert broken(wrong) == ["depends_on_exactly_its_past"]


def test_a_factory_of_functions_reaches_the_learning_laws():
    class Stuck(models.Steps):
        """Its loss is cut off from the parameters that matter."""

        def nll(self, x):
            return super().nll(x).detach() + 0 * self.bias.sum()

    def maker(kind):
        return lambda: {"logits": (n := kind(3, 3, 0.1)), "loss": n.nll, "event_shape": (3,), "levels": 3}

    made = {kind: laws.audit(factory=maker(kind)) for kind in (models.Steps, Stuck)}
    assert made[models.Steps].held and made[models.Steps]["learns_a_constant"].held
    assert broken(made[Stuck]) == ["learns_a_constant"]


@pytest.mark.parametrize("forget", [True, False])
def test_a_fault_that_vanishes_at_the_given_weights_shows_at_others(forget):
    """Couplings that begin as the identity: a log-determinant left out is 0 anyway."""
    net = models.Coupling(3, forget=forget)
    with torch.no_grad():
        for each in net.nets:
            for p in each[2].parameters():
                p.zero_()
    told = {"forward": lambda x: net(x), "inverse": lambda z: net.inverse(z), "event_shape": (3,)}
    assert laws.audit(**told).held
    report = laws.audit(redrawn=True, **told)
    assert broken(report) == (["logdet_matches_jacobian"] if forget else [])
    assert not forget or "with redrawn parameters" in report.broken[0].measured
    assert not net.nets[0][2].weight.any()


def test_several_contexts_of_functions():
    good, careless = sketches.Labelled(), sketches.Labelled()
    with torch.no_grad():
        careless.odds[2] = good.odds[0]

    def sample(n, context):
        return good.sample(n, context=context.where(context != 2, torch.tensor(0)))

    told = {"log_prob": good.log_prob, "event_shape": (4,), "levels": 2}
    rows = [torch.tensor(0), torch.tensor(2)]
    assert laws.audit(sample=good.sample, context=rows, **told).held
    report = laws.audit(sample=sample, context=rows, **told)
    assert broken(report) == ["sampler_matches_density"] and "at context 1" in report.broken[0].measured


# --- densities


def angles(kappa, turned=0.0):
    normal = D.VonMises(torch.zeros(1, dtype=torch.double), kappa)
    return {"log_prob": lambda x: normal.log_prob(x).sum(1),
            "sample": lambda n: normal.sample((n,)).reshape(n, 1) + turned, "event_shape": (1,)}


def test_circles_spheres_and_boxes():
    """A density on a circle is periodic: on the line it has no integral."""
    assert laws.audit(support="circle", **angles(3.0)).held
    assert broken(laws.audit(support="circle", **angles(3.0, turned=0.5))) == ["sampler_matches_density"]
    blind = laws.audit(**angles(3.0))
    assert not blind.broken and not blind.held and "say support=" in str(blind)
    assert laws.audit(**models.von_mises_fisher()).held
    assert broken(laws.audit(**models.von_mises_fisher(turned=True))) == ["sampler_matches_density"]
    off = models.von_mises_fisher()
    off["sample"] = lambda n, f=off["sample"]: 1.1 * f(n)
    assert "0.1 away from the sphere" in str(laws.audit(**off))
    unit = {"log_prob": lambda x: -math.log(2 * math.pi) + 0 * x.sum(1), "event_shape": (2,), "support": "circle",
            "sample": lambda n: nn.functional.normalize(torch.randn(n, 2, dtype=torch.double))}
    assert laws.audit(**unit).held
    assert laws.audit(D.Dirichlet(torch.tensor([2.0, 3.0, 1.5], dtype=torch.double))).held
    box = {"log_prob": lambda x: -math.log(6) + 0 * x.sum(1), "event_shape": (2,), "support": ([0, 0], [2, 3])}
    assert laws.audit(sample=lambda n: torch.rand(n, 2) * torch.tensor([2.0, 3.0]), **box).held
    assert laws.audit(sample=lambda n: torch.rand(n, 2) * 2, **box).broken


@pytest.mark.parametrize(("support", "shape", "message"), [
    ("spheres", (3,), "support must be one of circle, torus, sphere, simplex"),
    ("sphere", (4,), "for examples of 4 variables"),
    ((1.0, 0.0), (1,), "low < high"),
])
def test_supports_that_are_none_are_refused(support, shape, message):
    with pytest.raises(ValueError, match=message):
        laws.audit(log_prob=lambda x: x.sum(1), event_shape=shape, support=support)


def test_a_support_goes_with_real_values_and_densities():
    with pytest.raises(ValueError, match="these have 2 levels"):
        laws.audit(log_prob=lambda x: x.sum(1), support="torus", **NINE_BITS)
    with pytest.raises(ValueError, match="and not with energy"):
        laws.audit(energy=lambda x: x.sum(1), event_shape=(1,), support="circle")


ENDING = {
    "half-lines": D.Exponential(torch.tensor([1.0, 2.0, 0.5], dtype=torch.double)),
    "a box": D.Uniform(torch.zeros(4, dtype=torch.double), torch.tensor([1.0, 2.0, 3.0, 5.0], dtype=torch.double)),
    "unit intervals": D.Beta(torch.tensor([0.7, 2.0, 3.0], dtype=torch.double), 2.0),
    "heavy tails": D.StudentT(torch.tensor([3.0] * 5, dtype=torch.double)),
}


@pytest.mark.parametrize("name", ENDING)
def test_a_density_that_ends_is_not_convicted_in_many_dimensions(name):
    """E[d log p / dx] is not 0 if the density is positive where it ends."""
    report = laws.audit(ENDING[name])
    assert report["sampler_matches_density"].held and not report.broken, str(report)
    d = ENDING[name]
    power = 1.1 if name in ("half-lines", "unit intervals") else 1.0
    wrong = laws.audit(log_prob=laws.of_distribution(d)["log_prob"], event_shape=tuple(d.batch_shape),
                       sample=lambda n: (0.9 if power == 1 else 1.0) * d.sample((n,)) ** power)
    assert "sampler_matches_density" in broken(wrong), str(wrong)


DIRECT = [
    D.Bernoulli(torch.tensor([0.2, 0.7])), D.Categorical(torch.tensor([[0.2, 0.3, 0.5]] * 2)), D.Laplace(0.0, 1.0),
    D.Binomial(3, torch.tensor([0.3, 0.5])), D.Normal(torch.zeros(2), 1.0),
    D.MultivariateNormal(torch.zeros(3), torch.eye(3) + 0.3),
]


@pytest.mark.parametrize("d", DIRECT, ids=lambda d: type(d).__name__)
def test_torch_distributions_directly(d):
    report = laws.audit(d)
    assert report.held, str(report)


def test_distributions_of_other_values_are_refused():
    with pytest.raises(ValueError, match="real or 0 … K − 1"):
        laws.audit(D.Poisson(3.0))


HEATED = [(2, 0.8, "too likely"), (5, 0.8, "too likely"), (2, 1.25, "too unlikely"), (5, 1.0, None), (2, 1.0, None)]


@pytest.mark.parametrize(("levels", "temperature", "said"), HEATED)
def test_a_sampler_too_large_to_enumerate(levels, temperature, said):
    net = models.Steps(24, levels).eval()
    sizes = {"event_shape": (24,), "levels": levels}
    report = laws.audit(log_prob=net.score, sample=lambda n: net.draw(n, temperature), **sizes)
    verdict = report["sampler_matches_density"]
    assert verdict.held is (said is None), str(report)
    assert (said or "") in verdict.meaning


CHANGES = {
    "sign is wrong": lambda v: -v, "in bits": lambda v: v / math.log(2),
    "bits per dimension": lambda v: v / 9 / math.log(2),
    "mean over the variables": lambda v: v / 9, "it is p, not log p": torch.exp,
}


@pytest.mark.parametrize("cause", CHANGES)
def test_usual_mistakes_of_log_prob_are_named(cause):
    net = ForeignNet().eval()
    report = laws.audit(log_prob=lambda x: CHANGES[cause](net.score(x)), **NINE_BITS)
    assert cause in report["sums_to_one"].meaning


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_a_missing_constant_is_named(dim):
    told = {"sample": lambda n: torch.randn(n, dim), "event_shape": (dim,)}
    report = laws.audit(log_prob=lambda x: -x.square().sum(1) / 2, **told)
    assert broken(report) == ["integrates_to_one"]
    assert "½ log 2π of each variable is missing" in report.broken[0].meaning


DRAWN = {
    "reverse order": lambda n, k: n.generate(k).flip(1), "ones and zeros are exchanged": lambda n, k: 1 - n.generate(k),
    "temperature of 0.7": lambda n, k: n.generate(k, lambda a: torch.sigmoid(a / 0.7)),
    "takes the likeliest value": lambda n, k: n.generate(k, lambda a: (a > 0).to(a)),
}


@pytest.mark.parametrize("cause", DRAWN)
def test_usual_mistakes_of_samplers_are_named(cause):
    net = ForeignNet().eval()
    report = laws.audit(log_prob=net.score, sample=lambda k: DRAWN[cause](net, k), **NINE_BITS)
    assert cause in report["sampler_matches_density"].meaning


# --- the time, the shell, pytest


def test_what_the_time_did_not_suffice_for_is_said():
    report = laws.audit(NADE(dim=4, hidden=3), seconds=1e-9)
    assert not report.broken and not report.held
    assert all("left out" in verdict.measured for verdict in report.missing) and report.missing
    with pytest.raises(ValueError, match="seconds must be above 0, got 0"):
        laws.audit(NADE(dim=4), seconds=0)


HERE = '''
import torch
coins = {"log_prob": lambda x: x.sum(1) * 0 - 3 * torch.log(torch.tensor(2.0)),
         "sample": lambda n: torch.randint(2, (n, 3)), "event_shape": (3,), "levels": 2,
         "modules": []}
def make():
    return coins
loaded = coins | {"sample": lambda n: torch.ones(n, 3)}
whole = {"log_prob": lambda x: x.sum(1) * 0 - 30.0, "event_shape": (30,), "levels": 2}
normal = torch.distributions.Normal(torch.zeros(2), 1.0)
'''


def test_exit_codes(tmp_path, monkeypatch, capsys):
    (tmp_path / "given_here.py").write_text(HERE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    codes = {"coins": 0, "make": 0, "normal": 0, "loaded": 1, "whole": 3, "nothing": 2}
    assert {name: cli.main(["audit", f"given_here:{name}"]) for name in codes} == codes
    assert cli.main(["audit", "given_here:coins", "--seconds", "1e-9", "--json"]) == 3
    assert json.loads(capsys.readouterr().out.split("\n{\n")[-1].join(["{", ""]))["held"] is False


TESTS = HERE + '''
def test_right(audit):
    assert audit(make).held
def test_functions(audit):
    audit(**coins)
def test_distribution(audit):
    audit(normal)
def test_wrong(audit):
    audit(**loaded)
'''


def test_the_fixture_of_pytest_fails_by_the_report(tmp_path):
    (tmp_path / "test_given_here.py").write_text(TESTS, encoding="utf-8")
    installed = any(point.name == "dgmhelpers" for point in metadata.entry_points(group="pytest11"))
    names = ("no:cacheprovider", "no:xdist", *([] if installed else ["dgmhelpers.pytest_plugin"]))
    plugins = [part for name in names for part in ("-p", name)]
    found = subprocess.run([sys.executable, "-m", "pytest", "-q", *plugins, "test_given_here.py"], cwd=tmp_path,
                           capture_output=True, text=True)
    assert "3 passed" in found.stdout and "1 failed" in found.stdout, found.stdout + found.stderr
    assert "✗ sampler_matches_density" in found.stdout
