"""Where a result comes from: the commit, the command, the device and the libraries that made it."""

import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import accelerate
import numpy
import safetensors
import torch

import dgmhelpers


def commit() -> str | None:
    """The commit that this code is at, with "-dirty" if tracked code differs from it; None outside a repository."""
    root = Path(__file__).resolve().parents[2]
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        changes = subprocess.run(["git", "status", "--porcelain", "-uno", "--", "dgmhelpers"], cwd=root,
                                 capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("-dirty" if changes.stdout.strip() else "")


def command(
    name: str, profile: str, seed: int, time_limit: float | None = None, training: Mapping | None = None
) -> str:
    """The command line that makes a result; ``training`` says what was asked for of precision and compilation."""
    training, words = training or {}, ""
    if time_limit is not None:
        words += f" --minutes {time_limit / 60:g}"
    if "precision" in training:
        words += f" --precision {training['precision']}"
    if training.get("compiled"):
        words += " --compile"
    return f"python -m dgmhelpers train {name} --profile {profile} --seed {seed}{words}"


def describe(device: torch.device) -> dict:
    """A device in words."""
    if device.type == "cuda":
        return {"type": "cuda", "name": torch.cuda.get_device_name(device)}
    return {"type": device.type, "name": _processor(), "threads": torch.get_num_threads()}


def versions() -> dict[str, str]:
    """Python and the libraries that figures may depend on."""
    return {
        "python": platform.python_version(),
        "dgmhelpers": dgmhelpers.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "accelerate": accelerate.__version__,
        "safetensors": safetensors.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
