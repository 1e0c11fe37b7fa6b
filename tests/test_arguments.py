"""What data and numpy hand in: bytes, whose bounds wrap around, and numbers that JSON does not know."""

import json
import warnings

import numpy as np
import pytest
import torch
from models import MODELS

from dgmhelpers import autoregressive, classical, latent, likelihoods
from dgmhelpers.arguments import at_least, closest, plain
from dgmhelpers.data import audio
from dgmhelpers.evaluation import receptive_field
from dgmhelpers.training import checkpoints

ENDS = torch.tensor([[0, 255], [255, 0], [128, 127]])           # of a byte


def seeded(make):
    torch.manual_seed(0)
    return make()


OF_256 = {
    "CharRNN": lambda: autoregressive.CharRNN(length=2, levels=256, hidden=2),
    "PixelCNN": lambda: autoregressive.PixelCNN((1, 1, 2), levels=256, channels=2, layers=1),
    "GatedPixelCNN": lambda: autoregressive.GatedPixelCNN((1, 1, 2), levels=256, channels=2, layers=1),
    "RowLSTM": lambda: autoregressive.RowLSTM((1, 1, 2), levels=256, hidden=2, layers=1),
    "DiagonalBiLSTM": lambda: autoregressive.DiagonalBiLSTM((1, 1, 2), levels=256, hidden=2, layers=1),
    "ConvNADE": lambda: autoregressive.ConvNADE((1, 1, 2), levels=256, channels=2, layers=1),
    "HMM": lambda: classical.HMM(length=2, states=2, levels=256),
    "CRF": lambda: classical.CRF(length=2, levels=256),
    "VAE": lambda: latent.VAE(dim=2, latent=1, hidden=(2,), levels=256),
    "VAE categorical": lambda: latent.VAE(dim=2, latent=1, hidden=(2,), levels=256, likelihood="categorical"),
    "ConvVAE": lambda: latent.ConvVAE((1, 1, 2), latent=1, channels=(2, 2), hidden=2, levels=256),
}


@pytest.mark.parametrize("name", OF_256)
def test_bytes_are_scored_as_the_levels_they_are(name):
    model = seeded(OF_256[name]).eval()
    x = ENDS.reshape(-1, *model.event_shape)
    values = []
    for given in (x, x.to(torch.uint8)):
        seed = {} if hasattr(model, "log_prob") else {"generator": torch.Generator().manual_seed(0)}
        score = getattr(model, "log_prob", None) or model.elbo
        values.append((score(given, **seed), model.loss(given, generator=torch.Generator().manual_seed(1))))
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=0)


def test_bytes_are_kept_where_they_are_known():
    model = seeded(OF_256["PixelCNN"])
    given, known = torch.tensor([[[0, 255]]], dtype=torch.uint8), torch.tensor([[[True, False]]])
    drawn = model.sample(3, given=given, known=known, generator=torch.Generator().manual_seed(0))
    assert (drawn[..., 0] == 0).all()
    assert (model.sample(2, given=given, known=~known)[..., 1] == 255).all()


def test_bytes_are_classes_and_labels_too():
    model = seeded(lambda: autoregressive.GatedPixelCNN((1, 1, 2), channels=2, layers=1, classes=256))
    x, classes = torch.zeros(3, 1, 1, 2), torch.tensor([0, 255, 7])
    torch.testing.assert_close(model.log_prob(x, classes), model.log_prob(x, classes.to(torch.uint8)), rtol=0, atol=0)
    with pytest.raises(ValueError, match="classes must be within 0 … 255, got 256"):
        model.log_prob(x, torch.tensor([0, 256, 0]))
    labels = torch.arange(256)
    bayes = [classical.BernoulliNaiveBayes(dim=2, classes=256).fit(torch.zeros(256, 2), each, smoothing=1.0)
             for each in (labels, labels.to(torch.uint8))]
    torch.testing.assert_close(bayes[0].bit_probabilities, bayes[1].bit_probabilities, rtol=0, atol=0)
    levels = ENDS.flatten()
    tables = [classical.Multinomial(256).fit(x).probabilities for x in (levels, levels.to(torch.uint8))]
    torch.testing.assert_close(*tables, rtol=0, atol=0)


@pytest.mark.parametrize("make", [lambda: likelihoods.Categorical(256), lambda: likelihoods.Categorical(300),
                                  lambda: likelihoods.DiscretizedLogisticMixture(256, 2)])
def test_a_likelihood_takes_bytes_and_still_refuses_what_is_outside(make):
    likelihood = make()
    checked = likelihood.check(ENDS.to(torch.uint8), torch.float32)
    assert checked.dtype == torch.long and torch.equal(checked, ENDS)
    with pytest.raises(ValueError, match=f"levels must be within 0 … {likelihood.levels - 1}, got {likelihood.levels}"):
        likelihood.check(torch.tensor([likelihood.levels]), torch.float32)
    with pytest.raises(ValueError, match="got -1"):
        likelihood.check(torch.tensor([-1], dtype=torch.int8), torch.float32)


def test_bytes_elsewhere():
    torch.testing.assert_close(audio.decode(ENDS.to(torch.uint8)), audio.decode(ENDS), rtol=0, atol=0)
    with pytest.raises(ValueError, match="from 0 to 9"):
        audio.decode(torch.tensor([10], dtype=torch.uint8), levels=10)
    model = seeded(lambda: autoregressive.PixelCNN((1, 16, 16), channels=2, layers=1, kernel=3))
    seen = [receptive_field.seen(model, pixels=pixels) for pixels in
            (torch.tensor([0, 255]), torch.tensor([0, 255], dtype=torch.uint8))]
    assert torch.equal(seen[0], seen[1])


def numpied(value):
    """The same with every number numpy's, and every list an array."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return np.int64(value)
    if isinstance(value, float):
        return np.float32(value)
    if isinstance(value, list) and value and not isinstance(value[0], str):
        return np.array(value)
    return value


@pytest.mark.parametrize("entry", MODELS, ids=lambda entry: entry.name)
def test_a_model_made_of_numpys_numbers_is_saved_and_loaded(entry, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        kind, config = type(entry.make()), entry.make().config
        if config is None:                               # it is made of modules
            with pytest.raises(ValueError, match="has no config"):
                checkpoints.save(tmp_path / "model.safetensors", entry.make())
            return
        model, plainly = (seeded(lambda c=c: kind(**c)) for c in ({k: numpied(v) for k, v in config.items()}, config))
        assert model.config == plainly.config or any(isinstance(v, float) for v in config.values())  # float32 rounds
        assert json.loads(json.dumps(model.config)) == model.config
        path = tmp_path / "model.safetensors"
        checkpoints.save(path, model)
        assert checkpoints.load(path).config == model.config


def test_at_least_takes_whole_numbers_of_any_make():
    for value in (np.int64(8), np.uint8(8), 8):
        assert type(at_least("hidden", value, 8)) is int
    for wrong in (True, np.bool_(True), 8.0, np.float64(8), "8", None, np.int64(7)):
        with pytest.raises(ValueError, match="hidden must be an integer of at least 8"):
            at_least("hidden", wrong, 8)


def test_levels_of_a_narrow_type_do_not_overflow():
    model = seeded(lambda: autoregressive.PixelCNN((1, 1, 2), levels=np.uint8(16), channels=2, layers=1))
    assert type(model.levels) is int and model.log_prob(torch.full((1, 1, 1, 2), 15)).isfinite().all()


def test_a_configuration_is_plain_whenever_it_is_set():
    model = autoregressive.DeepNADE(dim=4, hidden=np.int16(3), orders=np.int64(2))
    assert len(model.orders) == 2 and model.config["orders"] == 2
    twin = model.with_orders([np.random.default_rng(0).permutation(4)])
    assert json.loads(json.dumps(twin.config)) == twin.config
    assert plain({"a": (np.float32(0.5), [np.arange(2)], torch.ones(1)), "b": "c"}) == {
        "a": [0.5, [[0, 1]], [1.0]], "b": "c"}


def test_a_wrong_name_is_told_what_is_near():
    assert closest("hing", ["hinge", "minimax"]) == "did you mean hinge?"
    assert closest("zzz", ["a", "b"]) == "there are a, b"
    assert closest("zzz", []) == "there are none"
