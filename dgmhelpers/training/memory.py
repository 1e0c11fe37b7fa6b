"""How much memory a training takes: what the device or the system says.

On CUDA the figures are the allocator's. On the CPU they are the process's resident memory, where the system tells:
Linux does, and its high-water mark can be set back; elsewhere the peak is that of the whole life of the process.
"""

import sys
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def now(device: torch.device) -> int | None:
    """Bytes in use: by tensors on CUDA, by this process on the CPU; None where nobody says."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _status("VmRSS")


def forget_peak(device: torch.device) -> None:
    """Start to look for a new peak, where that is possible."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:                                      # not Linux, or not allowed: the old peak stands
        pass


def peak(device: torch.device) -> int | None:
    """The most bytes in use since :func:`forget_peak`, counted as :func:`now` counts them."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    found = _status("VmHWM")
    if found is None:
        try:
            import resource
        except ImportError:                              # Windows
            return None
        found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return found


def _status(field: str) -> int | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)


def in_words(size: float | None) -> str:
    """``1.4 GB``, ``31 MB``, ``4 kB``; a dash for None."""
    if size is None:
        return "–"
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size / 1e3:.0f} kB"
