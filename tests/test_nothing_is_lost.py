"""What killed a run at its first checkpoint or at the end of the work: any number that a user may bring is stored."""

import json
import math
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from training_cases import QUIET, TEXT_RUN, bits, same, text, text_model, weights

from dgmhelpers import classical
from dgmhelpers.adversarial import GAN
from dgmhelpers.autoregressive import FVBN
from dgmhelpers.training import checkpoints, files, fit, fit_adversarial

RUN = dict(steps=6, batch_size=10, evaluate_every=2, **QUIET)


def play(watch=None, **change):
    torch.manual_seed(0)
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    model = GAN(dim=2, latent=2, hidden=4)
    return model, fit_adversarial(model, x, watch=watch, **RUN | change)


# --- numbers that JSON has no word for --------------------------------------------------------------------------------

SEEN = {
    "a tensor": (torch.tensor(0.5), 0.5),
    "a vector": (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
    "numpy": ({"a": np.float32(0.5), "b": (np.int64(3), np.arange(2))}, {"a": 0.5, "b": [3, [0, 1]]}),
    "infinity": ([math.inf, -math.inf], [math.inf, -math.inf]),
    "text": ("as it is", "as it is"),
}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("game", [True, False], ids=["game", "fit"])
def test_what_is_watched_is_stored_and_read_again(tmp_path, name, game):
    seen, expected = SEEN[name]
    path = tmp_path / "run.safetensors"

    def run(**more):
        if game:
            return play(lambda model, step: seen, checkpoint=path, **more)[1]
        return fit(FVBN(dim=6), bits(), watch=lambda model, step: seen, checkpoint=path, **RUN | more)

    run(time_limit=1e-9)
    history = run()
    assert history.watched == [(step, expected) for step in (0, 2, 4, 6)]
    assert run().watched == history.watched              # read from the file


def test_nan_is_watched_like_any_number(tmp_path):
    run = dict(watch=lambda model, step: {"gap": math.nan}, checkpoint=tmp_path / "run.safetensors")
    for _ in range(2):
        assert all(math.isnan(seen["gap"]) for _, seen in play(**run)[1].watched)


def test_what_cannot_be_stored_is_refused_before_the_first_step():
    with pytest.raises(TypeError, match="watch must return numbers, text, tensors, or lists and dicts.*GAN"):
        play(lambda model, step: model if step == 0 else pytest.fail("a step was taken"))


NUMBERS = dict(lr=np.float32(0.01), clip=math.inf, steps=np.int64(6), batch_size=np.int32(10),
               evaluate_every=np.int64(2), warmup=np.int64(2), ema=np.float64(0.9), seed=np.int64(3))  # fmt: skip


def test_numbers_of_numpy_and_an_infinite_clip_are_arguments_like_any_other(tmp_path):
    path, plain = tmp_path / "run.safetensors", {k: v.item() for k, v in NUMBERS.items() if isinstance(v, np.generic)}
    some = dict(weight_decay=np.float32(0.5), l1=np.float64(1e-3), patience=np.int64(9), anneal=np.int64(0))
    models = [FVBN(dim=6) for _ in range(3)]
    fit(models[0], bits(), checkpoint=path, **RUN | NUMBERS | some | {"time_limit": 1e-9})
    fit(models[1], bits(), checkpoint=path, **RUN | NUMBERS | some)
    fit(models[2], bits(), **RUN | plain | {k: v.item() for k, v in some.items()})
    assert same(weights(models[1]), weights(models[2]))
    games = [play(**more)[0] for more in (NUMBERS | {"checkpoint": tmp_path / "game.safetensors"}, plain)]
    assert same(weights(games[0]), weights(games[1]))


def test_metadata_of_numpy_is_stored(tmp_path):
    path, metadata = tmp_path / "m.safetensors", {"loss": np.float32(0.5), "at": (np.int64(3), torch.ones(2))}
    checkpoints.save(path, FVBN(dim=3), metadata)
    found = checkpoints.read_metadata(path)
    assert (found["loss"], found["at"]) == (0.5, [3, [1.0, 1.0]])


# --- weights as they are ----------------------------------------------------------------------------------------------

def never(model):
    """A model that rules one value out."""
    model.log_odds.data[0, 0] = -math.inf
    return model


CLASSICAL = {
    "Multinomial": lambda: classical.Multinomial(3).fit(torch.tensor([0, 0, 1])),
    "HMM": lambda: classical.HMM(2, 2, 2, transition=[[1.0, 0.0], [1.0, 0.0]]),
    "BernoulliMixture": lambda: never(classical.BernoulliMixture(dim=2, components=2)),
    "BernoulliNaiveBayes": lambda: never(classical.BernoulliNaiveBayes(dim=2, classes=2)),
    "Gaussian": lambda: classical.Gaussian(2).fit(
        1e6 + torch.randn(500, 2, dtype=torch.double, generator=torch.Generator().manual_seed(0))),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_classical_model_is_stored_in_its_own_precision_infinities_included(tmp_path, name):
    model, path = CLASSICAL[name](), tmp_path / "model.safetensors"
    checkpoints.save(path, model)
    again = checkpoints.load(path)
    assert same(weights(model), weights(again)) and again.dtype == torch.double
    if name != "Gaussian":
        assert any(tensor.isinf().any() for tensor in weights(model).values())


def test_double_precision_comes_back_and_single_stays_single(tmp_path):
    path = tmp_path / "model.safetensors"
    for model, dtype in (FVBN(dim=4).double(), "float64"), (FVBN(dim=4).double(), None), (FVBN(dim=4), None):
        torch.nn.init.normal_(model.weight)
        checkpoints.save(path, model, dtype=dtype)
        assert same(weights(checkpoints.load(path)), weights(model))
        assert checkpoints.load(path).dtype == model.dtype


def test_only_nan_and_overflow_are_refused(tmp_path):
    model = FVBN(dim=3)
    model.bias.data[0] = -math.inf
    checkpoints.save(tmp_path / "m.safetensors", model, dtype="float16")
    assert checkpoints.load(tmp_path / "m.safetensors").bias[0] == -math.inf
    model.bias.data[1] = 1e6
    with pytest.raises(ValueError, match="bias of autoregressive.FVBN overflows float16"):
        checkpoints.save(tmp_path / "m.safetensors", model, dtype="float16")
    model.bias.data[1] = math.nan
    with pytest.raises(ValueError, match="bias of autoregressive.FVBN holds NaN"):
        checkpoints.save(tmp_path / "m.safetensors", model)


# --- several at once --------------------------------------------------------------------------------------------------


def together(*works):
    """Run functions in threads of their own; what they raised."""
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("write", [lambda path, k: files.write(path, {"x": torch.full((5000,), float(k))}, {"k": k}),
                                   lambda path, k: files.write_json(path, {"x": [k] * 5000})])  # fmt: skip
def test_writers_of_one_path_do_not_meet(tmp_path, write):
    path = tmp_path / "one"
    assert together(*[lambda k=k: [write(path, k) for _ in range(40)] for k in range(4)]) == []
    assert [each.name for each in tmp_path.iterdir()] == ["one"]     # whole, and nothing beside it
    if path.read_bytes()[:1] == b"{":
        assert len(set(json.loads(path.read_text())["x"])) == 1
    else:
        tensors, metadata = files.read(path)
        assert (tensors["x"] == metadata["k"]).all()


def test_what_a_killed_writer_left_is_cleared_away_in_a_day(tmp_path):
    stale, fresh = tmp_path / ".run.1.partial", tmp_path / ".run.2.partial"
    for path, age in (stale, 2 * files.STALE), (fresh, 0):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    files.write_json(tmp_path / "run", {})
    assert not stale.exists() and fresh.exists()


def test_two_trainings_with_dropout_in_threads_are_those_of_one_after_the_other():
    models = [text_model() for _ in range(4)]
    for model, seed in zip(models[:2], (0, 1), strict=True):
        fit(model, text(), seed=seed, **TEXT_RUN)
    run = TEXT_RUN | {"steps": 40}
    works = [lambda m=m, s=s: fit(m, text(), seed=s, **run) for m, s in zip(models[2:], (0, 1), strict=True)]
    assert together(*works) == []
    assert all(same(weights(a), weights(b)) for a, b in zip(models[:2], models[2:], strict=True))


def test_a_training_within_a_training_does_not_wait_for_itself():
    def watch(model, step):
        return fit(FVBN(dim=6), bits(), **RUN | {"steps": 2}).train_loss[-1]

    assert len(fit(FVBN(dim=6), bits(), watch=watch, **RUN).watched) == 4


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not tell what is mapped")
def test_what_was_read_is_not_mapped_any_more(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(FVBN(dim=6), bits(), checkpoint=path, time_limit=1e-9, **RUN)
    mapped = []

    def watch(model, step):
        mapped.append(Path("/proc/self/maps").read_text())

    fit(FVBN(dim=6), bits(), checkpoint=path, watch=watch, **RUN)
    tensors, _ = files.read(path)
    assert tensors and not any(path.name in maps for maps in [*mapped, Path("/proc/self/maps").read_text()])
