"""Nothing is lost whatever happens to a training, and another run's state is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from training_cases import QUIET, TEXT_RUN, bits, same, text, text_model, weights

from dgmhelpers.autoregressive import FVBN, MADE
from dgmhelpers.training import CheckpointError, TrainingDiverged, checkpoints, fit

ROOT = Path(__file__).resolve().parents[1]



def unbroken():
    model = text_model()
    history = fit(model, text(), valid=text(30), **TEXT_RUN)
    return weights(model), history


def assert_as_unbroken(model, history):
    expected, whole = unbroken()
    assert same(weights(model), expected)
    assert history.train_loss == whole.train_loss
    assert history.valid_loss == whole.valid_loss
    assert (history.steps, history.best_step, history.stopped) == (whole.steps, whole.best_step, None)


@pytest.mark.parametrize("step", [1, 12, 14, 39])
def test_interrupted_between_steps_goes_on_bit_for_bit(tmp_path, step, capsys):
    path, model, calls = tmp_path / "run.safetensors", text_model(), []
    loss = model.loss

    def ctrl_c(*args, **kwargs):
        calls.append(None)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGINT)           # waits until the step is over
        return loss(*args, **kwargs)

    model.loss = ctrl_c
    with pytest.raises(KeyboardInterrupt):
        fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN | {"progress": True})
    said = capsys.readouterr().err
    assert f"interrupted after step {step} of 40" in said
    assert path.name in said
    assert not model.training
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model = text_model()
    history = fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN)
    assert_as_unbroken(model, history)


def test_interrupted_within_a_step_goes_on_from_the_evaluation_before(tmp_path):
    path, model = tmp_path / "run.safetensors", text_model()
    loss, calls = model.loss, []

    def interrupted(*args, **kwargs):
        calls.append(None)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return loss(*args, **kwargs)

    model.loss = interrupted
    with pytest.raises(KeyboardInterrupt):
        fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN)
    assert checkpoints.read_metadata(path)["step"] == 14
    model = text_model()
    assert_as_unbroken(model, fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN))


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from training_cases import TEXT_RUN, text, text_model
from dgmhelpers.training import fit
def slowly(loss):
    def wrapped(*args, **kwargs):
        time.sleep(0.02)
        return loss(*args, **kwargs)
    return wrapped
model = text_model()
model.loss = slowly(model.loss)
fit(model, text(), valid=text(30), checkpoint={path!r}, **TEXT_RUN)
"""


def test_killed_goes_on_bit_for_bit(tmp_path):
    path = tmp_path / "run.safetensors"
    script = KILLED.format(tests=str(ROOT / "tests"), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)                                       # anywhere: in a step, or while the next state is written
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 7 <= checkpoints.read_metadata(path)["step"] < 40
    model = text_model()
    assert_as_unbroken(model, fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN))


def test_finished_run_is_not_done_again(tmp_path):
    path = tmp_path / "run.safetensors"
    model = text_model()
    fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN)
    before = path.read_bytes()
    again = text_model()
    again.loss = lambda *args, **kwargs: pytest.fail("trained again")
    history = fit(again, text(), valid=text(30), checkpoint=path, **TEXT_RUN)
    assert same(weights(again), weights(model))
    assert len(history.steps) == 40
    assert path.read_bytes() == before


def test_stopped_by_the_clock_goes_on(tmp_path):
    path, model = tmp_path / "run.safetensors", text_model()
    history = fit(model, text(), valid=text(30), checkpoint=path, time_limit=1e-6, **TEXT_RUN)
    assert (history.stopped, history.steps[-1]) == ("time", 7)
    model = text_model()
    assert_as_unbroken(model, fit(model, text(), valid=text(30), checkpoint=path, **TEXT_RUN))


def diverging(step):
    """A model whose loss is NaN at one step."""
    model, calls = FVBN(dim=6), []
    loss = model.loss

    def broken(x, context=None, *, generator=None):
        if not model.training:
            return loss(x, context, generator=generator)
        calls.append(None)
        return loss(x, context, generator=generator) * (float("nan") if len(calls) == step else 1.0)

    model.loss = broken
    return model


@pytest.mark.parametrize("valid", [None, bits(30)])
def test_nan_leaves_the_last_good_weights(tmp_path, valid):
    path, run = tmp_path / "run.safetensors", dict(steps=50, batch_size=10, lr=1e-2, evaluate_every=10, **QUIET)
    model, healthy = diverging(27), FVBN(dim=6)
    with pytest.raises(TrainingDiverged, match="step 27 .*nan.*weights of step 20") as caught:
        fit(model, bits(), valid=valid, checkpoint=path, **run)
    error = caught.value
    assert (error.step, error.good_step) == (27, 20)
    assert error.last_loss > 0
    assert error.lr > 0
    with pytest.raises(TrainingDiverged):
        fit(healthy := diverging(21), bits(), valid=valid, **run)
    assert same(weights(model), weights(healthy))         # both hold the weights of step 20
    assert all(tensor.isfinite().all() for tensor in weights(model).values())
    assert not model.training
    assert checkpoints.read_metadata(path)["step"] == 20


def test_loss_that_is_never_a_number_leaves_the_model_as_it_was():
    model = diverging(1)
    before = weights(model)
    with pytest.raises(TrainingDiverged, match="no loss was finite before it.*weights of step 0"):
        fit(model, bits(), steps=5, batch_size=5, **QUIET)
    assert same(weights(model), before)


# --- another run's state is refused -----------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(FVBN(dim=6), bits(), valid=bits(30), checkpoint=path, steps=20, batch_size=10, **QUIET)
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict(lr=2e-3), "lr was 0.001 and is 0.002"),
        (dict(steps=21), "steps was 20 and is 21"),
        (dict(l1=0.1), "l1 was 0.0 and is 0.1"),
        (dict(seed=1), "seed was 0 and is 1"),
        (dict(train=bits(seed=3)), "given as train are not the same"),
        (dict(valid=bits(31)), "given as valid are not the same"),
        (dict(model=MADE(dim=6, hidden=8)), "model was .*FVBN.* and is .*MADE"),
        (dict(model=FVBN(dim=6, order=[5, 4, 3, 2, 1, 0])), "config order was null"),
    ],
)
def test_state_of_another_run_is_refused(begun, change, reason):
    before = begun.read_bytes()
    arguments = dict(model=FVBN(dim=6), train=bits(), valid=bits(30), steps=20, batch_size=10) | change
    with pytest.raises(CheckpointError, match=f"another run: .*{reason}"):
        fit(**arguments, checkpoint=begun, **QUIET)
    assert begun.read_bytes() == before


def test_resume_false_starts_afresh(begun):
    history = fit(FVBN(dim=6), bits(), checkpoint=begun, resume=False, steps=5, batch_size=10, **QUIET)
    assert history.steps == [1, 2, 3, 4, 5]
    assert checkpoints.read_metadata(begun)["step"] == 5


def test_damaged_state_is_named(begun):
    begun.write_bytes(begun.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="run.safetensors is damaged"):
        fit(FVBN(dim=6), bits(), valid=bits(30), checkpoint=begun, steps=20, batch_size=10, **QUIET)
