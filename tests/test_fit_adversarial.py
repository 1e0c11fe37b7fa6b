"""Algorithm 1: against one written by hand, interrupted, broken, and asked for what cannot be meant."""

import math
import os
import shutil
import signal
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from training_cases import QUIET, same, weights

from dgmhelpers.adversarial import GAN, ListingGAN, losses, unrolled
from dgmhelpers.training import CheckpointError, TrainingDiverged, checkpoints, fit_adversarial


def data(n=90, seed=0):
    return 2 + 0.5 * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


def fresh(seed=0, **change):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return GAN(**dict(dim=2, latent=3, hidden=8) | change)


class DropoutGAN(GAN):
    """Draws from PyTorch's own random numbers, has buffers, and a discriminator that looks at the whole batch."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8)
        self.generator.insert(1, nn.BatchNorm1d(8))
        self.discriminator.insert(1, nn.Dropout(0.3))
        torch.nn.utils.parametrizations.spectral_norm(self.discriminator[0])


def noisy():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return DropoutGAN()


RUN = dict(steps=40, batch_size=10, k=2, lr=1e-2, ema=0.9, evaluate_every=7, **QUIET)


# --- what comes out ---------------------------------------------------------------------------------------------------


def log_sigmoid(a):
    return -nn.functional.softplus(-a)                    # rounded as the losses are; log σ(a) has its own last bit


BY_HAND = losses.Loss(
    "by hand", lambda real, fake: -(log_sigmoid(real).mean() + log_sigmoid(-fake).mean()),
    lambda fake: log_sigmoid(-fake).mean(),
)  # fmt: skip

def game_by_hand(model, x, steps, m, n, k, loss, make, seed, opponent=None):
    """Algorithm 1 by hand, backward, two optimisers, one loop: with any pair of losses, a penalty, an opponent, and
    batches of n for the generator.
    """
    of_d, of_g = make(model.discriminator.parameters()), make(model.generator.parameters())
    draws, shuffler = (torch.Generator().manual_seed(seed) for _ in range(2))
    order = torch.cat([torch.randperm(len(x), generator=shuffler) for _ in range(1 + steps * k * m // len(x))])
    batches = iter(order.split(m))
    model.train()
    for _ in range(steps):
        for _ in range(k):
            z, real = model.noise(m, generator=draws), x[next(batches)]
            fake = model.generator(z).detach()
            cost = loss.discriminator(model.discriminator(real), model.discriminator(fake))
            if loss.penalty:
                cost = cost + loss.penalty_weight * loss.penalty(model.discriminator, real, fake, generator=draws)
            of_d.zero_grad()
            cost.backward()
            of_d.step()
        made = model.generator(model.noise(n, generator=draws))
        verdict = opponent(model, real, fake)(made) if opponent else model.discriminator(made)
        of_g.zero_grad()
        loss.generator(verdict).backward()
        of_g.step()
    return model


MAKERS = {
    "adam": partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999)),
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.5),
    "adagrad": partial(torch.optim.Adagrad, lr=0.1),
}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_loop_is_algorithm_1_bit_for_bit(make, k):
    by_hand = game_by_hand(fresh(), data(), 30, 10, 10, k, BY_HAND, make, 4)
    model = fresh()
    fit_adversarial(model, data(), steps=30, batch_size=10, k=k, loss="minimax", optimizer=make, seed=4, **QUIET)
    assert same(weights(by_hand), weights(model))


def crooked_penalty(discriminator, real, fake, *, generator):
    """Neither real nor fake can be taken for the other, and the draws must come in their turn."""
    u = torch.rand(len(real), generator=generator)
    return (u * discriminator(2 * real - fake)).mean().square()


GAMES = dict(losses.LOSSES) | {
    "smoothed, slope": replace(losses.get("nonsaturating"), discriminator=losses.smoothed_discriminator_loss,
                               penalty=losses.slope_penalty, penalty_weight=0.3),
    "crooked": replace(losses.get("hinge"), penalty=crooked_penalty, penalty_weight=3.0),
}


@pytest.mark.parametrize(("n", "opponent"), [(7, None), (12, partial(unrolled, steps=2, lr=0.1))],
                         ids=["plain", "unrolled"])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("loss", GAMES.values(), ids=GAMES)
def test_every_game_is_the_one_written_by_hand_bit_for_bit(loss, k, n, opponent):
    """Batches of 12, so that a permutation of the 90 examples ends amid a batch."""
    by_hand = game_by_hand(fresh(), data(), 12, 12, n, k, loss, MAKERS["adam"], 4, opponent)
    model = fresh()
    fit_adversarial(model, data(), steps=12, batch_size=12, generator_batch_size=n, k=k, loss=loss, opponent=opponent,
                    optimizer=MAKERS["adam"], seed=4, **QUIET)
    assert same(weights(by_hand), weights(model))
    assert not same(weights(model), weights(fresh()))


def test_a_gaussian_is_found():
    model = fresh(dim=1, latent=1, hidden=16)
    before = model.sample(5000, generator=torch.Generator().manual_seed(0))
    history = fit_adversarial(model, data(2000)[:, :1], steps=400, batch_size=64, lr=2e-3, **QUIET)
    drawn = model.sample(5000, generator=torch.Generator().manual_seed(0))
    assert abs(before.mean() - 2) > 1 and abs(drawn.mean() - 2) < 0.4
    assert abs(sum(history.discriminator_loss[-50:]) / 50 - math.log(4)) < 0.15
    assert not model.training


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_every_loss_moves_both_players(loss):
    model = fresh()
    before = weights(model)
    history = fit_adversarial(model, data(), steps=3, batch_size=8, loss=loss, **QUIET)
    after = weights(model)
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"generator", "discriminator"}
    assert len(history.discriminator_loss) == len(history.generator_loss) == 3


def test_a_player_is_not_moved_by_the_others_step():
    frozen = partial(torch.optim.SGD, lr=0.0)
    model = fresh()
    before = weights(model)
    fit_adversarial(model, data(), steps=5, batch_size=8, discriminator_optimizer=frozen, **QUIET)
    after = weights(model)
    assert all(torch.equal(before[n], after[n]) == n.startswith("discriminator") for n in before)


def test_the_penalty_is_added_with_its_weight_and_not_recorded():
    def flat(discriminator, real, fake, *, generator):
        return discriminator(real).sum() * 0 + 1e6

    loss = losses.Loss("with a penalty", losses.discriminator_loss, losses.minimax_generator_loss, flat)
    history = fit_adversarial(fresh(), data(), steps=1, batch_size=8, loss=loss, **QUIET)
    assert history.discriminator_loss[0] < 10
    held = {}
    for weight in (0.0, 100.0):
        loss = replace(losses.get("wasserstein"), penalty_weight=weight)
        model = fresh()
        fit_adversarial(model, data(), steps=100, batch_size=30, lr=1e-2, loss=loss, **QUIET)
        x = data().requires_grad_()
        (slope,) = torch.autograd.grad(model.discriminator(x).sum(), x)
        held[weight] = (slope.norm(dim=1) - 1).abs().mean().item()
    assert held[100.0] < 0.5 < held[0.0]


def test_the_generator_can_have_its_own_batch():
    seen = []
    model = fresh()
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    fit_adversarial(model, data(), steps=2, batch_size=6, generator_batch_size=11, k=2, **QUIET)
    assert seen[:5] == [6, 6, 6, 6, 11]


def test_the_opponent_scores_the_generators_step():
    def blind(model, real, fake):
        assert real.shape == fake.shape == (8, 2)
        return lambda x: 0 * x[:, 0]

    model = fresh()
    before = weights(model)
    fit_adversarial(model, data(), steps=4, batch_size=8, opponent=blind, **QUIET)
    after = weights(model)
    assert all(torch.equal(before[n], after[n]) == n.startswith("generator") for n in before)


def test_watching_is_recorded_and_disturbs_nothing():
    def watch(model, step):
        assert not model.training
        torch.rand(17)
        return {"mean": model.sample(50).mean().item()} if step != 14 else None

    plain, watched = noisy(), noisy()
    fit_adversarial(plain, data(), **RUN)
    history = fit_adversarial(watched, data(), watch=watch, **RUN)
    assert same(weights(plain), weights(watched))
    assert [step for step, _ in history.watched] == [0, 7, 21, 28, 35, 40]


def test_average_of_the_generator_is_what_is_kept():
    run = dict(steps=30, batch_size=10, lr=0.05, **QUIET)
    plain, averaged = fresh(), fresh()
    fit_adversarial(plain, data(), **run)
    fit_adversarial(averaged, data(), ema=0.99, **run)
    a, b = weights(plain), weights(averaged)
    assert all(torch.equal(a[n], b[n]) == n.startswith("discriminator") for n in a)


def test_random_state_of_the_caller_is_untouched():
    model = noisy()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_adversarial(model, data(), **RUN)
    assert torch.equal(torch.rand(3), expected)


def test_the_listing_runs_with_its_settings():
    model = ListingGAN(dim=2, latent=4, hidden=8)
    history = fit_adversarial(model, data().tanh(), steps=5, **model.settings(), **QUIET)
    assert len(history.steps) == 5


class Conditional(GAN):
    """Both players are told on which side the examples lie."""

    def __init__(self):
        super().__init__(dim=2, latent=3, hidden=8)
        self.generator, self.discriminator = Told(3, 2), Told(2, 1)


class Told(nn.Module):
    def __init__(self, dim, out):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim + 1, 16), nn.Tanh(), nn.Linear(16, out))

    def forward(self, x, side):
        out = self.layers(torch.cat([x, side[:, None]], 1))
        return out[:, 0] if out.shape[1] == 1 else out


@pytest.mark.parametrize("loss", ["nonsaturating", "wasserstein"])
def test_a_conditional_game_makes_what_it_is_told(loss):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = Conditional()
    side = torch.arange(90).remainder(2) * 2.0 - 1
    run = dict(context=side, loss=loss, batch_size=30, generator_batch_size=20, lr=5e-3, **QUIET)
    fit_adversarial(model, data() * side[:, None], steps=400, **run)
    z = model.noise(500, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        right, left = (model.generator(z, torch.full((500,), s)).mean().item() for s in (1.0, -1.0))
    assert right > 0.5 > -0.5 > left                      # the data's means are 2 and -2


def test_rates_gradients_and_choice_are_as_in_fit():
    model, still, seen = fresh(), fresh(), []

    def valid(model):
        seen.append(weights(model))
        return abs(len(seen) - 2.0)

    sgd = partial(torch.optim.SGD, lr=1.0)
    run = dict(steps=40, batch_size=10, evaluate_every=5, warmup=2, decay=True, clip=0.01, optimizer=sgd, **QUIET)
    history = fit_adversarial(model, data(), valid=valid, patience=3, **run)
    assert (history.stopped, history.best_step, history.steps[-1]) == ("patience", 10, 25)
    assert same(weights(model), seen[1])
    moved = [(a - b).norm() for a, b in zip(model.generator.parameters(), still.generator.parameters(), strict=True)]
    assert 0 < torch.stack(moved).norm() <= 10 * 0.01     # ten steps, each no longer than the clip


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler here")
def test_a_compiled_game_is_the_same_up_to_rounding():
    plain, compiled = fresh(), fresh()
    run = dict(steps=5, batch_size=10, **QUIET)
    here, there = fit_adversarial(plain, data(), **run), fit_adversarial(compiled, data(), compiled=True, **run)
    assert there.discriminator_loss == pytest.approx(here.discriminator_loss, abs=1e-5)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    with pytest.raises(ValueError, match="compiled networks have no second derivatives"):
        fit_adversarial(plain, data(), loss="wasserstein", compiled=True, **run)


# --- nothing is lost --------------------------------------------------------------------------------------------------


def unbroken():
    model = noisy()
    history = fit_adversarial(model, data(), watch=mean_of_draws, **RUN)
    return weights(model), history


def mean_of_draws(model, step):
    return model.sample(20, generator=torch.Generator().manual_seed(0)).mean().item()


def assert_as_unbroken(model, history):
    expected, whole = unbroken()
    assert same(weights(model), expected)
    for name in ("steps", "discriminator_loss", "generator_loss", "watched", "stopped"):
        assert getattr(history, name) == getattr(whole, name), name


@pytest.mark.parametrize("step", [1, 13, 14, 39])
def test_interrupted_goes_on_bit_for_bit(tmp_path, step, capsys):
    path, calls = tmp_path / "game.safetensors", []

    def ctrl_c(module, inputs):
        calls.append(None)
        if len(calls) == 5 * step:                        # a step is five passes of the discriminator
            os.kill(os.getpid(), signal.SIGINT)

    model = noisy()
    handle = model.discriminator.register_forward_pre_hook(ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run = RUN | {"progress": True, "evaluate_every": 40}
        fit_adversarial(model, data(), checkpoint=path, **run)
    assert f"interrupted after step {step} of 40" in capsys.readouterr().err
    assert checkpoints.read_metadata(path)["step"] == step
    handle.remove()
    whole, model = noisy(), noisy()
    fit_adversarial(whole, data(), **RUN | {"evaluate_every": 40})
    fit_adversarial(model, data(), checkpoint=path, **RUN | {"evaluate_every": 40})
    assert same(weights(model), weights(whole))


def test_stopped_by_the_clock_goes_on_and_a_finished_game_is_not_played_again(tmp_path):
    path, model = tmp_path / "game.safetensors", noisy()
    history = fit_adversarial(model, data(), watch=mean_of_draws, checkpoint=path, time_limit=1e-6, **RUN)
    assert (history.stopped, history.steps[-1]) == ("time", 7)
    model = noisy()
    history = fit_adversarial(model, data(), watch=mean_of_draws, checkpoint=path, **RUN)
    assert_as_unbroken(model, history)
    before = path.read_bytes()
    model = noisy()
    model.noise = lambda n, *, generator: torch.zeros(n, 3)   # never asked for a batch again
    assert_as_unbroken(model, fit_adversarial(model, data(), watch=mean_of_draws, checkpoint=path, **RUN))
    assert path.read_bytes() == before


@pytest.mark.parametrize("optimizer", MAKERS.values(), ids=MAKERS)
def test_every_optimiser_resumes(tmp_path, optimizer):
    path, run = tmp_path / "game.safetensors", RUN | {"optimizer": optimizer}
    fit_adversarial(fresh(), data(), checkpoint=path, time_limit=1e-6, **run)
    model, whole = fresh(), fresh()
    fit_adversarial(model, data(), checkpoint=path, **run)
    fit_adversarial(whole, data(), **run)
    assert same(weights(model), weights(whole))


class Breaking(nn.Module):
    """A layer that turns what passes into NaN from one training pass on."""

    def __init__(self, when):
        super().__init__()
        self.left = when

    def forward(self, x):
        self.left -= self.training
        return x if self.left >= 0 else x * math.nan


def breaking(player, when):
    model = fresh()
    getattr(model, player).append(Breaking(when))
    return model


@pytest.mark.parametrize(
    ("player", "passes", "what"),
    [("generator", 2, "generator's output is nan"), ("discriminator", 3, "discriminator's loss is nan")],
)
def test_nan_stops_with_a_reason_and_the_last_good_state_is_kept(tmp_path, player, passes, what):
    """Step 27 breaks: a step is two passes of the generator, or three of the discriminator."""
    path, run = tmp_path / "game.safetensors", dict(steps=50, batch_size=10, lr=1e-2, evaluate_every=10, **QUIET)
    model = breaking(player, 26 * passes)
    with pytest.raises(TrainingDiverged, match=f"step 27 .*{what}.*weights of step 20") as caught:
        fit_adversarial(model, data(), checkpoint=path, **run)
    assert (caught.value.step, caught.value.good_step) == (27, 20)
    assert caught.value.last_loss > 0
    assert all(tensor.isfinite().all() for tensor in weights(model).values())
    assert not model.training
    assert checkpoints.read_metadata(path)["step"] == 20
    healthy = breaking(player, 10**6)
    with pytest.raises(TrainingDiverged):
        fit_adversarial(other := breaking(player, 20 * passes), data(), **run)
    assert same(weights(model), weights(other))           # both hold the weights of step 20
    assert not same(weights(model), weights(healthy))


def test_a_generator_that_only_emits_nan_leaves_the_model_as_it_was():
    model = breaking("generator", 0)
    before = weights(model)
    with pytest.raises(TrainingDiverged, match="step 1 .*generator's output is nan; no loss was finite.*of step 0"):
        fit_adversarial(model, data(), steps=5, batch_size=10, **QUIET)
    assert same(weights(model), before)


def test_what_the_generator_made_is_told_as_it_is():
    """Infinite is not NaN; and one entry of a few thousand is enough, in the first of several batches."""

    class Rarely(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += self.training
            wrong = torch.zeros_like(x)
            wrong[-1, -1] = -math.inf if self.calls == 5 else 0.0
            return x + wrong

    model = fresh()
    model.generator.append(Rarely())                      # a step is four passes of the generator
    with pytest.raises(TrainingDiverged, match="step 2 .*generator's output is inf;"):
        fit_adversarial(model, data(), steps=5, batch_size=10, k=3, **QUIET)


def test_a_batch_may_be_larger_than_the_data():
    """It then holds every example before it holds one twice."""
    seen = []
    model = fresh()
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    fit_adversarial(model, x := data(4), steps=1, batch_size=10, **QUIET)
    counts = (seen[0][:, None] == x[None]).all(-1).sum(0)
    assert counts.sum() == 10 and counts.min() == 2


def test_a_rate_that_blows_up_is_told():
    with pytest.raises(TrainingDiverged, match="learning rate 1e\\+30"):
        fit_adversarial(fresh(), data(), steps=50, batch_size=10, loss="least_squares",
                        optimizer=partial(torch.optim.SGD, lr=1e30), **QUIET)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict(k=2), "k was 1 and is 2"),
        (dict(loss="hinge"), "loss name was .*nonsaturating.* and is .*hinge"),
        (dict(lr=1e-3), "lr was 0.0002 and is 0.001"),
        (dict(optimizer=partial(torch.optim.SGD, lr=0.1)), "optimizer was null and is .*SGD"),
        (dict(seed=1), "seed was 0 and is 1"),
        (dict(train=data(seed=1)), "given as train are not the same"),
        (dict(model=GAN(dim=2, latent=3, hidden=9)), "config hidden was 8 and is 9"),
    ],
)
def test_state_of_another_game_is_refused(tmp_path, change, reason):
    path = tmp_path / "game.safetensors"
    run = dict(model=fresh(), train=data(), steps=4, batch_size=10) | QUIET
    fit_adversarial(**run, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"another run: .*{reason}"):
        fit_adversarial(**run | change, checkpoint=path)
    assert path.read_bytes() == before
    fit_adversarial(**run | change, checkpoint=path, resume=False)


# --- bad arguments ----------------------------------------------------------------------------------------------------


class Bare(nn.Module):
    """No player at all."""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict(k=0), "k must be a whole number of at least 1, got 0"),
        (dict(k=1.5), "k must be"),
        (dict(k=None), "k must be"),
        (dict(k=True), "k must be"),
        (dict(steps=0), "steps must be"),
        (dict(batch_size=0), "batch_size must be"),
        (dict(generator_batch_size=0), "generator_batch_size must be"),
        (dict(evaluate_every=0), "evaluate_every must be"),
        (dict(loss="wassertein"), "no adversarial loss .* did you mean wasserstein"),
        (dict(loss=None), "loss must be the name of one"),
        (dict(lr=-1.0), "lr must be positive"),
        (dict(lr=None), "lr must be positive, got None"),
        (dict(ema="0.9"), "ema must lie between 0 and 1, got '0.9'"),
        (dict(time_limit="1 h"), "time_limit must be positive, got '1 h'"),
        (dict(optimizer=torch.optim.SGD([torch.zeros(1)], lr=0.1)), "optimizer must be a function, got SGD; give what"),
        (dict(discriminator_optimizer="adam"), "discriminator_optimizer must be a function, got str"),
        (dict(opponent=3), "opponent must be a function, got int"),
        (dict(watch=[]), "watch must be a function, got list"),
        (dict(train=torch.zeros(4, 2).long()), "train is torch.int64 and the generator makes torch.float32"),
        (dict(train=torch.zeros(4, 2).double()), "train is torch.float64 and the generator makes torch.float32"),
        (dict(loss=losses.Loss("no mean", lambda real, fake: real - fake, losses.minimax_generator_loss)),
         r"a loss must be one number, the mean over its batch, got shape \(5,\)"),
        (dict(ema=1.5), "ema must lie between"),
        (dict(time_limit=0), "time_limit must be positive"),
        (dict(model=Bare()), "Bare has no generator and no discriminator"),
        (dict(train=torch.zeros(4, 3)), r"train must have shape \(N, 2\) for this model, got \(4, 3\)"),
        (dict(train=torch.full((4, 2), math.inf)), "train holds NaN or infinite"),
        (dict(train=torch.zeros(0, 2)), "train holds no example"),
    ],
)
def test_bad_arguments_are_refused_with_a_reason(change, reason):
    arguments = dict(model=fresh(), train=data(), steps=4, batch_size=5) | change
    with pytest.raises(ValueError, match=reason):
        fit_adversarial(**arguments, **QUIET)


def test_players_that_do_not_fit_are_refused():
    wide = fresh()
    wide.generator.append(nn.Linear(2, 3))
    with pytest.raises(ValueError, match=r"generator's examples have shape \(3,\) and the data \(2,\)"):
        fit_adversarial(wide, data(), steps=1, batch_size=5, **QUIET)
    frozen = fresh()
    frozen.discriminator.requires_grad_(False)
    with pytest.raises(ValueError, match="discriminator of GAN has no parameter"):
        fit_adversarial(frozen, data(), steps=1, batch_size=5, **QUIET)


def test_mismatched_logits_are_refused():
    class Moody(nn.Module):
        """Answers with one logit an example, or with one for all."""

        def __init__(self):
            super().__init__()
            self.layer, self.calls = nn.Linear(2, 1), 0

        def forward(self, x):
            self.calls += 1
            return self.layer(x)[:, 0] if self.calls % 2 else self.layer(x).mean(0)

    model = fresh()
    model.discriminator = Moody()
    with pytest.raises(ValueError, match="mismatched logits"):
        fit_adversarial(model, data(), steps=1, batch_size=5, **QUIET)
