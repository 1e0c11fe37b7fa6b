"""Where a result comes from: the commit, the command, the device and the libraries that made it."""

import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import accelerate
import numpy
import safetensors
import torch

import dgmhelpers
from dgmhelpers import places


def commit() -> str | None:
    """The commit that this code is at, with "-dirty" if tracked code differs from it; None outside a checkout."""
    root = places.checkout()
    if root is None:
        return None
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        changes = subprocess.run(["git", "status", "--porcelain", "-uno", "--", "dgmhelpers"], cwd=root,
                                 capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("-dirty" if changes.stdout.strip() else "")


def command(name: str, profile: str, seed: int | None, time_limit: float | None, asked: Mapping[str, Any]) -> str:
    """The command line that makes a result; ``asked`` holds precision and compilation, where they were asked for."""
    words = [f"python -m dgmhelpers train {name} --profile {profile}"]
    words += [] if seed is None else [f"--seed {seed}"]
    words += [] if time_limit is None else [f"--minutes {time_limit / 60:g}"]
    words += [f"--precision {asked['precision']}"] if "precision" in asked else []
    return " ".join(words + (["--compile"] if asked.get("compiled") else []))


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
