"""Tensors and JSON in one safetensors file, written whole or not at all.

A file is written under another name in the same folder, flushed to the disk and then renamed, which the file
system does in one step: whoever is killed at any moment leaves the old file or the new one, never a half.
Nothing is pickled, so reading a file cannot run code.
"""

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dgmhelpers import devices
from dgmhelpers.arguments import local_path, plain

STALE = 24 * 3600         # seconds after which an unfinished file has no writer any more


class CheckpointError(RuntimeError):
    """A checkpoint is missing, damaged, or belongs to something else."""


def write(path: str | os.PathLike, tensors: Mapping[str, Tensor], metadata: dict) -> None:
    """Write ``tensors`` and ``metadata`` (anything JSON can hold) to ``path``, atomically."""
    text = json.dumps(plain(metadata), allow_nan=False)
    arrays = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    content = save(arrays, metadata={"dgmhelpers": text})
    _replace(local_path(path), lambda partial: partial.write_bytes(content))


def write_json(path: str | os.PathLike, content: dict) -> None:
    """Write ``content`` as indented JSON to ``path``, atomically."""
    text = json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _replace(local_path(path), lambda partial: partial.write_text(text, encoding="utf-8"))


def _replace(path: Path, produce) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f".{path.name}.*.partial"):   # left by a writer that was killed
        with contextlib.suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > STALE:
                old.unlink()
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")   # of this writer alone
    try:
        produce(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":                              # the new name must reach the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_metadata(path: str | os.PathLike) -> dict:
    """The JSON stored with a checkpoint; its tensors are not read."""
    return _read(path, tensors=False)[1]


def read(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict]:
    """All tensors of a checkpoint, on the CPU, and its JSON."""
    return _read(path, tensors=True)


def _read(path: str | os.PathLike, tensors: bool) -> tuple[dict[str, Tensor], dict]:
    path = local_path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("dgmhelpers")
            # copies: what is read must not keep the file mapped, or it could not be replaced on every system
            arrays = {name: file.get_tensor(name).clone() for name in file.keys()} if tensors else {}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} is damaged or not a safetensors file ({reason})") from error
    try:
        metadata = json.loads(text or "")
    except (TypeError, ValueError):
        raise CheckpointError(f"{path} holds weights, but not what dgmhelpers stores beside them") from None
    return arrays, metadata


def sha256(path: str | os.PathLike) -> str:
    """Hex digest of a file's bytes."""
    with open(local_path(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(x: Tensor) -> str:
    """Hex digest of a tensor's type, shape and values; of overlapping windows, of what they overlap on."""
    digest = hashlib.sha256(f"{x.dtype} {tuple(x.shape)}".encode())
    if overlaps(x):
        digest.update(f"{x.stride()} {x.storage_offset()}".encode())
        x = whole(x)
    x = x.detach().cpu().contiguous()
    digest.update(x.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def overlaps(x: Tensor) -> bool:
    """Whether ``x`` is a view that shows some stored elements more than once, such as sliding windows."""
    return x.numel() * x.element_size() > x.untyped_storage().nbytes()


def whole(x: Tensor) -> Tensor:
    """Everything in the storage that ``x`` is a view of, as one flat tensor."""
    return x.as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)


def move(x: Tensor, device: torch.device) -> Tensor:
    """``x`` on ``device``; overlapping windows stay a view there, of one small tensor.

    Double precision becomes single where the device has no other.
    """
    if x.dtype == torch.double and not devices.has_float64(device):
        x = x.float()
    if x.device == device or not overlaps(x):
        return x.to(device)
    return whole(x).to(device).as_strided(x.shape, x.stride(), x.storage_offset())
