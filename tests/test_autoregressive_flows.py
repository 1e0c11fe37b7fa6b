"""MAF, IAF, splines and Glow against other routes: autograd, closed forms, RNADE, D passes of the whole network."""

import math

import pytest
import torch
from test_flows import context_of, draws, inverts_with_its_jacobian, stirred

from dgmhelpers import evaluation, flows, masks
from dgmhelpers.autoregressive import RNADE
from dgmhelpers.data import toys
from dgmhelpers.flows import IAF, MAF, Flow, Glow, Normal, RealNVP, Triangular
from dgmhelpers.flows.masked import MaskedPerceptron
from dgmhelpers.flows.rules import Affine, Spline
from dgmhelpers.recipes.autoregressive_flows import ReverseKL, drawn, on_the_ring
from dgmhelpers.training import checkpoints, fit

EVERY = {
    "MAF of two": lambda: MAF(dim=2, norm=True),
    "MAF of seven, two hidden layers": lambda: MAF(dim=7, layers=2, hidden=(5, 12)),
    "MAF of images, splines": lambda: MAF(event_shape=(2, 1, 3), layers=2, bins=4),
    "MAF with a context": lambda: MAF(dim=3, layers=2, context=2, norm=True),
    "IAF of five": lambda: IAF(dim=5, layers=3, hidden=(16,), norm=True),
    "IAF of four, splines": lambda: IAF(dim=4, layers=2, bins=5),
    "coupled splines of five": lambda: RealNVP(dim=5, layers=3, bins=4, norm=True),
    "coupled splines of images": lambda: RealNVP(event_shape=(1, 2, 4), channels=4, bins=4),
    "Glow, not square": lambda: Glow((1, 4, 8), steps=2, channels=4),
    "Glow in colour": lambda: Glow((3, 4, 4), steps=1, channels=4, scales=1),
}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("name", EVERY)
def test_inverse_to_nine_digits_and_the_whole_jacobian(name, training):
    """Also after it was initialised by data, and in both modes."""
    inverts_with_its_jacobian(EVERY[name], training)


@pytest.mark.parametrize("make", [lambda: MAF(dim=6, layers=3, hidden=(7, 9)), lambda: MAF(dim=5, bins=4, context=2),
                                  lambda: MAF(dim=9, hidden=(4,))], ids=["two layers", "context", "few units"])
def test_cached_inverse_is_that_by_passes(make):
    model = stirred(make())
    z, c = torch.randn(5, *model.event_shape, generator=draws(), dtype=torch.double), context_of(model, 5)
    for part in model.bijections:
        cached, slow = part.inverse(z, c), part.inverse_by_passes(z, c)
        assert all((a - b).abs().max() < 1e-9 for a, b in zip(cached, slow, strict=True))
    both = [model.sample(4, context=None if c is None else c[:4], method=m, generator=draws()) for m in
            ("cached", "naive")]
    assert torch.allclose(*both)


def test_gradients_pass_through_the_inverse():
    """What a likelihood of an IAF is trained by; against central differences."""
    model = stirred(IAF(dim=3, layers=2, hidden=(5,)))
    x = torch.randn(4, 3, generator=draws(), dtype=torch.double)
    weight = next(model.parameters())
    gradient = torch.autograd.grad(model.loss(x), weight)[0]
    place = tuple((gradient.abs() == gradient.abs().max()).nonzero()[0])
    ends = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight[place] += step
            ends.append(model.loss(x).item())
            weight[place] -= step
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradient[place].item(), rel=1e-6)


def test_iaf_is_the_mirror_image_of_maf():
    maf = stirred(MAF(dim=4, layers=3, hidden=(6,)))
    iaf = IAF.mirror(maf)
    u = torch.randn(5, 4, generator=draws(), dtype=torch.double)
    for one, other in ((maf.forward, iaf.inverse), (maf.inverse, iaf.forward)):
        assert all(torch.equal(a, b) for a, b in zip(one(u), other(u), strict=True))
    assert {id(p) for p in maf.parameters()}.isdisjoint(id(p) for p in iaf.parameters())
    with pytest.raises(ValueError, match="norm=True"):
        IAF.mirror(MAF(norm=True))


class Conditionals(torch.nn.Module):
    """An RNADE of one component as the network of an autoregressive map."""

    def __init__(self, rnade):
        super().__init__()
        self.rnade = rnade

    def forward(self, x, context=None):
        _, mean, log_std = self.rnade(x)[..., 0].unbind(-1)                           # (B, D)
        return torch.stack([-mean * (-log_std).exp(), -log_std])


def test_a_map_with_the_network_of_an_rnade_is_that_rnade():
    rnade = stirred(RNADE(dim=5, hidden=7, components=1, order=[2, 0, 4, 1, 3]))
    flow = Flow(Normal(5), [Triangular(5, Conditionals(rnade), Affine(None))]).double()
    x = torch.randn(6, 5, generator=draws(), dtype=torch.double)
    assert torch.allclose(flow.log_prob(x), rnade.log_prob(x), atol=1e-12)
    z, _ = flow.forward(x)
    assert torch.allclose(flow.inverse(z)[0], x)


def test_who_may_see_whom():
    """The masks' promise, by autograd: in the order of the entries the Jacobian of the outputs is strictly lower."""
    order = torch.tensor([3, 0, 2, 1])
    net = stirred(MaskedPerceptron(4, (6, 5), 3, order, context=2))
    x, c = torch.randn(4, generator=draws(), dtype=torch.double), torch.randn(1, 2, generator=draws(1)).double()
    J = torch.autograd.functional.jacobian(lambda one: net(one[None], c)[:, 0], x)    # (3, D, D)
    seen = (J != 0).any(0)[order][:, order]
    assert torch.equal(seen, torch.ones(4, 4).tril(-1).bool())
    C = torch.autograd.functional.jacobian(lambda one: net(x[None], one)[:, 0], c)
    assert (C != 0).any(-1).all(), "every entry, the first too, reads the context"
    assert torch.equal(masks.reach(MaskedPerceptron(4, (6, 5)).masks)[:4], masks.past(torch.arange(4)))


def test_layers_alternate_between_two_orders():
    orders = [part.network.order.tolist() for part in MAF(dim=3, layers=3).bijections]
    assert orders == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]


def test_a_spline_starts_as_the_identity_rises_and_meets_its_knots():
    rule = Spline(bins=5, reach=3.0)
    x = torch.linspace(-4, 4, 801, dtype=torch.double)
    z, slope = rule.forward(x, torch.zeros(14, 801, dtype=torch.double))
    assert torch.allclose(z, x) and slope.abs().max() < 1e-12
    raw = 2 * torch.randn(14, 1, generator=draws(), dtype=torch.double)
    z, log_slope = rule.forward(x, raw.expand(-1, 801))
    assert (z.diff() > 0).all() and torch.equal(z[x.abs() >= 3], x[x.abs() >= 3])
    places, heights, slopes = rule.knots(raw)
    at, log_at = rule.forward(places[1:-1, 0], raw.expand(-1, 4))
    assert torch.allclose(at, heights[1:-1, 0]) and torch.allclose(log_at.exp(), slopes[1:-1, 0])
    assert slopes[0] == slopes[-1] == 1
    inside = x.abs() < 3
    again, back = rule.inverse(z, raw.expand(-1, 801))
    assert (again - x).abs().max() < 1e-9 and (log_slope + back)[inside].abs().max() < 1e-8
    fine = torch.linspace(-4, 4, 80_001, dtype=torch.double)
    slope = rule.forward(fine, raw.expand(-1, len(fine)))[1].exp()
    assert torch.trapezoid(slope, fine).item() == pytest.approx(8.0, abs=1e-3), "its integral is the rise"


def test_the_matrix_of_a_1x1_convolution():
    torch.manual_seed(1)
    mix = flows.Invertible1x1((3, 2, 5)).double()
    assert torch.allclose(mix.W @ mix.W.T, torch.eye(3).double(), atol=1e-5), "at first a rotation"
    mix = stirred(mix)
    x = torch.randn(4, 3, 2, 5, generator=draws(), dtype=torch.double)
    z, logdet = mix(x)
    assert torch.allclose(z, torch.einsum("ij,bjhw->bihw", mix.W, x))
    assert torch.allclose(logdet, (10 * torch.linalg.slogdet(mix.W)[1]).expand(4))
    with torch.no_grad():
        mix.lower.fill_(9.0)                                    # what is above its diagonal counts for nothing
    assert torch.linalg.slogdet(mix.W)[1].item() == pytest.approx(mix.log_scale.sum().item())


def test_colder_draws_of_glow_spread_less():
    model = stirred(Glow((1, 4, 4), steps=1, channels=4), 0.05)
    spread = [model.sample(200, temperature=t, generator=draws()).std(0).mean() for t in (0.25, 0.5, 1.0)]
    assert spread[0] < spread[1] < spread[2]


@pytest.mark.parametrize("flow", ["Glow", "MAF", "IAF"])
def test_levels_have_a_noise_and_come_back_from_it(flow):
    sizes = {"steps": 1, "channels": 4} if flow == "Glow" else {"hidden": (8,), "bins": 3}
    model = stirred(flows.Dequantised((1, 4, 4), 5, flow, sizes))
    x = torch.randint(5, (6, 1, 4, 4), generator=draws())
    z = model.noise_of(x)
    assert torch.equal(model.levels_at(z), x) and z.dtype == torch.double


def test_live_parameters_are_those_that_change_something():
    model = stirred(MAF(dim=3, layers=1, hidden=(4,)))
    x = torch.randn(50, 3, generator=draws(), dtype=torch.double)
    model.loss(x).backward()
    moved = sum(int((p.grad != 0).sum()) for p in model.parameters())
    assert evaluation.live_parameters(model) == moved < sum(p.numel() for p in model.parameters())


def test_a_student_s_loss_is_its_divergence_to_the_teacher_over_its_own_draws():
    """log q by the inverse alone is what log_prob says; the teacher is no parameter; the examples are not looked at."""
    student, teacher = stirred(IAF(dim=3, layers=2, hidden=(8,))), stirred(MAF(dim=3, layers=1, hidden=(8,)))
    x, log_q = drawn(student, 50, draws())
    assert torch.allclose(log_q, student.log_prob(x), atol=1e-10)
    reverse = ReverseKL(student, teacher)
    assert torch.allclose(reverse.loss(torch.full((50, 3), math.nan), generator=draws()),
                          (student.log_prob(x) - teacher.log_prob(x)).mean())
    assert {id(p) for p in reverse.parameters()} == {id(p) for p in student.parameters()}


def test_draws_are_counted_by_mode_of_the_ring():
    truth = on_the_ring(toys.get("ring_of_8").sample(20_000, draws()))
    assert truth["least_mode"] == pytest.approx(0.125, abs=0.01)
    assert truth["between"] == pytest.approx(math.exp(-8), abs=3e-4)                  # four deviations in the plane
    one = on_the_ring(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
    assert one == {"least_mode": 0.0, "between": 0.5}


REFUSED = {
    "a vector of one": (lambda: MAF(dim=1), "2 entries or more"),
    "dim and event_shape": (lambda: IAF(dim=2, event_shape=(2,)), "not both: got 2"),
    "no layer": (lambda: MAF(layers=0), "at least 1, got 0"),
    "no hidden layer": (lambda: MAF(hidden=()), "one hidden layer at least"),
    "one bin": (lambda: MAF(bins=1), "at least 2, got 1"),
    "no reach": (lambda: MAF(bins=4, reach=0.0), "reach must be .*got 0"),
    "an order": (lambda: MaskedPerceptron(3, (4,), 2, [0, 1, 1]), "permutation of 0 … 2"),
    "a way to draw": (lambda: MAF().sample(1, method="caches"), "did you mean cached"),
    "a context that is not declared": (lambda: MAF().log_prob(torch.zeros(1, 2), torch.zeros(1, 1)), "not conditional"),
    "no context": (lambda: MAF(context=2).sample(3), "context must give"),
    "contexts of another size": (lambda: IAF(context=2).sample(3, context=torch.zeros(3, 3)), r"shape \(B, 2\)"),
    "a vector for Glow": (lambda: Glow((4,)), r"images \(C, H, W\), got examples of shape \(4,\)"),
    "an image that cannot be squeezed": (lambda: Glow((1, 6, 6)), "image of 3 × 3 cannot be squeezed"),
    "nothing kept": (lambda: flows.RationalQuadratic(3, [False] * 3), "0 of 3 kept"),
    "not finite": (lambda: MAF().log_prob(torch.tensor([[1.0, math.nan]])), "must be finite"),
    "one example to initialise by": (lambda: Glow((1, 4, 4)).initialise(torch.zeros(0, 1, 4, 4)), "two examples"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_gives_one_clear_line(name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("make", [lambda: MAF(dim=3, layers=2, hidden=(4,), norm=True, bins=3),
                                  lambda: IAF(event_shape=(1, 2, 2), hidden=(4,), context=1),
                                  lambda: Glow((1, 4, 4), steps=1, channels=4), lambda: RealNVP(dim=3, bins=4)],
                         ids=["MAF", "IAF", "Glow", "RealNVP"])  # fmt: skip
def test_stored_and_loaded_it_is_the_same(make, tmp_path):
    model = stirred(make()).float().eval()
    checkpoints.save(tmp_path / "flow.safetensors", model)
    again = checkpoints.load(tmp_path / "flow.safetensors")
    assert type(again) is type(model) and again.config == model.config
    about = None if model.conditioned_on is None else torch.ones(5, 1)
    drawn = [each.sample(5, context=about, generator=draws()) for each in (model, again)]
    assert torch.equal(*drawn)
    assert torch.equal(model.log_prob(drawn[0], about), again.log_prob(drawn[0], about))


def test_it_learns_a_density_given_a_context():
    """x | c is normal around c: the entropy is known, and the loss must come near it."""
    c = torch.randn(2000, 1, generator=draws())
    x = torch.cat([c, -c], 1) + 0.5 * torch.randn(2000, 2, generator=draws(1))
    torch.manual_seed(0)
    model = MAF(dim=2, layers=2, hidden=(16,), context=1)
    fit(model, x, context=c, steps=150, batch_size=100, lr=0.02, decay=True, progress=False)
    entropy = math.log(2 * math.pi * math.e * 0.25)
    with torch.no_grad():
        assert entropy - 0.05 < -model.log_prob(x, c).mean().item() < entropy + 0.05
