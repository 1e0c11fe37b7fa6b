"""Going on with a text: what the models over symbols share, whatever they keep of the past."""

from typing import Any

import torch
from torch import Generator, Tensor

from dgmhelpers.arguments import at_least


@torch.no_grad()
def continued(
    model: Any, prompt: str | Tensor, length: int, *, dataset=None, temperature: float = 1.0,
    generator: Generator | int | None = None,
) -> str | Tensor:  # fmt: skip
    """``length`` symbols more after a prompt of any length: text after a text, levels ``(length,)`` after levels.

    Args:
        model: one with ``reader()``, which gives the logits after each symbol that it reads, and ``start``, the symbol
            that comes first. Where a reader holds ``most`` symbols and is full, another begins with the last half.
        prompt: what to go on from; may be empty.
        dataset: whose symbols the text is written in; those of the model's checkpoint if it has any.
        generator: a generator, or a seed.

    Raises:
        ValueError: for a text if the symbols are not known, or one with another; for levels out of range.
    """
    at_least("length", length, 0)
    if isinstance(generator, int):
        generator = Generator(model.device).manual_seed(generator)
    model._check_draw(1, generator, temperature)
    table = getattr(dataset, "symbols", None) or getattr(model, "symbols", None)
    if isinstance(prompt, str):
        if table is None:
            raise ValueError("the symbols of this model are not known: give dataset=, what it was trained on")
        unknown = sorted(set(prompt) - set(table))
        if unknown and dataset is None:
            raise ValueError(f"this model has no symbol for {unknown[0]!r}")
        levels = dataset.encode(prompt) if dataset is not None else torch.tensor([table.index(c) for c in prompt])
    else:
        levels = prompt
    levels = torch.as_tensor(levels, device=model.device).long()
    wrong = (levels < 0) | (levels >= model.likelihood.levels)
    if wrong.any():
        raise ValueError(f"levels must be within 0 … {model.likelihood.levels - 1}, got {levels[wrong][0].item()}")
    text, read = levels.tolist(), model.reader()
    inputs = [model.start, *text]
    for _ in range(length):
        if read.most is not None and read.at + len(inputs) > read.most:            # full: begin a new window
            read, inputs = model.reader(), [model.start, *text[max(0, len(text) - read.most // 2) :]]
        logits = read(torch.tensor([inputs], device=model.device))[:, -1]          # (1, K)
        text.append(int(model.likelihood.sample(logits, temperature, generator)))
        inputs = text[-1:]
    found = text[len(levels) :]
    if isinstance(prompt, str) and table:
        return "".join(table[i] for i in found)
    return torch.tensor(found, dtype=torch.long, device=model.device)
