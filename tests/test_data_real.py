"""The real sets, where DGM_DATA_DIR names a folder that holds them."""

import os

import pytest
import torch

from dgmhelpers import data

pytestmark = pytest.mark.skipif(
    not os.environ.get("DGM_DATA_DIR"), reason="set DGM_DATA_DIR to a folder that holds the real data"
)

EXPECTED = {  # sizes of train, valid, test; event shape; levels
    "mnist": ((50_000, 10_000, 10_000), (1, 28, 28), 256),
    "binarized-mnist": ((50_000, 10_000, 10_000), (1, 28, 28), 2),
    "dna": ((1_600, 400, 1_186), (180,), 2),
    "mushrooms": ((2_000, 500, 5_624), (112,), 2),
    "nips": ((400, 100, 1_240), (500,), 2),
    "cifar10-part": ((3_600, 400, 1_000), (3, 32, 32), 256),
    "tiny-shakespeare": ((1_003_854, 111_540), (), 65),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_sets(name):
    sizes, event_shape, levels = EXPECTED[name]
    loaded = data.load(name, dtype=torch.uint8)
    assert tuple(map(len, loaded.splits.values())) == sizes
    assert loaded.event_shape == event_shape and loaded.levels == levels
    assert all(x.max() == levels - 1 and x.min() == 0 for x in loaded.splits.values())
    for part, labels in loaded.labels.items():
        assert len(labels) == len(loaded.split(part)) and labels.unique().tolist() == list(range(10))
    assert os.environ["DGM_DATA_DIR"] in data.describe(name)


def test_independent_pixels_on_binarized_mnist_give_the_known_figure():
    digits = data.load("binarized-mnist").flat()
    means = (digits.train.double().sum(0) + 1) / (len(digits.train) + 2)       # some pixels are never 1 in training
    nats = -torch.distributions.Bernoulli(means).log_prob(digits.test.double()).sum(-1).mean()
    assert abs(nats - 205.8) < 0.05


def test_binarized_mnist_stands_upright():
    """The mean image of digits that stand is higher than wide: ones, sevens and nines see to it."""
    row, column = (data.load("binarized-mnist").train[:, 0].mean(0).sum(axis) for axis in (1, 0))
    place = torch.arange(28.0)

    def spread(mass):
        mass = mass / mass.sum()
        return (mass * (place - (mass * place).sum()) ** 2).sum()

    assert spread(row) > 1.1 * spread(column)


def test_binarized_mnist_and_mnist_agree_on_the_average():
    grey = data.load("mnist", dtype=torch.uint8).test.double().mean(0) / 255
    binary = data.load("binarized-mnist", dtype=torch.uint8).test.double().mean(0)
    assert (grey - binary).abs().max() < 0.03


def test_tiny_shakespeare_begins_as_it_should():
    play = data.load("tiny-shakespeare")
    assert play.decode(play.train[:14]) == "First Citizen:"


def test_spoken_digits():
    spoken = data.load("spoken-digits")
    assert sum(map(len, spoken.splits.values())) == 10_498_424
    for part, n in {"train": 2400, "valid": 300, "test": 300}.items():
        assert spoken.labels[part].bincount().tolist() == [n // 10] * 10
        assert spoken.offsets[part][-1] == len(spoken.split(part)) and (spoken.offsets[part].diff() > 1000).all()
    assert spoken.sha256.startswith("45a9b976")


def test_the_part_of_cifar_begins_as_cifar_does():
    part = data.load("cifar10-part", dtype=torch.uint8)
    assert part.train[0, :, 0, 0].tolist() == [59, 62, 63] and part.test[0, :, 0, 0].tolist() == [158, 112, 49]
