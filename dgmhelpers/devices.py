"""One rule for where things run, and one for how long they may take.

Device: ``DGM_DEVICE`` if it is set, else CUDA, else MPS, else the CPU. Profile: ``DGM_PROFILE`` if it is set,
else ``quick`` (embedded data, laptop sizes); ``full`` means the real data and the paper's sizes.
"""

import os

import torch

PROFILES = ("quick", "full")


class DeviceUnavailable(RuntimeError):
    """A device was asked for that this machine, or this build of PyTorch, does not have."""


def device(name: str | torch.device | None = None) -> torch.device:
    """The device to use: ``name``, else ``DGM_DEVICE``, else the best there is.

    Raises:
        DeviceUnavailable: if a device was asked for by name and is not there.
    """
    asked_by = "device" if name is not None else "DGM_DEVICE"
    name = name if name is not None else os.environ.get("DGM_DEVICE", "").strip() or None
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(name)
    except RuntimeError:
        raise DeviceUnavailable(f"{asked_by}={name}: not a device; use cpu, cuda, cuda:N or mps") from None
    if found.type == "cpu":
        return found
    if found.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (found.index or 0) < count:
            return found
        reason = f"PyTorch {torch.__version__} sees {count} CUDA devices here"
    elif found.type == "mps":
        if torch.backends.mps.is_available():
            return found
        reason = "MPS needs an Apple GPU and macOS"
    else:
        reason = "only cpu, cuda and mps are supported"
    raise DeviceUnavailable(f"{asked_by}={found} was asked for, but {reason}; use DGM_DEVICE=cpu")


def has_float64(device: torch.device) -> bool:
    """Whether there are numbers of double precision on ``device``: Apple's GPU has none."""
    return device.type != "mps"


def for_model(model: torch.nn.Module, device: torch.device) -> torch.device:
    """``device``; but the CPU for a model in double precision, as the classical ones are, where ``device`` has none."""
    double = any(t.dtype == torch.double for t in (*model.parameters(), *model.buffers()))
    return torch.device("cpu") if double and not has_float64(device) else device


def profile(name: str | None = None) -> str:
    """``"quick"`` or ``"full"``: ``name``, else ``DGM_PROFILE``, else quick."""
    asked_by = "profile" if name is not None else "DGM_PROFILE"
    name = name if name is not None else os.environ.get("DGM_PROFILE", "").strip() or "quick"
    if name not in PROFILES:
        raise ValueError(f'{asked_by} must be "quick" or "full", got {name!r}')
    return name
