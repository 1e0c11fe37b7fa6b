"""Training: what comes out, and that nothing is lost whatever happens on the way."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from dgmhelpers import evaluation
from dgmhelpers.autoregressive import FVBN, MADE, CharRNN
from dgmhelpers.training import CheckpointError, TrainingDiverged, checkpoints, fit
from dgmhelpers.training.files import fingerprint, move, overlaps
from dgmhelpers.training.progress import Bar
from dgmhelpers.training.state import State

ROOT = Path(__file__).resolve().parents[1]
QUIET = dict(progress=False, device="cpu")


def bits(n=96, dim=6, seed=0):
    """Bits of which each repeats the one before it nine times in ten."""
    generator = torch.Generator().manual_seed(seed)
    flips = torch.bernoulli(torch.full((n, dim), 0.1), generator=generator)
    flips[:, 0] = torch.bernoulli(torch.full((n,), 0.5), generator=generator)
    return flips.cumsum(1) % 2


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def text_model():
    """A model whose training also draws from PyTorch's own random numbers, for dropout."""
    torch.manual_seed(0)
    return CharRNN(length=6, levels=3, hidden=8, layers=2, dropout=0.3)


def text(n=64):
    return torch.randint(3, (n, 6), generator=torch.Generator().manual_seed(0))


TEXT_RUN = dict(steps=40, batch_size=10, lr=1e-2, warmup=5, ema=0.9, clip=1.0, evaluate_every=7, **QUIET)


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_loss_falls_towards_what_is_possible():
    model, train, valid = FVBN(dim=6), bits(2000), bits(500, seed=1)
    history = fit(model, train, valid=valid, steps=400, batch_size=50, lr=3e-2, **QUIET)
    entropy = 0.6931 + 5 * 0.3251                         # of a fair bit and of five that flip one time in ten
    assert history.train_loss[0] == pytest.approx(6 * 0.6931, abs=1e-3)
    assert abs(evaluation.nats(model, valid).value - entropy) < 0.2
    assert not model.training


def test_history_says_what_happened():
    history = fit(FVBN(dim=6), bits(), valid=bits(), steps=25, batch_size=10, evaluate_every=10, **QUIET)
    assert history.steps == list(range(1, 26))
    assert len(history.train_loss) == 25
    assert [step for step, _ in history.valid_loss] == [10, 20, 25]
    assert history.best_valid == min(value for _, value in history.valid_loss)
    assert history.stopped is None
    assert history.seconds > 0
    assert "25 steps" in str(history)


def test_model_is_left_with_its_best_weights():
    train, valid = bits(20), bits(200, seed=1)
    model = MADE(dim=6, hidden=32)
    history = fit(model, train, valid=valid, steps=200, batch_size=20, lr=3e-2, evaluate_every=10, **QUIET)
    assert history.best_step < 200                        # it overfits, as it should for this to say something
    assert evaluation.nats(model, valid).value == pytest.approx(history.best_valid, abs=1e-5)


def test_validation_does_not_depend_on_batches():
    figures = []
    for size in (1, 7, 1000):
        torch.manual_seed(0)
        history = fit(FVBN(dim=6), bits(), valid=bits(30), steps=3, batch_size=5, evaluate_batch_size=size, **QUIET)
        figures.append(history.best_valid)
    assert figures == pytest.approx([figures[0]] * 3, abs=1e-6)


def test_every_example_is_seen_once_before_any_is_seen_again():
    state = State(FVBN(dim=2), torch.optim.SGD(FVBN(dim=2).parameters(), 0.1), 10, 0, "cpu", None, 0)
    drawn = torch.cat([state.next_batch(4) for _ in range(10)])
    for epoch in drawn.reshape(4, 10):
        assert sorted(epoch.tolist()) == list(range(10))
    assert sorted(state.next_batch(23).tolist())[0] == 0   # a batch may be larger than the data


def test_same_seed_same_weights_and_another_seed_others():
    results = []
    for seed in (0, 0, 1):
        model = text_model()
        fit(model, text(), seed=seed, **TEXT_RUN)
        results.append(weights(model))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_random_state_of_the_caller_is_untouched():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(text_model_keeping_seed(), text(), steps=3, batch_size=5, **QUIET)
    assert torch.equal(torch.rand(3), expected)


def text_model_keeping_seed():
    with torch.random.fork_rng([]):
        return text_model()


def test_penalties_shrink_weights_and_spare_biases():
    free, l1, l2 = FVBN(dim=6), FVBN(dim=6), FVBN(dim=6)
    run = dict(steps=200, batch_size=96, lr=3e-2, **QUIET)
    fit(free, bits(), **run)
    fit(l1, bits(), l1=0.1, **run)
    fit(l2, bits(), weight_decay=1.0, **run)
    assert l1.weight.abs().sum() < 0.5 * free.weight.abs().sum()
    assert l2.weight.abs().sum() < 0.9 * free.weight.abs().sum()
    assert l1.bias.abs().sum() > 0.1 * free.bias.abs().sum()


def test_average_of_the_weights_is_what_is_kept():
    run = dict(steps=30, batch_size=10, lr=0.1, decay=False, **QUIET)
    plain, averaged = FVBN(dim=6), FVBN(dim=6)
    fit(plain, bits(), **run)
    fit(averaged, bits(), ema=0.99, **run)
    assert averaged.weight.abs().sum() < plain.weight.abs().sum()   # still remembers that it began at zero


def test_patience_and_time_end_a_run():
    run = dict(steps=10_000, batch_size=20, lr=3e-2, evaluate_every=5, **QUIET)
    history = fit(MADE(dim=6, hidden=32), bits(20), valid=bits(50, seed=1), patience=3, **run)
    assert history.stopped == "patience"
    assert history.steps[-1] == history.best_step + 15
    assert fit(FVBN(dim=6), bits(), time_limit=1e-6, **run).stopped == "time"


def test_transform_makes_what_the_model_sees():
    grey = torch.full((40, 6), 0.5)

    def binarise(x, generator):
        return torch.bernoulli(x, generator=generator)

    history = fit(FVBN(dim=6), grey, steps=20, batch_size=20, transform=binarise, **QUIET)
    assert history.train_loss[0] == pytest.approx(6 * 0.6931, abs=1e-3)


def test_mixed_precision_trains_and_validates_in_full():
    model = FVBN(dim=6)
    history = fit(model, bits(), valid=bits(), steps=20, batch_size=20, lr=1e-2, precision="bf16", **QUIET)
    assert model.weight.dtype == torch.float32
    assert evaluation.nats(model, bits()).value == pytest.approx(history.best_valid, abs=1e-5)


def test_model_without_a_density_is_validated_by_its_loss():
    class Bounded(torch.nn.Module):
        event_shape = torch.Size([6])

        def __init__(self):
            super().__init__()
            self.mean = torch.nn.Parameter(torch.zeros(6))

        def loss(self, x, context=None, *, generator=None):
            noise = torch.randn(x.shape, generator=generator)
            return ((x - self.mean + noise) ** 2).sum(1).mean()

    x = torch.ones(50, 6)
    history = fit(Bounded(), x, valid=x, steps=60, batch_size=10, lr=0.1, evaluate_every=20, **QUIET)
    values = [value for _, value in history.valid_loss]
    assert values == sorted(values, reverse=True)          # the same noise each time
    assert values[-1] == pytest.approx(6, abs=1.5)


@pytest.mark.slow
def test_two_processes_walk_the_same_path(tmp_path):
    """Batches are drawn for all processes together, so that only the order of summation differs."""
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(TWO.format(tests=str(ROOT / "tests"))), encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    state = str(tmp_path / "run.safetensors")
    subprocess.run([*launch, state, "20"], cwd=ROOT, env=environment, check=True, timeout=200)
    alone = FVBN(dim=6)
    history = fit(alone, bits(), valid=bits(31), checkpoint=state, **TWO_RUN)   # goes on with one process
    whole = fit(FVBN(dim=6), bits(), valid=bits(31), **TWO_RUN)
    assert history.train_loss == pytest.approx(whole.train_loss, abs=1e-5)
    assert [value for _, value in history.valid_loss] == pytest.approx([v for _, v in whole.valid_loss], abs=1e-5)


TWO_RUN = dict(steps=40, batch_size=11, lr=1e-2, ema=0.9, clip=1.0, l1=1e-3, evaluate_every=10, **QUIET)
TWO = """
    import os, sys
    sys.path.insert(0, {tests!r})
    from test_training import FVBN, TWO_RUN, bits, fit
    from dgmhelpers.training import state
    assert os.environ["WORLD_SIZE"] == "2"
    counted = state.State.updated
    def updated(self):
        counted(self)
        if self.step > int(sys.argv[2]):
            os._exit(0)                                    # as if killed: the state is that of the evaluation before
    state.State.updated = updated
    fit(FVBN(dim=6), bits(), valid=bits(31), checkpoint=sys.argv[1], **TWO_RUN)
"""


def test_windows_are_not_copied():
    stream = torch.arange(1000)
    view = stream.unfold(0, 100, 1)
    assert overlaps(view)
    assert not overlaps(stream)
    assert move(view, torch.device("cpu")).data_ptr() == stream.data_ptr()
    assert fingerprint(view) == fingerprint(stream.clone().unfold(0, 100, 1))
    assert fingerprint(view) != fingerprint(stream.unfold(0, 100, 2))
    assert fingerprint(view) != fingerprint((stream + 1).unfold(0, 100, 1))
    there = move(view, torch.device("meta"))              # stands for any other device
    assert there.shape == view.shape
    assert there.untyped_storage().nbytes() == stream.untyped_storage().nbytes()


# --- nothing is lost --------------------------------------------------------------------------------------------------


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
    path, seen = tmp_path / "run.safetensors", []

    def ctrl_c(x, generator):
        seen.append(x)
        if len(seen) == step:
            os.kill(os.getpid(), signal.SIGINT)           # waits until the step is over
        return x

    model = text_model()
    with pytest.raises(KeyboardInterrupt):
        fit(model, text(), valid=text(30), transform=ctrl_c, checkpoint=path, **TEXT_RUN | {"progress": True})
    said = capsys.readouterr().err
    assert f"interrupted after step {step} of 40" in said
    assert path.name in said
    assert not model.training
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model = text_model()
    seen.extend([None] * 100)                             # no more interruptions
    history = fit(model, text(), valid=text(30), transform=ctrl_c, checkpoint=path, **TEXT_RUN)
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
from test_training import TEXT_RUN, fit, text, text_model
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


# --- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict(steps=0), "steps must be"),
        (dict(batch_size=0), "batch_size must be"),
        (dict(batch_size=2.5), "batch_size must be"),
        (dict(lr=0.0), "lr must be positive"),
        (dict(lr=float("nan")), "lr must be positive"),
        (dict(warmup=10), "warmup must be"),
        (dict(ema=1.0), "ema must lie between"),
        (dict(clip=0.0), "clip must be positive"),
        (dict(l1=-1.0), "l1 must be 0 or more"),
        (dict(evaluate_every=0), "evaluate_every must be"),
        (dict(precision="fp8"), "precision must be"),
        (dict(train=torch.zeros(4, 5)), r"train must have shape \(N, 6\) for this model, got \(4, 5\)"),
        (dict(train=torch.zeros(0, 6)), "train holds no example"),
        (dict(train=torch.full((4, 6), float("nan"))), "train holds NaN"),
        (dict(train=[[0.0] * 6]), "train must be one tensor"),
        (dict(valid=torch.zeros(3, 7)), "valid must have shape"),
        (dict(context=torch.zeros(3)), "96 examples and its context 3"),
        (dict(model=torch.nn.Linear(6, 1)), "Linear does not have"),
        (dict(train=torch.full((4, 6), 0.5)), "binar"),
    ],
)
def test_bad_arguments_are_refused_with_a_reason(change, reason):
    arguments = dict(model=FVBN(dim=6), train=bits(), steps=10, batch_size=5) | change
    with pytest.raises(ValueError, match=reason):
        fit(**arguments, **QUIET)


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_log_gets_one_line(capsys):
    fit(FVBN(dim=6), bits(), steps=5, batch_size=5, device="cpu")
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_bar_that_is_not_shown_says_nothing(capsys):
    bar = Bar(10, 0, show=False)
    bar.update()
    bar.note("loss 1")
    bar.finish("over")
    assert capsys.readouterr() == ("", "")


def test_notebook_stores_one_line():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    source = """
        import torch, time
        from dgmhelpers.autoregressive import FVBN
        from dgmhelpers.training import fit
        model = FVBN(dim=6)
        loss = model.loss
        model.loss = lambda *a, **k: (time.sleep(0.05), loss(*a, **k))[1]
        fit(model, torch.zeros(9, 6), steps=30, batch_size=5, device="cpu");
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(source))])
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output["output_type"] == "display_data"
    assert output["data"]["text/plain"].startswith("30 steps in")
