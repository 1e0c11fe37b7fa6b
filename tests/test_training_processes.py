"""More than one process: the same batches, the same curve, one checkpoint, and another number of processes goes on.

They are started as ``accelerate launch`` starts them on several GPUs; on CPUs they speak through gloo.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from training_cases import QUIET, bits

from dgmhelpers.autoregressive import FVBN
from dgmhelpers.recipes import Folders
from dgmhelpers.recipes.train import train
from dgmhelpers.training import checkpoints, fit
from dgmhelpers.training.state import State

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines",
          "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]  # fmt: skip
RUN = dict(steps=40, batch_size=11, lr=1e-2, ema=0.9, clip=1.0, l1=1e-3, evaluate_every=10, **QUIET)
SCRIPT = """
    import json, os, sys
    sys.path.insert(0, {tests!r})
    from training_cases import bits
    from test_training_processes import FVBN, RUN, fit
    from dgmhelpers.training import state
    assert os.environ["WORLD_SIZE"] == "2"
    path, stop = sys.argv[1], int(sys.argv[2])
    counted = state.State.updated
    def updated(self):
        counted(self)
        if self.step > stop:
            os._exit(0)                                    # as if killed: the state is that of the evaluation before
    state.State.updated = updated
    history = fit(FVBN(dim=6), bits(), valid=bits(31), checkpoint=path, **RUN)
    if os.environ["RANK"] == "0":
        with open(path + ".json", "w") as file:
            json.dump([history.train_loss, history.valid_loss], file)
"""


def launched(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DGM_DEVICE": "cpu"}
    done = subprocess.run([*LAUNCH, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "two.py"
    path.write_text(textwrap.dedent(SCRIPT.format(tests=str(ROOT / "tests"))), encoding="utf-8")
    return str(path)


def assert_same_curves(found, train_loss, valid_loss):
    """Batches are drawn for all processes together, so that only the order of summation differs."""
    assert found.train_loss == pytest.approx(train_loss, abs=1e-5)
    assert [step for step, _ in found.valid_loss] == [step for step, _ in valid_loss] == [10, 20, 30, 40]
    assert [value for _, value in found.valid_loss] == pytest.approx([value for _, value in valid_loss], abs=1e-5)


def test_one_process_goes_on_where_two_stopped(tmp_path, script):
    state = str(tmp_path / "run.safetensors")
    launched(script, state, "20")
    assert checkpoints.read_metadata(state)["step"] == 20
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["run.safetensors"]
    history = fit(FVBN(dim=6), bits(), valid=bits(31), checkpoint=state, **RUN)
    whole = fit(FVBN(dim=6), bits(), valid=bits(31), **RUN)
    assert_same_curves(whole, history.train_loss, history.valid_loss)


def test_two_processes_go_on_where_one_stopped(tmp_path, script, monkeypatch):
    state, counted = str(tmp_path / "run.safetensors"), State.updated

    def updated(self):
        counted(self)
        if self.step > 20:
            raise RuntimeError("as if killed")

    with monkeypatch.context() as patch:
        patch.setattr(State, "updated", updated)
        with pytest.raises(RuntimeError, match="as if killed"):
            fit(FVBN(dim=6), bits(), valid=bits(31), checkpoint=state, **RUN)
    assert checkpoints.read_metadata(state)["step"] == 20
    launched(script, state, "1000")
    assert checkpoints.read_metadata(state)["step"] == 40
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["run.safetensors"]
    whole = fit(FVBN(dim=6), bits(), valid=bits(31), **RUN)
    assert_same_curves(whole, *json.loads((tmp_path / "run.safetensors.json").read_text()))


def test_a_recipe_is_carried_out_by_two_processes(tmp_path, monkeypatch):
    for name in ("RUN", "CHECKPOINT", "RESULT"):
        monkeypatch.setenv(f"DGM_{name}_DIR", str(tmp_path / "two" / name.lower()))
    said = launched("-m", "dgmhelpers", "train", "fvbn-dna", "--profile", "quick")
    assert said.count("wrote fvbn-dna.json") == said.count("min of updates") == 1
    two = json.loads((tmp_path / "two/run/quick/results/fvbn-dna.json").read_text(encoding="utf-8"))
    folders = Folders(tmp_path / "runs", tmp_path / "checkpoints", tmp_path / "results")
    path = train("fvbn-dna", profile="quick", device="cpu", folders=folders, say=lambda line: None)
    one = json.loads(path.read_text(encoding="utf-8"))
    for found in (two, one):
        assert found["training"]["steps_taken"] == 300
    assert two["selection"]["chosen"] == one["selection"]["chosen"]
    assert two["training"]["valid"] == pytest.approx(one["training"]["valid"], abs=1e-4)
