"""Remedies against mode collapse, each against a route of its own: singular values, loops, finite differences."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from dgmhelpers import laws
from dgmhelpers.adversarial import (
    GAN,
    ListingGAN,
    MinibatchDiscrimination,
    RemedyGAN,
    SpectralLinear,
    losses,
    matching,
    unrolled,
)
from dgmhelpers.adversarial.minibatch import Pack
from dgmhelpers.training import checkpoints, fit_adversarial

QUIET = dict(progress=False, device="cpu")


def seeded(make, seed=0):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return make()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


# --- spectral norm ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (1, 6), (6, 1), (1, 1), (40, 30)])
@pytest.mark.parametrize("bound", [1.0, 2.5])
def test_the_matrix_that_is_applied_has_the_largest_singular_value_asked_for(shape, bound):
    layer = seeded(lambda: SpectralLinear(*shape, bound).double())
    layer.turn(2000)                                      # converged: the claim is about the limit
    applied = layer(torch.eye(shape[0], dtype=torch.double)) - layer.bias               # (inputs, outputs)
    assert torch.linalg.svdvals(applied)[0].item() == pytest.approx(bound, rel=1e-6)
    assert layer.sigma().item() == pytest.approx(torch.linalg.svdvals(layer.weight)[0].item(), rel=1e-6)


def test_the_first_estimate_is_near_and_never_above():
    for seed in range(20):
        layer = seeded(lambda: SpectralLinear(64, 64), seed)
        ratio = layer.sigma().item() / torch.linalg.svdvals(layer.weight)[0].item()
        assert 0.95 < ratio <= 1 + 1e-5                   # uᵀWv of unit vectors is at most σ, rounding apart


def test_the_estimate_keeps_up_with_training():
    """After 300 steps of a game every matrix is still normalised: one turn a pass is enough at these rates."""
    model = seeded(lambda: RemedyGAN(hidden=32, spectral=2.0))
    fit_adversarial(model, normal(500, 2).float(), steps=300, batch_size=32, lr=1e-3, **QUIET)
    for layer in model.discriminator:
        if isinstance(layer, SpectralLinear):
            exact = torch.linalg.svdvals(layer.weight * 2.0 / layer.sigma())[0].item()
            assert exact == pytest.approx(2.0, rel=0.05)


def test_the_gradient_of_the_norm_is_that_of_the_singular_value():
    layer = seeded(lambda: SpectralLinear(4, 3).double())
    layer.turn(2000)
    (ours,) = torch.autograd.grad(layer.sigma(), layer.weight)
    u, _, v = torch.linalg.svd(layer.weight.detach())
    assert torch.allclose(ours, torch.outer(u[:, 0], v[0]), atol=1e-8)


def test_the_discriminator_is_lipschitz():
    """A chain of three layers of norm 2 with leaky rectifiers has no slope above 8."""
    model = seeded(lambda: RemedyGAN(dim=3, hidden=16, spectral=2.0).double()).eval()
    for layer in model.discriminator:
        if isinstance(layer, SpectralLinear):
            layer.turn(3000)
    x = (20 * normal(4000, 3)).requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(x).sum(), x)
    assert slope.norm(dim=1).max().item() <= 8 + 1e-6
    plain = seeded(lambda: SpectralLinear(3, 1, 8.0).double())
    plain.turn(10)
    y = normal(1, 3).requires_grad_()
    (steepest,) = torch.autograd.grad(plain(y).sum(), y)  # and the bound is reached where there is one layer
    assert steepest.norm().item() == pytest.approx(8, rel=1e-9)


def test_evaluation_moves_nothing_and_training_moves_the_vector_alone():
    layer = seeded(lambda: SpectralLinear(6, 5))
    nn.init.normal_(layer.weight)                         # so that u is far from converged
    before = {name: x.clone() for name, x in layer.state_dict().items()}
    layer.eval()(torch.ones(2, 6))
    assert all(torch.equal(before[name], x) for name, x in layer.state_dict().items())
    layer.train()(torch.ones(2, 6))
    assert [name for name, x in layer.state_dict().items() if not torch.equal(before[name], x)] == ["u"]


def test_a_later_pass_does_not_spoil_the_gradient_of_an_earlier_one():
    layer = seeded(lambda: SpectralLinear(6, 5).double()).train()
    first = layer(normal(2, 6)).sum()
    layer(normal(2, 6))
    assert torch.autograd.grad(first, layer.weight)[0].isfinite().all()


# --- minibatch discrimination and packing -----------------------------------------------------------------------------


def test_closeness_is_the_formula_with_loops():
    layer = seeded(lambda: MinibatchDiscrimination(5, kernels=3, size=2).double())
    f = normal(4, 5)
    M = (f @ layer.T.detach()).reshape(4, 3, 2)
    for i in range(4):
        for b in range(3):
            total = sum(math.exp(-sum(abs((M[i, b, c] - M[j, b, c]).item()) for c in range(2)))
                        for j in range(4) if j != i)
            assert layer.closeness(f)[i, b].item() == pytest.approx(total / 3, abs=1e-12)


def test_a_collapsed_batch_is_told_from_a_spread_one_by_the_closeness_alone():
    layer = seeded(lambda: MinibatchDiscrimination(5).double())
    same, apart = normal(1, 5).expand(8, 5), 1e5 * normal(8, 5)
    assert torch.allclose(layer.closeness(same), torch.ones(8, 8, dtype=torch.double))
    assert layer.closeness(apart).max() < 1e-6
    assert layer.closeness(normal(1, 5)).abs().max() == 0  # alone
    assert layer(same).shape == (8, 13)


def test_packs_are_neighbours_and_the_batch_must_divide():
    x = torch.arange(12.0).reshape(6, 2)
    assert Pack(3)(x).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    with pytest.raises(ValueError, match="a batch of 6 cannot be cut into packs of 4"):
        Pack(4)(x)


def test_a_pack_sees_what_an_example_cannot_show():
    """Two points are as likely as can be in both; only pairs differ: always equal, or independent."""
    coins = normal(4000, 1).sign()
    real, fake = coins, coins[::2].repeat_interleave(2, 0)      # made examples come in equal pairs
    losses_of = {}
    for m in (1, 2):
        model = seeded(lambda m=m: RemedyGAN(dim=1, hidden=16, packing=m).double())
        best = torch.optim.Adam(model.discriminator.parameters(), lr=0.02)
        for _ in range(200):
            cost = losses.discriminator_loss(model.discriminator(real), model.discriminator(fake))
            best.zero_grad()
            cost.backward()
            best.step()
        losses_of[m] = cost.item()
    assert losses_of[1] == pytest.approx(math.log(4), abs=0.01)   # nothing to be told
    jsd = 0.75 * math.log(4 / 3)                          # of (½, 0, 0, ½) and (¼, ¼, ¼, ¼)
    assert losses_of[2] == pytest.approx(math.log(4) - 2 * jsd, abs=0.02)


# --- unrolling --------------------------------------------------------------------------------------------------------


def test_unrolled_weights_are_gradient_steps_by_hand():
    """A logistic discriminator on the line, whose gradient has a closed form."""
    model = seeded(lambda: GAN(dim=1, hidden=2).double())
    model.discriminator = nn.Sequential(nn.Linear(1, 1), nn.Flatten(0)).double()
    real, made = normal(6, 1), 3 + normal(6, 1, seed=1)
    w, b = (p.detach().clone().flatten()[0] for p in model.discriminator.parameters())
    for _ in range(3):
        wrong_real, wrong_fake = (w * real + b).sigmoid() - 1, (w * made + b).sigmoid()
        slope_w = (wrong_real * real).mean() + (wrong_fake * made).mean()
        slope_b = wrong_real.mean() + wrong_fake.mean()
        w, b = w - 0.2 * slope_w, b - 0.2 * slope_b
    score = unrolled(model, real, steps=3, lr=0.2)(made)
    assert torch.allclose(score, (w * made + b).flatten(), atol=1e-12)


def test_the_gradient_runs_through_the_steps():
    """Against central differences of the whole computation; without the steps' own gradient it is another."""
    model = seeded(lambda: RemedyGAN(dim=2, hidden=5).double())
    real, made = normal(4, 2), normal(4, 2, seed=1)

    def cost(x, steps=3):
        return losses.nonsaturating_generator_loss(unrolled(model, real, steps=steps, lr=0.3)(x))

    x = made.clone().requires_grad_()
    (ours,) = torch.autograd.grad(cost(x), x)
    for i in range(4):
        for j in range(2):
            step = torch.zeros_like(made)
            step[i, j] = 1e-5
            assert ours[i, j].item() == pytest.approx(((cost(made + step) - cost(made - step)) / 2e-5).item(), abs=1e-8)
    y = made.clone().requires_grad_()
    later = unrolled(model, real, steps=3, lr=0.3)
    (short,) = torch.autograd.grad(losses.nonsaturating_generator_loss(model.discriminator(y)), y)
    assert later(made).shape == (4,) and (ours - short).abs().max() > 1e-3


def test_unrolling_leaves_the_model_alone_and_trains_under_fit_adversarial():
    for change in {"spectral": 2.0}, {}:
        model = seeded(lambda change=change: RemedyGAN(hidden=8, **change))
        if change:
            model.discriminator.insert(1, nn.BatchNorm1d(8))     # statistics that move in place
        before = {name: x.clone() for name, x in model.state_dict().items()}
        unrolled(model, torch.randn(4, 2))(torch.randn(4, 2))
        assert all(torch.equal(before[name], x) for name, x in model.state_dict().items())
    frozen = partial(torch.optim.SGD, lr=0.0)
    fit_adversarial(model, normal(60, 2).float(), steps=3, batch_size=10, discriminator_optimizer=frozen,
                    opponent=partial(unrolled, steps=2, lr=0.1), **QUIET)
    moved = {name.partition(".")[0] for name, x in model.state_dict().items() if not torch.equal(before[name], x)}
    assert moved == {"generator"}


# --- losses -----------------------------------------------------------------------------------------------------------


def test_slope_penalty_of_a_quadratic():
    """f = ½‖x‖² has slope x: the penalty is the mean square of the real examples, whatever the fake ones."""
    real, fake = normal(50, 3), normal(50, 3, seed=1)
    got = losses.slope_penalty(lambda x: x.square().sum(1) / 2, real, fake)
    assert got.item() == pytest.approx(real.square().sum(1).mean().item(), abs=1e-12)
    w = torch.tensor([3.0, 4.0], dtype=torch.double, requires_grad=True)
    losses.slope_penalty(lambda x: x @ w, real[:, :2], fake).backward()
    assert torch.allclose(w.grad, 2 * w.detach())


def test_smoothed_labels_are_a_mixture_of_two_cross_entropies_and_move_the_best_answer():
    a, b = normal(40), normal(40, seed=1)
    real = nn.functional.binary_cross_entropy_with_logits(a, torch.full_like(a, 0.9))
    fake = nn.functional.binary_cross_entropy_with_logits(b, torch.zeros_like(b))
    assert losses.smoothed_discriminator_loss(a, b).item() == pytest.approx((real + fake).item(), abs=1e-12)
    assert losses.smoothed_discriminator_loss(a, b, 1.0).item() == pytest.approx(losses.discriminator_loss(a, b).item())
    p, q = torch.tensor([3, 1]), torch.tensor([1, 3])           # of four draws each
    best = torch.logit(0.9 * p.double() / (p + q)).requires_grad_()
    cost = losses.smoothed_discriminator_loss(best.repeat_interleave(p), best.repeat_interleave(q))
    assert torch.autograd.grad(cost, best)[0].abs().max() < 1e-12


# --- the model --------------------------------------------------------------------------------------------------------

KINDS = {"plain": {}, "packed": {"packing": 2}, "minibatch": {"minibatch": 4}, "spectral": {"spectral": 2.0},
         "noisy": {"input_noise": 0.1}, "waves": {"waves": 3}, "all": {"packing": 2, "minibatch": 3, "spectral": 1.5,
         "input_noise": 0.1, "waves": 2, "prior": "signs"}}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_is_stored_and_passes_its_laws(kind, tmp_path):
    def make():
        return RemedyGAN(dim=2, latent=3, hidden=8, **KINDS[kind])

    model = seeded(make)
    fit_adversarial(model, normal(64, 2).float(), steps=3, batch_size=8, **QUIET)
    checkpoints.save(tmp_path / "m.safetensors", model)
    again = checkpoints.load(tmp_path / "m.safetensors")
    x = model.sample(8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(x, again.sample(8, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(model.discriminator(x), again.discriminator(x))
    assert model.discriminator(x).shape == (8 // model.config["packing"],)
    assert laws.audit(factory=make).held


def test_without_remedies_it_is_the_gan():
    ours, theirs = seeded(lambda: RemedyGAN(hidden=16)), seeded(lambda: GAN(hidden=16))
    assert {n: p.shape for n, p in ours.state_dict().items()} == {n: p.shape for n, p in theirs.state_dict().items()}
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 2)
    assert torch.equal(ours.discriminator(x), theirs.discriminator(x))


def test_signs_are_fair_coins():
    z = GAN(latent=4, prior="signs").noise(20_000, generator=torch.Generator().manual_seed(0))
    assert z.abs().unique().tolist() == [1.0]
    assert z.mean(0).abs().max() < 5 / math.sqrt(20_000)   # five standard errors
    assert (z.T @ z / len(z) - torch.eye(4)).abs().max() < 5 / math.sqrt(20_000)


def test_noise_is_on_the_inputs_in_training_alone():
    model = seeded(lambda: RemedyGAN(hidden=8, input_noise=0.5))
    x = torch.zeros(20_000, 2)
    assert torch.equal(model.eval().discriminator[0](x), x)
    seen = model.train().discriminator[0](x)
    assert seen.std().item() == pytest.approx(0.5, rel=5 / math.sqrt(2 * 40_000))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: RemedyGAN(packing=0), "packing must be"),
        (lambda: RemedyGAN(minibatch=-1), "minibatch must be"),
        (lambda: RemedyGAN(spectral=0.0), "bound must be positive"),
        (lambda: RemedyGAN(input_noise=-0.1), "input_noise must be 0 or more"),
        (lambda: RemedyGAN(waves=-1), "waves must be"),
        (lambda: RemedyGAN(waves=2, frequency=math.inf), "frequency must be positive"),
        (lambda: MinibatchDiscrimination(4, kernels=0), "kernels must be"),
        (lambda: unrolled(GAN(), torch.zeros(2, 2), steps=0), "steps must be"),
        (lambda: unrolled(GAN(), torch.zeros(2, 2), loss="hing"), "did you mean hinge"),
        (lambda: unrolled(GAN(), torch.zeros(2, 2), lr=-0.1), "lr must be positive, got -0.1"),
        (lambda: unrolled(GAN(), torch.zeros(2, 2), lr=math.nan), "lr must be positive, got nan"),
        (lambda: matching.matched(ListingGAN(dim=2, softmax=True), torch.zeros(2, 2)), "ListingGAN .* last layer but"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()


# --- feature matching -------------------------------------------------------------------------------------------------


def test_matching_is_the_squared_distance_of_mean_features_by_hand():
    model = seeded(lambda: RemedyGAN(hidden=6).double())
    real, made = normal(9, 2), normal(9, 2, seed=1)

    def hidden(x):
        for layer in list(model.discriminator)[:4]:
            x = layer(x)
        return x

    apart = sum(hidden(row[None])[0] for row in real) / 9 - sum(hidden(row[None])[0] for row in made) / 9
    score = matching.matched(model, real)(made)
    assert score.shape == (1,) and matching.distance(score).item() == pytest.approx((apart**2).sum().item(), rel=1e-12)
    assert matching.matched(model, real)(real.flip(0)).item() < 1e-24    # the order of a batch does not matter


def test_matching_brings_the_mean_but_not_the_modes():
    """Features that are the example itself: the generator's mean comes to the data's, and it stays a point."""
    model = seeded(lambda: GAN(dim=1, latent=1, hidden=4))
    model.discriminator = nn.Sequential(nn.Identity(), nn.Linear(1, 1), nn.Flatten(0))
    data = torch.tensor([[-1.0], [3.0]]).repeat(50, 1)
    loss = losses.Loss("feature matching", losses.discriminator_loss, matching.distance)
    fit_adversarial(model, data, steps=400, batch_size=50, loss=loss, lr=1e-2, opponent=matching.matched, **QUIET)
    assert model.sample(2000, generator=torch.Generator().manual_seed(0)).mean().item() == pytest.approx(1, abs=0.3)
