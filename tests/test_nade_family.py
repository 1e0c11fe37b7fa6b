"""RNADE, DeepNADE and ConvNADE beyond the laws: their definitions from scratch, the loss by enumeration, inpainting."""

import dataclasses
import json
from itertools import combinations, permutations, product
from math import comb

import pytest
import torch
from models import MODELS
from randomness import seeded, stirred
from torch.distributions import Categorical, MixtureSameFamily, Normal

from dgmhelpers import data, evaluation, laws, recipes, sampling
from dgmhelpers.autoregressive import RNADE, ConvNADE, DeepNADE, deep_nade, order_agnostic
from dgmhelpers.masks import rank_of
from dgmhelpers.recipes import Folders
from dgmhelpers.recipes.evaluate import evaluate
from dgmhelpers.recipes.train import train
from dgmhelpers.training import checkpoints

ORDER_AGNOSTIC = {
    "DeepNADE": lambda **more: DeepNADE(dim=4, hidden=7, **more),
    "ConvNADE": lambda **more: ConvNADE(event_shape=(1, 2, 2), channels=5, layers=2, **more),
    "ConvNADE of 3 levels": lambda **more: ConvNADE((2, 1, 2), levels=3, channels=5, layers=2, **more),
}
each_kind = pytest.mark.parametrize("make", ORDER_AGNOSTIC.values(), ids=ORDER_AGNOSTIC)


def example(model, n, seed=0):
    levels = model.likelihood.levels
    return model.likelihood.cast(torch.randint(levels, (n, *model.event_shape), generator=seeded(seed)), torch.double)


# RNADE


def test_rnade_equals_its_definition_conditional_by_conditional():
    """From scratch for every k, with torch's own mixture: h = max(0, ρ_k (c + Σ_{j<k} W_j x_j))."""
    model = stirred(RNADE(dim=5, hidden=6, components=3, order=[4, 0, 2, 1, 3], scale=2.0))
    x = torch.randn(7, 5, generator=seeded(), dtype=torch.double)
    total = torch.zeros(7, dtype=torch.double)
    for k, i in enumerate(model.order.tolist()):
        before = model.order[:k]
        h = torch.relu(model.rho[k] * (model.c + x[:, before] / 2 @ model.W[before]))      # (7, H)
        weights, means, spreads = (h @ model.V[i, z].T + model.b[i, z] for z in range(3))  # (7, M) each
        mixture = MixtureSameFamily(Categorical(logits=weights), Normal(2 * means, 2 * spreads.exp()))
        total += mixture.log_prob(x[:, i])
    assert (model.log_prob(x) - total).abs().max() < 1e-12


def test_rnade_of_one_component_and_no_hidden_influence_is_a_gaussian():
    model = RNADE(dim=3, hidden=2, components=1).double()
    with torch.no_grad():
        model.V.zero_()
        model.b[:, 1], model.b[:, 2] = 0.5, 0.3
    x = torch.randn(4, 3, generator=seeded(), dtype=torch.double)
    expected = Normal(0.5, torch.tensor(0.3, dtype=torch.double).exp()).log_prob(x).sum(1)
    assert (model.log_prob(x) - expected).abs().max() < 1e-12


def test_rnade_integrates_to_one_in_one_dimension_and_in_two():
    """By the midpoint rule: on the whole line its error for a smooth density falls faster than any power of the step.

    The narrowest Gaussian of these models is more than four steps wide, and beyond the edge lies less than 1e-12.
    """
    line, step = torch.linspace(-400, 400, 8001, dtype=torch.double), 0.1
    for order in ([0, 1], [1, 0]):
        model = stirred(RNADE(dim=2, hidden=6, components=3, order=order, scale=4.0), seed=2)
        first, second = order
        # over the second variable for each of a few values of the first, then over the first alone
        x = torch.zeros(len(line), 2, dtype=torch.double)
        for value in (-3.0, 0.0, 5.0):
            x[:, first], x[:, second] = value, line
            log_each = model.likelihood.log_prob(model(x), x)                      # (N, 2)
            assert abs(log_each[:, second].exp().sum().item() * step - 1) < 1e-9
        x[:, first] = line
        log_first = model.likelihood.log_prob(model(x), x)[:, first]
        assert abs(log_first.exp().sum().item() * step - 1) < 1e-9
    model = stirred(RNADE(dim=1, hidden=6, components=3, scale=4.0), seed=2)
    assert abs(model.log_prob(line[:, None]).exp().sum().item() * step - 1) < 1e-9
    coarse = torch.linspace(-80, 80, 641, dtype=torch.double)                      # and the plane itself, step 1/4
    model = stirred(RNADE(dim=2, hidden=6, components=3, scale=4.0), seed=2)
    total = sum(model.log_prob(torch.cartesian_prod(part, coarse)).exp().sum() for part in coarse.split(64))
    assert abs(total.item() / 16 - 1) < 1e-9


def test_rnade_learns_a_curved_density_better_than_any_gaussian():
    """y = x² + noise, standardised: no Gaussian comes near, since its correlation is zero."""
    x = torch.randn(2000, generator=seeded())
    y = (x**2 - 1) / 2**0.5 + 0.2 * torch.randn(2000, generator=seeded(1))
    data = torch.stack([x, y], 1)
    torch.manual_seed(0)
    model = RNADE(dim=2, hidden=24, components=3)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimiser.zero_grad()
        model.loss(data).backward()
        optimiser.step()
    gaussian = torch.distributions.MultivariateNormal(data.mean(0), data.T.cov())
    assert -model.log_prob(data).mean() < -gaussian.log_prob(data).mean() - 0.5
    assert -model.log_prob(data).mean() > 1.4189 - 0.1 + 0.5 * torch.tensor(2 * torch.pi * torch.e * 0.04).log()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_rnade_refuses_values_that_are_not_finite(bad):
    x = torch.zeros(2, 3)
    x[1, 2] = bad
    for method in ("log_prob", "loss"):
        with pytest.raises(ValueError, match="finite, got"):
            getattr(RNADE(dim=3), method)(x)


def test_rnade_takes_integers_as_the_numbers_they_are():
    model = stirred(RNADE(dim=3, hidden=4))
    x = torch.tensor([[1, -2, 3]])
    assert torch.equal(model.log_prob(x), model.log_prob(x.double()))


def test_rnade_near_temperature_zero_takes_the_mean_of_the_likeliest_component():
    model = stirred(RNADE(dim=3, hidden=4, components=3))
    x = model.sample(2, temperature=1e-15)
    logits, means, _ = model(x).unbind(-2)
    assert (x - means.gather(-1, logits.argmax(-1, keepdim=True))[..., 0]).abs().max() < 1e-12


# Order-agnostic models


@each_kind
def test_each_conditional_is_the_network_told_what_precedes_it(make):
    """One pass for every variable, by hand, against the batched passes of ``forward``."""
    model = stirred(make(orders=3))
    x = example(model, 6)
    for m, order in enumerate(model.orders):
        params = sampling.parameters_of(model, x, component=m)                     # (6, D, …)
        rank = rank_of(order)
        for i in range(4):
            mask = (rank < rank[i]).double().reshape(model.event_shape).expand(x.shape)
            alone = model.network(x, mask).flatten(1, len(model.event_shape))[:, i]
            assert (params[:, i] - alone).abs().max() < 1e-12


@each_kind
def test_evaluation_in_small_batches_is_the_same(make, monkeypatch):
    model = stirred(make())
    x = example(model, 5)
    at_once = model(x)
    monkeypatch.setattr(order_agnostic, "MOST_INPUTS", 1)
    monkeypatch.setattr(deep_nade, "MOST_HIDDEN", 1)
    assert (model(x) - at_once).abs().max() < 1e-12


@each_kind
def test_the_loss_is_on_average_minus_log_p_over_all_orders(make):
    """By enumeration: each k of D, each of the C(D, k) sets, against the mean over all D! orders of −log p_o(x)."""
    model = stirred(make())
    x = example(model, 6)
    every_order = [list(order) for order in permutations(range(4))]
    expected = -torch.stack([model.with_orders([o])._log_prob(x, None, 0) for o in every_order]).mean(0)
    found = torch.zeros(6, dtype=torch.double)
    for k in range(4):
        for chosen in combinations(range(4), k):
            known = torch.zeros(4, dtype=torch.bool)
            known[list(chosen)] = True
            mask = known.double().reshape(model.event_shape).expand(x.shape)
            each = -model.likelihood.log_prob(model.network(x, mask), x).flatten(1)
            found += 4 / (4 - k) * each[:, ~known].sum(1) / 4 / comb(4, k)
    assert (found - expected).abs().max() < 1e-12


@each_kind
def test_the_loss_takes_each_known_set_as_often_as_that_says(make, monkeypatch):
    """The other half: what is drawn. And the loss is that estimate, for the set that was drawn."""
    sets = order_agnostic.draw_known(40_000, 4, seeded()).long() @ torch.tensor([8, 4, 2, 1])
    counts = torch.bincount(sets, minlength=16).double()
    size = torch.tensor([bin(s).count("1") for s in range(16)])
    expected = torch.tensor([0.0 if k == 4 else 10_000 / comb(4, k) for k in size.tolist()], dtype=torch.double)
    assert counts[15] == 0  # something is always left to predict
    assert laws.g_test(counts[:15], expected[:15])[0] > 1e-6
    model = stirred(make())
    x = example(model, 4)
    known = torch.tensor([[True, False, False, True], [False] * 4, [True, True, True, False], [True] + [False] * 3])
    monkeypatch.setattr(order_agnostic, "draw_known", lambda *a: known)
    params = model.network(x, known.double().reshape(x.shape))
    each = -model.likelihood.log_prob(params, x).flatten(1)
    by_hand = (2 * each[0, [1, 2]].sum() + each[1].sum() + 4 * each[2, 3] + 4 / 3 * each[3, 1:].sum()) / 4
    assert (model.loss(x) - by_hand).abs() < 1e-12  # 4/3 is no number of float32: the weight is in the model's dtype


@each_kind
def test_the_density_is_the_mean_over_its_orders_and_each_sums_to_one(make):
    model = stirred(make(orders=3))
    levels = model.likelihood.levels
    states = torch.tensor(list(product(range(levels), repeat=4))).reshape(-1, *model.event_shape)
    alone = torch.stack([model.with_orders(model.orders[m : m + 1]).log_prob(states) for m in range(3)])
    assert (alone.logsumexp(1).exp() - 1).abs().max() < 1e-12
    assert (model.log_prob(states) - alone.exp().mean(0).log()).abs().max() < 1e-12
    assert (alone[0] - alone[1]).abs().max() > 1e-3  # the orders disagree: that is why there are several


@each_kind
def test_other_orders_are_the_same_network(make):
    model = make(orders=2).train()
    many = model.with_orders(5, seed=0)
    assert many.orders.shape == (5, 4) and many.training
    assert torch.equal(many.orders[:2], model.orders)  # the first of many are the few
    assert many.config["orders"] == 5 and model.orders.shape == (2, 4) and model.config["orders"] == 2
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), many.parameters(), strict=True))
    assert not torch.equal(model.with_orders(5, seed=1).orders, many.orders)
    given = model.with_orders([[3, 2, 1, 0]])
    assert given.order.tolist() == [3, 2, 1, 0] and given.config["orders"] == [[3, 2, 1, 0]]
    before = torch.get_rng_state()
    model.with_orders(3)
    assert torch.equal(torch.get_rng_state(), before)  # it draws nothing of the caller's


@each_kind
@pytest.mark.parametrize("method", ["cached", "naive"])
def test_any_known_entries_can_be_completed_exactly(make, method):
    """p(unknown | known) of the order with the known in front, by enumeration; the same draws by both methods."""
    model = stirred(make(orders=[[0, 1, 2, 3]]))
    levels, n = model.likelihood.levels, 6000
    given, known = torch.tensor([0, 1, 0, 1]), torch.tensor([False, True, False, True])
    states = torch.tensor(list(product(range(levels), repeat=4)))
    fits = (states[:, known] == given[known]).all(1)
    first = model.with_orders([[1, 3, 0, 2]])
    conditional = first.log_prob(states[fits].reshape(-1, *model.event_shape)).softmax(0).detach()
    known_as_shaped = {"given": given.reshape(model.event_shape), "known": known.reshape(model.event_shape)}
    draws = model.sample(n, **known_as_shaped, method=method, generator=seeded()).flatten(1).long()
    codes = (draws * levels ** torch.arange(3, -1, -1)).sum(1)
    counts = torch.bincount(codes, minlength=levels**4).double()
    assert counts[~fits].sum() == 0
    assert laws.g_test(counts[fits], conditional * n)[0] > 1e-6
    unmoved = model.log_prob(states[fits].reshape(-1, *model.event_shape)).softmax(0)
    assert (unmoved - conditional).abs().max() > 1e-3  # the declared order's conditional is another


@each_kind
def test_examples_may_know_different_things(make):
    model = stirred(make(orders=2))
    given = example(model, 12, seed=3)
    known = torch.rand(given.shape, generator=seeded(4)) < 0.5
    both = [model.sample(12, given=given, known=known, method=m, generator=seeded()) for m in ("cached", "naive")]
    assert torch.equal(*both)
    assert torch.equal(both[0][known], given[known])
    assert torch.equal(model.sample(12, given=given, known=torch.ones_like(known)), given)
    nothing = model.sample(12, given=given, known=torch.zeros_like(known), generator=seeded())
    assert torch.equal(nothing, model.sample(12, generator=seeded()))
    assert model.sample(0, given=given[0], known=known[0]).shape == (0, *model.event_shape)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RNADE(dim=0), "dim must be an integer of at least 1, got 0"),
        (lambda: RNADE(components=0), "components must be an integer of at least 1, got 0"),
        (lambda: RNADE(hidden=2.0), "hidden must be an integer"),
        (lambda: RNADE(scale=0.0), "scale must be positive, got 0.0"),
        (lambda: RNADE(dim=3, order=[0, 1, 1]), "permutation of 0 … 2"),
        (lambda: DeepNADE(dim=3, layers=0), "layers"),
        (lambda: DeepNADE(dim=3, orders=0), "orders must be at least 1, or permutations, got 0"),
        (lambda: DeepNADE(dim=3, orders=[[0, 1]]), "permutation of 0 … 2"),
        (lambda: DeepNADE(dim=3).with_orders(0), "orders must be at least 1"),
        (lambda: ConvNADE(event_shape=(3, 3)), r"event_shape must be \(C, H, W\), got \(3, 3\)"),
        (lambda: ConvNADE(event_shape=(1, 0, 3)), "event_shape must be an integer of at least 1, got 0"),
        (lambda: ConvNADE(kernel=4), "kernel must be odd, got 4"),
        (lambda: ConvNADE(dilations=()), "dilations must be an integer of at least 1, got 0"),
        (lambda: ConvNADE(dilations=[1, 0]), "dilations"),
        (lambda: ConvNADE(levels=1), "levels must be an integer of at least 2, got 1"),
        (lambda: ConvNADE().log_prob(torch.zeros(2, 64)), r"expected x of shape \(B, 1, 8, 8\), got \(2, 64\)"),
        (lambda: ConvNADE().loss(torch.full((1, 1, 8, 8), 0.5)), "0 or 1, got 0.5"),
        (lambda: ConvNADE(levels=4).loss(torch.full((1, 1, 8, 8), 4)), "0 … 3, got 4"),
        (lambda: DeepNADE(dim=3).log_prob(torch.zeros(2, 3), torch.zeros(2)), "not conditional"),
        (lambda: DeepNADE(dim=3).loss(torch.zeros(2, 3), torch.zeros(2)), "not conditional"),
        (lambda: DeepNADE(dim=3).sample(2, given=torch.zeros(3)), "come together"),
        (lambda: DeepNADE(dim=3).sample(2, given=torch.zeros(3), known=torch.ones(3)), "known must be boolean"),
        (lambda: DeepNADE(dim=3).sample(-1, given=torch.zeros(3), known=torch.ones(3).bool()), "0 or more, got -1"),
    ],
)
def test_bad_arguments_are_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "sizes",
    [
        dict(event_shape=(1, 4, 7), layers=1),
        dict(event_shape=(2, 2, 6), layers=2, levels=3),
        dict(event_shape=(1, 1, 12), layers=2, dilations=(3, 2)),
        dict(event_shape=(1, 3, 3), layers=1, kernel=1),
        dict(event_shape=(1, 9, 2), layers=1, kernel=5),
    ],
    ids=str,
)
def test_conv_nade_declares_its_blind_spot_exactly(sizes):
    model = ConvNADE(channels=6, orders=1, **sizes)
    verdict = laws.depends_on_exactly_its_past(laws.of_model(model), seeded())
    assert verdict.held and model.blind_spot.any(), str(verdict)


def test_conv_nade_sees_the_whole_image_once_its_field_covers_it():
    assert not ConvNADE((1, 8, 8), layers=6).blind_spot.any()  # six layers and the output: seven pixels away
    assert ConvNADE((1, 8, 8), layers=5).blind_spot.any()
    assert not ConvNADE((1, 28, 28), channels=2, layers=8, dilations=(1, 2, 4, 8)).blind_spot.any()


def test_a_hole_is_not_a_zero():
    """The mask is an input: a known 0 and an unknown pixel say different things to the network."""
    model = stirred(ConvNADE((1, 2, 2), channels=4, layers=2))
    x = torch.zeros(1, 1, 2, 2, dtype=torch.double)
    assert (model.network(x, torch.ones_like(x)) - model.network(x, torch.zeros_like(x))).abs().max() > 1e-3


def test_the_cached_first_layer_costs_one_column_a_step():
    """Rows times columns of the products of one cached sample: nothing of the first layer but sums."""
    model = stirred(DeepNADE(dim=9, hidden=16, layers=2, orders=1))
    used = []
    original = torch.nn.functional.linear

    def counting(inputs, weight, *rest):
        used.append(tuple(weight.shape))
        return original(inputs, weight, *rest)

    torch.nn.functional.linear = counting
    try:
        model.sample(2, generator=seeded())
    finally:
        torch.nn.functional.linear = original
    assert used == [(16, 16)] * 9


def test_every_model_of_the_family_is_registered_more_than_once():
    names = [type(entry.make()).__name__ for entry in MODELS]
    assert all(names.count(name) >= 3 for name in ("RNADE", "MultinomialNADE", "DeepNADE", "ConvNADE"))


# Recipes


def test_the_part_that_is_measured_is_spread_over_a_sorted_file():
    """Ten digits, sorted as in static binarised MNIST's test part: the first 50 would all be zeros."""
    by_digit = torch.arange(10).repeat_interleave(103)
    part = dataclasses.replace(recipes.get("deepnade-binarized-mnist"), part=50)
    assert torch.equal(part.some(by_digit).bincount(), torch.full((10,), 5))
    assert len(part.some(by_digit[:50])) == 50 and torch.equal(part.some(by_digit[:7]), by_digit[:7])
    assert len(dataclasses.replace(part, part=None).some(by_digit)) == 1030
    places = part.some(torch.arange(10_000))
    assert len(places.unique()) == 50 and (places.diff() == 200).all()


@pytest.mark.parametrize("name", ["deepnade-dna", "convnade-binarized-mnist", "rnade-patches"])
def test_a_recipe_stores_the_mixture_that_it_measures(name, tmp_path):
    folders = Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")
    path = train(name, profile="quick", device="cpu", folders=folders, say=lambda line: None)
    result, recipe = json.loads(path.read_text(encoding="utf-8")), recipes.get(name).for_profile("quick")
    stored = checkpoints.load(folders.checkpoints / f"{name}.safetensors")
    assert len(stored.orders) == recipe.protocol.get("orders", 1)
    metric = result["metrics"][0]
    test = data.load(metric["dataset"]).test
    assert metric["examples"] == min(recipe.part or len(test), len(test))
    x = recipe.some(test).reshape(-1, *stored.event_shape)
    assert metric["value"] == pytest.approx(evaluation.nats(stored, x).value, abs=1e-9)
    comparisons, _ = evaluate(name, profile="quick", device="cpu", folders=folders)
    assert all(comparison.agrees for comparison in comparisons[:1])
