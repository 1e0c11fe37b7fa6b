"""Training: what comes out, what is shown, and arguments that cannot be meant."""

import math
import shutil
import textwrap
from functools import partial
from pathlib import Path

import pytest
import torch
from training_cases import QUIET, TEXT_RUN, bits, same, text, text_model, weights

from dgmhelpers import evaluation
from dgmhelpers.autoregressive import FVBN, MADE
from dgmhelpers.training import fit
from dgmhelpers.training.files import fingerprint, move, overlaps
from dgmhelpers.training.progress import Bar
from dgmhelpers.training.schedules import Cosine
from dgmhelpers.training.state import Stream

ROOT = Path(__file__).resolve().parents[1]

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
    stream = Stream(torch.zeros(10, 2), 0, torch.device("cpu"))
    drawn = torch.cat([stream.next(4) for _ in range(10)])
    for epoch in drawn.reshape(4, 10):
        assert sorted(epoch.tolist()) == list(range(10))
    assert sorted(stream.next(23).tolist())[0] == 0   # a batch may be larger than the data


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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler here")
def test_compiled_training_is_the_same_up_to_rounding():
    plain, compiled = FVBN(dim=6), FVBN(dim=6)
    run = dict(steps=20, batch_size=16, lr=1e-2, valid=bits(30), **QUIET)
    here, there = fit(plain, bits(), **run), fit(compiled, bits(), compiled=True, **run)
    assert there.train_loss == pytest.approx(here.train_loss, abs=1e-5)
    assert torch.allclose(plain.weight, compiled.weight, atol=1e-5)
    assert compiled.state_dict().keys() == plain.state_dict().keys()     # no trace of the compiler in what is stored


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
        (dict(train="bits"), "train must be numbers in a tensor"),
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


# --- what chooses, what moves, and who watches ------------------------------------------------------------------------


def test_any_function_may_choose_the_weights():
    """The best is where the function says, in eval mode and with the random state put back."""
    model, other, seen = MADE(dim=6, hidden=16), MADE(dim=6, hidden=16), []
    other.load_state_dict(model.state_dict())

    def valid(model):
        assert not model.training and torch.is_grad_enabled()
        torch.rand(3)
        seen.append(weights(model))
        return torch.tensor(abs(len(seen) - 3.0))

    run = dict(steps=50, batch_size=10, lr=1e-2, evaluate_every=10, **QUIET)
    history = fit(model, bits(), valid=valid, **run)
    assert history.valid_loss == [(10, 2.0), (20, 1.0), (30, 0.0), (40, 1.0), (50, 2.0)]
    assert (history.best_step, history.best_valid) == (30, 0.0) and same(weights(model), seen[2])
    fit(other, bits(), **run)
    assert same(weights(other), seen[-1])                # it was asked without being noticed; without it the last stay


def test_an_optimiser_of_ones_own_is_the_one_written_by_hand():
    torch.manual_seed(0)
    model, by_hand = FVBN(dim=6), FVBN(dim=6)
    fit(model, bits(), steps=20, batch_size=96, optimizer=partial(torch.optim.SGD, lr=0.1), decay=False, **QUIET)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    order = Stream(bits(), 0, torch.device("cpu"))
    for _ in range(20):
        optimizer.zero_grad()
        by_hand.loss(bits()[order.next(96)]).backward()
        optimizer.step()
    assert same(weights(model), weights(by_hand))


def test_a_cosine_stays_down_when_its_steps_are_over():
    rates = [Cosine(steps=4, warmup=2)(0.1, step) for step in range(1, 8)]
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.05, 0, 0, 0]) and Cosine(2, warmup=2)(0.1, 4) == 0


def test_a_schedule_gives_the_rate_of_each_step():
    asked = []

    def schedule(lr, step):
        asked.append((lr, step))
        return 0.0 if step > 3 else lr

    model = FVBN(dim=6)
    fit(model, bits(), steps=6, batch_size=10, lr=0.01, schedule=schedule, **QUIET)
    assert asked == [(0.01, step) for step in range(1, 7)]
    other = FVBN(dim=6)
    fit(other, bits(), steps=3, batch_size=10, lr=0.01, decay=False, **QUIET)
    assert same(weights(model), weights(other))
    for change, says in [
        (dict(warmup=2), "schedule"), (dict(schedule=0.1), "schedule must be a function, got float"),
        (dict(schedule=lambda step: 0.1), r"two arguments, \(lr, step\)"),
        (dict(schedule=lambda lr, step: -lr), "0 or more: for 0.001 and step 1 it gave -0.001"),
        (dict(schedule=lambda lr, step: None), "it gave None"), (dict(schedule=Cosine), "it gave Cosine"),
        (dict(schedule=lambda lr, step: math.nan), "it gave nan"),
    ]:
        with pytest.raises(ValueError, match=says):
            fit(model, bits(), steps=6, batch_size=10, **dict(schedule=schedule) | change, **QUIET)
