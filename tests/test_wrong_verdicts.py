"""Verdicts that were wrong on models from elsewhere: right models were convicted, and wrong ones were passed."""

import math

import pytest
import torch
from foreign import ForeignNet
from torch import nn

from dgmhelpers import laws
from dgmhelpers.adversarial import losses
from dgmhelpers.autoregressive import PixelCNN
from dgmhelpers.laws import functions

NINE_BITS = {"event_shape": (9,), "levels": 2}


def broken(report):
    return [verdict.law for verdict in report.broken]


# --- Held, but wrong


@pytest.mark.parametrize("rest", [-math.inf, -40.0])
def test_ones_are_not_drawn_from_a_density_of_zeros(rest):
    """With everything expected in one cell there was no degree of freedom left to refute anything."""
    report = laws.audit(
        log_prob=lambda x: torch.where(x.sum(1) == 0, 0.0, rest), sample=lambda n: torch.ones(n, 9), **NINE_BITS
    )
    assert broken(report) == ["sampler_matches_density"], str(report)
    right = laws.audit(
        log_prob=lambda x: torch.where(x.sum(1) == 0, 0.0, rest), sample=lambda n: torch.zeros(n, 9), **NINE_BITS
    )
    assert right.held, str(right)


def test_rare_cells_have_a_tail_of_their_own():
    expected = torch.tensor([1000.0, 0.5], dtype=torch.double)
    assert laws.g_test(torch.tensor([1000.0, 1.0]), expected)[0] > 0.1
    assert laws.g_test(torch.tensor([980.0, 20.0]), expected)[0] < 1e-20
    assert laws.g_test(torch.tensor([999.0, 1.0]), torch.tensor([1000.0, 0.0]))[0] == 0


class Holder:
    def __init__(self, net):
        self.parts = {"nets": [net]}

    def score(self, x):
        return self.parts["nets"][0].score(x)


def closure_of_closures(net):
    def inner(x):
        return net.score(x)

    return lambda x: inner(x)


HIDDEN = {
    "closure of a closure": closure_of_closures,
    "list": lambda net: (lambda nets: lambda x: nets[0].score(x))([net]),
    "dictionary": lambda net: (lambda nets: lambda x: nets["net"].score(x))({"net": net}),
    "attribute of an object": lambda net: Holder(net).score,
    "default argument": lambda net: lambda x, net=net: net.score(x),
}


@pytest.mark.parametrize("where", HIDDEN)
def test_a_module_is_found_wherever_it_is(where):
    net = ForeignNet(batch_norm=True)
    assert functions.modules_behind([HIDDEN[where](net)]) == [net]
    report = laws.audit(log_prob=HIDDEN[where](net), only="ignores_the_batch", **NINE_BITS)
    assert broken(report) == ["ignores_the_batch"] and "training mode" in report.broken[0].measured


def test_what_is_not_found_is_said_and_can_be_named():
    class Secret:
        __slots__ = ("net",)

    secret = Secret()
    secret.net = ForeignNet(batch_norm=True).eval()
    arguments = {"log_prob": lambda x: secret.net.score(x), "only": "ignores_the_batch"} | NINE_BITS
    verdict = laws.audit(**arguments)["ignores_the_batch"]
    assert verdict.held is None and "training mode could not be tried" in verdict.measured
    assert laws.audit(modules=[secret.net], **arguments)["ignores_the_batch"].held is False
    coins = {"log_prob": lambda x: x.sum(1) * 0 - 9 * math.log(2), "only": "ignores_the_batch"} | NINE_BITS
    assert laws.audit(modules=[], **coins)["ignores_the_batch"].held


def test_an_integral_that_is_too_rough_says_nothing():
    """A ridge as narrow as a hair, askew: two grids give two answers, and neither is to be believed."""

    def log_prob(x):
        unit = torch.distributions.Normal(torch.zeros((), dtype=x.dtype), 1.0)
        return unit.log_prob(x[:, 0]) + unit.log_prob((x[:, 1] - 0.7 * x[:, 0]) / 1e-5) - math.log(1e-5)

    verdict = laws.audit(log_prob=log_prob, event_shape=(2,))["integrates_to_one"]
    assert verdict.held is None and verdict.required and "too rough" in verdict.measured, str(verdict)


class Chained:
    """Five real variables, each normal around the tangent of the sum before it; the sampler may take one width for all.
    """

    widths = torch.tensor([0.5, 1.0, 1.5, 0.7, 1.2], dtype=torch.double)

    def __init__(self, first_alone):
        self.sampled = self.widths[:1].expand(5) if first_alone else self.widths

    def log_prob(self, x):
        before = x.cumsum(1) - x
        return torch.distributions.Normal(before.tanh(), self.widths).log_prob(x).sum(1)

    def sample(self, n, generator):
        x = torch.zeros(n, 5, dtype=torch.double)
        for i, width in enumerate(self.sampled):
            x[:, i] = x[:, :i].sum(1).tanh() + width * torch.randn(n, generator=generator, dtype=torch.double)
        return x


def test_a_sampler_that_gathers_the_first_output_alone_is_caught_in_five_dimensions():
    right, wrong = Chained(False), Chained(True)
    assert laws.audit(log_prob=right.log_prob, sample=right.sample, event_shape=(5,)).held
    report = laws.audit(log_prob=wrong.log_prob, sample=wrong.sample, event_shape=(5,))
    assert broken(report) == ["sampler_matches_density"], str(report)


# --- Broken, but right


class Plain(ForeignNet):
    """Samples into zeros of no stated type, as most code does."""

    def generate(self, count):
        x = torch.zeros(count, self.bits)
        with torch.no_grad():
            for i in range(self.bits):
                x[:, i] = torch.bernoulli(torch.sigmoid(self.logits(x)[:, i]))
        return x


@pytest.mark.parametrize("dtype", [None, torch.double])
def test_a_float32_model_is_audited_as_it_is(dtype):
    net = Plain().eval()
    report = laws.audit(log_prob=net.score, sample=net.generate, dtype=dtype, **NINE_BITS)
    assert report.held, str(report)
    assert torch.get_default_dtype() == torch.float32


def test_what_is_computed_in_float32_is_held_to_float32():
    """A closure that casts takes float64 and gives float32: the sum of 512 probabilities is off by more than 1e-6."""
    net = Plain().eval()
    noise = torch.linspace(-3e-6, 3e-6, 512)

    def score(x):
        code = (x.long() * 2 ** torch.arange(9)).sum(1)
        return (net.score(x.float()) + noise[code] + 2e-6).float()

    assert laws.audit(log_prob=score, sample=net.generate, **NINE_BITS).held
    wide = laws.audit(log_prob=lambda x: score(x) + 1e-3, **NINE_BITS)
    assert broken(wide) == ["sums_to_one"]


def test_one_sampler_is_not_compared_with_itself():
    class OneSampler(nn.Module):
        """Forward and orders, and no second sampler."""

        event_shape = (3,)
        levels = 2

        def log_prob(self, x):
            return -3 * math.log(2) + 0 * x.sum(1)

        def sample(self, n, *, generator=None):
            return torch.randint(2, (n, 3), generator=generator).float()

    report = laws.audit(OneSampler())
    assert report.held and not report["cached_equals_naive"].required
    assert "a naive sampler beside the cached one" in report["cached_equals_naive"].measured


def normal(dim, width=1.0):
    return lambda x: torch.distributions.Normal(torch.zeros((), dtype=x.dtype), width).log_prob(x).sum(1)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("width", [0.01, 100.0])
def test_a_wrong_sampler_does_not_convict_the_density(dim, width):
    report = laws.audit(log_prob=normal(dim), sample=lambda n: width * torch.randn(n, dim), event_shape=(dim,))
    assert broken(report) == ["sampler_matches_density"], str(report)
    assert report["integrates_to_one"].held


@pytest.mark.parametrize("width", [1e-4, 0.3, 1000.0])
def test_narrow_and_wide_densities_are_found(width):
    report = laws.audit(log_prob=normal(1, width), sample=lambda n: width * torch.randn(n, 1), event_shape=(1,))
    assert report.held, str(report)


def rotated_square(n):
    x = torch.rand(n, 2, dtype=torch.double) - 0.5
    return x @ torch.tensor([[0.8, 0.6], [-0.6, 0.8]], dtype=torch.double)


def test_the_samplers_law_knows_how_rough_its_grid_is():
    """A square that stands askew: its edges run through the cells of any grid. The sampler is right."""

    def log_prob(x):
        back = x.double() @ torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.double)
        return torch.where((back.abs() <= 0.5).all(1), 0.0, -math.inf)

    report = laws.audit(log_prob=log_prob, sample=rotated_square, event_shape=(2,))
    assert not report.broken, str(report)
    shifted = laws.audit(log_prob=log_prob, sample=lambda n: rotated_square(n) * 0.9, event_shape=(2,))
    assert broken(shifted) == ["sampler_matches_density"]


SUPPORTS = {
    "half-line": (torch.distributions.Exponential(torch.tensor([1.5], dtype=torch.double)), (1,)),
    "interval": (torch.distributions.Uniform(torch.tensor([-2.0]).double(), torch.tensor([5.0]).double()), (1,)),
    "unit interval": (torch.distributions.Beta(torch.tensor([2.0]).double(), torch.tensor([3.0]).double()), (1,)),
    "box": (torch.distributions.Uniform(torch.tensor([0.0, 0.0]).double(), torch.tensor([1.0, 3.0]).double()), (2,)),
    "quadrant": (torch.distributions.Gamma(torch.tensor([2.0, 3.0]).double(), torch.tensor([1.0, 2.0]).double()), (2,)),
}


@pytest.mark.parametrize("name", SUPPORTS)
def test_a_region_of_probability_zero_is_found_without_being_told(name):
    distribution, shape = SUPPORTS[name]
    distribution = distribution.__class__(
        *(getattr(distribution, p) for p in distribution.arg_constraints if p not in ("total_count",)),
        validate_args=False,
    ) if name != "unit interval" else torch.distributions.Beta(2.0, 3.0, validate_args=False)

    def log_prob(x):
        inside = distribution.support.check(x) if name != "interval" else (x >= -2) & (x <= 5)
        value = distribution.log_prob(torch.where(inside, x, distribution.mean))
        return torch.where(inside, value, -math.inf).reshape(len(x), -1).sum(1)

    report = laws.audit(
        log_prob=log_prob,
        sample=lambda n: distribution.sample((n, *([] if distribution.batch_shape else [1]))).reshape(n, *shape),
        loss=lambda x: -log_prob(x).mean(),
        event_shape=shape,
    )
    assert report.held, str(report)
    doubled = laws.audit(log_prob=lambda x: log_prob(x) + 0.05, event_shape=shape)
    assert broken(doubled) == ["integrates_to_one"]


class Masked(PixelCNN):
    """Declares no blind spot."""

    blind_spot = None


def test_a_field_that_ends_is_told_from_a_hole():
    torch.manual_seed(0)
    with pytest.warns(UserWarning):
        small = laws.audit(Masked((1, 1, 9), channels=6, layers=1), only="depends_on_exactly_its_past")
    assert "Nothing further away than 2 is seen" in small.broken[0].meaning
    assert "more layers" in small.broken[0].meaning
    hole = laws.audit(Masked((1, 3, 3), channels=6, layers=3), only="depends_on_exactly_its_past")
    assert "blind to part of its past" in hole.broken[0].meaning


def test_a_bound_without_gradient_and_a_map_without_inverse_are_not_judged_by_them():
    net = ForeignNet().double()

    @torch.no_grad()
    def elbo(x, k=1):
        return net.score(x.double()) - 0.1 / k

    report = laws.audit(elbo=elbo, **NINE_BITS)
    verdict = report["gradient_matches_differences"]
    assert verdict.held is None and not verdict.required and "no_grad" in verdict.measured
    report = laws.audit(forward=lambda x: (2 * x, math.log(2) * torch.ones(len(x)).to(x)), event_shape=(1,))
    assert not report.broken and "needs inverse(z)" in report["inverts"].measured


def test_labels_in_float32_are_no_other_loss():
    def loss(real, fake):
        one = torch.full(real.shape, 1 - 1e-8, dtype=torch.float32)
        both = nn.functional.binary_cross_entropy_with_logits
        return both(real.double(), one.double() - 2e-7) + both(fake.double(), torch.zeros_like(fake.double()))

    assert laws.loss_matches_closed_form(loss, "discriminator_loss").held
    assert not laws.loss_matches_closed_form(lambda r, f: losses.discriminator_loss(r, f) + 1e-4 * r.mean(),
                                             "discriminator_loss").held


def test_a_model_that_destroys_its_weights_is_judged_by_that_alone_first():
    class Destroying(ForeignNet):
        def score(self, x):
            with torch.no_grad():
                self.first.weight.mul_(0.5)
            return super().score(x)

    net = Destroying().eval()
    report = laws.audit(log_prob=net.score, sample=net.generate, **NINE_BITS)
    assert report.broken[0].law == "forward_changes_nothing"
    assert report["sums_to_one"].held                                   # its weights are given back to every law
