"""Flows against routes of their own: autograd, quadrature, closed forms; what they refuse; what training does first."""

import math

import pytest
import torch
from models.flows import coupling

from dgmhelpers import evaluation, flows, laws, masks
from dgmhelpers.classical.gaussian import SingularCovariance
from dgmhelpers.data import toys
from dgmhelpers.flows import NICE, AffineCoupling, Dequantised, Flow, LinearICA, Normal, RealNVP
from dgmhelpers.recipes.flows import bridge
from dgmhelpers.training import checkpoints, fit


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def stirred(model, size=0.3):
    """The model in float64 with parameters that are not zero, and not wild either."""
    model = model.double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(size * torch.randn(p.shape, generator=draws(1), dtype=torch.double) / max(1, p[0].numel()) ** 0.5)
    return model


EVERY = {
    "Real NVP of two": lambda: RealNVP(dim=2),
    "Real NVP of five": lambda: RealNVP(dim=5, norm=True),
    "Real NVP, no bound": lambda: RealNVP(dim=4, bound=None),
    "NICE of seven": lambda: NICE(dim=7),
    "NICE of images": lambda: NICE(event_shape=(2, 3, 5)),
    "images, not square": lambda: RealNVP(event_shape=(1, 4, 8), channels=4, scales=3, norm=True),
    "images of odd sides": lambda: RealNVP(event_shape=(3, 5, 3), channels=4, scales=1, norm=True),
    "ICA": lambda: LinearICA(dim=4),
}


def context_of(model, n):
    about = model.conditioned_on
    return None if about is None else torch.stack([about.row(i) for i in range(n)]).double()


def inverts_with_its_jacobian(make, training):
    """A stirred flow, initialised by data, held to 1e-9 both ways; it, four examples and their noise."""
    model = stirred(make()).train(training)
    x = 0.5 + 2 * torch.randn(40, *model.event_shape, generator=draws(2), dtype=torch.double)
    model.initialise(x)
    x, c = x[:4], context_of(model, 4)
    z, logdet = model.forward(x, c)
    back, inverse_logdet = model.inverse(z, c)
    assert (back - x).abs().max() < 1e-9 and (logdet + inverse_logdet).abs().max() < 1e-9
    for i in range(len(x)):
        of = None if c is None else c[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(lambda one, of=of: model.forward(one[None], of)[0][0], x[i])
        exact = torch.linalg.slogdet(jacobian.reshape(x[0].numel(), -1))[1]
        assert abs(exact - logdet[i]) < 1e-9 * (1 + abs(exact))
    assert torch.allclose(model.log_prob(x, c), model.base.log_prob(z) + logdet)
    return model, x, z


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("name", EVERY)
def test_inverse_to_nine_digits_and_the_whole_jacobian(name, training):
    """Also after it was initialised by data, and in both modes."""
    model, x, z = inverts_with_its_jacobian(EVERY[name], training)
    path, way_back = model.path(x), model.inverse_path(z)
    assert torch.equal(path[-1], z)
    assert all((a - b).abs().max() < 1e-9 for a, b in zip(path, way_back[::-1], strict=True))


def test_an_initialised_flow_obeys_its_laws():
    model = RealNVP(event_shape=(1, 2, 4), channels=4, norm=True, bound=0.5)
    model.initialise(3 + 2 * torch.randn(50, 1, 2, 4, generator=draws()))
    report = laws.audit(model)
    assert report.held and not report.missing, str(report)


def test_actnorm_makes_the_first_examples_standard_and_is_not_moved_again():
    norm = flows.ActNorm((2, 3, 3)).double()
    x = torch.tensor([5.0, -2.0], dtype=torch.double)[:, None, None] + 3 * torch.randn(
        100, 2, 3, 3, generator=draws(), dtype=torch.double)
    norm.initialise(x)
    z, _ = norm(x)
    assert z.transpose(0, 1).flatten(1).mean(1).abs().max() < 1e-12
    assert (z.transpose(0, 1).flatten(1).std(1) - 1).abs().max() < 1e-12
    before = norm.shift.clone()
    norm.initialise(10 * x)
    assert torch.equal(norm.shift, before)
    with pytest.raises(ValueError, match="two examples"):
        flows.ActNorm(3).initialise(torch.zeros(1, 3))


def test_what_is_factored_out_is_left_alone():
    """The half of the channels that the last scale does not see goes to the base as the first scale left it."""
    model = stirred(RealNVP(event_shape=(1, 4, 4), channels=4, scales=2))
    x = torch.randn(3, 1, 4, 4, generator=draws(), dtype=torch.double)
    path = model.path(x)
    rest = next(i for i, part in enumerate(model.bijections) if isinstance(part, flows.Rest))
    assert torch.equal(path[rest][:, :2], path[rest + 1][:, :2])
    assert not torch.allclose(path[rest][:, 2:], path[rest + 1][:, 2:])
    assert path[-1].shape == x.shape


def test_two_maps_of_a_gaussian_have_the_density_of_its_formula():
    """A linear flow over a normal base is the Gaussian of mean µ and covariance (WᵀW)⁻¹."""
    model = stirred(LinearICA(dim=3, base="normal"))
    x = torch.randn(5, 3, generator=draws(), dtype=torch.double)
    exact = torch.distributions.MultivariateNormal(model.mean, precision_matrix=model.W.T @ model.W)
    assert torch.allclose(model.log_prob(x), exact.log_prob(x))


@pytest.mark.parametrize("base", [flows.Normal, flows.Logistic, flows.TwoNormals])
def test_bases_have_the_moments_that_their_docstrings_say(base):
    x = torch.linspace(-60, 60, 400_001, dtype=torch.double)
    p = base(1).double().log_prob(x[:, None]).exp()
    mass, second, fourth = (torch.trapezoid(p * x**k, x).item() for k in (0, 2, 4))
    variance = math.pi**2 / 3 if base is flows.Logistic else 1.0
    excess = {flows.Normal: 0.0, flows.Logistic: 1.2, flows.TwoNormals: -2 * 0.9**4}[base]
    assert abs(mass - 1) < 1e-9 and abs(second - variance) < 1e-9
    assert abs(fourth / second**2 - 3 - excess) < 1e-8


def test_a_flow_between_zero_and_one_integrates_to_one():
    model = stirred(Flow(Normal(2), [flows.Logit(2), coupling(2)]))
    cell = evaluation.over_cells(lambda x: model.log_prob(x.clamp(max=1 - 1e-16)), torch.zeros(1, 2).double())
    assert abs(cell.exp().item() - 1) < 1e-6


def test_ica_unmixes_what_is_not_gaussian_and_cannot_unmix_what_is():
    mixing = torch.tensor([[1.0, 0.6], [0.3, 1.0]])
    uniform = torch.rand(4000, 2, generator=draws()) * 12**0.5 - 3**0.5
    laplace = uniform.sign() * torch.rand(4000, 2, generator=draws(1)).log()
    for sources, base in ((laplace, "logistic"), (uniform, "two normals")):
        model = LinearICA(dim=2, base=base)
        fit(model, sources @ mixing.T, steps=400, batch_size=500, lr=0.02, progress=False)
        assert evaluation.amari_index(model.W @ mixing) < 0.06
    normal = LinearICA(dim=2, base="normal")
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    x = torch.randn(10, 2, generator=draws())
    before = normal.log_prob(x)
    with torch.no_grad():
        normal.W.copy_(turn @ normal.W)
    assert torch.allclose(before, normal.log_prob(x), atol=1e-5)


def test_amari_index_at_its_ends():
    assert evaluation.amari_index(torch.tensor([[0.0, -3.0], [0.1, 0.0]])) == 0
    assert evaluation.amari_index(torch.ones(4, 4)) == 1
    for wrong in (torch.ones(2, 3), torch.tensor([[0.0, 0.0], [1.0, 1.0]])):
        with pytest.raises(ValueError):
            evaluation.amari_index(wrong)


@pytest.mark.parametrize("noise", ["uniform", "variational"])
def test_untrained_noise_and_a_logistic_base_are_the_uniform_distribution(noise):
    """The sigmoid makes the logistic uniform: P(x) = K^−D, and the bound says exactly that."""
    model = Dequantised((1, 2, 3), 7, flow="NICE", noise=noise).double()
    x = torch.randint(7, (5, 1, 2, 3), generator=draws())
    assert torch.allclose(model.elbo(x, generator=draws()), torch.full((5,), -6 * math.log(7)).double())
    assert torch.allclose(model.bits_per_dim(x, 3, generator=draws()), torch.full((5,), math.log2(7)).double())


@pytest.mark.parametrize(("squash", "alpha"), [("logit", 0.0), ("logit", 0.05), ("affine", 0.0)])
def test_the_four_terms_by_another_route(squash, alpha):
    """One map from levels to z, its Jacobian by autograd, gives the three deterministic terms at once."""
    model = stirred(Dequantised((3,), 5, squash=squash, alpha=alpha, noise="variational"))
    x = torch.tensor([[0, 3, 4]])
    points, log_q = model.dequantise(x, generator=draws(3))
    terms = model.terms(x, generator=draws(3))

    def whole(p):
        u = p[None] / 5
        y = torch.logit(alpha + (1 - 2 * alpha) * u) if squash == "logit" else 2 * u - 1
        return model.flow.forward(y)[0][0]

    logdet = torch.linalg.slogdet(torch.autograd.functional.jacobian(whole, points[0]))[1]
    exact = model.flow.base.log_prob(whole(points[0])[None]) + logdet - log_q
    assert torch.allclose(terms.elbo, exact) and torch.allclose(model.log_density(points) - log_q, exact)
    assert torch.equal(terms.noise, -log_q) and terms.levels.item() == pytest.approx(-3 * math.log(5))


def test_the_bound_tends_to_the_integral_over_the_cell():
    model = stirred(Dequantised((2,), 5, noise="variational", sizes={"layers": 2, "hidden": (8,)}))
    x = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    exact = evaluation.over_cells(model.log_density, x)
    assert abs(exact.exp().sum().item() - 1) < 1e-6
    ratio = (model.log_weights(x, 4000, generator=draws()) - exact).exp()              # (k, B), of mean 1
    assert ((ratio.mean(0) - 1).abs() < 5 * ratio.std(0) / 4000**0.5).all()
    one = torch.stack([model.elbo(x, generator=draws(i)) for i in range(200)])
    assert (one.mean(0) < exact + 5 * one.std(0) / 200**0.5).all() and (exact - one.mean(0)).mean() > 0.01


def test_plain_images_are_one_of_each_level():
    images = flows.plain_images((1, 2, 2), 4)
    assert images.shape == (4, 1, 2, 2) and images.flatten(1).unique(dim=1).flatten().tolist() == [0, 1, 2, 3]


def test_masks_of_couplings():
    assert masks.alternating([5]).tolist() == [True, False, True, False, True]
    board = masks.alternating((2, 3, 2), odd=True)
    assert board[0].tolist() == [[False, True], [True, False], [False, True]] and torch.equal(board[0], board[1])
    assert masks.half((4, 1, 1))[:, 0, 0].tolist() == [True, True, False, False]
    assert torch.equal(masks.half((4, 2, 2), odd=True), ~masks.half((4, 2, 2)))


def test_a_coupling_can_be_conditional():
    from dgmhelpers.flows.networks import Perceptron

    keep = masks.alternating([4])
    layer = stirred(AffineCoupling(4, keep, Perceptron(keep, (8,), context=2)))
    x, c = torch.randn(3, 4, generator=draws(), dtype=torch.double), torch.randn(3, 2, generator=draws(1)).double()
    z, logdet = layer(x, c)
    assert (layer.inverse(z, c)[0] - x).abs().max() < 1e-12 and not torch.allclose(logdet, layer(x, 2 * c)[1])


def test_the_bridge_of_the_truth():
    islands = toys.get("two_islands")
    exact = math.erfc(4 / math.sqrt(2)) / 2 - math.erfc(6 / math.sqrt(2)) / 2   # of one island: 4 to 6 deviations off
    assert bridge(islands) == pytest.approx(exact, rel=1e-3)


REFUSED = {
    "a vector of one": (lambda: RealNVP(dim=1), "2 entries or more"),
    "dim and event_shape": (lambda: NICE(dim=2, event_shape=(2,)), "not both: got 2"),
    "an image that cannot be squeezed": (lambda: RealNVP(event_shape=(1, 7, 8)), "image of 7 × 8 cannot be squeezed"),
    "one that cannot be squeezed again": (lambda: RealNVP(event_shape=(1, 28, 28), scales=4), "image of 7 × 7"),
    "odd channels": (lambda: flows.Rest((3, 2, 2), [flows.Scale((1, 2, 2))]), "3 channels cannot be split"),
    "half of one channel": (lambda: masks.half((1, 2, 2)), "cannot be cut in half"),
    "nothing kept": (lambda: AffineCoupling(3, [False] * 3), "0 of 3 kept"),
    "a base": (lambda: NICE(base="logstic"), "did you mean logistic"),
    "a flow": (lambda: Dequantised(flow="Glw"), "no flow is called 'Glw': did you mean Glow"),
    "noise": (lambda: Dequantised(noise="half"), "no noise is called 'half'"),
    "shapes that do not meet": (lambda: Flow(Normal(3), [flows.Scale(3), flows.Scale(2)]), r"map 0 \(Scale\) gives"),
    "another base": (lambda: Flow(Normal(3), [flows.Scale(2)]), r"give \(2,\), and the base .* \(3,\)"),
    "no map": (lambda: Flow(Normal(3), []), "at least one map"),
    "an order": (lambda: flows.Permutation(3, [0, 0, 1]), "permutation of 0 … 2"),
    "alpha": (lambda: flows.Logit(2, 0.5), "below 0.5"),
    "beyond a logit": (lambda: flows.Logit(2)(torch.tensor([[0.5, 1.0]])), "below 1, got 1:"),
    "levels not divided": (lambda: Flow(Normal(1), [flows.Logit(1)]).log_prob(torch.tensor([[3.0]])), "got 3:"),
    "not finite": (lambda: RealNVP().log_prob(torch.tensor([[1.0, math.inf]])), "must be finite"),
    "real levels": (lambda: Dequantised().elbo(torch.zeros(1, 1, 8, 8)), "levels must be integers"),
    "a shape of z": (lambda: RealNVP().inverse(torch.zeros(2, 3)), r"expected z of shape \(B, 2\), got \(2, 3\)"),
    "nothing to whiten by": (lambda: LinearICA(3).initialise(torch.randn(2, 3)), "cannot be whitened"),
    "a sum of others": (lambda: LinearICA(3).initialise(torch.randn(50, 2) @ torch.tensor([[1, 0, 1], [0, 1, 1.0]])),
                        "no spread in 1 of 3 directions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_gives_one_clear_line(name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        make()


def test_singular_whitening_is_a_singular_covariance():
    with pytest.raises(SingularCovariance):
        fit(LinearICA(2), torch.ones(20, 2), steps=1, batch_size=4, progress=False)


@pytest.mark.parametrize("make", [
    lambda: RealNVP(dim=3, layers=2, hidden=(4,), norm=True), lambda: NICE(event_shape=(1, 2, 2), hidden=(4,)),
    lambda: LinearICA(2, "two normals"), lambda: Dequantised((1, 4, 4), 3, sizes={"channels": 4}, noise="variational"),
], ids=["RealNVP", "NICE", "LinearICA", "Dequantised"])  # fmt: skip
def test_stored_and_loaded_it_is_the_same(make, tmp_path):
    model = stirred(make()).float().eval()
    checkpoints.save(tmp_path / "flow.safetensors", model)
    again = checkpoints.load(tmp_path / "flow.safetensors")
    assert type(again) is type(model) and again.config == model.config
    drawn = [each.sample(5, generator=draws()) for each in (model, again)]
    assert torch.equal(*drawn) and torch.equal(model.loss(drawn[0], generator=draws()),
                                               again.loss(drawn[0], generator=draws()))


def test_training_initialises_first_and_once_and_resumes_bit_for_bit(tmp_path):
    x = 5 + 2 * torch.randn(300, 2, generator=draws())
    arguments = dict(steps=6, batch_size=50, evaluate_every=2, progress=False)

    def fresh():
        torch.manual_seed(0)
        return RealNVP(dim=2, layers=2, hidden=(4,), norm=True)

    whole, stopped = fresh(), fresh()
    fit(whole, x, **arguments)
    norm = whole.bijections[0]
    assert norm.seen and abs(norm.shift[0] + 5) < 0.5
    fit(stopped, x, **arguments, time_limit=1e-9, checkpoint=tmp_path / "run.safetensors")
    again = fresh()
    fit(again, x, **arguments, checkpoint=tmp_path / "run.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))
    shift = norm.shift.clone()
    fit(whole, 100 + x, steps=1, batch_size=50, lr=1e-9, progress=False)
    assert torch.allclose(norm.shift, shift, atol=1e-6)
