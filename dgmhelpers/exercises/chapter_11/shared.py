"""How answers of chapter 11 are read and compared: tensors, arrays and lists, in single or double precision."""

from collections.abc import Mapping

import torch
from torch import Tensor

RELATIVE, ABSOLUTE = 2e-5, 2e-5     # single precision, after some sums


def as_numbers(got, shape: tuple[int, ...], what: str) -> Tensor | str:
    """An answer in float64 and of that shape; or what is said if it is none. A column ``(n, 1)`` is a vector."""
    if callable(got):
        return f"expected {what}, got a function: did you call it?"
    try:
        found = torch.stack([torch.as_tensor(part) for part in got]) if isinstance(got, list | tuple) \
            else torch.as_tensor(got)
        found = found.detach().to("cpu", torch.double)
    except (TypeError, ValueError, RuntimeError):
        return f"expected {what}, got {type(got).__name__}"
    if found.numel() == torch.Size(shape).numel() and found.squeeze().shape == torch.Size(shape):
        found = found.reshape(shape)
    if found.shape != torch.Size(shape):
        wanted = f"shape {tuple(shape)}" if shape else "a single number"
        return f"expected {what}, {wanted}; got shape {tuple(found.shape)}"
    if found.isnan().any():
        return f"there is a NaN in what should be {what}"
    return found


def same(got: Tensor, wanted: Tensor) -> bool:
    """Whether all entries agree to single precision."""
    return bool(torch.isclose(got, wanted.double(), rtol=RELATIVE, atol=ABSOLUTE).all())


def named(mistakes: Mapping[str, Tensor], got: Tensor) -> str | None:
    """What is said of the first mistake that was made, ``{what to say: the wrong value}``; None if of none."""
    return next((says for says, wrong in mistakes.items() if same(got, wrong.broadcast_to(got.shape))), None)
