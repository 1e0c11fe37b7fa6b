"""Latent-variable models against independent routes: quadrature, Monte Carlo, differences, closed forms."""

import math

import pytest
import torch
from torch import Generator, nn

from dgmhelpers import evaluation, latent, likelihoods
from dgmhelpers.classical import GaussianMixture
from dgmhelpers.model import Model
from dgmhelpers.training import TrainingDiverged, checkpoints, fit


def seeded(seed=0):
    return Generator().manual_seed(seed)


def make(kind=latent.VAE, seed=0, **config):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return kind(**config).double()


SMALL = {
    "bernoulli": lambda: make(dim=6, latent=2, hidden=(7,)),
    "deep": lambda: make(dim=6, latent=3, hidden=(7, 5)),
    "silu": lambda: make(dim=6, latent=2, hidden=(7,), activation="silu"),
    "no hidden layer": lambda: make(dim=6, latent=2, hidden=()),
    "categorical": lambda: make(dim=4, latent=2, hidden=(7,), levels=5, likelihood="categorical"),
    "logistic": lambda: make(dim=4, latent=2, hidden=(7,), levels=5),
    "gaussian": lambda: make(dim=4, latent=2, hidden=(7,), levels=None),
    "gaussian fixed": lambda: make(dim=4, latent=2, hidden=(7,), levels=None, std=0.5),
    "gaussian predicted": lambda: make(dim=4, latent=1, hidden=(7,), levels=None, std="predicted"),
    "conv": lambda: make(latent.ConvVAE, event_shape=(1, 3, 5), channels=(3, 4), hidden=6),
    "conv of one pixel": lambda: make(latent.ConvVAE, event_shape=(2, 1, 1), channels=(3, 4), hidden=6, levels=3),
    "linear": lambda: make(latent.LinearGaussianVAE, dim=4, latent=2),
}


@pytest.fixture(params=SMALL, ids=str)
def model(request):
    return SMALL[request.param]()


def examples(model, n, seed=1):
    levels, generator = model.likelihood.levels, seeded(seed)
    shape = (n, *model.event_shape)
    if levels is None:
        return torch.randn(shape, generator=generator, dtype=torch.double)
    x = torch.randint(levels, shape, generator=generator)
    return x.double() if levels == 2 else x


# --- the pieces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (0.7, -0.5), (-2.0, 0.8), (0.1, -3.0)])
def test_gaussian_kl_against_quadrature_and_monte_carlo(mean, log_std):
    closed = latent.gaussian_kl(*torch.tensor([mean, log_std], dtype=torch.double)).item()
    q = torch.distributions.Normal(torch.tensor(mean, dtype=torch.double), math.exp(log_std))
    p = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.double), 1.0)
    z = torch.linspace(mean - 12 * math.exp(log_std), mean + 12 * math.exp(log_std), 4001, dtype=torch.double)
    integral = torch.trapezoid(q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z)), z).item()
    assert abs(closed - integral) < 1e-12
    draws = mean + math.exp(log_std) * torch.randn(20_000, generator=seeded(), dtype=torch.double)
    values = q.log_prob(draws) - p.log_prob(draws)
    assert abs(values.mean().item() - closed) < 4 * values.std().item() / math.sqrt(len(values)) + 1e-12


def test_shapes(model):
    x = examples(model, 5)
    mean, log_std = model.encode(x)
    assert mean.shape == log_std.shape == (5, model.latent)
    params = model.decode(mean)
    assert params.shape == (5, *model.event_shape, *model.likelihood.parameter_shape)
    assert model.elbo(x).shape == model.elbo(x, 3).shape == (5,)
    assert model.log_weights(x, 3).shape == (3, 5)
    reconstruction, kl = model.terms(x)
    assert reconstruction.shape == (5,) and kl.shape == (5, model.latent)
    for n in (0, 1, 4):
        drawn = model.sample(n, generator=seeded())
        assert drawn.shape == (n, *model.event_shape)
        model.elbo(drawn)                                # a sample is an example
    assert model.means(mean).shape == model.reconstruct(x).shape == x.shape
    assert model.reconstruct(x, seeded()).shape == x.shape


def test_elbo_is_what_its_terms_and_its_weights_say(model):
    """k = 1: reconstruction − KL. k > 1: the log-mean-exp of weights, rebuilt here from the definition."""
    x = examples(model, 4)
    terms = model.terms(x, generator=seeded(3))
    assert torch.equal(model.elbo(x, generator=seeded(3)), terms.reconstruction - terms.kl.sum(1))
    mean, log_std = model.encode(x)
    noise = torch.empty(5, 4, model.latent, dtype=torch.double).normal_(generator=seeded(4))
    q = torch.distributions.Normal(mean, log_std.exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), 1.0)
    weights = []
    for each in noise:
        z = mean + log_std.exp() * each
        likelihood = model.likelihood.log_prob(model.decode(z), x).flatten(1).sum(1)
        weights.append(likelihood + p.log_prob(z).sum(1) - q.log_prob(z).sum(1))
    assert (model.log_weights(x, 5, generator=seeded(4)) - torch.stack(weights)).abs().max() < 1e-10
    value = torch.stack(weights).exp().mean(0).log()
    assert (model.elbo(x, 5, generator=seeded(4)) - value).abs().max() < 1e-10


@pytest.mark.parametrize("k", [1, 3])
def test_gradients_are_those_of_finite_differences(model, k):
    """Every parameter's gradient of the bound, on fixed noise, along a random direction, by central differences."""
    x = examples(model, 3)

    def value():
        return model.elbo(x, k, generator=seeded(5)).sum()

    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(value(), parameters)
    generator = seeded(6)
    for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
        step = 1e-5
        with torch.no_grad():
            original = parameter.clone()
            ends = []
            for sign in (1, -1):
                parameter.copy_(original + sign * step * direction)
                ends.append(value().item())
            parameter.copy_(original)
        difference = (ends[0] - ends[1]) / (2 * step)
        assert abs(difference - (gradient * direction).sum().item()) < 1e-6 * (1 + abs(difference)), name


def test_bound_rises_with_reconstruction_and_falls_with_kl():
    """Signs, one at a time: a decoder surer of the truth raises the bound, a q further from the prior lowers it."""
    model = make(dim=3, latent=1, hidden=())
    x = torch.ones(1, 3, dtype=torch.double)
    with torch.no_grad():
        model.decoder[0].weight.zero_()
        before = model.elbo(x).item()
        model.decoder[0].bias.add_(1.0)
        surer = model.elbo(x).item()
        model.encoder[0].bias[0].add_(5.0)
        further = model.elbo(x).item()
    assert surer > before
    assert further < surer - 5


# --- the linear Gaussian model: everything is known -------------------------------------------------------------------


@pytest.fixture
def linear():
    model = make(latent.LinearGaussianVAE, dim=5, latent=2, seed=2)
    with torch.no_grad():
        model.b.normal_(generator=seeded(1))
        model.log_sigma.fill_(-0.3)
        model.log_std.copy_(torch.tensor([-0.2, 0.1]))
    return model


def test_linear_gaussian_density_is_that_of_the_marginal(linear):
    x = examples(linear, 6)
    covariance = linear.W @ linear.W.T + (2 * linear.log_sigma).exp() * torch.eye(5, dtype=torch.double)
    expected = torch.distributions.MultivariateNormal(linear.b, covariance).log_prob(x)
    assert (linear.log_prob(x) - expected).abs().max() < 1e-12
    assert (evaluation.quadrature(linear, x) - expected).abs().max() < 1e-10


def test_linear_gaussian_posterior_is_joint_over_marginal(linear):
    """Bayes, at random z: log p(z | x) = log p(x | z) + log p(z) − log p(x)."""
    x = examples(linear, 6)
    z = torch.randn(6, 2, generator=seeded(8), dtype=torch.double)
    joint = linear.likelihood.log_prob(linear.decode(z), x).sum(1)
    joint = joint + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    mean, covariance = linear.posterior(x)
    posterior = torch.distributions.MultivariateNormal(mean, covariance).log_prob(z)
    assert (joint - linear.log_prob(x) - posterior).abs().max() < 1e-12


def expected_elbo(model, x):
    """``E_q log p(x | z) − KL`` of the linear model in closed form, written down independently of it."""
    mean, log_std = model.encode(x)
    variance, noise = (2 * log_std).exp(), (2 * model.log_sigma).exp()
    squares = (x - mean @ model.W.T - model.b).square().sum(1) + variance @ model.W.square().sum(0)
    reconstruction = -0.5 * (squares / noise + len(model.b) * (math.log(2 * math.pi) + 2 * model.log_sigma))
    q = torch.distributions.Normal(mean, log_std.exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros_like(mean), 1.0)).sum(1)
    return reconstruction - kl


def test_bound_plus_kl_to_the_posterior_is_log_p(linear):
    x = examples(linear, 6)
    bound = expected_elbo(linear, x)
    assert (bound + linear.posterior_gap(x) - linear.log_prob(x)).abs().max() < 1e-12
    assert (linear.posterior_gap(x) > 0).all()
    draws = torch.stack([linear.elbo(x, generator=g) for g in [seeded(9)] for _ in range(4000)])
    error = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - bound).abs() < 5 * error).all()


def test_the_nearest_diagonal_encoder_is_the_posterior_only_for_orthogonal_columns(linear):
    x = examples(linear, 200)
    linear.set_encoder_to_posterior()
    assert (linear.posterior_gap(x) > 1e-4).all()        # the columns of W are not orthogonal
    best = linear.posterior_gap(x).mean().item()
    for change in ([0.05, 0.0], [0.0, -0.05]):           # and no other standard deviation is nearer
        with torch.no_grad():
            linear.log_std.add_(torch.tensor(change, dtype=torch.double))
            assert linear.posterior_gap(x).mean().item() > best
            linear.log_std.sub_(torch.tensor(change, dtype=torch.double))
    linear.fit_closed_form(x)
    assert linear.posterior_gap(x).abs().max() < 1e-12
    weights = linear.log_weights(x, 7, generator=seeded())
    assert (weights - linear.log_prob(x)).abs().max() < 1e-10                          # tight, draw by draw


def test_closed_form_fit_is_the_maximum(linear):
    """The gradient of the exact likelihood vanishes there, and a random step away never raises it."""
    x = examples(linear, 300) @ torch.randn(5, 5, generator=seeded(3), dtype=torch.double) + 1
    linear.fit_closed_form(x)
    linear.log_prob(x).mean().backward()
    for parameter in (linear.W, linear.b, linear.log_sigma):
        assert parameter.grad.abs().max() < 1e-10
    best = linear.log_prob(x).mean().item()
    for seed in range(5):
        with torch.no_grad():
            away = 1e-3 * torch.randn(5, 2, generator=seeded(seed), dtype=torch.double)
            linear.W.add_(away)
            assert linear.log_prob(x).mean().item() <= best
            linear.W.sub_(away)


def test_closed_form_fit_says_what_it_cannot_fit():
    model = make(latent.LinearGaussianVAE, dim=3, latent=2)
    with pytest.raises(ValueError, match="two examples or more"):
        model.fit_closed_form(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="fewer directions than latent"):
        model.fit_closed_form(torch.randn(9, 1, generator=seeded()).double().repeat(1, 3))
    with pytest.raises(ValueError, match="no direction is left"):
        make(latent.LinearGaussianVAE, dim=2, latent=2).fit_closed_form(torch.randn(9, 2))


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [latent.VAE, latent.ConvVAE, latent.LinearGaussianVAE, latent.Autoencoder])
def test_a_latent_size_of_zero_is_refused(kind):
    with pytest.raises(ValueError, match="latent must be an integer of at least 1, got 0"):
        kind(latent=0)


def test_pixels_outside_the_support_are_refused():
    binary, levels = make(dim=3), make(dim=3, levels=4)
    for call in (binary.elbo, binary.encode, binary.loss, lambda x: binary.log_weights(x, 2)):
        with pytest.raises(ValueError, match="binary values must be 0 or 1, got 0.5"):
            call(torch.full((2, 3), 0.5))
    with pytest.raises(ValueError, match="within 0 … 3, got 4"):
        levels.elbo(torch.full((2, 3), 4))
    with pytest.raises(ValueError, match="must be finite, got nan"):
        make(dim=3, levels=None).elbo(torch.full((2, 3), math.nan))
    with pytest.raises(ValueError, match=r"expected x of shape \(B, 3\), got \(2, 4\)"):
        binary.elbo(torch.zeros(2, 4))


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
def test_k_below_one_is_refused(k):
    model = make(dim=3)
    for call in (lambda: model.elbo(torch.zeros(1, 3), k), lambda: model.log_weights(torch.zeros(1, 3), k)):
        with pytest.raises(ValueError, match="k must be an integer of at least 1"):
            call()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"levels": 2, "likelihood": "gaussian"}, 'the likelihood of 2 levels is "bernoulli"'),
        ({"levels": None, "likelihood": "bernoulli"}, 'the likelihood of real values is "gaussian"'),
        ({"levels": 9, "likelihood": "poisson"}, '"logistic" or "categorical"'),
        ({"levels": 1}, "levels must be an integer of at least 2"),
        ({"std": 0.0}, "std must be a positive number"),
        ({"std": "shared"}, "std must be a positive number"),
        ({"free_bits": -1.0}, "free_bits must be 0 or more"),
        ({"activation": "relu"}, "activation must be one of tanh, silu"),
        ({"hidden": (4, 0)}, "hidden must be an integer of at least 1"),
    ],
)
def test_sizes_that_cannot_be_meant_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        latent.VAE(**config)


def test_nan_in_the_encoder_stops_training_with_a_reason():
    model = latent.VAE(dim=4, hidden=(5,))
    with torch.no_grad():
        model.encoder[0].bias[0] = math.nan
    with pytest.raises(TrainingDiverged, match="diverged at step 1 .* the loss is nan"):
        fit(model, torch.ones(10, 4), steps=5, batch_size=5, progress=False, device="cpu")
    for measure in (evaluation.elbo, evaluation.log_likelihood):
        with pytest.raises(ValueError, match="the bound of example 0 is NaN"):
            measure(model, torch.ones(3, 4), 2)


def test_a_sample_that_cannot_be_drawn_is_refused():
    model = make(dim=3)
    with pytest.raises(ValueError, match="n must be 0 or more"):
        model.sample(-1)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        model.sample(1, temperature=0)
    with pytest.raises(ValueError, match="is not conditional"):
        model.loss(torch.zeros(1, 3), torch.zeros(1))


# --- training ---------------------------------------------------------------------------------------------------------


def test_a_decoder_that_ignores_z_drives_the_kl_to_zero():
    model = make(dim=6, latent=2, hidden=())
    x = examples(model, 200)
    with torch.no_grad():
        model.encoder[0].bias[:2] += 1.5                 # start far from the prior
        model.decoder[0].weight.zero_()
    model.decoder[0].weight.requires_grad_(False)
    assert evaluation.kl_per_dimension(model, x).sum() > 0.5
    fit(model, x, steps=2000, batch_size=50, lr=2e-2, progress=False, device="cpu")
    assert evaluation.kl_per_dimension(model, x).sum() < 1e-3
    assert not evaluation.active_units(model, x).any()


def test_warm_up_and_free_bits_act_on_the_training_loss_alone():
    model, x = make(dim=6, latent=3, hidden=(8,), free_bits=0.5), examples(SMALL["bernoulli"](), 20)
    reconstruction, kl = model.terms(x, generator=seeded())
    model.train()
    expected = kl.mean(0).clamp(min=0.5).sum() - reconstruction.mean()
    assert torch.allclose(model.loss(x, generator=seeded()), expected, atol=1e-12)
    model.beta = 0.25
    expected = 0.25 * kl.mean(0).clamp(min=0.5).sum() - reconstruction.mean()
    assert torch.allclose(model.loss(x, generator=seeded()), expected, atol=1e-12)
    model.eval()
    assert torch.allclose(model.loss(x, generator=seeded()), -model.elbo(x, generator=seeded()).mean(), atol=1e-12)


def test_anneal_raises_beta_step_by_step_and_leaves_it_at_one():
    class Watched(latent.VAE):
        def loss(self, x, context=None, *, generator=None):
            if self.training:
                seen.append(self.beta)
            return super().loss(x, context, generator=generator)

    seen, model = [], Watched(dim=4, hidden=(5,))
    options = {"steps": 6, "batch_size": 5, "progress": False, "device": "cpu"}
    fit(model, torch.ones(10, 4), valid=torch.ones(3, 4), anneal=4, **options)
    assert seen == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert model.beta == 1.0
    with pytest.raises(ValueError, match="anneal raises model.beta, which Autoencoder does not have"):
        fit(latent.Autoencoder(dim=4), torch.ones(10, 4), anneal=4, **options)
    with pytest.raises(ValueError, match="anneal must be a whole number"):
        fit(model, torch.ones(10, 4), anneal=-4, **options)


def test_warm_up_goes_on_where_it_stopped(tmp_path):
    def trained(stop):
        model = make(dim=4, hidden=(5,)).float()
        x = torch.bernoulli(torch.full((40, 4), 0.4), generator=seeded())
        options = dict(steps=12, batch_size=10, anneal=10, evaluate_every=3, progress=False, device="cpu")
        if stop:
            fit(model, x, **options, checkpoint=tmp_path / "run", time_limit=1e-9)
            model = make(dim=4, hidden=(5,), seed=1).float()
        fit(model, x, **options, checkpoint=tmp_path / "run" if stop else None)
        return model

    whole, parts = trained(False), trained(True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name])


@pytest.mark.parametrize("name", SMALL)
def test_checkpoints_bring_the_model_back(name, tmp_path):
    model = SMALL[name]()
    checkpoints.save(tmp_path / "m.safetensors", model, dtype="float64")
    again = checkpoints.load(tmp_path / "m.safetensors").double()
    x = examples(model, 3)
    assert again.config == model.config
    assert (again.elbo(x, 2, generator=seeded()) - model.elbo(x, 2, generator=seeded())).abs().max() < 1e-6


@pytest.mark.parametrize("kind", [latent.Autoencoder, latent.DenoisingAutoencoder])
@pytest.mark.parametrize("levels", [2, None])
def test_autoencoders_learn_their_examples_and_come_back(kind, levels, tmp_path):
    torch.manual_seed(0)
    model = kind(dim=8, latent=3, hidden=(32,), levels=levels)
    x = torch.bernoulli(torch.full((6, 8), 0.5), generator=seeded())
    before = model.errors(x, generator=seeded()).mean().item()
    fit(model, x, steps=600, batch_size=6, lr=1e-2, progress=False, device="cpu")
    assert model.errors(x, generator=seeded()).mean().item() < before / 2
    assert (model.reconstruct(x) - x).abs().max() < 0.5
    assert model.encode(x).shape == (6, 3) and model.decode(model.encode(x)).shape == (6, 8)
    assert not hasattr(model, "sample") and not hasattr(model, "log_prob") and not hasattr(model, "elbo")
    checkpoints.save(tmp_path / "m.safetensors", model)
    assert torch.equal(checkpoints.load(tmp_path / "m.safetensors").reconstruct(x), model.reconstruct(x))


def test_damage_is_what_it_says():
    x = torch.ones(20_000, 4)
    bits = latent.DenoisingAutoencoder(dim=4, noise=0.3).damage(x, generator=seeded())
    assert abs((bits == 0).double().mean().item() - 0.15) < 5 * math.sqrt(0.15 * 0.85 / 80_000)
    real = latent.DenoisingAutoencoder(dim=4, levels=None, noise=0.5).damage(x, generator=seeded()) - x
    assert abs(real.std().item() - 0.5) < 5 * 0.5 / math.sqrt(2 * 80_000)
    for noise in (0.0, 1.5, -1.0):
        with pytest.raises(ValueError, match="noise must be positive"):
            latent.DenoisingAutoencoder(noise=noise)
    with pytest.raises(ValueError, match="binary values must be 0 or 1"):
        latent.Autoencoder(dim=2).loss(torch.full((1, 2), 0.5))
    with pytest.raises(ValueError, match="levels must be 2 for bits"):
        latent.Autoencoder(levels=3)


# --- likelihoods ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "likelihood", [likelihoods.Bernoulli(), likelihoods.Categorical(5), likelihoods.DiscretizedLogisticMixture(6, 3)],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_mean_is_the_sum_over_levels(likelihood):
    params = torch.randn(7, *likelihood.parameter_shape, generator=seeded(), dtype=torch.double)
    expected = 0
    for level in range(likelihood.levels):
        x = likelihood.cast(torch.full((7,), level), torch.double)
        expected = expected + level * likelihood.log_prob(params, x).exp()
    assert (likelihood.mean(params) - expected).abs().max() < 1e-12


@pytest.mark.parametrize("likelihood", [likelihoods.Gaussian(), likelihoods.MixtureOfGaussians(3)])
def test_mean_is_the_first_moment(likelihood):
    params = torch.randn(likelihood.parameter_shape, generator=seeded(), dtype=torch.double)
    x = torch.linspace(-80, 80, 80_001, dtype=torch.double)
    density = likelihood.log_prob(params.expand(len(x), *params.shape), x).exp()
    assert abs(likelihood.mean(params).item() - torch.trapezoid(x * density, x).item()) < 1e-9


def test_every_latent_model_says_what_it_is():
    for name in latent.__all__:
        kind = getattr(latent, name)
        if isinstance(kind, type) and issubclass(kind, Model) and not getattr(kind, "__abstractmethods__", ()):
            assert kind().config and kind(**getattr(kind, "PAPER", {})).config


# --- prior, posterior and context as parts ----------------------------------------------------------------------------


def mixture(seed=0, components=3):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return GaussianMixture(dim=2, components=components).double()


def with_parts(**parts):
    return make(dim=5, latent=2, hidden=(7,), **parts)


def test_defaults_are_the_standard_normal_and_the_diagonal_gaussian():
    """Handed in as parts they change no number and no key of a checkpoint."""
    plain = with_parts()
    given = with_parts(prior=latent.StandardNormal(2), posterior=latent.DiagonalNormal(2))
    assert list(plain.state_dict()) == list(given.state_dict())
    assert not any(key.startswith(("prior", "q.")) for key in plain.state_dict())
    x = examples(plain, 4)
    for k in (1, 3):
        assert torch.equal(plain.elbo(x, k, generator=seeded()), given.elbo(x, k, generator=seeded()))
    assert torch.equal(plain.sample(5, generator=seeded()), given.sample(5, generator=seeded()))


def test_the_standard_normal_refuses_what_any_density_refuses():
    prior = latent.StandardNormal(2)
    for wrong, says in [
        (lambda: prior.log_prob(torch.zeros(3, 5)), r"z of shape \(..., 2\), got \(3, 5\)"),
        (lambda: prior.log_prob(torch.zeros(3, 2), torch.zeros(3)), "not conditional"),
        (lambda: prior.sample(-1), "n must be 0 or more"), (lambda: prior.sample(1, temperature=-1.0), "temperature"),
    ]:
        with pytest.raises(ValueError, match=says):
            wrong()
    assert torch.equal(prior.sample(4, generator=3), prior.sample(4, generator=3))


def test_parts_against_torch_distributions():
    q = torch.randn(2, 4, 3, generator=seeded(), dtype=torch.double).unbind(0)
    family, z = latent.DiagonalNormal(3).double(), torch.randn(5, 4, 3, generator=seeded(1), dtype=torch.double)
    normal = torch.distributions.Normal(q[0], q[1].exp())
    assert (family.log_prob(z, q) - normal.log_prob(z).sum(-1)).abs().max() < 1e-12
    drawn, log_q = family.rsample_and_log_prob(q, (5,), generator=seeded(2))
    assert torch.equal(drawn, family.rsample(q, (5,), generator=seeded(2)))
    assert (log_q - family.log_prob(drawn, q)).abs().max() < 1e-12
    unit = torch.distributions.Normal(torch.zeros(3, dtype=torch.double), 1.0)
    assert (latent.StandardNormal(3).log_prob(z) - unit.log_prob(z).sum(-1)).abs().max() < 1e-12
    closed = torch.distributions.kl_divergence(normal, unit)
    assert (family.kl(q, latent.StandardNormal(3)) - closed).abs().max() < 1e-12


def test_a_mixture_as_prior_is_what_is_integrated_bounded_and_drawn():
    model, plain = with_parts(prior=mixture()), with_parts()
    x = examples(model, 6)
    exact = evaluation.quadrature(model, x, 401)
    axis = torch.linspace(-8, 8, 401, dtype=torch.double)
    z = torch.cartesian_prod(axis, axis)
    likelihood = model._log_likelihood(x[:, None].expand(6, len(z), 5), z.expand(6, *z.shape))    # (6, G)
    again = (likelihood + model.prior.log_prob(z)).logsumexp(1) + 2 * math.log(16 / 400)
    assert (exact - again).abs().max() < 1e-9
    assert (exact - evaluation.quadrature(plain, x, 401)).abs().max() > 1e-3       # another prior, another number
    estimate = evaluation.log_likelihoods(model, x, 20_000, generator=seeded())
    assert (estimate - exact).abs().max() < 0.05
    terms = model.terms(x, generator=seeded())
    assert terms.kl.shape == (6, 1) and torch.equal(terms.elbo, model.elbo(x, generator=seeded()))
    assert any(p.grad is not None for p in _after_backward(model, x).prior.parameters())      # the prior trains, too


def _after_backward(model, x):
    model.loss(x, generator=seeded()).backward()
    return model


def test_a_part_is_a_stage_of_a_checkpoint(tmp_path):
    model = with_parts(prior=mixture())
    checkpoints.save(tmp_path / "model", model, stages={"prior": model.prior})
    again, x = checkpoints.load(tmp_path / "model"), examples(model, 3)
    assert torch.equal(model.elbo(x, generator=seeded()), again.elbo(x, generator=seeded()))


def test_a_prior_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"density over \(3,\), got one over \(2,\)"):
        latent.VAE(dim=5, latent=3, prior=mixture())


def test_classes_are_ten_models_that_share_weights():
    """At one class the model is a VAE whose first layers have the class's weights as a bias."""
    model, x = with_parts(classes=3), examples(with_parts(), 4)
    context = torch.tensor([2, 0, 1, 2])
    together = model.elbo(x, 3, context, generator=seeded())
    alone = with_parts()
    for c in range(3):
        with torch.no_grad():
            for net, twin, width in ((model.encoder, alone.encoder, 5), (model.decoder, alone.decoder, 2)):
                for old, new in zip(net, twin, strict=True):
                    if isinstance(old, nn.Linear):
                        new.weight.copy_(old.weight[:, : new.weight.shape[1]])
                        new.bias.copy_(old.bias + (old.weight[:, width + c] if old is net[0] else 0))
        of_class = alone.elbo(x, 3, generator=seeded())
        assert (together - of_class)[context == c].abs().max() < 1e-12
        row = evaluation.quadrature(model, x, 101, context=torch.tensor(c))
        assert (row - evaluation.quadrature(alone, x, 101)).abs().max() < 1e-12
    assert model.sample(4, context=context, generator=seeded()).shape == (4, 5)
    assert model.reconstruct(x, context=context).shape == x.shape


@pytest.mark.parametrize(("context", "said"), [
    (None, "must give each example's class, 0 … 2"), (torch.tensor([0, 1, 3]), "within 0 … 2, got 3"),
    (torch.tensor([0, 1]), "3 examples were given with 2 contexts"), (torch.rand(3), "integers of shape"),
])
def test_a_context_that_cannot_be_one_is_named(context, said):
    model = with_parts(classes=3)
    x = examples(model, 3)
    for call in (model.elbo, model.terms, model.encode, model.loss):
        with pytest.raises(ValueError, match=said):
            call(x, context=context)
    with pytest.raises(ValueError, match=said):
        model.sample(3, context=context)
    with pytest.raises(ValueError, match="VAE is not conditional"):
        with_parts().elbo(x, context=torch.tensor([0, 1, 2]))
