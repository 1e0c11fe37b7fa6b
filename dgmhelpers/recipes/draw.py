"""Samples of a trained experiment as a picture, as text, or as rows of numbers."""

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dgmhelpers import devices
from dgmhelpers.arguments import local_path, needs
from dgmhelpers.recipes import get
from dgmhelpers.recipes.experiment import Experiment
from dgmhelpers.recipes.measures import number_of
from dgmhelpers.recipes.record import Folders
from dgmhelpers.training import checkpoints


def draw(
    which: str | Experiment, *, n: int | None = None, out: Path | None = None, temperature: float = 1.0, seed: int = 0,
    profile: str = "full", device: str | torch.device | None = None, folders: Folders | None = None,
) -> str:  # fmt: skip
    """Draw ``n`` samples and write them to ``out``, whose ending says how; gives what to print.

    Args:
        which: an experiment, or the file of a checkpoint.

    Raises:
        ValueError: if they cannot be written that way, or the experiment keeps no weights.
    """
    device, out = devices.device(device), None if out is None else local_path(out)
    if isinstance(which, str) and checkpoints.is_path(which):
        name, path = which, local_path(which)
        model: Any = checkpoints.load(path, device)
        size, classes = _size(model), getattr(model, "config", {}).get("classes")
    else:
        experiment = (get(which) if isinstance(which, str) else which).for_profile(profile)
        name, size, classes = experiment.name, experiment.size, experiment.stages[-1].config.get("classes")
        if experiment.keep is None:
            raise ValueError(f"{name} keeps no weights: there is nothing to draw from")
        path, model = (folders or Folders.standard(profile)).checkpoints / f"{name}.safetensors", None
    n = n if n is not None else 64 if size else 4
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    ending = out.suffix if out is not None else ".txt"
    if ending not in (".png", ".txt"):
        raise ValueError(f"{out} should end in .png or .txt")
    if ending == ".png" and size is None:
        raise ValueError(f"the samples of {name} are not pictures: write them to FILE.txt")
    if model is None:
        if not path.is_file():
            checkpoints.load_named(name, device)         # says what there is, and how to get the others
        model = checkpoints.load(path, device, classes=experiment.classes())
    wanted = inspect.signature(model.sample).parameters
    options: dict[str, Any] = {}
    if "temperature" in wanted:
        options["temperature"] = temperature
    elif temperature != 1:
        raise ValueError(f"the sampler of {name} knows no temperature: leave it at 1")
    if classes:
        options["context"] = torch.arange(n, device=device) % (number_of(classes) or 1)    # each class in turn
    symbols = checkpoints.read_metadata(path).get("symbols")
    x = model.sample(n, **options, generator=torch.Generator(device).manual_seed(seed)).cpu()
    levels = getattr(getattr(model, "likelihood", model), "levels", None)
    levels = 2 if levels is None and ((x == 0) | (x == 1)).all() else levels
    if out is not None and ending == ".png":
        needs("matplotlib", "viz")
        from matplotlib import pyplot

        out.parent.mkdir(parents=True, exist_ok=True)
        grey = (x.float() + 1) / 2 if levels is None else x.float() / (levels - 1)         # a GAN draws from −1 to 1
        pyplot.imsave(out, grid(grey.reshape(n, *(size or ()))).numpy(), cmap="gray", vmin=0, vmax=1)
        return f"wrote {out}: {n} samples"
    if symbols:
        text = "\n\n".join("".join(symbols[i] for i in row.tolist()) for row in x)
    elif size and levels == 2:
        pictures = x.reshape(n, *size).tolist()
        text = "\n\n".join("\n".join("".join(".#"[int(v)] for v in row) for row in picture) for picture in pictures)
    elif levels is None:
        text = "\n".join(" ".join(f"{v:.4g}" for v in row) for row in x.flatten(1).tolist())
    else:
        space = "" if levels <= 10 else " "
        text = "\n".join(space.join(str(int(v)) for v in row) for row in x.flatten(1).tolist())
    if out is None:
        return text
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    return f"wrote {out}: {n} samples"


def _size(model) -> tuple[int, int] | None:
    """Height and width, if the examples are images of one colour."""
    shape = tuple(getattr(model, "event_shape", ()))
    return (shape[-2], shape[-1]) if len(shape) == 3 and shape[0] == 1 else None


def grid(pictures: Tensor, gap: int = 2, scale: int = 3) -> Tensor:
    """Pictures ``(n, H, W)`` side by side in a near-square, on grey, each pixel ``scale`` wide."""
    n, height, width = pictures.shape
    columns = int(n**0.5 + 0.999)
    rows = -(-n // columns)
    sheet = torch.full((rows * (height + gap) + gap, columns * (width + gap) + gap), 0.5)
    for i, picture in enumerate(pictures):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
